/**
 * Elliptic curves by KMIP's Recommended Curve, with OpenSSL's name and the object identifier that keys carry.
 * Sources: KMIP 2.1 section 11 (names), RFC 5480, RFC 5639, SEC 2, ANSI X9.62 (identifiers), RFC 8410 (CURVE25519, CURVE448).
 */
import { lookup } from './errors.ts'

export interface CurveRow {
  /** OpenSSL's name */
  readonly name: string
  /** bits of the field, which KMIP calls the Cryptographic Length */
  readonly bits: number
  readonly oid: string
  /** Hashing Algorithm of ECDSA when none is asked for: the one of the curve's strength (RFC 5480 section 4) */
  readonly hash: string
  /** name in JSON Web Keys, for the curves that Node has there */
  readonly jwk?: string
}

const curve = (name: string, bits: number, oid: string, jwk?: string): CurveRow => ({
  name,
  bits,
  oid,
  ...(jwk && { jwk }),
  hash: bits <= 256 ? 'SHA_256' : bits <= 384 ? 'SHA_384' : 'SHA_512',
})

export const CURVES: Readonly<Record<string, CurveRow>> = {
  P_192: curve('prime192v1', 192, '1.2.840.10045.3.1.1'),
  K_163: curve('sect163k1', 163, '1.3.132.0.1'),
  B_163: curve('sect163r2', 163, '1.3.132.0.15'),
  P_224: curve('secp224r1', 224, '1.3.132.0.33'),
  K_233: curve('sect233k1', 233, '1.3.132.0.26'),
  B_233: curve('sect233r1', 233, '1.3.132.0.27'),
  P_256: curve('prime256v1', 256, '1.2.840.10045.3.1.7', 'P-256'),
  K_283: curve('sect283k1', 283, '1.3.132.0.16'),
  B_283: curve('sect283r1', 283, '1.3.132.0.17'),
  P_384: curve('secp384r1', 384, '1.3.132.0.34', 'P-384'),
  K_409: curve('sect409k1', 409, '1.3.132.0.36'),
  B_409: curve('sect409r1', 409, '1.3.132.0.37'),
  P_521: curve('secp521r1', 521, '1.3.132.0.35', 'P-521'),
  K_571: curve('sect571k1', 571, '1.3.132.0.38'),
  B_571: curve('sect571r1', 571, '1.3.132.0.39'),
  SECP112R1: curve('secp112r1', 112, '1.3.132.0.6'),
  SECP112R2: curve('secp112r2', 112, '1.3.132.0.7'),
  SECP128R1: curve('secp128r1', 128, '1.3.132.0.28'),
  SECP128R2: curve('secp128r2', 128, '1.3.132.0.29'),
  SECP160K1: curve('secp160k1', 160, '1.3.132.0.9'),
  SECP160R1: curve('secp160r1', 160, '1.3.132.0.8'),
  SECP160R2: curve('secp160r2', 160, '1.3.132.0.30'),
  SECP192K1: curve('secp192k1', 192, '1.3.132.0.31'),
  SECP224K1: curve('secp224k1', 224, '1.3.132.0.32'),
  SECP256K1: curve('secp256k1', 256, '1.3.132.0.10', 'secp256k1'),
  SECT113R1: curve('sect113r1', 113, '1.3.132.0.4'),
  SECT113R2: curve('sect113r2', 113, '1.3.132.0.5'),
  SECT131R1: curve('sect131r1', 131, '1.3.132.0.22'),
  SECT131R2: curve('sect131r2', 131, '1.3.132.0.23'),
  SECT163R1: curve('sect163r1', 163, '1.3.132.0.2'),
  SECT193R1: curve('sect193r1', 193, '1.3.132.0.24'),
  SECT193R2: curve('sect193r2', 193, '1.3.132.0.25'),
  SECT239K1: curve('sect239k1', 239, '1.3.132.0.3'),
  ANSIX9P192V2: curve('prime192v2', 192, '1.2.840.10045.3.1.2'),
  ANSIX9P192V3: curve('prime192v3', 192, '1.2.840.10045.3.1.3'),
  ANSIX9P239V1: curve('prime239v1', 239, '1.2.840.10045.3.1.4'),
  ANSIX9P239V2: curve('prime239v2', 239, '1.2.840.10045.3.1.5'),
  ANSIX9P239V3: curve('prime239v3', 239, '1.2.840.10045.3.1.6'),
  ANSIX9C2PNB163V1: curve('c2pnb163v1', 163, '1.2.840.10045.3.0.1'),
  ANSIX9C2PNB163V2: curve('c2pnb163v2', 163, '1.2.840.10045.3.0.2'),
  ANSIX9C2PNB163V3: curve('c2pnb163v3', 163, '1.2.840.10045.3.0.3'),
  ANSIX9C2PNB176V1: curve('c2pnb176v1', 176, '1.2.840.10045.3.0.4'),
  ANSIX9C2TNB191V1: curve('c2tnb191v1', 191, '1.2.840.10045.3.0.5'),
  ANSIX9C2TNB191V2: curve('c2tnb191v2', 191, '1.2.840.10045.3.0.6'),
  ANSIX9C2TNB191V3: curve('c2tnb191v3', 191, '1.2.840.10045.3.0.7'),
  ANSIX9C2PNB208W1: curve('c2pnb208w1', 208, '1.2.840.10045.3.0.10'),
  ANSIX9C2TNB239V1: curve('c2tnb239v1', 239, '1.2.840.10045.3.0.11'),
  ANSIX9C2TNB239V2: curve('c2tnb239v2', 239, '1.2.840.10045.3.0.12'),
  ANSIX9C2TNB239V3: curve('c2tnb239v3', 239, '1.2.840.10045.3.0.13'),
  ANSIX9C2PNB272W1: curve('c2pnb272w1', 272, '1.2.840.10045.3.0.16'),
  ANSIX9C2PNB304W1: curve('c2pnb304w1', 304, '1.2.840.10045.3.0.17'),
  ANSIX9C2TNB359V1: curve('c2tnb359v1', 359, '1.2.840.10045.3.0.18'),
  ANSIX9C2PNB368W1: curve('c2pnb368w1', 368, '1.2.840.10045.3.0.19'),
  ANSIX9C2TNB431R1: curve('c2tnb431r1', 431, '1.2.840.10045.3.0.20'),
  BRAINPOOLP160R1: curve('brainpoolP160r1', 160, '1.3.36.3.3.2.8.1.1.1'),
  BRAINPOOLP160T1: curve('brainpoolP160t1', 160, '1.3.36.3.3.2.8.1.1.2'),
  BRAINPOOLP192R1: curve('brainpoolP192r1', 192, '1.3.36.3.3.2.8.1.1.3'),
  BRAINPOOLP192T1: curve('brainpoolP192t1', 192, '1.3.36.3.3.2.8.1.1.4'),
  BRAINPOOLP224R1: curve('brainpoolP224r1', 224, '1.3.36.3.3.2.8.1.1.5'),
  BRAINPOOLP224T1: curve('brainpoolP224t1', 224, '1.3.36.3.3.2.8.1.1.6'),
  BRAINPOOLP256R1: curve('brainpoolP256r1', 256, '1.3.36.3.3.2.8.1.1.7'),
  BRAINPOOLP256T1: curve('brainpoolP256t1', 256, '1.3.36.3.3.2.8.1.1.8'),
  BRAINPOOLP320R1: curve('brainpoolP320r1', 320, '1.3.36.3.3.2.8.1.1.9'),
  BRAINPOOLP320T1: curve('brainpoolP320t1', 320, '1.3.36.3.3.2.8.1.1.10'),
  BRAINPOOLP384R1: curve('brainpoolP384r1', 384, '1.3.36.3.3.2.8.1.1.11'),
  BRAINPOOLP384T1: curve('brainpoolP384t1', 384, '1.3.36.3.3.2.8.1.1.12'),
  BRAINPOOLP512R1: curve('brainpoolP512r1', 512, '1.3.36.3.3.2.8.1.1.13'),
  BRAINPOOLP512T1: curve('brainpoolP512t1', 512, '1.3.36.3.3.2.8.1.1.14'),
  CURVE25519: curve('X25519', 256, '1.3.101.110'),
  CURVE448: curve('X448', 448, '1.3.101.111'),
}

/** Keys of RFC 7748 and RFC 8032: raw bytes of fixed length. `type` is Node's name of the key type. */
export interface OkpRow {
  readonly type: 'ed25519' | 'ed448' | 'x25519' | 'x448'
  readonly oid: string
  readonly bytes: number
  readonly bits: number
}

export const OKP: Readonly<Record<string, OkpRow>> = {
  CURVE25519: { type: 'x25519', oid: '1.3.101.110', bytes: 32, bits: 256 },
  CURVE448: { type: 'x448', oid: '1.3.101.111', bytes: 56, bits: 448 },
  Ed25519: { type: 'ed25519', oid: '1.3.101.112', bytes: 32, bits: 256 },
  Ed448: { type: 'ed448', oid: '1.3.101.113', bytes: 57, bits: 456 },
}

const BY_OPENSSL: ReadonlyMap<string, string> = new Map(Object.entries(CURVES).map(([kmip, row]) => [row.name, kmip]))
const BY_OID: ReadonlyMap<string, string> = new Map(Object.entries(CURVES).map(([kmip, row]) => [row.oid, kmip]))
const BY_BITS: Readonly<Record<number, string>> = { 192: 'P_192', 224: 'P_224', 256: 'P_256', 384: 'P_384', 521: 'P_521' }

/** Facts of a Recommended Curve. @throws CryptoError `unsupported`, `invalid` when absent */
export const curveRow = (name: string | undefined): CurveRow => lookup(CURVES, name, 'Recommended Curve')

/** Recommended Curve for OpenSSL's name of a curve. */
export const curveByOpenssl = (name: string | undefined): string | undefined => BY_OPENSSL.get(name ?? '')

/** Recommended Curve for an object identifier. */
export const curveByOid = (oid: string): string | undefined => BY_OID.get(oid)

/** The NIST prime curve of a Cryptographic Length in bits, for requests that name no curve. */
export const curveByBits = (bits: number): string | undefined => BY_BITS[bits]
