/**
 * What a signature is made of: the kind of key decides the scheme, the parameters its hash and the numbers of PSS.
 * Spec: KMIP 1.4 section 3.6; RFC 5480 section 4 for the hash of a curve.
 */
import type { KeyObject } from 'node:crypto'
import { SIGNATURES } from './algorithms.ts'
import { curveRow } from './curves.ts'
import { CryptoError, lookup } from './errors.ts'
import { hashRow } from './hash.ts'
import { type KeyFacts, keyFacts } from './keys.ts'
import type { CryptographicParameters } from './parameters.ts'

export interface Scheme {
  readonly kind: 'PKCS1V1_5' | 'PSS' | 'DSA' | 'ECDSA' | 'EdDSA'
  /** Hashing Algorithm; undefined for EdDSA, and for PKCS1V1_5 when the parameters name none */
  readonly hash: string | undefined
  /** The parameters name the hash, so that a digest must have its length. */
  readonly named: boolean
  readonly facts: KeyFacts
  /** mask hashes of PSS: the one to sign with, and those to try when verifying */
  readonly masks: readonly string[]
  readonly saltLength?: number
}

const DSA_HASHES: Readonly<Record<number, string>> = { 160: 'SHA_1', 224: 'SHA_224', 256: 'SHA_256' }

/**
 * Why the parameters are those of another kind of key, or undefined when they are not. Cryptographic Algorithm is the key's to say: a
 * published case (CS-AC-M-3-ECC) verifies with an elliptic curve under parameters that name RSA.
 * @throws CryptoError `unsupported` for a Digital Signature Algorithm that is not known
 */
export function mismatch(key: KeyObject, p: CryptographicParameters): string | undefined {
  const { algorithm } = keyFacts(key)
  const { digitalSignatureAlgorithm: signature } = p
  if (
    signature !== undefined &&
    !algorithm.startsWith('Ed') &&
    lookup(SIGNATURES, signature, 'Digital Signature Algorithm').key !== algorithm
  )
    return `${signature} does not fit a key of algorithm ${algorithm}`
  return undefined
}

/** @throws CryptoError `unsupported`; `invalid` for hashes that contradict each other or a Salt Length that is none */
export function schemeOf(key: KeyObject, p: CryptographicParameters): Scheme {
  const facts = keyFacts(key)
  if (facts.algorithm === 'Ed25519' || facts.algorithm === 'Ed448')
    return { kind: 'EdDSA', hash: undefined, named: false, facts, masks: [] }
  const row =
    p.digitalSignatureAlgorithm === undefined ? undefined : lookup(SIGNATURES, p.digitalSignatureAlgorithm, 'Digital Signature Algorithm')
  if (row?.hash && p.hashingAlgorithm && p.hashingAlgorithm !== row.hash)
    throw new CryptoError('invalid', `${p.digitalSignatureAlgorithm} and Hashing Algorithm ${p.hashingAlgorithm} contradict each other`)
  const asked = row?.hash ?? p.hashingAlgorithm
  if (asked !== undefined) hashRow(asked)
  const base = { hash: asked ?? defaultHash(facts), named: asked !== undefined, facts, masks: [] }
  switch (facts.algorithm) {
    case 'RSA':
      return rsaScheme(base, p, p.paddingMethod ?? row?.padding ?? 'PKCS1V1_5')
    case 'EC':
      if (key.asymmetricKeyType === 'ec') return { ...base, kind: 'ECDSA' }
      break
    case 'DSA':
      return { ...base, kind: 'DSA' }
  }
  throw new CryptoError('unsupported', `keys of type ${key.asymmetricKeyType} do not sign`)
}

function defaultHash({ algorithm, curve, qLengthBits }: KeyFacts): string | undefined {
  if (algorithm === 'EC') return curve && curveRow(curve).hash
  return algorithm === 'DSA' ? DSA_HASHES[qLengthBits ?? 0] : undefined
}

function rsaScheme(base: Omit<Scheme, 'kind'>, p: CryptographicParameters, padding: string): Scheme {
  if (padding === 'PKCS1V1_5') return { ...base, kind: padding }
  if (padding !== 'PSS') throw new CryptoError('unsupported', `RSA signatures with Padding Method ${padding} are not supported`)
  if ((p.maskGenerator ?? 'MGF1') !== 'MGF1') throw new CryptoError('unsupported', `Mask Generator ${p.maskGenerator} is not supported`)
  if ((p.trailerField ?? 1) !== 1) throw new CryptoError('unsupported', 'PSS has the one-byte trailer only: Trailer Field 1')
  const { saltLength, maskGeneratorHashingAlgorithm: mask } = p
  if (saltLength !== undefined && (!Number.isSafeInteger(saltLength) || saltLength < 0))
    throw new CryptoError('invalid', `Salt Length ${saltLength} is not a length`)
  hashRow(base.hash)
  const masks = mask === undefined ? [...new Set([base.hash ?? '', 'SHA_1'])] : [mask]
  for (const each of masks) hashRow(each)
  return { ...base, kind: 'PSS', masks, ...(saltLength !== undefined && { saltLength }) }
}
