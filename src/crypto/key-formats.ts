/**
 * Asymmetric keys in and out of KMIP's Key Format Types. One table of formats: for which keys each is, how it reads and how it writes.
 *
 *   const key = parseKey('private', 'PKCS_8', bytes)          // a node:crypto KeyObject
 *   const c = writeKey(key, 'TransparentRSAPrivateKey')       // { modulus, publicExponent, … }
 *
 * Spec: KMIP 1.4 sections 2.1.3, 2.1.7, 9.1.3.2.3; 2.1 sections 3, 11.25. Encodings: RFC 8017 (PKCS #1), 5208 (PKCS #8), 5280 (X.509
 * SubjectPublicKeyInfo), 5915 (ECPrivateKey), 8410 (Edwards and Montgomery curves).
 */
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { completeRsa, component, type KeyComponents, type KeyHint, type KeyKind, rsaJwk, type WriteOptions } from './components.ts'
import { OKP } from './curves.ts'
import { CryptoError, lookup } from './errors.ts'
import { toBytes } from './integers.ts'
import { dhKey, dsaKey, dsaOrDhNumbers, ecNumbers, ecPrivateKey, ecPublicKey, okpKey, okpRaw, sec1 } from './key-build.ts'
import { keyFacts } from './keys.ts'

interface Format {
  readonly kinds: readonly KeyKind[]
  /** node's key types that have this format */
  readonly types: readonly string[]
  read(kind: KeyKind, material: Uint8Array | KeyComponents, hint: KeyHint): KeyObject
  write(key: KeyObject, options: WriteOptions): Buffer | KeyComponents
}

const MAX_BYTES = 1 << 16
const MAX_BITS = 16384
const OKP_TYPES = Object.values(OKP).map(({ type }) => type as string)
const EC_TYPES = ['ec', 'x25519', 'x448', 'ed25519', 'ed448']
const ANY = ['rsa', 'rsa-pss', 'dsa', 'dh', ...EC_TYPES]

const asBytes = (material: Uint8Array | KeyComponents): Buffer => {
  if (!(material instanceof Uint8Array)) throw new CryptoError('invalid', 'this Key Format Type holds bytes, not components')
  if (material.length > MAX_BYTES) throw new CryptoError('too-long', `a key of more than ${MAX_BYTES} bytes is not read`)
  return Buffer.from(material)
}

const asComponents = (material: Uint8Array | KeyComponents): KeyComponents => {
  if (material instanceof Uint8Array) throw new CryptoError('invalid', 'this Key Format Type holds components, not bytes')
  return material
}

type DerType = 'pkcs1' | 'pkcs8' | 'spki' | 'sec1'

const DER_TYPES: Readonly<Record<KeyKind, readonly DerType[]>> = { private: ['pkcs8', 'pkcs1', 'sec1'], public: ['spki', 'pkcs1'] }

/**
 * Read DER, also where it is not what the client says. PyKMIP calls public keys X_509 unless the program says otherwise, be they PKCS #1 or not, and
 * its server takes them all; no encoding can be mistaken for another.
 */
function readDer(kind: KeyKind, key: Buffer, said: DerType): KeyObject {
  const failures: unknown[] = []
  for (const type of new Set([said, ...DER_TYPES[kind]]))
    try {
      return kind === 'private'
        ? createPrivateKey({ key, format: 'der', type: type as 'pkcs8' })
        : createPublicKey({ key, format: 'der', type: type as 'spki' })
    } catch (failure) {
      failures.push(failure)
    }
  throw failures[0]
}

/** A format that OpenSSL reads and writes. */
function encoded(kinds: readonly KeyKind[], types: readonly string[], type: 'pkcs1' | 'pkcs8' | 'spki'): Format {
  return {
    kinds,
    types,
    read: (kind, material) => readDer(kind, asBytes(material), type),
    write: key => key.export({ format: 'der', type: type as 'pkcs1' }),
  }
}

/** A format of components. */
function transparent(
  kind: KeyKind,
  types: readonly string[],
  read: (c: KeyComponents, hint: KeyHint) => KeyObject,
  write: (key: KeyObject, o: WriteOptions) => KeyComponents,
): Format {
  return { kinds: [kind], types, read: (_kind, material, hint) => read(asComponents(material), hint), write }
}

function rsaNumbers(key: KeyObject): KeyComponents {
  const jwk = key.export({ format: 'jwk' })
  const bytes = (name: string): Buffer => Buffer.from(String(jwk[name]), 'base64url')
  const publicPart = { modulus: bytes('n'), publicExponent: bytes('e') }
  if (key.type === 'public') return publicPart
  return {
    ...publicPart,
    privateExponent: bytes('d'),
    p: bytes('p'),
    q: bytes('q'),
    primeExponentP: bytes('dp'),
    primeExponentQ: bytes('dq'),
    crtCoefficient: bytes('qi'),
  }
}

const rsaPublic = (c: KeyComponents): KeyObject => {
  const encode = (name: 'modulus' | 'publicExponent'): string => toBytes(component(c, name)).toString('base64url')
  return createPublicKey({ key: { kty: 'RSA', n: encode('modulus'), e: encode('publicExponent') }, format: 'jwk' })
}

const ecPrivate = transparent('private', EC_TYPES, ecPrivateKey, ecNumbers)
const ecPublic = transparent('public', EC_TYPES, ecPublicKey, ecNumbers)

const FORMATS: Readonly<Record<string, Format>> = {
  PKCS_1: encoded(['private', 'public'], ['rsa'], 'pkcs1'),
  PKCS_8: encoded(['private'], ANY, 'pkcs8'),
  X_509: encoded(['public'], ANY, 'spki'),
  ECPrivateKey: {
    kinds: ['private'],
    types: ['ec'],
    read: (_kind, material, hint) => sec1(asBytes(material), hint.curve),
    write: key => key.export({ format: 'der', type: 'sec1' }),
  },
  Raw: {
    kinds: ['private', 'public'],
    types: OKP_TYPES,
    read: (kind, material, hint) => okpKey(kind, hint.algorithm, hint.curve, asBytes(material)),
    write: okpRaw,
  },
  TransparentRSAPrivateKey: transparent(
    'private',
    ['rsa'],
    c => createPrivateKey({ key: rsaJwk(completeRsa(c)), format: 'jwk' }),
    rsaNumbers,
  ),
  TransparentRSAPublicKey: transparent('public', ['rsa'], rsaPublic, rsaNumbers),
  TransparentDSAPrivateKey: transparent('private', ['dsa'], c => dsaKey('private', c), dsaOrDhNumbers),
  TransparentDSAPublicKey: transparent('public', ['dsa'], c => dsaKey('public', c), dsaOrDhNumbers),
  TransparentDHPrivateKey: transparent('private', ['dh'], c => dhKey('private', c), dsaOrDhNumbers),
  TransparentDHPublicKey: transparent('public', ['dh'], c => dhKey('public', c), dsaOrDhNumbers),
  TransparentECPrivateKey: ecPrivate,
  TransparentECPublicKey: ecPublic,
  // The names before 1.3; the structures are the same.
  TransparentECDSAPrivateKey: ecPrivate,
  TransparentECDSAPublicKey: ecPublic,
  TransparentECDHPrivateKey: ecPrivate,
  TransparentECDHPublicKey: ecPublic,
  TransparentECMQVPrivateKey: ecPrivate,
  TransparentECMQVPublicKey: ecPublic,
}

/** Whether the Key Material of this Key Format Type is a structure of components. */
export const isTransparent = (format: string): boolean => format.startsWith('Transparent')

/**
 * Read an asymmetric key.
 * @param format    Key Format Type: PKCS_1, PKCS_8 (not encrypted), X_509 (SubjectPublicKeyInfo), ECPrivateKey, Raw (Edwards and
 *                  Montgomery curves only) and the Transparent ones
 * @param material  DER or raw bytes, or components for a Transparent format
 * @throws CryptoError `unsupported` format or curve; `invalid` when the material is no such key; `too-long`
 */
export function parseKey(kind: KeyKind, format: string, material: Uint8Array | KeyComponents, hint: KeyHint = {}): KeyObject {
  const row = lookup(FORMATS, format, 'Key Format Type')
  if (!row.kinds.includes(kind)) throw new CryptoError('invalid', `${format} is not a format of a ${kind} key`)
  const key = reading(format, () => row.read(kind, material, hint))
  const facts = keyFacts(key)
  if (facts.lengthBits > MAX_BITS) throw new CryptoError('too-long', `keys of more than ${MAX_BITS} bits are not supported`)
  return key
}

function reading(format: string, read: () => KeyObject): KeyObject {
  try {
    return read()
  } catch (cause) {
    if (cause instanceof CryptoError) throw cause
    throw new CryptoError('invalid', `the key material is not a valid ${format} key`, { cause })
  }
}

/**
 * Write an asymmetric key: bytes, or components for a Transparent format.
 * @throws CryptoError `unsupported` when the format does not exist or is not one of this kind of key
 */
export function writeKey(key: KeyObject, format: string, options: WriteOptions = {}): Buffer | KeyComponents {
  const row = lookup(FORMATS, format, 'Key Format Type')
  if (key.type === 'secret' || !row.kinds.includes(key.type) || !row.types.includes(key.asymmetricKeyType ?? ''))
    throw new CryptoError('unsupported', `a ${key.type} key of type ${key.asymmetricKeyType} has no form ${format}`)
  return row.write(key, options)
}
