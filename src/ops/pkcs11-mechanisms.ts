import { ENUM } from '../ttlv/enumerations.ts'
import type { CryptographicParameters } from '../ttlv/payloads/structures.ts'
import { type Mechanism, Pkcs11Error, Reader } from './pkcs11-wire.ts'

const { CryptographicAlgorithm: Algorithm, BlockCipherMode: Mode, PaddingMethod: Padding, HashingAlgorithm: Hash } = ENUM
const { MaskGenerator } = ENUM

type Use = 'cipher' | 'sign' | 'mac' | 'digest' | 'generate'

/** What a mechanism means in KMIP's terms. */
export interface Meaning {
  readonly parameters: CryptographicParameters
  readonly iv?: Buffer
  readonly aad?: Buffer
}

interface Row {
  readonly type: number
  readonly use: Use
  /** Key lengths: bytes for AES and secrets, bits for RSA, as PKCS#11 counts them. */
  readonly least: number
  readonly most: number
  read(parameter: Reader | undefined): Meaning
}

/** @throws Pkcs11Error Mechanism Param Invalid */
function given(parameter: Reader | undefined): Reader {
  if (!parameter) throw new Pkcs11Error('MECHANISM_PARAM_INVALID')
  return parameter
}
const none = (parameters: CryptographicParameters) => (parameter: Reader | undefined) => {
  if (parameter && parameter.left > 0) throw new Pkcs11Error('MECHANISM_PARAM_INVALID')
  return { parameters }
}
/** An initialization vector, with or without its length in front. */
const withIv = (parameters: CryptographicParameters, size: number) => (parameter: Reader | undefined) => {
  const reader = given(parameter)
  const iv = reader.left === size ? reader.bytes(size) : reader.data()
  if (iv.length !== size) throw new Pkcs11Error('MECHANISM_PARAM_INVALID')
  return { parameters, iv }
}
/** Counter bits, then the counter block. */
function counter(parameter: Reader | undefined): Meaning {
  const reader = given(parameter)
  const counterLength = reader.ulong()
  return { parameters: { blockCipherMode: Mode.CTR, counterLength }, iv: reader.bytes(16) }
}
/** IV, its bits, additional data, bits of the tag. */
function galois(parameter: Reader | undefined): Meaning {
  const reader = given(parameter)
  const iv = reader.data()
  reader.ulong()
  const aad = reader.data()
  const tagLength = reader.ulong() / 8
  return { parameters: { blockCipherMode: Mode.GCM, tagLength }, iv, ...(aad.length > 0 ? { aad } : {}) }
}

const DIGESTS = [
  { hash: Hash.SHA_1, digest: 0x220, hmac: 0x221, algorithm: Algorithm.HMAC_SHA1, rsa: 0x06, pss: 0x0e, mask: 1, bytes: 20 },
  { hash: Hash.SHA_224, digest: 0x255, hmac: 0x256, algorithm: Algorithm.HMAC_SHA224, rsa: 0x46, pss: 0x47, mask: 5, bytes: 28 },
  { hash: Hash.SHA_256, digest: 0x250, hmac: 0x251, algorithm: Algorithm.HMAC_SHA256, rsa: 0x40, pss: 0x43, mask: 2, bytes: 32 },
  { hash: Hash.SHA_384, digest: 0x260, hmac: 0x261, algorithm: Algorithm.HMAC_SHA384, rsa: 0x41, pss: 0x44, mask: 3, bytes: 48 },
  { hash: Hash.SHA_512, digest: 0x270, hmac: 0x271, algorithm: Algorithm.HMAC_SHA512, rsa: 0x42, pss: 0x45, mask: 4, bytes: 64 },
] as const

/** Hash of a mechanism number, and of a mask generator's number. @throws Pkcs11Error Mechanism Param Invalid */
function hashOf(number: number, field: 'digest' | 'mask'): number {
  const row = DIGESTS.find(one => one[field] === number)
  if (!row) throw new Pkcs11Error('MECHANISM_PARAM_INVALID')
  return row.hash
}
const pss = (hashingAlgorithm: number) => (parameter: Reader | undefined) => {
  const reader = given(parameter)
  if (hashOf(reader.ulong(), 'digest') !== hashingAlgorithm) throw new Pkcs11Error('MECHANISM_PARAM_INVALID')
  const maskGeneratorHashingAlgorithm = hashOf(reader.ulong(), 'mask')
  const saltLength = reader.ulong()
  return {
    parameters: {
      paddingMethod: Padding.PSS,
      hashingAlgorithm,
      maskGenerator: MaskGenerator.MGF1,
      maskGeneratorHashingAlgorithm,
      saltLength,
    },
  }
}
function oaep(parameter: Reader | undefined): Meaning {
  const reader = given(parameter)
  const hashingAlgorithm = hashOf(reader.ulong(), 'digest')
  const maskGeneratorHashingAlgorithm = hashOf(reader.ulong(), 'mask')
  reader.ulong()
  const pSource = reader.left > 0 ? reader.data() : Buffer.alloc(0)
  return {
    parameters: {
      paddingMethod: Padding.OAEP,
      hashingAlgorithm,
      maskGenerator: MaskGenerator.MGF1,
      maskGeneratorHashingAlgorithm,
      ...(pSource.length > 0 ? { pSource } : {}),
    },
  }
}

const row = (type: number, use: Use, [least, most]: readonly [number, number], read: Row['read']): Row => ({ type, use, least, most, read })
const AES: readonly [number, number] = [16, 32]
const DES3: readonly [number, number] = [24, 24]
const RSA: readonly [number, number] = [1024, 16_384]
const ANY: readonly [number, number] = [1, 8192]
const NOTHING: readonly [number, number] = [0, 0]

/** The mechanisms of PKCS#11 that are done here. */
export const MECHANISMS: ReadonlyMap<number, Row> = new Map(
  [
    row(0x1080, 'generate', AES, none({ cryptographicAlgorithm: Algorithm.AES })),
    row(0x0131, 'generate', DES3, none({ cryptographicAlgorithm: Algorithm.DES3 })),
    row(0x0350, 'generate', ANY, none({ cryptographicAlgorithm: Algorithm.HMAC_SHA256 })),
    row(0x1081, 'cipher', AES, none({ blockCipherMode: Mode.ECB, paddingMethod: Padding.None })),
    row(0x1082, 'cipher', AES, withIv({ blockCipherMode: Mode.CBC, paddingMethod: Padding.None }, 16)),
    row(0x1085, 'cipher', AES, withIv({ blockCipherMode: Mode.CBC, paddingMethod: Padding.PKCS5 }, 16)),
    row(0x1086, 'cipher', AES, counter),
    row(0x1087, 'cipher', AES, galois),
    row(0x0132, 'cipher', DES3, none({ blockCipherMode: Mode.ECB, paddingMethod: Padding.None })),
    row(0x0133, 'cipher', DES3, withIv({ blockCipherMode: Mode.CBC, paddingMethod: Padding.None }, 8)),
    row(0x0136, 'cipher', DES3, withIv({ blockCipherMode: Mode.CBC, paddingMethod: Padding.PKCS5 }, 8)),
    row(0x0009, 'cipher', RSA, oaep),
    ...DIGESTS.flatMap(({ hash, digest, hmac, algorithm, rsa, pss: pssType }) => [
      row(digest, 'digest', NOTHING, none({ hashingAlgorithm: hash })),
      row(hmac, 'mac', ANY, none({ cryptographicAlgorithm: algorithm })),
      row(rsa, 'sign', RSA, none({ paddingMethod: Padding.PKCS1V1_5, hashingAlgorithm: hash })),
      row(pssType, 'sign', RSA, pss(hash)),
    ]),
  ].map(one => [one.type, one]),
)

/** @throws Pkcs11Error Mechanism Invalid: it is not done here, or not for this */
export function rowOf({ type }: Mechanism, uses: readonly Use[]): Row {
  const found = MECHANISMS.get(type)
  if (!found || !uses.includes(found.use)) throw new Pkcs11Error('MECHANISM_INVALID')
  return found
}

/** What a mechanism with its parameter means. @throws Pkcs11Error Mechanism Param Invalid */
export function meaningOf(mechanism: Mechanism, uses: readonly Use[]): Meaning {
  const reader = mechanism.parameter && new Reader(mechanism.parameter)
  const meaning = rowOf(mechanism, uses).read(reader)
  if (reader && reader.left > 0) throw new Pkcs11Error('MECHANISM_PARAM_INVALID')
  return meaning
}
