import { attributeOfTag } from '../ttlv/attributes.ts'
import { encode } from '../ttlv/binary.ts'
import { indexMark } from '../ttlv/dialect.ts'
import { child, type Item, type Structure, structure, TYPE } from '../ttlv/item.ts'
import { TAG } from '../ttlv/tags.ts'

/** What names an attribute: its tag, or vendor and name of a vendor attribute. */
export type AttributeKey = number | string

/** One instance of an attribute under its own tag; `index` is what 1.x clients address it by, and never changes. */
export interface Instance {
  readonly key: AttributeKey
  readonly index: number
  readonly item: Item
}

/** Key of an attribute item, or of an attribute reference. */
export function keyOf(item: Item): AttributeKey {
  if (item.tag === TAG.AttributeReference && item.type === TYPE.Enumeration) return item.value
  if (item.tag !== TAG.Attribute && item.tag !== TAG.AttributeReference) return item.tag
  return vendorKey(String(child(item, TAG.VendorIdentification)?.value ?? ''), String(child(item, TAG.AttributeName)?.value ?? ''))
}
export const vendorKey = (vendor: string, name: string): string => `${vendor}\0${name}`

/** A reference to the attribute with this key, as Get Attribute List answers it. */
export function referenceOf(key: AttributeKey): Item {
  if (typeof key === 'number') return { tag: TAG.AttributeReference, type: TYPE.Enumeration, value: key }
  const [vendor, name] = key.split('\0') as [string, string]
  return structure(TAG.AttributeReference, [
    { tag: TAG.VendorIdentification, type: TYPE.TextString, value: vendor },
    { tag: TAG.AttributeName, type: TYPE.TextString, value: name },
  ])
}

/** Name of an attribute for people. */
export const titleOf = (key: AttributeKey): string =>
  typeof key === 'number' ? (attributeOfTag(key)?.title ?? `tag ${key.toString(16)}`) : key.replace('\0', '-')

export const sameItem = (a: Item, b: Item): boolean =>
  a.type === b.type && (a.type === TYPE.Structure || a.value === b.value || Buffer.isBuffer(a.value)) && encode(a).equals(encode(b))

/** The attributes of one object, in the order in which they were set. */
export class AttributeSet {
  #instances: Instance[]
  /** Index that the next instance gets, where it is more than those that stand would tell. */
  readonly #next: Map<AttributeKey, number>
  constructor(instances: readonly Instance[] = [], next: ReadonlyMap<AttributeKey, number> = new Map()) {
    this.#instances = [...instances]
    this.#next = new Map(next)
  }

  /** From the items of an Attributes structure, index marks included. */
  static from(attributes: Item | undefined): AttributeSet {
    const set = new AttributeSet()
    if (attributes?.type !== TYPE.Structure) return set
    let mark: number | undefined
    for (const item of attributes.value) {
      const key = keyOf(item)
      if (item.tag === TAG.AttributeIndex && item.type === TYPE.Integer) mark = item.value
      else if (item.tag === TAG.AttributeReference) set.#next.set(key, mark ?? 0)
      else {
        set.#instances.push({ key, index: mark ?? set.#nextIndex(key), item })
        mark = undefined
      }
    }
    return set
  }

  copy(): AttributeSet {
    return new AttributeSet(this.#instances, this.#next)
  }

  [Symbol.iterator](): IterableIterator<Instance> {
    return this.#instances[Symbol.iterator]()
  }

  all(key: AttributeKey): Instance[] {
    return this.#instances.filter(instance => instance.key === key)
  }

  get(key: AttributeKey): Item | undefined {
    for (const instance of this.#instances) if (instance.key === key) return instance.item
    return undefined
  }

  has(key: AttributeKey): boolean {
    return this.get(key) !== undefined
  }

  /** Integer, Enumeration or Interval value. */
  number(key: number): number | undefined {
    const value = this.get(key)?.value
    return typeof value === 'number' ? value : undefined
  }

  date(key: number): bigint | undefined {
    const value = this.get(key)?.value
    return typeof value === 'bigint' ? value : undefined
  }

  flag(key: number): boolean | undefined {
    const value = this.get(key)?.value
    return typeof value === 'boolean' ? value : undefined
  }

  /** Put the only value of an attribute, replacing what was there. */
  set(item: Item): void {
    const key = keyOf(item)
    const at = this.#instances.findIndex(instance => instance.key === key)
    if (at < 0) this.add(item)
    else this.#instances[at] = { ...this.#instances[at]!, item }
  }

  /** Add an instance. */
  add(item: Item): Instance {
    const key = keyOf(item)
    const instance = { key, index: this.#nextIndex(key), item }
    this.#instances.push(instance)
    return instance
  }

  /** Put another value in the place of an instance, under the same index. */
  replace(instance: Instance, item: Item): Instance {
    const at = this.#instances.indexOf(instance)
    const replaced = { ...instance, item }
    this.#instances[at] = replaced
    return replaced
  }

  /** Remove one instance, or all with this key. */
  remove(key: AttributeKey, instance?: Instance): void {
    if (this.has(key)) this.#next.set(key, this.#nextIndex(key))
    this.#instances = this.#instances.filter(one => (instance ? one !== instance : one.key !== key))
  }

  // Spec: KMIP 1.4 section 2.1.1: the first index is 0, and one that was given is never given again; single-valued attributes have no other.
  #nextIndex(key: AttributeKey): number {
    if (typeof key === 'number' && attributeOfTag(key)?.multi === false) return 0
    let next = this.#next.get(key) ?? 0
    for (const instance of this.#instances) if (instance.key === key && instance.index >= next) next = instance.index + 1
    return next
  }

  /** An Attributes structure of these instances; an index that is not 0 stands in front of its attribute. */
  static toItem(instances: Iterable<Instance>): Structure {
    const items: Item[] = []
    for (const { index, item } of instances) {
      if (index !== 0) items.push(indexMark(index))
      items.push(item)
    }
    return structure(TAG.Attributes, items)
  }

  /** What the store keeps: the indexes that were given before stand behind, with a reference to their attribute. */
  toItem(): Structure {
    const given = [...this.#next].flatMap(([key, next]) => [indexMark(next), referenceOf(key)])
    return structure(TAG.Attributes, [...AttributeSet.toItem(this.#instances).value, ...given])
  }
}
