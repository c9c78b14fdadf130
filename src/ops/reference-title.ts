import { attributeOfTitle } from '../ttlv/attributes.ts'
import { enumeration, type Item, structure, text } from '../ttlv/item.ts'
import { TAG } from '../ttlv/tags.ts'

/** A reference to the attribute of this name, as Key Wrapping Specification gives it in all versions; `x-Foo` is vendor x's Foo. */
export function referenceFromTitle(title: string): Item {
  const row = attributeOfTitle(title)
  if (row) return enumeration(TAG.AttributeReference, row.tag)
  const vendor = /^([xy])-(.*)$/s.exec(title)
  return structure(TAG.AttributeReference, [
    text(TAG.VendorIdentification, vendor?.[1] ?? ''),
    text(TAG.AttributeName, vendor?.[2] ?? title),
  ])
}
