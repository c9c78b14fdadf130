import type { CryptographicParameters as Parameters } from '../crypto/parameters.ts'
import type { ManagedObject } from '../objects/managed-object.ts'
import { enumName } from '../ttlv/item.ts'
import { CryptographicParameters } from '../ttlv/payloads/structures.ts'
import { read } from '../ttlv/spec.ts'
import { TAG } from '../ttlv/tags.ts'
import type { Context } from './context.ts'
import { refuseWeak } from './weak.ts'

const ENUMERATIONS = {
  blockCipherMode: 'BlockCipherMode',
  paddingMethod: 'PaddingMethod',
  hashingAlgorithm: 'HashingAlgorithm',
  digitalSignatureAlgorithm: 'DigitalSignatureAlgorithm',
  cryptographicAlgorithm: 'CryptographicAlgorithm',
  maskGenerator: 'MaskGenerator',
  maskGeneratorHashingAlgorithm: 'HashingAlgorithm',
} as const
const NAMED = Object.entries(ENUMERATIONS)

export type NamedParameters = Parameters & Pick<CryptographicParameters, 'randomIv'>

/** Cryptographic Parameters with names in place of numbers, as `src/crypto` takes them. */
export function named(parameters: CryptographicParameters): NamedParameters {
  const result: Record<string, unknown> = { ...parameters }
  for (const [field, enumeration] of NAMED) {
    const value = result[field]
    if (typeof value === 'number') result[field] = enumName(enumeration, value)
  }
  return result
}

/** The object's own Cryptographic Parameters: the instance with the lowest index. Spec: KMIP 1.4 section 4.29 */
export function ownParameters(object: ManagedObject): CryptographicParameters | undefined {
  const item = object.attributes.get(TAG.CryptographicParameters)
  return item && read(item, CryptographicParameters)
}

/** All of the object's own Cryptographic Parameters, the one with the lowest index first. */
export const allOwnParameters = (object: ManagedObject): CryptographicParameters[] =>
  object.attributes.all(TAG.CryptographicParameters).map(({ item }) => read(item, CryptographicParameters))

/** The parameters of a request, or else the object's own; the algorithm is the key's if neither says it. */
export function parametersFor(object: ManagedObject, asked: CryptographicParameters | undefined): CryptographicParameters {
  const chosen = (asked !== undefined && !isEmpty(asked) ? undefined : ownParameters(object)) ?? asked ?? {}
  const algorithm = chosen.cryptographicAlgorithm ?? object.attributes.number(TAG.CryptographicAlgorithm)
  return { ...chosen, cryptographicAlgorithm: algorithm }
}

function isEmpty(parameters: CryptographicParameters): boolean {
  for (const name in parameters) if (parameters[name as keyof CryptographicParameters] !== undefined) return false
  return true
}

/** @throws KmipError Permission Denied if a key, or the way in which it is to protect data, is weaker than the operator allows */
export function refuseWeakUse(object: ManagedObject, asked: CryptographicParameters | undefined, context: Context): void {
  refuseWeakParameters(object, named(parametersFor(object, asked)), context)
}

/** The same, for parameters that were put together already. */
export function refuseWeakParameters(object: ManagedObject, parameters: Parameters, context: Context): void {
  const { cryptographicAlgorithm: algorithm, blockCipherMode: mode, hashingAlgorithm, digitalSignatureAlgorithm } = parameters
  const length = object.attributes.number(TAG.CryptographicLength)
  refuseWeak({ algorithm, length, mode, hash: digitalSignatureAlgorithm ?? hashingAlgorithm }, context)
}
