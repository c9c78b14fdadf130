/**
 * ECDSA over a digest, which `node:crypto` does not offer; by noble/curves, for the curves that it has.
 * Nonces are those of RFC 6979 with fresh randomness mixed in. Loaded when first needed: the tables of the curves take a while.
 */
import type { KeyObject } from 'node:crypto'
import type { ECDSA } from '@noble/curves/abstract/weierstrass.js'
import { brainpoolP256r1, brainpoolP384r1, brainpoolP512r1 } from '@noble/curves/misc.js'
import { p256, p384, p521 } from '@noble/curves/nist.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { lookup } from './errors.ts'
import { ecNumbers } from './key-build.ts'

const CURVES: Readonly<Record<string, ECDSA>> = {
  P_256: p256,
  P_384: p384,
  P_521: p521,
  SECP256K1: secp256k1,
  BRAINPOOLP256R1: brainpoolP256r1,
  BRAINPOOLP384R1: brainpoolP384r1,
  BRAINPOOLP512R1: brainpoolP512r1,
}

// Both forms of s are valid signatures to OpenSSL and to FIPS 186; noble's default of the low one is a rule of blockchains.
const OPTIONS = { prehash: false, lowS: false, format: 'der' } as const

const curveOf = (name: string | undefined): ECDSA => lookup(CURVES, name, 'ECDSA over a digest on curve')

/** @returns DER of r and s @throws CryptoError `unsupported` curve */
export function signDigestOnCurve(key: KeyObject, digest: Uint8Array, curve: string | undefined): Buffer {
  const row = curveOf(curve)
  const d = new Uint8Array(ecNumbers(key, {}).d ?? [])
  try {
    return Buffer.from(row.sign(digest, d, { ...OPTIONS, extraEntropy: true }))
  } finally {
    d.fill(0)
  }
}

/** @returns false also for a malformed signature @throws CryptoError `unsupported` curve */
export function verifyDigestOnCurve(key: KeyObject, digest: Uint8Array, signature: Uint8Array, curve: string | undefined): boolean {
  const { qString } = ecNumbers(key, {})
  const row = curveOf(curve)
  try {
    return row.verify(new Uint8Array(signature), digest, new Uint8Array(qString ?? []), OPTIONS)
  } catch {
    return false
  }
}
