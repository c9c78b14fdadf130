/**
 * Signatures: RSA (PKCS1V1_5 and PSS), DSA, ECDSA (DER encoding), Ed25519 and Ed448; over data, over a digest (Digested Data), or over
 * data in parts.
 *
 *   const signature = await sign(privateKey, { data }, { digitalSignatureAlgorithm: 'SHA_256WithRSAEncryption' })
 *   const valid = await verify(publicKey, { data }, signature, { paddingMethod: 'PSS', hashingAlgorithm: 'SHA_256' })
 *
 * The kind of key decides the scheme: an elliptic-curve key makes ECDSA whatever the padding says. The hash comes from the Digital
 * Signature Algorithm or the Hashing Algorithm; ECDSA and DSA have a default by the size of the key, RSA has none.
 * Of PSS the mask hash is the message hash unless given, as the published test cases have it, and verification without one also takes
 * the SHA-1 that the specification names; the salt is as long as the hash unless given, and verification without one takes any.
 * Spec: KMIP 1.4 sections 3.6, 4.31, 4.32; RFC 8017 sections 8, 9; FIPS 186-4; RFC 8032.
 */
import {
  constants,
  createSign,
  createVerify,
  type KeyObject,
  privateEncrypt,
  publicDecrypt,
  sign as signOnce,
  verify as verifyOnce,
} from 'node:crypto'
import { promisify } from 'node:util'
import { SIGNATURES } from './algorithms.ts'
import { curveRow } from './curves.ts'
import { CryptoError, lookup } from './errors.ts'
import { createHashStream, hash, hashRow } from './hash.ts'
import { type KeyFacts, keyFacts } from './keys.ts'
import type { CryptographicParameters } from './parameters.ts'
import { checkPss, encodePss } from './rsa-padding.ts'

/** What is signed: data, or its digest by the hash of the signature. */
export type Message = { readonly data: Uint8Array } | { readonly digest: Uint8Array }

interface Scheme {
  readonly kind: 'PKCS1V1_5' | 'PSS' | 'DSA' | 'ECDSA' | 'EdDSA'
  /** Hashing Algorithm; empty for EdDSA */
  readonly hash: string
  readonly facts: KeyFacts
  /** of PSS */
  readonly masks: readonly string[]
  readonly saltLength?: number
}

const signAsync = promisify(signOnce) as (algorithm: string | null, data: Uint8Array, key: object) => Promise<Buffer>
const verifyAsync = promisify(verifyOnce) as (
  algorithm: string | null,
  data: Uint8Array,
  key: object,
  signature: Uint8Array,
) => Promise<boolean>
const { RSA_PKCS1_PADDING, RSA_NO_PADDING } = constants
const DSA_HASHES: Readonly<Record<number, string>> = { 160: 'SHA_1', 224: 'SHA_224', 256: 'SHA_256' }

function schemeOf(key: KeyObject, p: CryptographicParameters): Scheme {
  const facts = keyFacts(key)
  if (facts.algorithm === 'Ed25519' || facts.algorithm === 'Ed448') return { kind: 'EdDSA', hash: '', facts, masks: [] }
  const row =
    p.digitalSignatureAlgorithm === undefined ? undefined : lookup(SIGNATURES, p.digitalSignatureAlgorithm, 'Digital Signature Algorithm')
  if (row && row.key !== facts.algorithm)
    throw new CryptoError('invalid', `${p.digitalSignatureAlgorithm} does not fit a key of algorithm ${facts.algorithm}`)
  if (row?.hash && p.hashingAlgorithm && p.hashingAlgorithm !== row.hash)
    throw new CryptoError('invalid', `${p.digitalSignatureAlgorithm} and Hashing Algorithm ${p.hashingAlgorithm} contradict each other`)
  const name = row?.hash ?? p.hashingAlgorithm ?? defaultHash(facts)
  hashRow(name)
  switch (facts.algorithm) {
    case 'RSA':
      return rsaScheme(facts, name ?? '', p, p.paddingMethod ?? row?.padding ?? 'PKCS1V1_5')
    case 'EC':
      if (key.asymmetricKeyType === 'ec') return { kind: 'ECDSA', hash: name ?? '', facts, masks: [] }
      break
    case 'DSA':
      return { kind: 'DSA', hash: name ?? '', facts, masks: [] }
  }
  throw new CryptoError('unsupported', `keys of type ${key.asymmetricKeyType} do not sign`)
}

const defaultHash = ({ algorithm, curve, qLengthBits }: KeyFacts): string | undefined =>
  algorithm === 'EC' && curve ? curveRow(curve).hash : DSA_HASHES[qLengthBits ?? 0]

function rsaScheme(facts: KeyFacts, name: string, p: CryptographicParameters, padding: string): Scheme {
  if (padding === 'PKCS1V1_5') return { kind: padding, hash: name, facts, masks: [] }
  if (padding !== 'PSS') throw new CryptoError('unsupported', `RSA signatures with Padding Method ${padding} are not supported`)
  if ((p.maskGenerator ?? 'MGF1') !== 'MGF1') throw new CryptoError('unsupported', `Mask Generator ${p.maskGenerator} is not supported`)
  if ((p.trailerField ?? 1) !== 1) throw new CryptoError('unsupported', 'PSS has the one-byte trailer only: Trailer Field 1')
  const { saltLength, maskGeneratorHashingAlgorithm: mask } = p
  if (saltLength !== undefined && (!Number.isSafeInteger(saltLength) || saltLength < 0))
    throw new CryptoError('invalid', `Salt Length ${saltLength} is not a length`)
  const masks = mask === undefined ? [...new Set([name, 'SHA_1'])] : [mask]
  for (const each of masks) hashRow(each)
  return { kind: 'PSS', hash: name, facts, masks, ...(saltLength !== undefined && { saltLength }) }
}

const digestOf = (scheme: Scheme, message: Message): Uint8Array =>
  'digest' in message ? checkedDigest(scheme, message.digest) : hash(message.data, scheme.hash)

function checkedDigest(scheme: Scheme, digest: Uint8Array): Uint8Array {
  const { bytes } = hashRow(scheme.hash)
  if (digest.length !== bytes) throw new CryptoError('invalid', `a digest by ${scheme.hash} has ${bytes} bytes, not ${digest.length}`)
  return digest
}

const noDigest = (scheme: Scheme): CryptoError => new CryptoError('unsupported', `${scheme.kind} with this key takes data, not a digest`)

/**
 * Sign; off the main thread when it is data that is signed.
 * @returns RSA: as long as the modulus; ECDSA and DSA: DER of r and s; EdDSA: 64 or 114 bytes
 * @throws CryptoError `unsupported`; `invalid` for a key that does not fit, a hash that is needed, or a digest of the wrong length
 */
export async function sign(key: KeyObject, message: Message, p: CryptographicParameters): Promise<Buffer> {
  if (key.type !== 'private') throw new CryptoError('invalid', 'signing needs a private key')
  const scheme = schemeOf(key, p)
  if (scheme.kind === 'PSS') return signPss(key, scheme, digestOf(scheme, message))
  if ('data' in message)
    return refusing(() => signAsync(scheme.hash === '' ? null : hashRow(scheme.hash).name, message.data, { key, dsaEncoding: 'der' }))
  if (scheme.kind === 'PKCS1V1_5')
    return refusing(async () => privateEncrypt({ key, padding: RSA_PKCS1_PADDING }, digestInfo(scheme, message)))
  if (scheme.kind !== 'ECDSA') throw noDigest(scheme)
  const { signDigestOnCurve } = await import('./ecdsa-digest.ts')
  return signDigestOnCurve(key, checkedDigest(scheme, message.digest), scheme.facts.curve)
}

/**
 * Verify a signature.
 * @returns false for a signature that is wrong in any way, malformed ones included
 * @throws CryptoError as `sign`: the question itself was wrong
 */
export async function verify(key: KeyObject, message: Message, signature: Uint8Array, p: CryptographicParameters): Promise<boolean> {
  if (key.type !== 'public') throw new CryptoError('invalid', 'verification needs a public key')
  const scheme = schemeOf(key, p)
  if (scheme.kind === 'PSS') return verifyPss(key, scheme, digestOf(scheme, message), signature)
  if (scheme.kind === 'PKCS1V1_5') {
    const recovered = recover(key, signature, RSA_PKCS1_PADDING)
    return recovered?.equals(digestInfo(scheme, message)) ?? false
  }
  if ('data' in message)
    return verifyAsync(scheme.hash === '' ? null : hashRow(scheme.hash).name, message.data, { key, dsaEncoding: 'der' }, signature)
  if (scheme.kind !== 'ECDSA') throw noDigest(scheme)
  const { verifyDigestOnCurve } = await import('./ecdsa-digest.ts')
  return verifyDigestOnCurve(key, checkedDigest(scheme, message.digest), signature, scheme.facts.curve)
}

/** OpenSSL refuses a key that is too short for the hash. */
async function refusing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    throw new CryptoError('invalid', 'the key cannot make this signature', { cause })
  }
}

const digestInfo = (scheme: Scheme, message: Message): Buffer =>
  Buffer.concat([Buffer.from(hashRow(scheme.hash).digestInfo, 'hex'), digestOf(scheme, message)])

/** The bare RSA function with the public key, and with PKCS #1 v1.5 what is behind the padding; undefined when it does not check. */
function recover(key: KeyObject, signature: Uint8Array, padding: number): Buffer | undefined {
  if (signature.length !== Math.ceil(keyFacts(key).lengthBits / 8)) return undefined
  try {
    return publicDecrypt({ key, padding }, signature)
  } catch {
    return undefined
  }
}

function signPss(key: KeyObject, scheme: Scheme, digest: Uint8Array): Promise<Buffer> {
  const bits = scheme.facts.lengthBits
  const em = encodePss(digest, bits, { hash: scheme.hash, mask: scheme.masks[0] ?? scheme.hash }, scheme.saltLength ?? digest.length)
  return refusing(async () => privateEncrypt({ key, padding: RSA_NO_PADDING }, leftPadded(em, Math.ceil(bits / 8))))
}

function verifyPss(key: KeyObject, scheme: Scheme, digest: Uint8Array, signature: Uint8Array): boolean {
  const bits = scheme.facts.lengthBits
  const raw = recover(key, signature, RSA_NO_PADDING)
  const length = Math.ceil((bits - 1) / 8)
  if (!raw || raw.subarray(0, raw.length - length).some(byte => byte !== 0)) return false
  const em = raw.subarray(raw.length - length)
  return scheme.masks.some(mask => checkPss(digest, em, bits, { hash: scheme.hash, mask }, scheme.saltLength))
}

const leftPadded = (bytes: Uint8Array, length: number): Buffer => Buffer.concat([Buffer.alloc(length - bytes.length), bytes])

/** A signature over data in parts. After `final` it is spent. */
export interface SignStream {
  update(data: Uint8Array): void
  final(): Promise<Buffer>
}

/** A check of a signature over data in parts. */
export interface VerifyStream {
  update(data: Uint8Array): void
  final(signature: Uint8Array): Promise<boolean>
}

/** Sign data in parts; EdDSA holds all of it until `final`. @throws CryptoError as `sign` */
export function createSignStream(key: KeyObject, p: CryptographicParameters): SignStream {
  if (key.type !== 'private') throw new CryptoError('invalid', 'signing needs a private key')
  const scheme = schemeOf(key, p)
  if (scheme.kind === 'EdDSA') return collecting(data => sign(key, { data }, p))
  if (scheme.kind === 'PSS' || scheme.kind === 'PKCS1V1_5') return digesting(scheme, digest => sign(key, { digest }, p))
  const state = createSign(hashRow(scheme.hash).name)
  return { update: data => void state.update(data), final: () => refusing(async () => state.sign({ key, dsaEncoding: 'der' })) }
}

/** Verify a signature over data in parts; EdDSA holds all of it until `final`. @throws CryptoError as `verify` */
export function createVerifyStream(key: KeyObject, p: CryptographicParameters): VerifyStream {
  if (key.type !== 'public') throw new CryptoError('invalid', 'verification needs a public key')
  const scheme = schemeOf(key, p)
  if (scheme.kind === 'EdDSA') return collecting((data, signature: Uint8Array) => verify(key, { data }, signature, p))
  if (scheme.kind === 'PSS' || scheme.kind === 'PKCS1V1_5')
    return digesting(scheme, (digest, signature: Uint8Array) => verify(key, { digest }, signature, p))
  const state = createVerify(hashRow(scheme.hash).name)
  return { update: data => void state.update(data), final: async signature => state.verify({ key, dsaEncoding: 'der' }, signature) }
}

interface Parts<A extends unknown[], T> {
  update(data: Uint8Array): void
  final(...rest: A): Promise<T>
}

function collecting<A extends unknown[], T>(end: (data: Buffer, ...rest: A) => Promise<T>): Parts<A, T> {
  const parts: Buffer[] = []
  return { update: data => void parts.push(Buffer.from(data)), final: (...rest) => end(Buffer.concat(parts), ...rest) }
}

function digesting<A extends unknown[], T>(scheme: Scheme, end: (digest: Buffer, ...rest: A) => Promise<T>): Parts<A, T> {
  const state = createHashStream(scheme.hash)
  return { update: data => state.update(data), final: (...rest) => end(state.final(), ...rest) }
}
