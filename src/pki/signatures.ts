import { constants, type KeyObject, sign, verify } from 'node:crypto'
import type { ENUM } from '../ttlv/enumerations.ts'
import * as der from './der.ts'
import { PkiError } from './error.ts'

type Kmip = keyof typeof ENUM.DigitalSignatureAlgorithm

interface Algorithm {
  readonly oid: string
  /** Absent: the algorithm hashes by itself. */
  readonly hash?: string
  /** The DigitalSignatureAlgorithm of KMIP, where it has one. */
  readonly kmip?: Kmip
  readonly pss?: boolean
}

/** Signature algorithms of certificates. Spec: RFC 3279, 4055, 5758, 8410; KMIP 2.1 section 11.13 */
const ALGORITHMS: readonly Algorithm[] = [
  { oid: '1.2.840.113549.1.1.2', hash: 'md2', kmip: 'MD2WithRSAEncryption' },
  { oid: '1.2.840.113549.1.1.4', hash: 'md5', kmip: 'MD5WithRSAEncryption' },
  { oid: '1.2.840.113549.1.1.5', hash: 'sha1', kmip: 'SHA_1WithRSAEncryption' },
  { oid: '1.2.840.113549.1.1.14', hash: 'sha224', kmip: 'SHA_224WithRSAEncryption' },
  { oid: '1.2.840.113549.1.1.11', hash: 'sha256', kmip: 'SHA_256WithRSAEncryption' },
  { oid: '1.2.840.113549.1.1.12', hash: 'sha384', kmip: 'SHA_384WithRSAEncryption' },
  { oid: '1.2.840.113549.1.1.13', hash: 'sha512', kmip: 'SHA_512WithRSAEncryption' },
  { oid: '1.2.840.113549.1.1.10', kmip: 'RSASSA_PSS', pss: true },
  { oid: '1.2.840.10040.4.3', hash: 'sha1', kmip: 'DSAWithSHA_1' },
  { oid: '2.16.840.1.101.3.4.3.1', hash: 'sha224', kmip: 'DSAWithSHA224' },
  { oid: '2.16.840.1.101.3.4.3.2', hash: 'sha256', kmip: 'DSAWithSHA256' },
  { oid: '1.2.840.10045.4.1', hash: 'sha1', kmip: 'ECDSAWithSHA_1' },
  { oid: '1.2.840.10045.4.3.1', hash: 'sha224', kmip: 'ECDSAWithSHA224' },
  { oid: '1.2.840.10045.4.3.2', hash: 'sha256', kmip: 'ECDSAWithSHA256' },
  { oid: '1.2.840.10045.4.3.3', hash: 'sha384', kmip: 'ECDSAWithSHA384' },
  { oid: '1.2.840.10045.4.3.4', hash: 'sha512', kmip: 'ECDSAWithSHA512' },
  { oid: '2.16.840.1.101.3.4.3.14', hash: 'sha3-256', kmip: 'SHA3_256WithRSAEncryption' },
  { oid: '2.16.840.1.101.3.4.3.15', hash: 'sha3-384', kmip: 'SHA3_384WithRSAEncryption' },
  { oid: '2.16.840.1.101.3.4.3.16', hash: 'sha3-512', kmip: 'SHA3_512WithRSAEncryption' },
  { oid: '1.3.101.112' },
  { oid: '1.3.101.113' },
]
const BY_OID = new Map(ALGORITHMS.map(row => [row.oid, row]))
const DIGESTS = new Map([
  ['1.3.14.3.2.26', 'sha1'],
  ['2.16.840.1.101.3.4.2.4', 'sha224'],
  ['2.16.840.1.101.3.4.2.1', 'sha256'],
  ['2.16.840.1.101.3.4.2.2', 'sha384'],
  ['2.16.840.1.101.3.4.2.3', 'sha512'],
])

/** The KMIP name of a signature algorithm, or nothing where KMIP has none. */
export const kmipSignatureAlgorithm = (oid: string): Kmip | undefined => BY_OID.get(oid)?.kmip

/**
 * Sign with what the key's kind asks for: SHA-256 with ECDSA (on all curves, as Vault does) or with RSA PKCS#1 v1.5, or EdDSA.
 * @returns the AlgorithmIdentifier and the signature, both as DER
 */
export function signatureWith(key: KeyObject): { readonly algorithm: Buffer; sign(data: Buffer): Buffer } {
  const bitString = (hash: string | null) => (data: Buffer) => der.bits(sign(hash, data, key))
  switch (key.asymmetricKeyType) {
    case 'ec':
      return { algorithm: der.sequence(der.oid('1.2.840.10045.4.3.2')), sign: bitString('sha256') }
    case 'rsa':
      return { algorithm: der.sequence(der.oid('1.2.840.113549.1.1.11'), der.nothing()), sign: bitString('sha256') }
    case 'ed25519':
    case 'ed448':
      return {
        algorithm: der.sequence(der.oid(key.asymmetricKeyType === 'ed25519' ? '1.3.101.112' : '1.3.101.113')),
        sign: bitString(null),
      }
    default:
      throw new PkiError(
        'unsupported',
        `a key of type ${key.asymmetricKeyType} cannot sign certificates; use an EC, RSA or Edwards-curve key`,
      )
  }
}

/** The hash of RSASSA-PSS parameters; SHA-1 when they do not say. */
function pssHash(parameters: Buffer): string {
  const [, fields] = der.inside(der.read(parameters, 'signature algorithm'), 'signature algorithm')
  const hash = fields && der.inside(fields, 'PSS parameters').find(field => der.isContext(field, 0))
  if (!hash) return 'sha1'
  const id = der.dotted(der.inside(der.inside(hash, 'PSS hash')[0], 'PSS hash')[0], 'PSS hash')
  const name = DIGESTS.get(id)
  if (!name) throw new PkiError('unsupported', `hash ${id} of an RSASSA-PSS signature is not known`)
  return name
}

/**
 * Whether a signature holds.
 * @param algorithm  DER of the AlgorithmIdentifier
 * @throws PkiError `unsupported` for an algorithm that is not in the table above
 */
export function signatureHolds(algorithm: Buffer, data: Buffer, signature: Buffer, key: KeyObject): boolean {
  const id = der.dotted(der.inside(der.read(algorithm, 'signature algorithm'), 'signature algorithm')[0], 'signature algorithm')
  const row = BY_OID.get(id)
  if (!row) throw new PkiError('unsupported', `signature algorithm ${id} is not known`)
  try {
    if (row.pss)
      return verify(
        pssHash(algorithm),
        data,
        { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_AUTO },
        signature,
      )
    return verify(row.hash ?? null, data, key, signature)
  } catch (cause) {
    if (cause instanceof PkiError) throw cause
    throw new PkiError('unsupported', `signature algorithm ${id} cannot be checked with a ${key.asymmetricKeyType} key`, { cause })
  }
}
