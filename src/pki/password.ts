/**
 * Encryption and integrity by a password, as PKCS #12 files have them: PBES2 (PBKDF2 with AES or triple DES), the older schemes of
 * PKCS #12 itself (triple DES, RC2), and MACs by either derivation. Only PBES2 with AES-256 and the MAC by SHA-256 are written.
 * Spec: RFC 7292 appendices B and C, RFC 8018 sections 5.2, 6.2 and A, RFC 9579 (PBMAC1).
 */
import { createCipheriv, createDecipheriv, createHash, createHmac, pbkdf2, randomBytes } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { promisify } from 'node:util'
import { type BaseBlock, Integer, OctetString } from 'asn1js'
import { CryptoError } from '../crypto/errors.ts'
import { rc2Decrypt } from '../crypto/rc2.ts'
import { sameBytes } from '../crypto/same-bytes.ts'
import * as der from './der.ts'
import { PkiError } from './error.ts'

/** A password in its two encodings, and the iterations that may still be spent on it. */
export interface Secret {
  readonly utf8: Buffer
  /** UTF-16, big-endian, with a zero behind */
  readonly bmp: Buffer
  iterationsLeft: number
}

interface Scheme {
  readonly keyBytes: number
  readonly ivBytes: number
  decrypt(key: Buffer, iv: Buffer, data: Buffer): Buffer
}

const OID = {
  pbes2: '1.2.840.113549.1.5.13',
  pbmac1: '1.2.840.113549.1.5.14',
  pbkdf2: '1.2.840.113549.1.5.12',
  aes256: '2.16.840.1.101.3.4.1.42',
  sha256: '2.16.840.1.101.3.4.2.1',
  hmacSha256: '1.2.840.113549.2.9',
} as const

const HASHES: ReadonlyMap<string, string> = new Map([
  ['1.3.14.3.2.26', 'sha1'],
  ['2.16.840.1.101.3.4.2.4', 'sha224'],
  [OID.sha256, 'sha256'],
  ['2.16.840.1.101.3.4.2.2', 'sha384'],
  ['2.16.840.1.101.3.4.2.3', 'sha512'],
])
const HMACS: ReadonlyMap<string, string> = new Map([
  ['1.2.840.113549.2.7', 'sha1'],
  ['1.2.840.113549.2.8', 'sha224'],
  [OID.hmacSha256, 'sha256'],
  ['1.2.840.113549.2.10', 'sha384'],
  ['1.2.840.113549.2.11', 'sha512'],
])

/** OpenSSL takes three keys always; a scheme of two repeats the first. */
const cbc = (name: string, keyBytes: number, ivBytes: number): Scheme => ({
  keyBytes,
  ivBytes,
  decrypt(key, iv, data) {
    const full = name === 'des-ede3-cbc' ? Buffer.concat([key, key]).subarray(0, 24) : key
    const state = createDecipheriv(name, full, iv)
    return Buffer.concat([state.update(data), state.final()])
  },
})
const rc2 = (keyBytes: number): Scheme => ({
  keyBytes,
  ivBytes: 8,
  decrypt: (key, iv, data) => rc2Decrypt(key, keyBytes * 8, iv, data),
})

/** RFC 7292 appendix C. */
const OLD_SCHEMES: ReadonlyMap<string, Scheme> = new Map([
  ['1.2.840.113549.1.12.1.3', cbc('des-ede3-cbc', 24, 8)],
  ['1.2.840.113549.1.12.1.4', cbc('des-ede3-cbc', 16, 8)],
  ['1.2.840.113549.1.12.1.5', rc2(16)],
  ['1.2.840.113549.1.12.1.6', rc2(5)],
])
/** RFC 8018 appendix B.2. */
const CIPHERS: ReadonlyMap<string, Scheme> = new Map([
  ['2.16.840.1.101.3.4.1.2', cbc('aes-128-cbc', 16, 16)],
  ['2.16.840.1.101.3.4.1.22', cbc('aes-192-cbc', 24, 16)],
  [OID.aes256, cbc('aes-256-cbc', 32, 16)],
  ['1.2.840.113549.3.7', cbc('des-ede3-cbc', 24, 8)],
])

const SALT_BYTES = 16
// Rounds between two pauses of a derivation: two milliseconds.
const BREATH = 1_000
const stretch = promisify(pbkdf2)

/** @param iterations  the most that reading a whole file may take */
export function secretOf(password: string, iterations: number): Secret {
  const utf16 = Buffer.from(`${password}\0`, 'utf16le')
  return { utf8: Buffer.from(password, 'utf8'), bmp: utf16.swap16(), iterationsLeft: iterations }
}

const unknown = (what: string, id: string): PkiError => new PkiError('unsupported', `PKCS#12: ${what} ${id} is not known`)

function row<T>(table: ReadonlyMap<string, T>, block: BaseBlock | undefined, what: string): T {
  const id = der.dotted(block, `PKCS#12 ${what}`)
  const found = table.get(id)
  if (found === undefined) throw unknown(what, id)
  return found
}

/** The bytes of an OCTET STRING; BER may have it in pieces. @throws PkiError `malformed` */
export function octetsOf(block: BaseBlock | undefined, what: string): Buffer {
  if (block === undefined) throw new PkiError('malformed', `PKCS#12: ${what} is missing`)
  if (!block.idBlock.isConstructed) return der.content(block)
  const parts = block instanceof OctetString ? block.valueBlock.value : der.inside(block, what)
  return Buffer.concat(parts.map(part => octetsOf(part, what)))
}

function counted(secret: Secret, block: BaseBlock | undefined): number {
  const bytes = block instanceof Integer ? der.content(block) : undefined
  const iterations = bytes && bytes.length <= 6 && bytes.length > 0 ? bytes.readIntBE(0, bytes.length) : 0
  if (iterations < 1) throw new PkiError('malformed', 'PKCS#12: an iteration count is missing or out of range')
  secret.iterationsLeft -= iterations
  if (secret.iterationsLeft < 0) throw new PkiError('unsupported', 'PKCS#12: more iterations are asked for than are spent on one file')
  return iterations
}

/** What the derivation of PKCS #12 makes; its numbers are those of RFC 7292 appendix B.3. */
const PURPOSE = { key: 1, iv: 2, mac: 3 } as const

interface Derivation {
  readonly hash: string
  readonly salt: Buffer
  readonly iterations: number
}

/** The derivation of PKCS #12, one block after another; lets others run in between. Spec: RFC 7292 appendix B.2 */
async function derive({ hash, salt, iterations }: Derivation, bmp: Buffer, purpose: number, length: number): Promise<Buffer> {
  const v = hash === 'sha384' || hash === 'sha512' ? 128 : 64
  const filled = (bytes: Buffer): Buffer => (bytes.length === 0 ? bytes : Buffer.alloc(Math.ceil(bytes.length / v) * v, bytes))
  const start = Buffer.alloc(v, purpose)
  const input = Buffer.concat([filled(salt), filled(bmp)])
  let made = Buffer.alloc(0)
  for (;;) {
    let a = createHash(hash).update(start).update(input).digest()
    for (let i = 1; i < iterations; i++) {
      a = createHash(hash).update(a).digest()
      if (i % BREATH === 0) await setImmediate()
    }
    made = Buffer.concat([made, a])
    if (made.length >= length) return made.subarray(0, length)
    const b = Buffer.alloc(v, a)
    for (let at = 0; at < input.length; at += v) addOne(input.subarray(at, at + v), b)
  }
}

/** `block` + `b` + 1 in place, as big-endian numbers of their length. */
function addOne(block: Buffer, b: Buffer): void {
  let carry = 1
  for (let i = block.length - 1; i >= 0; i--) {
    carry += (block[i] ?? 0) + (b[i] ?? 0)
    block[i] = carry & 0xff
    carry >>= 8
  }
}

/** PBKDF2 by its AlgorithmIdentifier. */
async function pbkdf2Key(algorithm: BaseBlock | undefined, secret: Secret, keyBytes: number | undefined): Promise<Buffer> {
  const [id, parameters] = der.inside(algorithm, 'PKCS#12 derivation')
  const name = der.dotted(id, 'PKCS#12 derivation')
  if (name !== OID.pbkdf2) throw unknown('derivation', name)
  const [salt, iterations, ...rest] = der.inside(parameters, 'PBKDF2 parameters')
  const prf = rest.find(block => !(block instanceof Integer))
  const said = rest[0] instanceof Integer ? Number(rest[0].valueBlock.valueDec) : undefined
  const length = keyBytes ?? said
  if (length === undefined || length < 1 || length > 64 || (said !== undefined && said !== length))
    throw new PkiError('malformed', 'PKCS#12: the length of a derived key does not fit its use')
  const hash = prf ? row(HMACS, der.inside(prf, 'PBKDF2 function')[0], 'PBKDF2 function') : 'sha1'
  return stretch(secret.utf8, octetsOf(salt, 'salt'), counted(secret, iterations), length, hash)
}

/**
 * Decrypt what an AlgorithmIdentifier and a password protect.
 * @throws PkiError `password` when it does not open; `unsupported`, `malformed`
 */
export async function decryptBy(algorithm: BaseBlock | undefined, data: Buffer, secret: Secret): Promise<Buffer> {
  const [id, parameters] = der.inside(algorithm, 'PKCS#12 encryption')
  const name = der.dotted(id, 'PKCS#12 encryption')
  const { scheme, key, iv } = name === OID.pbes2 ? await pbes2(parameters, secret) : await oldScheme(id, parameters, secret)
  if (iv.length !== scheme.ivBytes) throw new PkiError('malformed', `PKCS#12: an IV of ${iv.length} bytes does not fit the encryption`)
  try {
    return scheme.decrypt(key, iv, data)
  } catch (cause) {
    if (cause instanceof CryptoError || (cause instanceof Error && 'code' in cause)) throw wrongPassword(cause)
    throw cause
  }
}

export const wrongPassword = (cause?: unknown): PkiError =>
  new PkiError('password', 'the password does not open the PKCS#12 file, or the file was changed', { cause })

interface Opening {
  readonly scheme: Scheme
  readonly key: Buffer
  readonly iv: Buffer
}

async function pbes2(parameters: BaseBlock | undefined, secret: Secret): Promise<Opening> {
  const [derivation, encryption] = der.inside(parameters, 'PBES2 parameters')
  const [cipher, iv] = der.inside(encryption, 'PBES2 encryption')
  const scheme = row(CIPHERS, cipher, 'cipher')
  return { scheme, key: await pbkdf2Key(derivation, secret, scheme.keyBytes), iv: octetsOf(iv, 'IV') }
}

async function oldScheme(id: BaseBlock | undefined, parameters: BaseBlock | undefined, secret: Secret): Promise<Opening> {
  const scheme = row(OLD_SCHEMES, id, 'encryption')
  const [salt, iterations] = der.inside(parameters, 'PKCS#12 encryption parameters')
  const by: Derivation = { hash: 'sha1', salt: octetsOf(salt, 'salt'), iterations: counted(secret, iterations) }
  return {
    scheme,
    key: await derive(by, secret.bmp, PURPOSE.key, scheme.keyBytes),
    iv: await derive(by, secret.bmp, PURPOSE.iv, scheme.ivBytes),
  }
}

/** Whether the MacData of a file holds for its content. @throws PkiError `unsupported`, `malformed` */
export async function macHolds(macData: BaseBlock, content: Buffer, secret: Secret): Promise<boolean> {
  const [info, salt, iterations] = der.inside(macData, 'PKCS#12 MAC')
  const [algorithm, given] = der.inside(info, 'PKCS#12 MAC')
  const [id, parameters] = der.inside(algorithm, 'PKCS#12 MAC')
  const mac = octetsOf(given, 'MAC')
  if (der.dotted(id, 'PKCS#12 MAC') === OID.pbmac1) {
    const [derivation, scheme] = der.inside(parameters, 'PBMAC1 parameters')
    const hash = row(HMACS, der.inside(scheme, 'PBMAC1 scheme')[0], 'MAC')
    return sameBytes(
      createHmac(hash, await pbkdf2Key(derivation, secret, undefined))
        .update(content)
        .digest(),
      mac,
    )
  }
  const hash = row(HASHES, id, 'hash')
  const by: Derivation = { hash, salt: octetsOf(salt, 'salt'), iterations: iterations ? counted(secret, iterations) : 1 }
  return sameBytes(await macBy(by, content, secret.bmp), mac)
}

async function macBy(by: Derivation, content: Buffer, bmp: Buffer): Promise<Buffer> {
  const { length } = createHash(by.hash).digest()
  return createHmac(by.hash, await derive(by, bmp, PURPOSE.mac, length))
    .update(content)
    .digest()
}

const integer = (value: number): Buffer => {
  const hex = value.toString(16)
  return der.unsigned(Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex'))
}

/** Encrypt by PBES2: PBKDF2 with HMAC-SHA-256, AES-256-CBC. @returns the AlgorithmIdentifier as DER, and the ciphertext */
export async function encryptBy(data: Buffer, secret: Secret, iterations: number): Promise<{ algorithm: Buffer; data: Buffer }> {
  const [salt, iv] = [randomBytes(SALT_BYTES), randomBytes(16)]
  const key = await stretch(secret.utf8, salt, iterations, 32, 'sha256')
  const state = createCipheriv('aes-256-cbc', key, iv)
  const prf = der.sequence(der.oid(OID.hmacSha256), der.nothing())
  const derivation = der.sequence(der.oid(OID.pbkdf2), der.sequence(der.octets(salt), integer(iterations), prf))
  const encryption = der.sequence(der.oid(OID.aes256), der.octets(iv))
  return {
    algorithm: der.sequence(der.oid(OID.pbes2), der.sequence(derivation, encryption)),
    data: Buffer.concat([state.update(data), state.final()]),
  }
}

/** MacData by SHA-256, as DER. */
export async function macData(content: Buffer, secret: Secret, iterations: number): Promise<Buffer> {
  const salt = randomBytes(SALT_BYTES)
  const mac = await macBy({ hash: 'sha256', salt, iterations }, content, secret.bmp)
  const info = der.sequence(der.sequence(der.oid(OID.sha256), der.nothing()), der.octets(mac))
  return der.sequence(info, der.octets(salt), integer(iterations))
}
