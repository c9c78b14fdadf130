/**
 * Keys that Node takes only as DER, built from their numbers and taken apart again: elliptic curves, DSA and DH.
 * Sources: RFC 3279 (DSA, DH), RFC 5480 and 5915 (elliptic curves), RFC 8410 (Edwards and Montgomery curves).
 */
import { createECDH, createPrivateKey, createPublicKey, ECDH, type JsonWebKey, type KeyObject } from 'node:crypto'
import { component, type KeyComponents, type KeyHint, type KeyKind, type WriteOptions } from './components.ts'
import { type CurveRow, curveByOid, curveRow, OKP, type OkpRow } from './curves.ts'
import * as der from './der.ts'
import { CryptoError, lookup } from './errors.ts'
import { toBytes } from './integers.ts'
import { domainOf, keyFacts, publicKeyOf } from './keys.ts'

const OID = { dsa: '1.2.840.10040.4.1', dh: '1.2.840.113549.1.3.1', x942: '1.2.840.10046.2.1', ec: '1.2.840.10045.2.1' } as const
const VERSION_0 = der.integer(Buffer.of(0))
const VERSION_1 = der.integer(Buffer.of(1))
const MAX_NUMBER_BYTES = 2048

const pkcs8 = (algorithm: Buffer, key: Buffer): KeyObject =>
  createPrivateKey({ key: der.sequence(VERSION_0, algorithm, der.octets(key)), format: 'der', type: 'pkcs8' })
const spki = (algorithm: Buffer, key: Uint8Array): KeyObject =>
  createPublicKey({ key: der.sequence(algorithm, der.bits(key)), format: 'der', type: 'spki' })

/** The bits of a SubjectPublicKeyInfo, and what is in a PKCS #8. */
function inner(key: KeyObject): Buffer {
  if (key.type === 'private') return der.body(der.fields(key.export({ format: 'der', type: 'pkcs8' })), 2, der.TAG.OCTETS)
  return der.body(der.fields(key.export({ format: 'der', type: 'spki' })), 1, der.TAG.BITS).subarray(1)
}

const POINT_FORMS: Readonly<Record<string, 'uncompressed' | 'compressed' | 'hybrid'>> = {
  ECPublicKeyTypeUncompressed: 'uncompressed',
  ECPublicKeyTypeX9_62CompressedPrime: 'compressed',
  ECPublicKeyTypeX9_62CompressedChar2: 'compressed',
  ECPublicKeyTypeX9_62Hybrid: 'hybrid',
}

/** A point of X9.63 in one of its forms. @throws CryptoError `invalid` when it is not on the curve */
function point(row: CurveRow, bytes: Uint8Array, form: 'uncompressed' | 'compressed' | 'hybrid' = 'uncompressed'): Buffer {
  try {
    return ECDH.convertKey(bytes, row.name, undefined, undefined, form) as Buffer
  } catch (cause) {
    throw new CryptoError('invalid', 'the point is not on the curve', { cause })
  }
}

const ecAlgorithm = (row: CurveRow): Buffer => der.sequence(der.oid(OID.ec), der.oid(row.oid))

function ecFromD(row: CurveRow, d: Uint8Array): KeyObject {
  const scalar = toBytes(component({ d }, 'd'), Math.ceil(row.bits / 8))
  const ecdh = createECDH(row.name)
  try {
    ecdh.setPrivateKey(scalar)
  } catch (cause) {
    throw new CryptoError('invalid', 'the private number does not fit the curve', { cause })
  }
  const publicPoint = ecdh.getPublicKey()
  if (row.jwk) return createPrivateKey({ key: { ...ecJwk(row.jwk, publicPoint), d: scalar.toString('base64url') }, format: 'jwk' })
  const key = der.sequence(VERSION_1, der.octets(scalar), der.context(der.TAG.CONTEXT_1, der.bits(publicPoint)))
  return pkcs8(ecAlgorithm(row), key)
}

// Node reads and writes a JSON Web Key in a tenth of the time that OpenSSL takes for DER.
function ecJwk(crv: string, uncompressed: Buffer): JsonWebKey {
  const bytes = (uncompressed.length - 1) / 2
  const [x, y] = [uncompressed.subarray(1, 1 + bytes), uncompressed.subarray(1 + bytes)]
  return { kty: 'EC', crv, x: x.toString('base64url'), y: y.toString('base64url') }
}

/** Curve 25519 and 448 serve two kinds of key; the algorithm tells them apart. */
function okpOf(algorithm: string | undefined, curve: string | undefined): OkpRow | undefined {
  const edwards: Readonly<Record<string, string>> = { Ed25519: 'Ed25519', Ed448: 'Ed448' }
  return OKP[edwards[algorithm ?? ''] ?? curve ?? '']
}

/** A key of an Edwards or Montgomery curve from its raw bytes. @throws CryptoError `unsupported`, `invalid` */
export function okpKey(kind: KeyKind, algorithm: string | undefined, curve: string | undefined, raw: Uint8Array): KeyObject {
  const row = okpOf(algorithm, curve)
  if (!row) throw new CryptoError('unsupported', 'Raw is a format of symmetric keys and of Ed25519, Ed448, CURVE25519 and CURVE448 only')
  if (raw.length !== row.bytes) throw new CryptoError('invalid', `this key has ${row.bytes} bytes, not ${raw.length}`)
  const id = der.sequence(der.oid(row.oid))
  return kind === 'private' ? pkcs8(id, der.octets(raw)) : spki(id, raw)
}

/** Raw bytes of a key of an Edwards or Montgomery curve. */
export function okpRaw(key: KeyObject): Buffer {
  const found = inner(key)
  return key.type === 'private' ? der.body(der.read(found), 0, der.TAG.OCTETS) : Buffer.from(found)
}

export function ecPrivateKey(c: KeyComponents, hint: KeyHint): KeyObject {
  const curve = c.recommendedCurve ?? hint.curve
  if (!c.d) throw new CryptoError('invalid', 'the key has no d')
  return okpOf(hint.algorithm, curve) ? okpKey('private', hint.algorithm, curve, c.d) : ecFromD(curveRow(curve), c.d)
}

export function ecPublicKey(c: KeyComponents, hint: KeyHint): KeyObject {
  const curve = c.recommendedCurve ?? hint.curve
  if (!c.qString) throw new CryptoError('invalid', 'the key has no qString')
  if (okpOf(hint.algorithm, curve)) return okpKey('public', hint.algorithm, curve, c.qString)
  const row = curveRow(curve)
  const uncompressed = point(row, c.qString)
  return row.jwk ? createPublicKey({ key: ecJwk(row.jwk, uncompressed), format: 'jwk' }) : spki(ecAlgorithm(row), uncompressed)
}

function ecScalar(key: KeyObject, row: CurveRow): Buffer {
  if (row.jwk) return Buffer.from(key.export({ format: 'jwk' }).d ?? '', 'base64url')
  return Buffer.from(der.body(der.fields(inner(key)), 1, der.TAG.OCTETS))
}

function ecPoint(key: KeyObject, row: CurveRow): Buffer {
  if (!row.jwk) return inner(key)
  const { x = '', y = '' } = key.export({ format: 'jwk' })
  return Buffer.concat([Buffer.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')])
}

/** Components of an elliptic-curve key: Recommended Curve with d, or with Q String. */
export function ecNumbers(key: KeyObject, options: WriteOptions): KeyComponents {
  const { curve, algorithm } = keyFacts(key)
  const recommendedCurve = curve ?? (algorithm === 'Ed448' ? 'CURVE448' : 'CURVE25519')
  if (key.asymmetricKeyType !== 'ec')
    return key.type === 'private' ? { recommendedCurve, d: okpRaw(key) } : { recommendedCurve, qString: okpRaw(key) }
  const row = curveRow(curve)
  if (key.type === 'private') return { recommendedCurve, d: ecScalar(key, row) }
  const form = lookup(POINT_FORMS, options.compression ?? 'ECPublicKeyTypeUncompressed', 'Key Compression Type')
  return { recommendedCurve, qString: point(row, ecPoint(key, row), form) }
}

/** An ECPrivateKey; when it does not name its curve, `curve` does. @throws CryptoError `invalid`, `unsupported` */
export function sec1(bytes: Buffer, curve: string | undefined): KeyObject {
  const parts = der.fields(bytes)
  const named = parts.find(({ tag }) => tag === der.TAG.CONTEXT_0)
  const id = named && der.read(named.body)[0]
  if (named && id?.tag !== der.TAG.OID) throw new CryptoError('unsupported', 'only keys on named curves are supported')
  const found = id ? curveByOid(der.oidText(id.body)) : curve
  if (id && found === undefined) throw new CryptoError('unsupported', 'the key is on a curve that has no Recommended Curve name')
  return ecFromD(curveRow(found), der.body(parts, 1, der.TAG.OCTETS))
}

const number = (c: KeyComponents, name: 'p' | 'q' | 'g' | 'j' | 'x' | 'y'): Buffer => {
  if ((c[name]?.length ?? 0) > MAX_NUMBER_BYTES) throw new CryptoError('too-long', `${name} has more than ${MAX_NUMBER_BYTES} bytes`)
  return der.integer(toBytes(component(c, name)))
}

export function dsaKey(kind: KeyKind, c: KeyComponents): KeyObject {
  const algorithm = der.sequence(der.oid(OID.dsa), der.sequence(number(c, 'p'), number(c, 'q'), number(c, 'g')))
  return kind === 'private' ? pkcs8(algorithm, number(c, 'x')) : spki(algorithm, number(c, 'y'))
}

/** With q it is a key of X9.42, which carries q; without it one of PKCS #3. */
export function dhKey(kind: KeyKind, c: KeyComponents): KeyObject {
  const start = [number(c, 'p'), number(c, 'g')]
  const algorithm = c.q
    ? der.sequence(der.oid(OID.x942), der.sequence(...start, number(c, 'q'), ...(c.j ? [number(c, 'j')] : [])))
    : der.sequence(der.oid(OID.dh), der.sequence(...start))
  return kind === 'private' ? pkcs8(algorithm, number(c, 'x')) : spki(algorithm, number(c, 'y'))
}

/** Components of a DSA or DH key: the domain, with x or with y. */
export function dsaOrDhNumbers(key: KeyObject): KeyComponents {
  const [first, second, third, fourth] = domainOf(key)
  const domain =
    key.asymmetricKeyType === 'dsa'
      ? { p: first, q: second, g: third }
      : { p: first, g: second, ...(third && hasQ(key) && { q: third, ...(fourth && { j: fourth }) }) }
  const value = der.unsigned(der.read(inner(key)), 0)
  return key.type === 'private' ? { ...domain, x: value } : { ...domain, y: value }
}

// The third number of a PKCS #3 key is the length of x, not q.
const hasQ = (key: KeyObject): boolean => publicKeyDer(key).includes(der.oid(OID.x942))

const publicKeyDer = (key: KeyObject): Buffer => (key.type === 'private' ? publicKeyOf(key) : key).export({ format: 'der', type: 'spki' })
