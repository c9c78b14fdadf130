/**
 * Signatures: RSA (PKCS1V1_5 and PSS), DSA, ECDSA (DER encoding), Ed25519 and Ed448; over data, over a digest (Digested Data), or over
 * data in parts.
 *
 *   const signature = await sign(privateKey, { data }, { digitalSignatureAlgorithm: 'SHA_256WithRSAEncryption' })
 *   const valid = await verify(publicKey, { data }, signature, { paddingMethod: 'PSS', hashingAlgorithm: 'SHA_256' })
 *
 * The kind of key decides the scheme: an elliptic-curve key makes ECDSA whatever the padding says. The hash comes from the Digital
 * Signature Algorithm or the Hashing Algorithm; ECDSA and DSA have a default by the size of the key, RSA has none.
 * A digest is as long as the hash that the parameters name; when they name none it may have any length: ECDSA and DSA take its leftmost
 * bits, and PKCS1V1_5 pads the bytes as they are, without a name of the hash in front, as the published test cases have it.
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
import { signDigest, verifyDigest } from './digest-signature.ts'
import { CryptoError } from './errors.ts'
import { createHashStream, hash, hashRow } from './hash.ts'
import type { CryptographicParameters } from './parameters.ts'
import { checkPss, encodePss } from './rsa-padding.ts'
import { mismatch, type Scheme, schemeOf } from './signature-scheme.ts'

/** What is signed: data, or its digest by the hash of the signature. */
export type Message = { readonly data: Uint8Array } | { readonly digest: Uint8Array }

const signAsync = promisify(signOnce) as (algorithm: string | null, data: Uint8Array, key: object) => Promise<Buffer>
const verifyAsync = promisify(verifyOnce) as (
  algorithm: string | null,
  data: Uint8Array,
  key: object,
  signature: Uint8Array,
) => Promise<boolean>
const { RSA_PKCS1_PADDING, RSA_PKCS1_PSS_PADDING, RSA_NO_PADDING, RSA_PSS_SALTLEN_AUTO } = constants

const modulusBytes = (scheme: Scheme): number => Math.ceil(scheme.facts.lengthBits / 8)

/** OpenSSL's name of the hash; null for EdDSA. @throws CryptoError `invalid` when a hash is needed and none was named */
const opensslHash = (scheme: Scheme): string | null => (scheme.kind === 'EdDSA' ? null : hashRow(scheme.hash).name)

function privateScheme(key: KeyObject, p: CryptographicParameters): Scheme {
  if (key.type !== 'private') throw new CryptoError('invalid', 'signing needs a private key')
  const wrong = mismatch(key, p)
  if (wrong !== undefined) throw new CryptoError('invalid', wrong)
  return schemeOf(key, p)
}

/** undefined when the parameters are of another kind of key, by which no signature of this one is valid */
function publicScheme(key: KeyObject, p: CryptographicParameters): Scheme | undefined {
  if (key.type !== 'public') throw new CryptoError('invalid', 'verification needs a public key')
  return mismatch(key, p) === undefined ? schemeOf(key, p) : undefined
}

/**
 * Sign; off the main thread when it is data that is signed, and when it is a digest with ECDSA or DSA.
 * @returns RSA: as long as the modulus; ECDSA and DSA: DER of r and s; EdDSA: 64 or 114 bytes
 * @throws CryptoError `unsupported`; `invalid` for a key that does not fit, a hash that is needed, or a digest of the wrong length;
 *         `too-long` for a digest without named hash that does not fit the key
 */
export async function sign(key: KeyObject, message: Message, p: CryptographicParameters): Promise<Buffer> {
  const scheme = privateScheme(key, p)
  return 'data' in message ? signData(key, scheme, message.data) : signGiven(key, scheme, checkedDigest(scheme, message.digest))
}

function signData(key: KeyObject, scheme: Scheme, data: Uint8Array): Promise<Buffer> {
  const algorithm = opensslHash(scheme)
  if (scheme.kind !== 'PSS') return refusing(() => signAsync(algorithm, data, { key, dsaEncoding: 'der' }))
  if (scheme.masks[0] !== scheme.hash) return signPss(key, scheme, hash(data, scheme.hash))
  const saltLength = scheme.saltLength ?? hashRow(scheme.hash).bytes
  return refusing(() => signAsync(algorithm, data, { key, padding: RSA_PKCS1_PSS_PADDING, saltLength }))
}

async function signGiven(key: KeyObject, scheme: Scheme, digest: Uint8Array): Promise<Buffer> {
  switch (scheme.kind) {
    case 'PSS':
      return signPss(key, scheme, digest)
    case 'PKCS1V1_5':
      return refusing(async () => privateEncrypt({ key, padding: RSA_PKCS1_PADDING }, pkcs1Content(scheme, digest)))
    case 'ECDSA':
    case 'DSA':
      return refusing(() => signDigest(key, digest))
    case 'EdDSA':
      throw noDigest(scheme)
  }
}

/**
 * Verify a signature.
 * @returns false for a signature that is wrong in any way, malformed ones included, and for parameters of another kind of key
 * @throws CryptoError as `sign`: the question itself was wrong
 */
export async function verify(key: KeyObject, message: Message, signature: Uint8Array, p: CryptographicParameters): Promise<boolean> {
  const scheme = publicScheme(key, p)
  if (!scheme) return false
  return 'data' in message
    ? verifyData(key, scheme, message.data, signature)
    : verifyGiven(key, scheme, checkedDigest(scheme, message.digest), signature)
}

async function verifyData(key: KeyObject, scheme: Scheme, data: Uint8Array, signature: Uint8Array): Promise<boolean> {
  const algorithm = opensslHash(scheme)
  if (scheme.kind !== 'PSS') return verifyAsync(algorithm, data, { key, dsaEncoding: 'der' }, signature)
  const options = { key, padding: RSA_PKCS1_PSS_PADDING, saltLength: scheme.saltLength ?? RSA_PSS_SALTLEN_AUTO }
  if (scheme.masks[0] === scheme.hash && (await verifyAsync(algorithm, data, options, signature))) return true
  const others = scheme.masks.filter(mask => mask !== scheme.hash)
  return others.length > 0 && verifyPss(key, { ...scheme, masks: others }, hash(data, scheme.hash), signature)
}

async function verifyGiven(key: KeyObject, scheme: Scheme, digest: Uint8Array, signature: Uint8Array): Promise<boolean> {
  switch (scheme.kind) {
    case 'PSS':
      return verifyPss(key, scheme, digest, signature)
    case 'PKCS1V1_5':
      return recover(key, scheme, signature, RSA_PKCS1_PADDING)?.equals(pkcs1Content(scheme, digest)) ?? false
    case 'ECDSA':
    case 'DSA':
      return verifyDigest(key, digest, signature)
    case 'EdDSA':
      throw noDigest(scheme)
  }
}

const noDigest = (scheme: Scheme): CryptoError => new CryptoError('unsupported', `${scheme.kind} with this key takes data, not a digest`)

function checkedDigest(scheme: Scheme, digest: Uint8Array): Uint8Array {
  if (digest.length === 0) throw new CryptoError('invalid', 'a digest is not empty')
  if (!scheme.named) return digest
  const { bytes } = hashRow(scheme.hash)
  if (digest.length !== bytes) throw new CryptoError('invalid', `a digest by ${scheme.hash} has ${bytes} bytes, not ${digest.length}`)
  return digest
}

/** OpenSSL refuses a key that is too short for the hash. */
async function refusing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (cause instanceof CryptoError) throw cause
    throw new CryptoError('invalid', 'the key cannot make this signature', { cause })
  }
}

/** What is behind the padding of PKCS #1 v1.5: the name of the hash, if it has one, and the digest. */
function pkcs1Content(scheme: Scheme, digest: Uint8Array): Buffer {
  const info = scheme.named ? Buffer.from(hashRow(scheme.hash).digestInfo, 'hex') : Buffer.alloc(0)
  const room = modulusBytes(scheme) - 11
  if (!scheme.named && digest.length > room) throw new CryptoError('too-long', `a signature of this key takes at most ${room} bytes`)
  return Buffer.concat([info, digest])
}

/** The bare RSA function with the public key, and with PKCS #1 v1.5 what is behind the padding; undefined when it does not check. */
function recover(key: KeyObject, scheme: Scheme, signature: Uint8Array, padding: number): Buffer | undefined {
  if (signature.length !== modulusBytes(scheme)) return undefined
  try {
    return publicDecrypt({ key, padding }, signature)
  } catch {
    return undefined
  }
}

async function signPss(key: KeyObject, scheme: Scheme, digest: Uint8Array): Promise<Buffer> {
  const bits = scheme.facts.lengthBits
  const { bytes } = hashRow(scheme.hash)
  const hashes = { hash: scheme.hash ?? '', mask: scheme.masks[0] ?? '' }
  const em = encodePss(digest, bits, hashes, scheme.saltLength ?? bytes)
  const padded = Buffer.concat([Buffer.alloc(modulusBytes(scheme) - em.length), em])
  return refusing(async () => privateEncrypt({ key, padding: RSA_NO_PADDING }, padded))
}

function verifyPss(key: KeyObject, scheme: Scheme, digest: Uint8Array, signature: Uint8Array): boolean {
  const bits = scheme.facts.lengthBits
  const raw = recover(key, scheme, signature, RSA_NO_PADDING)
  const length = Math.ceil((bits - 1) / 8)
  if (!raw || raw.subarray(0, raw.length - length).some(byte => byte !== 0)) return false
  const em = raw.subarray(raw.length - length)
  return scheme.masks.some(mask => checkPss(digest, em, bits, { hash: scheme.hash ?? '', mask }, scheme.saltLength))
}

/** A signature over data in parts. After `final` it is spent. */
export interface SignStream {
  update(data: Uint8Array): void
  /** Bytes that it keeps until `final`; absent: none. */
  readonly held?: number
  final(): Promise<Buffer>
}

/** A check of a signature over data in parts. */
export interface VerifyStream {
  update(data: Uint8Array): void
  /** Bytes that it keeps until `final`; absent: none. */
  readonly held?: number
  final(signature: Uint8Array): Promise<boolean>
}

/** Sign data in parts; EdDSA holds all of it until `final`. @throws CryptoError as `sign` */
export function createSignStream(key: KeyObject, p: CryptographicParameters): SignStream {
  const scheme = privateScheme(key, p)
  if (scheme.kind === 'EdDSA') return collecting(data => signData(key, scheme, data))
  if (scheme.kind === 'PSS' || scheme.kind === 'PKCS1V1_5') return digesting(scheme, digest => signGiven(key, scheme, digest))
  const state = createSign(hashRow(scheme.hash).name)
  return { update: data => void state.update(data), final: () => refusing(async () => state.sign({ key, dsaEncoding: 'der' })) }
}

/** Verify a signature over data in parts; EdDSA holds all of it until `final`. @throws CryptoError as `verify` */
export function createVerifyStream(key: KeyObject, p: CryptographicParameters): VerifyStream {
  const scheme = publicScheme(key, p)
  if (!scheme) return { update: () => undefined, final: async () => false }
  if (scheme.kind === 'EdDSA') return collecting((data, signature: Uint8Array) => verifyData(key, scheme, data, signature))
  if (scheme.kind === 'PSS' || scheme.kind === 'PKCS1V1_5')
    return digesting(scheme, (digest, signature: Uint8Array) => verifyGiven(key, scheme, digest, signature))
  const state = createVerify(hashRow(scheme.hash).name)
  return { update: data => void state.update(data), final: async signature => state.verify({ key, dsaEncoding: 'der' }, signature) }
}

interface Parts<A extends unknown[], T> {
  update(data: Uint8Array): void
  readonly held?: number
  final(...rest: A): Promise<T>
}

function collecting<A extends unknown[], T>(end: (data: Buffer, ...rest: A) => Promise<T>): Parts<A, T> {
  const parts: Buffer[] = []
  let held = 0
  return {
    update(data) {
      parts.push(Buffer.from(data))
      held += data.length
    },
    get held() {
      return held
    },
    final: (...rest) => end(Buffer.concat(parts), ...rest),
  }
}

function digesting<A extends unknown[], T>(scheme: Scheme, end: (digest: Buffer, ...rest: A) => Promise<T>): Parts<A, T> {
  const state = createHashStream(scheme.hash)
  return { update: data => state.update(data), final: (...rest) => end(state.final(), ...rest) }
}
