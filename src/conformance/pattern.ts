import { type Item, structure, TYPE, tagName } from '../ttlv/item.ts'
import { EncodingError, itemOfText, subjectOf, tagOf, typeOf } from '../ttlv/notation.ts'
import { TAG } from '../ttlv/tags.ts'
import type { XmlElement } from '../ttlv/xml.ts'

/** `$NAME`, `$NAME_0`, `$NOW-3600`: a value that is known only when the case runs. */
export interface Placeholder {
  /** Without dollar sign and offset: `UNIQUE_IDENTIFIER_0`. */
  readonly name: string
  /** Seconds, for `NOW`. */
  readonly offset: number
}

/** A message of a case: an item whose values may be placeholders. */
export type Pattern =
  | { readonly kind: 'structure'; readonly tag: number; readonly fields: readonly Pattern[] }
  | { readonly kind: 'value'; readonly tag: number; readonly item: Item }
  | { readonly kind: 'placeholder'; readonly tag: number; readonly type: number; readonly placeholder: Placeholder }

const PLACEHOLDER = /^\$([A-Z][A-Z_]*[A-Z](?:_\d+)?)([+-]\d+)?$/

/** What the documents' line breaks left inside values is one space. */
const collapse = (value: string): string => value.replace(/\s+/g, ' ')

/**
 * The pattern that an element of a case stands for.
 * @param options.collapseSpaces read runs of white space inside values as one space, as cases of 1.0 to 1.2 need
 * @param options.replace values to put in place of others, against slips of a published case
 * @throws EncodingError
 */
export function patternOf(
  element: XmlElement,
  options: { readonly collapseSpaces?: boolean; readonly replace?: ReadonlyMap<string, string> } = {},
): Pattern {
  const { collapseSpaces = false, replace } = options
  return build(element, undefined, [])

  function build(one: XmlElement, title: string | undefined, path: readonly string[]): Pattern {
    const here = [...path, one.name]
    const { tag: tagText = one.name, type: typeText = 'Structure', value: published } = one.attributes
    const tag = tagOf(tagText)
    const type = typeOf(typeText)
    if (tag === undefined) throw new EncodingError(`line ${one.line}: ${tagText} is no tag`, here)
    if (type === undefined) throw new EncodingError(`line ${one.line}: ${typeText} is no item type`, here)
    if (type === TYPE.Structure) {
      let childTitle: string | undefined
      const fields = one.children.map(child => {
        const pattern = build(child, childTitle, here)
        if (pattern.kind === 'value' && pattern.tag === TAG.AttributeName && pattern.item.type === TYPE.TextString)
          childTitle = pattern.item.value
        return pattern
      })
      return { kind: 'structure', tag, fields }
    }
    if (published === undefined) throw new EncodingError(`line ${one.line}: no value`, here)
    const value = replace?.get(published) ?? (collapseSpaces ? collapse(published) : published)
    const match = PLACEHOLDER.exec(value)
    if (match !== null) return { kind: 'placeholder', tag, type, placeholder: { name: match[1]!, offset: Number(match[2] ?? 0) } }
    return { kind: 'value', tag, item: itemOfText(tag, type, value, subjectOf(tag, title), here) }
  }
}

/** The item of a pattern with `fill` asked for each placeholder, and `replace` for each other value. */
export function resolve(
  pattern: Pattern,
  fill: (placeholder: Placeholder, tag: number, type: number) => Item,
  replace: (item: Item) => Item = item => item,
): Item {
  switch (pattern.kind) {
    case 'structure':
      return structure(
        pattern.tag,
        pattern.fields.map(field => resolve(field, fill, replace)),
      )
    case 'value':
      return replace(pattern.item)
    default:
      return fill(pattern.placeholder, pattern.tag, pattern.type)
  }
}

/** The first field with this tag, or nothing. */
export const fieldOf = (pattern: Pattern | undefined, tag: number): Pattern | undefined =>
  pattern?.kind === 'structure' ? pattern.fields.find(field => field.tag === tag) : undefined

export const fieldsOf = (pattern: Pattern | undefined, tag: number): Pattern[] =>
  pattern?.kind === 'structure' ? pattern.fields.filter(field => field.tag === tag) : []

/** The value at the end of a path of tags, if it is of a fixed text or number. */
export function valueAt(pattern: Pattern | undefined, ...tags: readonly number[]): Item['value'] | undefined {
  let here = pattern
  for (const tag of tags) here = fieldOf(here, tag)
  return here?.kind === 'value' ? here.item.value : undefined
}

/** How a difference names an item: its tag, and the attribute where there is a name. */
export function label(pattern: Pattern): string {
  const title = valueAt(pattern, TAG.AttributeName)
  return pattern.tag === TAG.Attribute && typeof title === 'string' ? `Attribute(${title})` : tagName(pattern.tag)
}
