/**
 * The encodings of PKCS #1 over the bare RSA function, for what `node:crypto` does not offer: OAEP and PSS with a mask hash other than
 * the message hash, PSS of a digest, and PKCS #1 v1.5 decryption, which Node refuses for want of implicit rejection.
 * Source: RFC 8017 sections 7.1, 7.2, 9.1, appendix B.2.1; implicit rejection: draft-irtf-cfrg-rsa-guidance.
 */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { CryptoError, failure } from './errors.ts'
import { hash, hashRow } from './hash.ts'

/** MGF1: `length` bytes of mask from `seed`. */
export function mgf1(seed: Uint8Array, length: number, algorithm: string): Buffer {
  const { name, bytes } = hashRow(algorithm)
  const blocks = Array.from({ length: Math.ceil(length / bytes) }, (_, i) => {
    const counter = Buffer.alloc(4)
    counter.writeUInt32BE(i)
    return createHash(name).update(seed).update(counter).digest()
  })
  return Buffer.concat(blocks).subarray(0, length)
}

const xor = (a: Uint8Array, b: Uint8Array): Buffer => Buffer.from(a.map((byte, i) => byte ^ (b[i] ?? 0)))

/** Hashes of an encoding: `hash` of the message or label, `mask` of MGF1. */
export interface Hashes {
  readonly hash: string
  readonly mask: string
}

/** EME-OAEP. @param k bytes of the modulus @throws CryptoError `too-long` */
export function encodeOaep(message: Uint8Array, k: number, { hash: name, mask }: Hashes, label: Uint8Array): Buffer {
  const { bytes } = hashRow(name)
  const room = k - 2 * bytes - 2
  if (message.length > room) throw new CryptoError('too-long', `OAEP with this key and hash takes at most ${Math.max(0, room)} bytes`)
  const db = Buffer.concat([hash(label, name), Buffer.alloc(room - message.length), Buffer.of(1), message])
  const seed = randomBytes(bytes)
  const maskedDb = xor(db, mgf1(seed, db.length, mask))
  return Buffer.concat([Buffer.of(0), xor(seed, mgf1(maskedDb, bytes, mask)), maskedDb])
}

/** EME-OAEP, backwards; every way to fail is one, and is found out only after all has been computed. @throws CryptoError `failed` */
export function decodeOaep(em: Uint8Array, { hash: name, mask }: Hashes, label: Uint8Array): Buffer {
  const { bytes } = hashRow(name)
  if (em.length < 2 * bytes + 2) throw failure()
  const maskedDb = em.subarray(1 + bytes)
  const seed = xor(em.subarray(1, 1 + bytes), mgf1(maskedDb, bytes, mask))
  const db = xor(maskedDb, mgf1(seed, maskedDb.length, mask))
  let bad = (em[0] ?? 1) | Number(!timingSafeEqual(db.subarray(0, bytes), hash(label, name)))
  let separator = 0
  for (let i = bytes; i < db.length; i++) {
    const byte = db[i] ?? 0
    const before = Number(separator === 0)
    separator |= before * Number(byte === 1) * i
    bad |= before & Number(byte > 1)
  }
  if (bad !== 0 || separator === 0) throw failure()
  return Buffer.from(db.subarray(separator + 1))
}

/** EMSA-PSS. @param bits bits of the modulus @throws CryptoError `invalid` when the key is too short for hash and salt */
export function encodePss(digest: Uint8Array, bits: number, { hash: name, mask }: Hashes, saltLength: number): Buffer {
  const length = Math.ceil((bits - 1) / 8)
  if (length < digest.length + saltLength + 2) throw new CryptoError('invalid', 'the key is too short for this hash and Salt Length')
  const salt = randomBytes(saltLength)
  const h = hash(Buffer.concat([Buffer.alloc(8), digest, salt]), name)
  const db = Buffer.concat([Buffer.alloc(length - saltLength - h.length - 2), Buffer.of(1), salt])
  const masked = xor(db, mgf1(h, db.length, mask))
  masked[0] = (masked[0] ?? 0) & topMask(bits)
  return Buffer.concat([masked, h, Buffer.of(0xbc)])
}

const topMask = (bits: number): number => 0xff >> (8 * Math.ceil((bits - 1) / 8) - (bits - 1))

/** Whether `em` is an EMSA-PSS encoding of `digest`. @param saltLength bytes; absent: whatever the encoding has */
export function checkPss(digest: Uint8Array, em: Uint8Array, bits: number, { hash: name, mask }: Hashes, saltLength?: number): boolean {
  const size = digest.length
  const split = em.length - size - 1
  if (split < 1 || em[em.length - 1] !== 0xbc || ((em[0] ?? 0) & ~topMask(bits)) !== 0) return false
  const h = em.subarray(split, split + size)
  const db = xor(em.subarray(0, split), mgf1(h, split, mask))
  db[0] = (db[0] ?? 0) & topMask(bits)
  const separator = db.findIndex(byte => byte !== 0)
  if (separator < 0 || db[separator] !== 1) return false
  const salt = db.subarray(separator + 1)
  if (saltLength !== undefined && salt.length !== saltLength) return false
  return timingSafeEqual(hash(Buffer.concat([Buffer.alloc(8), digest, salt]), name), h)
}

function stretched(key: Uint8Array, label: string, length: number): Buffer {
  const blocks = Array.from({ length: Math.ceil(length / 32) }, (_, i) => {
    const [index, bits] = [Buffer.alloc(2), Buffer.alloc(2)]
    index.writeUInt16BE(i)
    bits.writeUInt16BE(length * 8)
    return createHmac('sha256', key).update(index).update(label).update(bits).digest()
  })
  return Buffer.concat(blocks).subarray(0, length)
}

/**
 * EME-PKCS1-v1_5, backwards, with implicit rejection: a wrong encoding gives a message too, one that only key and ciphertext
 * determine, so that an attacker learns nothing from the answer.
 * @param em          result of the bare RSA function, as long as the modulus
 * @param secret      bytes that only the private key has
 */
export function decodePkcs1(em: Uint8Array, ciphertext: Uint8Array, secret: Uint8Array): Buffer {
  const k = em.length
  const kdk = createHmac('sha256', createHash('sha256').update(secret).digest()).update(ciphertext).digest()
  const instead = stretched(kdk, 'message', k)
  let bad = (em[0] ?? 1) | ((em[1] ?? 0) ^ 2)
  let separator = 0
  for (let i = 2; i < k; i++) separator |= Number(separator === 0) * Number(em[i] === 0) * i
  bad |= Number(separator < 10)
  const start = bad === 0 ? separator + 1 : k - syntheticLength(stretched(kdk, 'length', 256), k - 10)
  return Buffer.from((bad === 0 ? em : instead).subarray(start))
}

/** The last of 128 candidates that is short enough. */
function syntheticLength(candidates: Buffer, limit: number): number {
  const mask = 2 ** (32 - Math.clz32(limit)) - 1
  let length = 0
  for (let i = 0; i < candidates.length; i += 2) {
    const candidate = candidates.readUInt16BE(i) & mask
    if (candidate < limit) length = candidate
  }
  return length
}
