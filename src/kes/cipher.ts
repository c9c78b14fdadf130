import { createCipheriv, createDecipheriv, createHmac, randomFillSync } from 'node:crypto'
import { hchacha } from '@noble/ciphers/chacha.js'
import { HmacKey } from '../crypto/hmac.ts'
import type { StoredKey } from '../keystore/keystore.ts'
import { fromBase64 } from '../keystore/stored-key.ts'

type Algorithm = StoredKey['algorithm']
/** How the key of one ciphertext is made of the stored key and 16 random bytes. */
type Derivation = 'hmac' | 'hchacha' | 'aes-prf'
type Secret = Pick<StoredKey, 'algorithm' | 'key'>

const TAG = 16
const IV = 16
const NONCE = 12
const OVERHEAD = TAG + IV + NONCE
const DERIVATIONS: { readonly [algorithm in Algorithm]: Derivation } = { AES256: 'hmac', ChaCha20: 'hchacha' }

interface Parts {
  readonly derivation: Derivation
  readonly iv: Buffer
  readonly nonce: Buffer
  /** With the tag at its end. */
  readonly sealed: Buffer
}

/**
 * Encrypt as KES does since 2024: encrypted bytes, tag (16), IV (16), nonce (12), without a header.
 * @param context authenticated with it
 */
export function encrypt({ algorithm, key }: Secret, plaintext: Buffer, context: Buffer): Buffer {
  const random = randomBytes(IV + NONCE)
  const derivation = DERIVATIONS[algorithm]
  const options = { authTagLength: TAG }
  const derived = derive(derivation, key, random.subarray(0, IV))
  const nonce = random.subarray(IV)
  const cipher =
    derivation === 'hchacha'
      ? createCipheriv('chacha20-poly1305', derived, nonce, options)
      : createCipheriv('aes-256-gcm', derived, nonce, options)
  cipher.setAAD(context, { plaintextLength: plaintext.length })
  const body = cipher.update(plaintext)
  cipher.final()
  return Buffer.concat([body, cipher.getAuthTag(), random], plaintext.length + OVERHEAD)
}

/** Decrypt what any release of KES encrypted. @returns nothing if it was not encrypted so with this key and context */
export function decrypt({ algorithm, key }: Secret, ciphertext: Buffer, context: Buffer): Buffer | undefined {
  const own = DERIVATIONS[algorithm]
  const parts = structured(ciphertext, own) ?? headless(ciphertext, own)
  if (parts === undefined) return undefined
  const { derivation, iv, nonce, sealed } = parts
  if (iv.length !== IV || nonce.length !== NONCE || sealed.length < TAG) return undefined
  const options = { authTagLength: TAG }
  const derived = derive(derivation, key, iv)
  const decipher =
    derivation === 'hchacha'
      ? createDecipheriv('chacha20-poly1305', derived, nonce, options)
      : createDecipheriv('aes-256-gcm', derived, nonce, options)
  const length = sealed.length - TAG
  decipher.setAAD(context, { plaintextLength: length })
  decipher.setAuthTag(sealed.subarray(length))
  const plaintext = decipher.update(sealed.subarray(0, length))
  try {
    decipher.final()
    return plaintext
  } catch {
    // OpenSSL has no other reason here than a tag that does not fit.
    plaintext.fill(0)
    return undefined
  }
}

/** HMAC-SHA256 of a message with the key's own HMAC key. */
export const hmac = (key: StoredKey, message: Buffer): Buffer =>
  createHmac('sha256', key.hmacKey ?? hmacKeyOf(key.key))
    .update(message)
    .digest()

/**
 * The HMAC key of a key that was stored before KES had them. It follows from the key, so all servers on the same keys agree for ever.
 * No derivation of a ciphertext's key has a message of this length.
 */
const hmacKeyOf = (key: Buffer): Buffer => createHmac('sha256', key).update('kmipd: HMAC-SHA256 key of a KES key without one').digest()

function headless(ciphertext: Buffer, derivation: Derivation): Parts | undefined {
  const end = ciphertext.length - IV - NONCE
  if (end < TAG) return undefined
  return {
    derivation,
    sealed: ciphertext.subarray(0, end),
    iv: ciphertext.subarray(end, end + IV),
    nonce: ciphertext.subarray(end + IV),
  }
}

/** A ciphertext of today may begin like one of the older forms; it does not go on like one. */
function structured(ciphertext: Buffer, own: Derivation): Parts | undefined {
  if (ciphertext[0] === 0x95) return fromMsgpack(ciphertext, own)
  if (ciphertext[0] === 0x7b) return fromJson(ciphertext)
  return undefined
}

/** Names of algorithms inside ciphertexts: in JSON up to v0.19.1, in msgpack since. */
const NAMES: { readonly [name: string]: Derivation } = {
  'AES-256-GCM-HMAC-SHA-256': 'hmac',
  ChaCha20Poly1305: 'hchacha',
  'AES-256-GCM': 'aes-prf',
  'AES256-GCM_SHA256': 'hmac',
  'XCHACHA20-POLY1305': 'hchacha',
  AES256: 'hmac',
  ChaCha20: 'hchacha',
}
const derivationOf = (name: string): Derivation | undefined => (Object.hasOwn(NAMES, name) ? NAMES[name] : undefined)

function fromJson(ciphertext: Buffer): Parts | undefined {
  let value: unknown
  try {
    value = JSON.parse(ciphertext.toString('utf8'))
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
  if (typeof value !== 'object' || value === null || !('aead' in value) || typeof value.aead !== 'string') return undefined
  const derivation = derivationOf(value.aead)
  const iv = 'iv' in value ? base64Of(value.iv) : undefined
  const nonce = 'nonce' in value ? base64Of(value.nonce) : undefined
  const sealed = 'bytes' in value ? base64Of(value.bytes) : undefined
  return derivation && iv && nonce && sealed ? { derivation, iv, nonce, sealed } : undefined
}

const base64Of = (value: unknown): Buffer | undefined => (typeof value === 'string' ? fromBase64(value) : undefined)

/** An array of five: name of the algorithm, identifier of the key, IV, nonce, encrypted bytes and tag. */
function fromMsgpack(ciphertext: Buffer, own: Derivation): Parts | undefined {
  const fields: Buffer[] = []
  let at = 1
  while (at < ciphertext.length) {
    const kind = MSGPACK[ciphertext[at]!]
    const short = (ciphertext[at]! & 0xe0) === 0xa0
    if (kind === undefined && !short) return undefined
    const head = 1 + (kind ?? 0)
    if (at + head > ciphertext.length) return undefined
    const length = kind === undefined ? ciphertext[at]! & 0x1f : ciphertext.readUIntBE(at + 1, kind)
    if (at + head + length > ciphertext.length) return undefined
    fields.push(ciphertext.subarray(at + head, at + head + length))
    at += head + length
  }
  const [name, , iv, nonce, sealed, ...rest] = fields
  if (!name || !iv || !nonce || !sealed || rest.length > 0) return undefined
  return { derivation: derivationOf(name.toString('latin1')) ?? own, iv, nonce, sealed }
}

/** Bytes of the length that follows the type: of texts and of byte strings. Spec: MessagePack, formats str and bin */
const MSGPACK: { readonly [type: number]: number } = { 217: 1, 218: 2, 219: 4, 196: 1, 197: 2, 198: 4 }

const DERIVE: { readonly [derivation in Derivation]: (key: Buffer, iv: Buffer) => Buffer } = {
  hmac: (key, iv) => deriving(key).of(iv),
  hchacha: (key, iv) => {
    const derived = Buffer.alloc(32)
    hchacha(SIGMA, words(key), words(iv), new Uint32Array(derived.buffer, derived.byteOffset, 8))
    return derived
  },
  // v0.1 to v0.6.0, in the manner of GCM-SIV.
  'aes-prf': (key, iv) => {
    const cipher = createCipheriv('aes-256-ecb', key, null).setAutoPadding(false)
    const [t0, t1, t2, t3] = [0, 1, 2, 3].map(i => {
      const block = Buffer.alloc(16)
      block.writeUInt32LE(i)
      iv.copy(block, 4, i % 2 === 0 ? 0 : 4, i % 2 === 0 ? 12 : 16)
      return cipher.update(block)
    }) as [Buffer, Buffer, Buffer, Buffer]
    return Buffer.concat([xor(t0, t1), xor(t2, t3)])
  },
}

const DERIVING = new WeakMap<Buffer, HmacKey>()
function deriving(key: Buffer): HmacKey {
  let found = DERIVING.get(key)
  if (found === undefined) {
    found = new HmacKey(key)
    DERIVING.set(key, found)
  }
  return found
}

const derive = (derivation: Derivation, key: Buffer, iv: Buffer): Buffer => DERIVE[derivation](key, iv)

/** A copy: the bytes may lie where no word may begin. */
const words = (bytes: Buffer): Uint32Array => new Uint32Array(Uint8Array.from(bytes).buffer)
const SIGMA = words(Buffer.from('expand 32-byte k'))
const xor = (a: Buffer, b: Buffer): Buffer => Buffer.from(a.map((byte, i) => byte ^ b[i]!))

const POOL = 8192
const pool = Buffer.allocUnsafeSlow(POOL)
let used = POOL

/** Few calls of the system's generator for many small pieces; each byte is given out once. */
export function randomBytes(length: number): Buffer {
  if (used + length > POOL) {
    randomFillSync(pool)
    used = 0
  }
  used += length
  const piece = Buffer.from(pool.subarray(used - length, used))
  pool.fill(0, used - length, used)
  return piece
}
