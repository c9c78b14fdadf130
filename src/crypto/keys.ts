/**
 * Asymmetric keys: what they are, how they are made, and key agreement. A key is a `node:crypto` KeyObject throughout; key-formats.ts
 * brings them in and out. Spec: KMIP 1.4 sections 3.4 to 3.7, 4.2 (Create Key Pair), 4.6 (Derive Key, Asymmetric Key).
 */
import { createPublicKey, diffieHellman, generateKeyPair as generate, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import { curveByBits, curveByOpenssl, curveRow, OKP } from './curves.ts'
import * as der from './der.ts'
import { CryptoError, lookup } from './errors.ts'
import { bitLength } from './integers.ts'

export interface KeyPair {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

/** What a key says about itself, in KMIP's words. `lengthBits` is the Cryptographic Length, `curve` a Recommended Curve. */
export interface KeyFacts {
  readonly kind: 'private' | 'public'
  readonly algorithm: 'RSA' | 'DSA' | 'DH' | 'EC' | 'Ed25519' | 'Ed448'
  readonly lengthBits: number
  readonly curve?: string
  readonly qLengthBits?: number
}

/** What to make. Lengths are bits; `publicExponent` is of RSA (absent: 65537), `qLength` of DSA, `curve` of elliptic curves. */
export interface KeyPairOptions {
  readonly length?: number | undefined
  readonly publicExponent?: number | undefined
  readonly qLength?: number | undefined
  readonly curve?: string | undefined
}

const make = promisify(generate) as (type: string, options: object) => Promise<KeyPair>

const RSA_BITS = { least: 1024, most: 8192 }
const DSA_Q_BITS: Readonly<Record<number, readonly number[]>> = { 1024: [160], 2048: [256, 224], 3072: [256] }
// RFC 3526, and RFC 2409 for the first: safe primes known to all, as making one takes minutes.
const DH_GROUPS: Readonly<Record<number, string>> = {
  1024: 'modp2',
  1536: 'modp5',
  2048: 'modp14',
  3072: 'modp15',
  4096: 'modp16',
  6144: 'modp17',
  8192: 'modp18',
}

const badLength = (algorithm: string, length: number | undefined): CryptoError =>
  new CryptoError(
    'invalid',
    length === undefined ? `${algorithm} needs a Cryptographic Length` : `${algorithm} has no keys of ${length} bits`,
  )

function rsa({ length = 0, publicExponent = 65537 }: KeyPairOptions): Promise<KeyPair> {
  if (length < RSA_BITS.least || length > RSA_BITS.most || length % 8 !== 0) throw badLength('RSA', length || undefined)
  if (!Number.isSafeInteger(publicExponent) || publicExponent < 3 || publicExponent > 0xffffffff || publicExponent % 2 === 0)
    throw new CryptoError('invalid', 'the public exponent must be odd, at least 3 and below 2^32')
  return make('rsa', { modulusLength: length, publicExponent })
}

function dsa({ length = 0, qLength }: KeyPairOptions): Promise<KeyPair> {
  const allowed = DSA_Q_BITS[length]
  if (!allowed) throw badLength('DSA', length || undefined)
  const divisorLength = qLength ?? allowed[0] ?? 0
  if (!allowed.includes(divisorLength)) throw new CryptoError('invalid', `DSA of ${length} bits has no Qlength of ${divisorLength} bits`)
  return make('dsa', { modulusLength: length, divisorLength })
}

function dh({ length = 0 }: KeyPairOptions): Promise<KeyPair> {
  const group = DH_GROUPS[length]
  if (!group) throw badLength('DH', length || undefined)
  return make('dh', { group })
}

function ec({ curve, length }: KeyPairOptions): Promise<KeyPair> {
  const name = curve ?? curveByBits(length ?? 0)
  if (name === undefined) throw new CryptoError('invalid', 'an elliptic-curve key needs a Recommended Curve, or the length of a NIST curve')
  const row = curveRow(name)
  if (curve !== undefined && length !== undefined && length !== row.bits)
    throw new CryptoError('invalid', `${curve} has keys of ${row.bits} bits, not of ${length}`)
  const okp = OKP[name]
  return okp ? make(okp.type, {}) : make('ec', { namedCurve: row.name })
}

const GENERATORS: Readonly<Record<string, (o: KeyPairOptions) => Promise<KeyPair>>> = {
  RSA: rsa,
  DSA: dsa,
  DH: dh,
  EC: ec,
  ECDSA: ec,
  ECDH: ec,
  Ed25519: () => make('ed25519', {}),
  Ed448: () => make('ed448', {}),
}

/** Whether `generateKeyPair` knows this Cryptographic Algorithm. */
export const isKeyPairAlgorithm = (algorithm: string): boolean => Object.hasOwn(GENERATORS, algorithm)

/**
 * A new key pair, made off the main thread; RSA of 4096 bits takes about a second, DSA several.
 * @param algorithm RSA (1024 to 8192 bits), DSA (1024, 2048, 3072), DH (groups of RFC 3526), EC, ECDSA, ECDH, Ed25519, Ed448
 * @throws CryptoError `unsupported`, `invalid`
 */
export async function generateKeyPair(algorithm: string, options: KeyPairOptions = {}): Promise<KeyPair> {
  return lookup(GENERATORS, algorithm, 'Cryptographic Algorithm for a key pair')(options)
}

/** The public key that belongs to a private key. @throws CryptoError `invalid` when `key` is no private key */
export function publicKeyOf(key: KeyObject): KeyObject {
  if (key.type !== 'private') throw new CryptoError('invalid', 'a private key is needed')
  return createPublicKey(key)
}

/** Algorithm, length and curve of a key. @throws CryptoError `unsupported` for a curve without a name or a kind of key that KMIP lacks */
export function keyFacts(key: KeyObject): KeyFacts {
  const kind = key.type
  if (kind === 'secret') throw new CryptoError('invalid', 'an asymmetric key is needed')
  const details = key.asymmetricKeyDetails ?? {}
  switch (key.asymmetricKeyType as string | undefined) {
    case 'rsa':
    case 'rsa-pss':
      return { kind, algorithm: 'RSA', lengthBits: details.modulusLength ?? 0 }
    case 'dsa':
      return { kind, algorithm: 'DSA', lengthBits: details.modulusLength ?? 0, qLengthBits: details.divisorLength ?? 0 }
    case 'dh':
      return { kind, algorithm: 'DH', lengthBits: bitLength(domainOf(key)[0] ?? Buffer.alloc(0)) }
    case 'ec':
      return { kind, algorithm: 'EC', ...namedCurve(details.namedCurve) }
    default:
      return { kind, ...okpFacts(key.asymmetricKeyType) }
  }
}

function namedCurve(name: string | undefined): { curve: string; lengthBits: number } {
  const curve = curveByOpenssl(name)
  if (curve === undefined) throw new CryptoError('unsupported', 'the key is on a curve that has no Recommended Curve name')
  return { curve, lengthBits: curveRow(curve).bits }
}

function okpFacts(type: string | undefined): Pick<KeyFacts, 'algorithm' | 'lengthBits' | 'curve'> {
  const found = Object.entries(OKP).find(([, row]) => row.type === type)
  if (!found) throw new CryptoError('unsupported', `keys of type ${type} are not supported`)
  const [name, { bits }] = found
  return name === 'Ed25519' || name === 'Ed448' ? { algorithm: name, lengthBits: bits } : { algorithm: 'EC', lengthBits: bits, curve: name }
}

/**
 * Domain parameters of a DSA or DH key, in the order of its encoding, without leading zeros: DSA p, q, g; DH p, g, or by X9.42 p, g, q, j.
 * @throws CryptoError `invalid`
 */
export function domainOf(key: KeyObject): Buffer[] {
  const parts =
    key.type === 'private'
      ? der.fields(key.export({ format: 'der', type: 'pkcs8' })).slice(1)
      : der.fields(key.export({ format: 'der', type: 'spki' }))
  const algorithm = der.read(der.body(parts, 0, der.TAG.SEQUENCE))
  const domain = der.read(der.body(algorithm, 1, der.TAG.SEQUENCE))
  return domain.filter(({ tag }) => tag === der.TAG.INTEGER).map(({ body }) => der.stripZeros(body))
}

/**
 * The shared secret of a private key and another's public key: ECDH, X25519, X448 or DH. Of ECDH it is the x coordinate.
 * @throws CryptoError `invalid` when the two do not belong to one group, `unsupported` for keys that cannot agree
 */
export function agree(privateKey: KeyObject, publicKey: KeyObject): Buffer {
  if (privateKey.type !== 'private' || publicKey.type !== 'public')
    throw new CryptoError('invalid', 'agreement needs a private and a public key')
  if (!['ec', 'dh', 'x25519', 'x448'].includes(privateKey.asymmetricKeyType ?? ''))
    throw new CryptoError('unsupported', `keys of type ${privateKey.asymmetricKeyType} cannot agree on a secret`)
  try {
    return diffieHellman({ privateKey, publicKey })
  } catch (cause) {
    throw new CryptoError('invalid', 'the two keys cannot agree: they are not of one curve or group', { cause })
  }
}
