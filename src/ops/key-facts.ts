import type { KeyObject } from 'node:crypto'
import { keyFacts } from '../crypto/keys.ts'
import { ENUM } from '../ttlv/enumerations.ts'
import { enumeration, type Item, integer, structure } from '../ttlv/item.ts'
import { TAG } from '../ttlv/tags.ts'

const { CryptographicAlgorithm } = ENUM

/** Attributes that an asymmetric key tells about itself. */
export function factsOfKey(key: KeyObject): Item[] {
  const { algorithm, lengthBits, curve, qLengthBits } = keyFacts(key)
  const facts: Item[] = [
    enumeration(TAG.CryptographicAlgorithm, CryptographicAlgorithm[algorithm]),
    integer(TAG.CryptographicLength, lengthBits),
  ]
  const domain: Item[] = []
  if (qLengthBits !== undefined) domain.push(integer(TAG.Qlength, qLengthBits))
  if (curve !== undefined)
    domain.push(enumeration(TAG.RecommendedCurve, ENUM.RecommendedCurve[curve as keyof typeof ENUM.RecommendedCurve]))
  if (domain.length > 0) facts.push(structure(TAG.CryptographicDomainParameters, domain))
  return facts
}
