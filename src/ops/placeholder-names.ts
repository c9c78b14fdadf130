import { ENUM } from '../ttlv/enumerations.ts'
import { child, enumeration, type Item, structure, text } from '../ttlv/item.ts'
import { TAG } from '../ttlv/tags.ts'
import type { Context } from './context.ts'

const { ObjectType } = ENUM

// What PyKMIP registers an object as when the program that uses it says no name, OpenStack's Barbican above all.
const PLACEHOLDERS: Readonly<Record<number, readonly string[]>> = {
  [ObjectType.Certificate]: ['Certificate', 'X.509 Certificate'],
  [ObjectType.SymmetricKey]: ['Symmetric Key'],
  [ObjectType.PublicKey]: ['Public Key'],
  [ObjectType.PrivateKey]: ['Private Key'],
  [ObjectType.SplitKey]: ['Split Key'],
  [ObjectType.SecretData]: ['Secret Data'],
  [ObjectType.OpaqueObject]: ['Opaque Object'],
}

/**
 * The attributes to register an object with. A name is unique (KMIP 1.4 section 3.2), and a client of PyKMIP that gives none would get no second
 * key: the first object has PyKMIP's name, further ones have it as Alternative Name, as those have that are imported from a PyKMIP server.
 */
export async function withFreeNames(objectType: number, attributes: readonly Item[], context: Context): Promise<readonly Item[]> {
  const result: Item[] = []
  for (const item of attributes)
    result.push(isPlaceholder(objectType, item) && (await context.unit.isNameTaken(item)) ? asAlternativeName(item) : item)
  return result
}

const isPlaceholder = (objectType: number, item: Item): boolean =>
  item.tag === TAG.Name && (PLACEHOLDERS[objectType]?.some(name => name === child(item, TAG.NameValue)?.value) ?? false)

function asAlternativeName(name: Item): Item {
  return structure(TAG.AlternativeName, [
    text(TAG.AlternativeNameValue, String(child(name, TAG.NameValue)?.value)),
    enumeration(TAG.AlternativeNameType, ENUM.AlternativeNameType.UninterpretedTextString),
  ])
}
