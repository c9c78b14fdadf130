/**
 * RSA encryption. Padding Method OAEP (Hashing Algorithm, absent: SHA-1; Mask Generator Hashing Algorithm, absent: SHA-1; P Source) or
 * PKCS1V1_5. Spec: KMIP 1.4 sections 3.6, 4.29, 4.30; RFC 8017 section 7.
 */
import { constants, type KeyObject, privateDecrypt, publicEncrypt, webcrypto } from 'node:crypto'
import { CryptoError, failure } from './errors.ts'
import { hashRow } from './hash.ts'
import { keyFacts } from './keys.ts'
import type { CryptographicParameters } from './parameters.ts'
import { decodeOaep, decodePkcs1, encodeOaep, type Hashes } from './rsa-padding.ts'

const { RSA_NO_PADDING, RSA_PKCS1_PADDING, RSA_PKCS1_OAEP_PADDING } = constants
// Hashes of the one form of decryption that Node runs off the main thread.
const WEB_HASHES: ReadonlyMap<string, string> = new Map([
  ['SHA_1', 'SHA-1'],
  ['SHA_256', 'SHA-256'],
  ['SHA_384', 'SHA-384'],
  ['SHA_512', 'SHA-512'],
])
const NO_LABEL = Buffer.alloc(0)

function modulusBytes(key: KeyObject, kind: 'private' | 'public'): number {
  if (key.type !== kind || key.asymmetricKeyType !== 'rsa') throw new CryptoError('invalid', `an RSA ${kind} key is needed`)
  return Math.ceil(keyFacts(key).lengthBits / 8)
}

/** Hash and mask hash of OAEP, with the specification's default of SHA-1 for either. @throws CryptoError `unsupported` */
function oaepHashes(p: CryptographicParameters): Hashes {
  if ((p.maskGenerator ?? 'MGF1') !== 'MGF1') throw new CryptoError('unsupported', `Mask Generator ${p.maskGenerator} is not supported`)
  const hashes = { hash: p.hashingAlgorithm ?? 'SHA_1', mask: p.maskGeneratorHashingAlgorithm ?? 'SHA_1' }
  hashRow(hashes.hash)
  hashRow(hashes.mask)
  return hashes
}

const paddingOf = (p: CryptographicParameters): 'OAEP' | 'PKCS1V1_5' => {
  if (p.paddingMethod === undefined) throw new CryptoError('invalid', 'RSA encryption needs a Padding Method: OAEP or PKCS1V1_5')
  if (p.paddingMethod !== 'OAEP' && p.paddingMethod !== 'PKCS1V1_5')
    throw new CryptoError('unsupported', `RSA encryption with Padding Method ${p.paddingMethod} is not supported`)
  return p.paddingMethod
}

/** The bare RSA function with the private key; OpenSSL blinds it. @throws CryptoError `failed` when the number is not below the modulus */
function rawDecrypt(key: KeyObject, ciphertext: Uint8Array): Buffer {
  try {
    return privateDecrypt({ key, padding: RSA_NO_PADDING }, ciphertext)
  } catch (cause) {
    throw failure(cause)
  }
}

/**
 * Encrypt to an RSA public key.
 * @param data  at most the modulus less 11 bytes (PKCS1V1_5), or less 2 hashes and 2 bytes (OAEP)
 * @throws CryptoError `unsupported`, `invalid`, `too-long`
 */
export function rsaEncrypt(key: KeyObject, data: Uint8Array, p: CryptographicParameters): Buffer {
  const k = modulusBytes(key, 'public')
  if (paddingOf(p) === 'OAEP')
    return publicEncrypt({ key, padding: RSA_NO_PADDING }, encodeOaep(data, k, oaepHashes(p), p.pSource ?? NO_LABEL))
  if (data.length > k - 11) throw new CryptoError('too-long', `PKCS #1 v1.5 with this key takes at most ${k - 11} bytes`)
  return publicEncrypt({ key, padding: RSA_PKCS1_PADDING }, data)
}

/**
 * Decrypt with an RSA private key; off the main thread with OAEP by one SHA-1, SHA-256, SHA-384 or SHA-512 for label and mask.
 * With PKCS1V1_5 a ciphertext with wrong padding decrypts to bytes that look random, and no error is thrown (implicit rejection): an
 * answer that told would open the way to decrypt anything with many questions.
 * @throws CryptoError `unsupported`, `invalid` (the ciphertext is not as long as the modulus), `failed`
 */
export async function rsaDecrypt(key: KeyObject, ciphertext: Uint8Array, p: CryptographicParameters): Promise<Buffer> {
  const k = modulusBytes(key, 'private')
  const padding = paddingOf(p)
  if (ciphertext.length !== k) throw new CryptoError('invalid', `the ciphertext of this key has ${k} bytes, not ${ciphertext.length}`)
  if (padding === 'PKCS1V1_5') return decodePkcs1(rawDecrypt(key, ciphertext), ciphertext, secretOf(key))
  const hashes = oaepHashes(p)
  const label = p.pSource ?? NO_LABEL
  if (hashes.hash !== hashes.mask) return decodeOaep(rawDecrypt(key, ciphertext), hashes, label)
  const webHash = WEB_HASHES.get(hashes.hash)
  try {
    return webHash === undefined
      ? privateDecrypt({ key, padding: RSA_PKCS1_OAEP_PADDING, oaepHash: hashRow(hashes.hash).name, oaepLabel: label }, ciphertext)
      : await webDecrypt(key, ciphertext, webHash, label)
  } catch (cause) {
    throw failure(cause)
  }
}

// As JWK the key is imported in a few microseconds; as PKCS #8 that alone would cost a millisecond of the main thread.
async function webDecrypt(key: KeyObject, ciphertext: Uint8Array, hash: string, label: Uint8Array): Promise<Buffer> {
  const { subtle } = webcrypto
  const imported = await subtle.importKey('jwk', key.export({ format: 'jwk' }), { name: 'RSA-OAEP', hash }, false, ['decrypt'])
  return Buffer.from(await subtle.decrypt({ name: 'RSA-OAEP', ...(label.length > 0 && { label }) }, imported, ciphertext))
}

const secretOf = (key: KeyObject): Buffer => Buffer.from(String(key.export({ format: 'jwk' }).d), 'base64url')
