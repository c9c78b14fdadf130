import { checkAttribute } from '../objects/attribute-rules.ts'
import { keyOf, titleOf } from '../objects/attribute-set.ts'
import { KmipError } from '../objects/errors.ts'
import { ENUM, MASK } from '../ttlv/enumerations.ts'
import { enumeration, type Item, integer, structure } from '../ttlv/item.ts'
import { SetDefaultsRequest } from '../ttlv/payloads/policies.ts'
import { Nothing } from '../ttlv/payloads/sessions.ts'
import { TAG } from '../ttlv/tags.ts'
import { checkCount, checkTypes, groupsOf, itemsOf } from './constraints.ts'
import { operation } from './operation.ts'
import type { ObjectDefaults, Policy } from './policies.ts'

const { ObjectType, CryptographicAlgorithm } = ENUM
const Usage = MASK.CryptographicUsageMask

/** Set Defaults: what new objects get where a client says nothing; without any, the server's own come back. Spec: KMIP 2.1 section 6.1.53 */
export const setDefaults = operation({
  code: ENUM.Operation.SetDefaults,
  name: 'SetDefaults',
  since: 21,
  request: SetDefaultsRequest,
  response: Nothing,
  async run({ defaultsInformation }, context) {
    const list = defaultsInformation?.objectDefaults ?? []
    checkCount(list)
    for (const one of list) {
      const types = typesOf(one)
      if (types.length === 0) throw new KmipError('InvalidMessage', 'Object Defaults without an Object Type')
      checkTypes(types)
      for (const item of itemsOf(one.attributes))
        if (checkAttribute(item).setBy !== 'client' || item.tag === TAG.Name)
          throw new KmipError('InvalidField', `${titleOf(keyOf(item))} cannot have a default`)
    }
    await context.environment.policies.change(context.unit, { defaults: list })
    return {}
  },
})

const typesOf = ({ objectType, objectTypes }: ObjectDefaults): readonly number[] => [
  ...(objectType === undefined ? [] : [objectType]),
  ...(objectTypes?.objectType ?? []),
]

const own = (objectType: number, ...items: Item[]): ObjectDefaults => ({
  objectType,
  attributes: structure(TAG.Attributes, items),
})
const algorithm = (value: number): Item => enumeration(TAG.CryptographicAlgorithm, value)
const length = (bits: number): Item => integer(TAG.CryptographicLength, bits)
const usage = (mask: number): Item => integer(TAG.CryptographicUsageMask, mask)

/** What the server supplies of its own. Spec: KMIP 2.1 section 4.13, 4.15, 4.17: algorithm, length and usage mask always have a value */
const OWN: readonly ObjectDefaults[] = [
  own(ObjectType.SymmetricKey, algorithm(CryptographicAlgorithm.AES), length(256), usage(Usage.Encrypt | Usage.Decrypt)),
  own(ObjectType.PrivateKey, algorithm(CryptographicAlgorithm.RSA), length(2048), usage(Usage.Sign)),
  own(ObjectType.PublicKey, algorithm(CryptographicAlgorithm.RSA), length(2048), usage(Usage.Verify)),
  own(ObjectType.SecretData, length(256)),
]

/** What Query answers: the defaults that were set, then what of the server's own they leave standing. */
export function allDefaults({ defaults }: Policy): ObjectDefaults[] {
  const general = defaults.filter(({ objectGroups }) => !objectGroups)
  const left = OWN.flatMap(one => {
    const set = new Set(general.filter(other => typesOf(other).includes(one.objectType!)).flatMap(keysOf))
    const items = itemsOf(one.attributes).filter(item => !set.has(keyOf(item)))
    return items.length > 0 ? [own(one.objectType!, ...items)] : []
  })
  return [...defaults, ...left]
}
const keysOf = ({ attributes }: ObjectDefaults): (number | string)[] => itemsOf(attributes).map(keyOf)

/** What describes a key goes with its algorithm: the default length of another one says nothing. */
const OF_ALGORITHM: ReadonlySet<number> = new Set<number>([TAG.CryptographicLength, TAG.CryptographicDomainParameters])
/** What a key that the client brings tells itself. */
const OF_KEY: ReadonlySet<number> = new Set<number>([TAG.CryptographicAlgorithm, TAG.KeyFormatType, ...OF_ALGORITHM])

/**
 * Attributes of a new object with the defaults that were set in its scope, those for one of its groups first, then the server's own;
 * `brought`: the client brings the key, so that the server's own say nothing, and of those set only what does not describe the key.
 */
export function withDefaults(type: number, requested: readonly Item[], { defaults }: Policy, brought = false): Item[] {
  const result = [...requested]
  const sources = brought ? setFor(type, requested, defaults) : [...setFor(type, requested, defaults), ...(OWN_OF_TYPE.get(type) ?? [])]
  for (const { attributes } of sources) {
    const items = itemsOf(attributes)
    const before = [...result]
    const chosen = before.find(item => item.tag === TAG.CryptographicAlgorithm)?.value
    const theirs = items.find(item => item.tag === TAG.CryptographicAlgorithm)?.value
    const other = chosen !== undefined && theirs !== undefined && chosen !== theirs
    const unfit = brought ? OF_KEY : other ? OF_ALGORITHM : NOTHING
    for (const item of items) {
      const key = keyOf(item)
      if (!unfit.has(item.tag) && !before.some(one => keyOf(one) === key)) result.push(item)
    }
  }
  return result
}
const NOTHING: ReadonlySet<number> = new Set<number>()
const OWN_OF_TYPE = new Map(OWN.map(one => [one.objectType!, [one]]))

/** The defaults that were set for a new object, those that win first. */
function setFor(type: number, requested: readonly Item[], defaults: readonly ObjectDefaults[]): readonly ObjectDefaults[] {
  if (defaults.length === 0) return defaults
  const groups = groupsOf(requested)
  const ofType = defaults.filter(one => typesOf(one).includes(type))
  return [
    ...ofType.filter(({ objectGroups }) => objectGroups?.objectGroup.some(group => groups.has(group))),
    ...ofType.filter(({ objectGroups }) => !objectGroups),
  ]
}
