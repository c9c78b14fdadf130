import { createHash, createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import * as der from './der.ts'
import { PkiError } from './error.ts'

/** Kind and size of a key that certificates are issued for. */
export interface KeySpec {
  readonly type: 'ec' | 'rsa'
  readonly bits: number
}

const CURVES: ReadonlyMap<number, string> = new Map([
  [224, 'secp224r1'],
  [256, 'prime256v1'],
  [384, 'secp384r1'],
  [521, 'secp521r1'],
])
/** The sizes that kmipd makes, as Vault's: bits of the EC curve or of the RSA modulus. */
export const KEY_BITS: { readonly [type in KeySpec['type']]: readonly number[] } = { ec: [...CURVES.keys()], rsa: [2048, 3072, 4096] }

const generate = promisify(generateKeyPair)

/** Make a private key off the main thread. @throws PkiError `unsupported` for other sizes than `KEY_BITS` */
export async function generateKey(spec: KeySpec): Promise<KeyObject> {
  if (!KEY_BITS[spec.type].includes(spec.bits))
    throw new PkiError(
      'unsupported',
      `${spec.type} keys of ${spec.bits} bits are not made; choose one of ${KEY_BITS[spec.type].join(', ')}`,
    )
  const { privateKey } =
    spec.type === 'rsa' ? await generate('rsa', { modulusLength: spec.bits }) : await generate('ec', { namedCurve: CURVES.get(spec.bits)! })
  return privateKey
}

/** Kind and size of a key; nothing for kinds and curves that are not in `KEY_BITS`. */
export function specOf(key: KeyObject): KeySpec | undefined {
  const details = key.asymmetricKeyDetails
  if (key.asymmetricKeyType === 'rsa') return { type: 'rsa', bits: details?.modulusLength ?? 0 }
  if (key.asymmetricKeyType !== 'ec') return undefined
  for (const [bits, curve] of CURVES) if (curve === details?.namedCurve) return { type: 'ec', bits }
  return undefined
}

/** DER of a private key: SEC1 for EC, PKCS#1 for RSA. */
export const privateKeyDer = (key: KeyObject): Buffer =>
  key.export({ type: key.asymmetricKeyType === 'rsa' ? 'pkcs1' : 'sec1', format: 'der' })

/** PEM of a private key, `EC PRIVATE KEY` or `RSA PRIVATE KEY`, without a line end after it. */
export const privateKeyPem = (key: KeyObject): string =>
  der.toPem(key.asymmetricKeyType === 'rsa' ? 'RSA PRIVATE KEY' : 'EC PRIVATE KEY', privateKeyDer(key))

/** Read a private key from PEM. @throws PkiError `malformed` */
export function parsePrivateKey(pem: string): KeyObject {
  try {
    return createPrivateKey(pem)
  } catch (cause) {
    throw new PkiError('malformed', 'the private key is not a PEM private key', { cause })
  }
}

/** Read a public key from its SubjectPublicKeyInfo. @throws PkiError `unsupported` */
export function parsePublicKey(spki: Buffer): KeyObject {
  try {
    return createPublicKey({ key: spki, format: 'der', type: 'spki' })
  } catch (cause) {
    throw new PkiError('unsupported', 'the public key is of a kind or curve that is not known', { cause })
  }
}

/** SubjectPublicKeyInfo of a public key, or of a private key's public half, as DER. */
export const spkiOf = (key: KeyObject): Buffer =>
  (key.type === 'private' ? createPublicKey(key) : key).export({ type: 'spki', format: 'der' })

/** Key identifier: SHA-1 of the bits of the public key. Spec: RFC 5280 section 4.2.1.2 (1) */
export function keyIdentifier(spki: Buffer): Buffer {
  const [, key] = der.inside(der.read(spki, 'public key'), 'public key')
  if (!key) throw new PkiError('malformed', 'the public key holds no key')
  return createHash('sha1').update(der.content(key).subarray(1)).digest()
}
