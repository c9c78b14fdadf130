/**
 * Symmetric encryption. `encrypt` and `decrypt` take a whole message; `createEncryptStream` and `createDecryptStream` take it in
 * parts, for KMIP's Init and Final indicators. The authentication tag is apart from the data, as KMIP has it.
 *
 *   const { data, tag } = encrypt(key, plain, { cryptographicAlgorithm: 'AES', blockCipherMode: 'GCM', tagLength: 16 }, { iv, aad })
 *
 * A stream of an authenticated mode gives no plaintext before `final`, when the tag has been checked; it holds all of the data
 * until then, as do streams of CCM, XTS and key wrap: the caller bounds what it feeds. Spec: KMIP 1.4 sections 3.6, 4.29, 4.30.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { CIPHERS, type CipherRow, MODES, type ModeRow } from './algorithms.ts'
import { ctr, pcbc, type Transform } from './composed.ts'
import { CryptoError, failure, lookup } from './errors.ts'
import { PADDINGS } from './padding.ts'
import type { CryptographicParameters } from './parameters.ts'

/** What goes with the data. `iv` also serves as counter, nonce and tweak; `tag` only when decrypting. */
export interface CipherInput {
  readonly iv?: Uint8Array | undefined
  readonly aad?: Uint8Array | undefined
  readonly tag?: Uint8Array | undefined
}

/** `tag` is there after encryption in an authenticated mode. */
export interface CipherOutput {
  readonly data: Buffer
  readonly tag?: Buffer
}

/** A message in parts. After `final`, or after an error, the stream is spent. */
export interface CipherStream {
  /** Output that is ready; often shorter than `data`, or empty. */
  update(data: Uint8Array): Buffer
  final(): CipherOutput
}

type Direction = 'encrypt' | 'decrypt'

interface Suite {
  readonly cipher: CipherRow
  readonly mode: ModeRow
  readonly modeName: string
  readonly openssl: string
}

const DEFAULT_TAG_BYTES = 16
const NO_BYTES = Buffer.alloc(0)
// CCM counts the message in 15 - n bytes (SP 800-38C appendix A); XTS is limited to 2^20 blocks (SP 800-38E).
const MAX_XTS_BYTES = 2 ** 24

function suiteOf(p: CryptographicParameters): Suite {
  const cipher = lookup(CIPHERS, p.cryptographicAlgorithm, 'Cryptographic Algorithm')
  const modeName = p.blockCipherMode ?? cipher.defaultMode
  const openssl = lookup(cipher.names, modeName, `${p.cryptographicAlgorithm} with Block Cipher Mode`)
  return { cipher, mode: lookup(MODES, modeName, 'Block Cipher Mode'), modeName: modeName ?? '', openssl }
}

/** Whether `encrypt` and `decrypt` know this Cryptographic Algorithm. */
export const isCipher = (algorithm: string): boolean => Object.hasOwn(CIPHERS, algorithm)

/**
 * The IV that an algorithm and mode take: `bytes` is the length to draw when the server makes it (IV Length in the parameters is
 * honoured where the mode allows it); undefined when the mode takes no IV. `required` is false where the mode has a default.
 * @throws CryptoError `unsupported`; `invalid` for an IV Length that the mode does not allow
 */
export function ivNeeded(p: CryptographicParameters): { bytes: number; required: boolean } | undefined {
  const { mode, cipher } = suiteOf(p)
  if (mode.iv === undefined) return undefined
  const allowed = mode.iv === 'block' ? [cipher.block] : mode.iv
  const bytes = p.ivLength === undefined ? (mode.ivWanted ?? allowed[0] ?? 0) : p.ivLength / 8
  if (!allowed.includes(bytes)) throw new CryptoError('invalid', `IV Length ${p.ivLength} bits does not fit the mode`)
  return { bytes, required: mode.ivOptional !== true }
}

/** A random IV for the algorithm and mode; undefined when they take none. @throws CryptoError as `ivNeeded` */
export function randomIv(p: CryptographicParameters): Buffer | undefined {
  const iv = ivNeeded(p)
  return iv?.required ? randomBytes(iv.bytes) : undefined
}

/** Whether the algorithm and mode authenticate, so that Encrypt returns a tag and Decrypt needs one. @throws CryptoError `unsupported` */
export const isAuthenticated = (p: CryptographicParameters): boolean => suiteOf(p).mode.tags !== undefined

function ivOf({ cipher, mode, modeName }: Suite, p: CryptographicParameters, given: Uint8Array | undefined): Buffer | null {
  if (mode.iv === undefined) return null
  if (given === undefined) {
    if (mode.ivOptional) return Buffer.from(modeName === 'NISTKeyWrap' ? 'a6a6a6a6a6a6a6a6' : 'a65959a6', 'hex')
    throw new CryptoError('missing-iv', `${modeName} needs an IV, counter or nonce`)
  }
  const start = BigInt((p.initialCounterValue ?? 0) >>> 0)
  if (modeName === 'stream') return chachaIv(given, start)
  if (modeName === 'CTR' && given.length < cipher.block) return counterBlock(given, cipher.block, p, start)
  if (!(mode.iv === 'block' ? [cipher.block] : mode.iv).includes(given.length))
    throw new CryptoError('invalid', `an IV of ${given.length} bytes does not fit ${modeName}`)
  return Buffer.from(given)
}

/** OpenSSL wants counter and nonce, little-endian, in 16 bytes: 4 + 12 (RFC 8439) or 8 + 8 (Bernstein's original), which KMIP gives apart. */
function chachaIv(nonce: Uint8Array, start: bigint): Buffer {
  if (nonce.length === 16) return Buffer.from(nonce)
  if (nonce.length !== 8 && nonce.length !== 12)
    throw new CryptoError('invalid', `a nonce of ${nonce.length} bytes does not fit ChaCha20: 8, 12 or 16`)
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64LE(start)
  return Buffer.concat([counter.subarray(0, 16 - nonce.length), nonce])
}

/** The first counter block of RFC 3686: what was given, and behind it the counter from Initial Counter Value. */
function counterBlock(given: Uint8Array, block: number, p: CryptographicParameters, start: bigint): Buffer {
  const bytes = block - given.length
  if (p.initialCounterValue === undefined || (p.counterLength ?? bytes * 8) !== bytes * 8)
    throw new CryptoError('invalid', `CTR takes a counter block of ${block} bytes, or fewer with Initial Counter Value for the rest`)
  return Buffer.concat([given, Buffer.from(start.toString(16).padStart(bytes * 2, '0'), 'hex').subarray(-bytes)])
}

function keyOf({ cipher, mode }: Suite, key: Uint8Array): { bytes: Uint8Array; bits: number } {
  const length = mode.twoKeys ? key.length / 2 : key.length
  if (!cipher.keyBytes.includes(length) || (mode.twoKeys && length === 24))
    throw new CryptoError('invalid', `a key of ${key.length} bytes does not fit the algorithm and mode`)
  return { bytes: cipher.expand?.(key) ?? key, bits: length * 8 }
}

/** Bytes of tag that the parameters ask for. @throws CryptoError `bad-tag-length` */
function tagBytes({ mode, modeName }: Suite, p: CryptographicParameters): number {
  const bytes = p.tagLength ?? DEFAULT_TAG_BYTES
  if (!mode.tags?.includes(bytes)) throw new CryptoError('bad-tag-length', `a tag of ${bytes} bytes does not fit ${modeName}`)
  return bytes
}

function transform(s: Suite, direction: Direction, key: Uint8Array, iv: Buffer | null): Transform {
  const { bytes, bits } = keyOf(s, key)
  const name = s.openssl.replace('#', String(bits))
  const composed = s.cipher.composed.includes(s.modeName)
  const forward = direction === 'encrypt' || (composed && s.modeName === 'CTR')
  const state = refusing(() => (forward ? createCipheriv : createDecipheriv)(name, bytes, composed ? null : iv).setAutoPadding(false))
  if (!composed || iv === null) return state
  return s.modeName === 'CTR' ? ctr(state, iv, s.cipher.block) : pcbc(state, iv, s.cipher.block, direction === 'encrypt')
}

/** OpenSSL refuses some keys outright: XTS with two equal halves. */
function refusing<T>(make: () => T): T {
  try {
    return make()
  } catch (cause) {
    throw new CryptoError('invalid', 'the key or IV was refused for this algorithm and mode', { cause })
  }
}

function checkLength({ mode, modeName }: Suite, direction: Direction, length: number): void {
  if (mode.input === undefined) return
  const [plain, cipher, unit] = mode.input
  const least = direction === 'encrypt' ? plain : cipher
  if (length < least || length % (direction === 'decrypt' && modeName === 'AESKeyWrapPadding' ? 8 : unit) !== 0)
    throw new CryptoError('invalid', `${length} bytes of data do not fit ${modeName}`)
  if (modeName === 'XTS' && length > MAX_XTS_BYTES) throw new CryptoError('too-long', `XTS takes at most ${MAX_XTS_BYTES} bytes`)
}

/** A mode without tag that needs the whole message: XTS and key wrap. */
function whole(s: Suite, direction: Direction, key: Uint8Array, data: Uint8Array, iv: Buffer | null): Buffer {
  checkLength(s, direction, data.length)
  const state = transform(s, direction, key, iv)
  try {
    return Buffer.concat([state.update(data), state.final()])
  } catch (cause) {
    if (direction === 'decrypt') throw failure(cause)
    throw new CryptoError('invalid', `the data was refused by ${s.modeName}`, { cause })
  }
}

interface Aead {
  readonly name: string
  readonly key: Uint8Array
  readonly iv: Buffer
  readonly tagLength: number
  readonly aad: Uint8Array
}

function aeadOf(s: Suite, p: CryptographicParameters, key: Uint8Array, input: CipherInput): Aead {
  const tagLength = tagBytes(s, p)
  const { bytes, bits } = keyOf(s, key)
  return {
    name: s.openssl.replace('#', String(bits)),
    key: bytes,
    iv: ivOf(s, p, input.iv) ?? NO_BYTES,
    tagLength,
    aad: input.aad ?? NO_BYTES,
  }
}

// The types of node:crypto tell GCM, CCM and ChaCha20-Poly1305 apart by literal names; all have the methods of GCM's.
const seal = (a: Aead, length: number) =>
  createCipheriv(a.name as 'aes-256-gcm', a.key, a.iv, { authTagLength: a.tagLength }).setAAD(a.aad, { plaintextLength: length })
const open = (a: Aead, length: number) =>
  createDecipheriv(a.name as 'aes-256-gcm', a.key, a.iv, { authTagLength: a.tagLength }).setAAD(a.aad, { plaintextLength: length })

function checkCcm(s: Suite, a: Aead, length: number): void {
  if (s.modeName === 'CCM' && length >= 2 ** (8 * Math.min(6, 15 - a.iv.length)))
    throw new CryptoError('too-long', `CCM with a nonce of ${a.iv.length} bytes does not take ${length} bytes`)
}

function sealWhole(s: Suite, a: Aead, data: Uint8Array): CipherOutput {
  checkCcm(s, a, data.length)
  const state = seal(a, data.length)
  return { data: Buffer.concat([state.update(data), state.final()]), tag: state.getAuthTag() }
}

function openWhole(s: Suite, a: Aead, data: Uint8Array, tag: Uint8Array): Buffer {
  checkCcm(s, a, data.length)
  try {
    const state = open(a, data.length).setAuthTag(tag)
    return Buffer.concat([state.update(data), state.final()])
  } catch (cause) {
    throw failure(cause)
  }
}

function tagOf(a: Aead, tag: Uint8Array | undefined): Uint8Array {
  if (tag === undefined) throw new CryptoError('invalid', 'decryption needs the Authenticated Encryption Tag')
  if (tag.length !== a.tagLength) throw new CryptoError('bad-tag-length', `the tag has ${tag.length} bytes, Tag Length says ${a.tagLength}`)
  return tag
}

/** Collects all parts and hands them over at the end. */
function collecting(end: (data: Buffer) => CipherOutput): CipherStream {
  const parts: Buffer[] = []
  return {
    update(data) {
      parts.push(Buffer.from(data))
      return NO_BYTES
    },
    final: () => end(Buffer.concat(parts)),
  }
}

/** Pads at the end of the message; whole blocks go through as they come. */
function padding(state: Transform, block: number, method: string | undefined): CipherStream {
  const scheme = lookup(PADDINGS, method ?? 'None', 'Padding Method')
  let held: Buffer = NO_BYTES
  return {
    update(data) {
      const all = Buffer.concat([held, data])
      const ready = all.length - (all.length % block)
      held = all.subarray(ready)
      return state.update(all.subarray(0, ready))
    },
    final: () => ({ data: Buffer.concat([state.update(Buffer.concat([held, scheme.pad(held.length, block)])), state.final()]) }),
  }
}

/** Holds the last block back until the end, when its padding is taken away. */
function unpadding(state: Transform, block: number, method: string | undefined): CipherStream {
  const scheme = lookup(PADDINGS, method ?? 'None', 'Padding Method')
  let held: Buffer = NO_BYTES
  return {
    update(data) {
      const all = Buffer.concat([held, data])
      const ready = Math.max(0, Math.ceil(all.length / block) - 1) * block
      held = all.subarray(ready)
      return state.update(all.subarray(0, ready))
    },
    final() {
      const empty = held.length === 0 && scheme.pad(0, block).length === 0
      if (!empty && held.length !== block) throw new CryptoError('invalid', `the ciphertext must be a multiple of ${block} bytes`)
      const last = state.update(held)
      return { data: empty ? last : last.subarray(0, scheme.unpad(last, block)) }
    },
  }
}

const plainStream = (state: Transform): CipherStream => ({ update: data => state.update(data), final: () => ({ data: state.final() }) })

/**
 * Encrypt data that comes in parts.
 * @param key  bytes of the key; for XTS key 1 and key 2 one after the other; for DES3 8, 16 or 24 bytes
 * @param p    Cryptographic Algorithm and, for block ciphers, Block Cipher Mode; Padding Method (absent: None) for ECB, CBC, PCBC;
 *             Tag Length (absent: 16) for authenticated modes
 * @throws CryptoError `unsupported`, `invalid`, `missing-iv`, `bad-tag-length`; from `update` and `final` also `too-long`
 */
export function createEncryptStream(key: Uint8Array, p: CryptographicParameters, input: CipherInput = {}): CipherStream {
  const s = suiteOf(p)
  if (s.mode.tags) {
    const a = aeadOf(s, p, key, input)
    if (s.mode.whole) return collecting(data => sealWhole(s, a, data))
    const state = seal(a, 0)
    return { update: data => state.update(data), final: () => ({ data: state.final(), tag: state.getAuthTag() }) }
  }
  const iv = ivOf(s, p, input.iv)
  if (s.mode.whole) {
    keyOf(s, key)
    return collecting(data => ({ data: whole(s, 'encrypt', key, data, iv) }))
  }
  const state = transform(s, 'encrypt', key, iv)
  return s.mode.blocks ? padding(state, s.cipher.block, p.paddingMethod) : plainStream(state)
}

/**
 * Decrypt data that comes in parts; of an authenticated mode the tag is given at the start, and all plaintext comes from `final`.
 * Parameters as for `createEncryptStream`.
 * @throws CryptoError `unsupported`, `invalid`, `missing-iv`, `bad-tag-length`; from `final` also `failed`, `too-long`
 */
export function createDecryptStream(key: Uint8Array, p: CryptographicParameters, input: CipherInput = {}): CipherStream {
  const s = suiteOf(p)
  if (s.mode.tags) {
    const a = aeadOf(s, p, key, input)
    const tag = tagOf(a, input.tag)
    return collecting(data => ({ data: openWhole(s, a, data, tag) }))
  }
  const iv = ivOf(s, p, input.iv)
  if (s.mode.whole) {
    keyOf(s, key)
    return collecting(data => ({ data: whole(s, 'decrypt', key, data, iv) }))
  }
  const state = transform(s, 'decrypt', key, iv)
  return s.mode.blocks ? unpadding(state, s.cipher.block, p.paddingMethod) : plainStream(state)
}

/** Encrypt a whole message. Parameters and errors as for `createEncryptStream`. */
export function encrypt(key: Uint8Array, data: Uint8Array, p: CryptographicParameters, input: CipherInput = {}): CipherOutput {
  const stream = createEncryptStream(key, p, input)
  const start = stream.update(data)
  const end = stream.final()
  return { ...end, data: Buffer.concat([start, end.data]) }
}

/** Decrypt a whole message. Parameters and errors as for `createDecryptStream`. */
export function decrypt(key: Uint8Array, data: Uint8Array, p: CryptographicParameters, input: CipherInput = {}): Buffer {
  const stream = createDecryptStream(key, p, input)
  const start = stream.update(data)
  return Buffer.concat([start, stream.final().data])
}
