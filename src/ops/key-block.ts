import { KmipError } from '../objects/errors.ts'
import { child, type Item, structure, TYPE } from '../ttlv/item.ts'
import { KEY_OBJECTS, KeyBlock } from '../ttlv/payloads/structures.ts'
import { read, write } from '../ttlv/spec.ts'
import { TAG } from '../ttlv/tags.ts'

const NEWEST = 21
const hasKeyBlock = (object: Item): boolean => object.tag in KEY_OBJECTS

const BLOCKS = new WeakMap<Item, KeyBlock>()

/** The key block of an object, nothing for one that has none by its type. @throws MessageError if it is malformed */
export function readKeyBlock(object: Item): KeyBlock | undefined {
  if (!hasKeyBlock(object)) return undefined
  const item = child(object, TAG.KeyBlock)
  if (!item) throw new KmipError('InvalidMessage', 'KeyBlock is missing in the object')
  return read(item, KeyBlock)
}

/** The same, read once for an object that is used again and again. */
export function keyBlockOf(object: Item): KeyBlock | undefined {
  const known = BLOCKS.get(object)
  if (known) return known
  const block = readKeyBlock(object)
  if (block) BLOCKS.set(object, block)
  return block
}

/** The same object around another key block. */
export function withKeyBlock(object: Item, block: KeyBlock): Item {
  if (object.type !== TYPE.Structure) return object
  return structure(
    object.tag,
    object.value.map(field => (field.tag === TAG.KeyBlock ? structure(TAG.KeyBlock, write(block, KeyBlock, NEWEST)) : field)),
  )
}

/** Key Material of an unwrapped key block: a Byte String or, for transparent formats, a Structure. */
export const materialItem = (block: KeyBlock): Item | undefined =>
  block.keyValue?.type === TYPE.Structure ? child(block.keyValue, TAG.KeyMaterial) : undefined

/** A Key Value around Key Material. */
export const keyValue = (material: Item): Item => structure(TAG.KeyValue, [material])
