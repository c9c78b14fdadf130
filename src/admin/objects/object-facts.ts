import type { AttributeKey } from '../../objects/attribute-set.ts'
import type { ManagedObject } from '../../objects/managed-object.ts'
import { ENUM } from '../../ttlv/enumerations.ts'
import { enumName, TYPE, tagName } from '../../ttlv/item.ts'
import { TAG } from '../../ttlv/tags.ts'
import { attributeValue, snakeCase } from './plain-item.ts'

/** What a list says of an object. Times as ISO 8601. */
export interface ObjectInfo {
  readonly type: string
  readonly state?: string
  readonly names?: readonly string[]
  readonly algorithm?: string
  /** Bits. */
  readonly length?: number
  readonly initial_date?: string
}

export interface ObjectFacts extends ObjectInfo {
  /** By their names in snake case; one that stands several times is a list. */
  readonly attributes: Readonly<Record<string, unknown>>
}

const STATES: Readonly<Record<number, string>> = {
  [ENUM.State.PreActive]: 'Pre-Active',
  [ENUM.State.DestroyedCompromised]: 'Destroyed Compromised',
}

/** A digest of a password tells it to who can guess; it is left to those who may Get Attributes. */
const HIDDEN: ReadonlySet<AttributeKey> = new Set<AttributeKey>([TAG.Digest])

const nameOf = (key: AttributeKey): string => (typeof key === 'number' ? snakeCase(tagName(key)) : key.replace('\0', '-'))

/** What administrators may see of an object: all but what it is made of. @param now seconds since 1970 */
export function factsOf(object: ManagedObject, now: bigint): ObjectFacts {
  const attributes: Record<string, unknown> = {}
  for (const { key, item } of object.visible(now, 0)) {
    if (HIDDEN.has(key)) continue
    const [name, value] = [nameOf(key), attributeValue(item)]
    const known = attributes[name]
    attributes[name] = known === undefined ? value : Array.isArray(known) ? [...known, value] : [known, value]
  }
  return { ...infoOf(object, now), attributes }
}

function infoOf(object: ManagedObject, now: bigint): ObjectInfo {
  const { attributes } = object
  const state = object.state(now)
  const names = attributes.all(TAG.Name).map(({ item }) => String(attributeValue(item)))
  const algorithm = attributes.all(TAG.CryptographicAlgorithm)[0]?.item
  const length = attributes.all(TAG.CryptographicLength)[0]?.item
  const made = attributes.date(TAG.InitialDate)
  return {
    type: enumName('ObjectType', object.type),
    ...(object.hasState && { state: STATES[state] ?? enumName('State', state) }),
    ...(names.length > 0 && { names }),
    ...(algorithm && { algorithm: String(attributeValue(algorithm)) }),
    ...(length?.type === TYPE.Integer && { length: length.value }),
    ...(made !== undefined && { initial_date: new Date(Number(made) * 1000).toISOString() }),
  }
}
