/**
 * Symmetric encryption. `encrypt` and `decrypt` take a whole message; `createEncryptStream` and `createDecryptStream` take it in
 * parts, for KMIP's Init and Final indicators. The authentication tag is apart from the data, as KMIP has it.
 *
 *   const { data, tag } = encrypt(key, plain, { cryptographicAlgorithm: 'AES', blockCipherMode: 'GCM', tagLength: 16 }, { iv, aad })
 *
 * Spec: KMIP 1.4 sections 3.6, 4.29, 4.30.
 */
import { aeadOf, type CipherInput, type CipherOutput, open, seal, tagOf } from './aead.ts'
import { ivOf, suiteOf, throughout, transform } from './cipher-suite.ts'
import { CryptoError } from './errors.ts'
import { paddingRow } from './padding.ts'
import type { CryptographicParameters } from './parameters.ts'
import { publicRandom } from './random.ts'

export type { CipherInput, CipherOutput } from './aead.ts'
export { type CipherStream, createDecryptStream, createEncryptStream } from './cipher-stream.ts'

/**
 * The IV that an algorithm and mode take: `bytes` is the length to draw when the server makes it (IV Length in the parameters is
 * honoured where the mode allows it); undefined when the mode takes no IV. `required` is false where the mode has a default.
 * @throws CryptoError `unsupported`; `invalid` for an IV Length that the mode does not allow
 */
export function ivNeeded(p: CryptographicParameters): { bytes: number; required: boolean } | undefined {
  const { mode, ivBytes } = suiteOf(p)
  if (ivBytes === undefined) return undefined
  const bytes = p.ivLength === undefined ? (mode.ivWanted ?? ivBytes[0] ?? 0) : p.ivLength / 8
  if (!ivBytes.includes(bytes)) throw new CryptoError('invalid', `IV Length ${p.ivLength} bits does not fit the mode`)
  return { bytes, required: mode.ivOptional !== true }
}

/** A random IV for the algorithm and mode; undefined when they take none. @throws CryptoError as `ivNeeded` */
export function randomIv(p: CryptographicParameters): Buffer | undefined {
  const iv = ivNeeded(p)
  return iv?.required ? publicRandom(iv.bytes) : undefined
}

/** Whether the algorithm and mode authenticate, so that Encrypt returns a tag and Decrypt needs one. @throws CryptoError `unsupported` */
export const isAuthenticated = (p: CryptographicParameters): boolean => suiteOf(p).mode.tags !== undefined

/**
 * Encrypt a whole message.
 * @param key  bytes of the key; for XTS key 1 and key 2 one after the other; for DES3 8, 16 or 24 bytes; for OneTimePad at least as
 *             many as the message has
 * @param p    Cryptographic Algorithm and, for block ciphers, Block Cipher Mode; Padding Method (absent: None) for ECB, CBC, PCBC;
 *             Tag Length (absent: 16) for authenticated modes
 * @throws CryptoError `unsupported`, `invalid`, `missing-iv`, `bad-tag-length`, `too-long`
 */
export function encrypt(key: Uint8Array, data: Uint8Array, p: CryptographicParameters, input: CipherInput = {}): CipherOutput {
  const s = suiteOf(p)
  if (s.mode.tags) return seal(s, aeadOf(s, p, key, input), data)
  const iv = ivOf(s, p, input.iv)
  if (!s.mode.blocks) return { data: throughout(s, 'encrypt', key, data, iv) }
  const { block } = s.cipher
  const filling = paddingRow(p.paddingMethod).pad(data.length, block)
  const state = transform(s, 'encrypt', key, iv)
  return { data: state.update(filling.length === 0 ? data : Buffer.concat([data, filling])) }
}

/**
 * Decrypt a whole message; of an authenticated mode nothing is given out before the tag has been checked. Parameters as for `encrypt`.
 * @throws CryptoError as `encrypt`, and `failed` when tag, padding or wrapping do not check
 */
export function decrypt(key: Uint8Array, data: Uint8Array, p: CryptographicParameters, input: CipherInput = {}): Buffer {
  const s = suiteOf(p)
  if (s.mode.tags) {
    const a = aeadOf(s, p, key, input)
    return open(s, a, data, tagOf(a, input.tag))
  }
  const iv = ivOf(s, p, input.iv)
  if (!s.mode.blocks) return throughout(s, 'decrypt', key, data, iv)
  const scheme = paddingRow(p.paddingMethod)
  const { block } = s.cipher
  const state = transform(s, 'decrypt', key, iv)
  if (data.length % block !== 0 || (data.length === 0 && scheme.pad(0, block).length > 0))
    throw new CryptoError('invalid', `the ciphertext must be a multiple of ${block} bytes`)
  const plain = state.update(data)
  return plain.length === 0 ? plain : plain.subarray(0, plain.length - block + scheme.unpad(plain.subarray(-block), block))
}
