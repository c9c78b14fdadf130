import { SaxesParser } from 'saxes'
import { type Item, structure, TYPE, tagName } from './item.ts'
import {
  dateText,
  EncodingError,
  enumText,
  itemOfText,
  MAX_DEPTH,
  maskText,
  subjectOf,
  tagOf,
  titleAfter,
  typeNameOf,
  typeOf,
} from './notation.ts'

const NAMESPACE = 'urn:oasis:tc:kmip:xmlns'

/** An XML element before its names have a meaning. */
export interface XmlElement {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly children: readonly XmlElement[]
  /** Text that stood before the element inside its parent; always empty unless remarks are allowed. */
  readonly remark: string
  readonly line: number
}

interface OpenElement extends XmlElement {
  readonly children: OpenElement[]
}

/**
 * Read one XML document without DOCTYPE, processing instructions, or entities beyond the five of XML.
 * @param options.remarks keep text between elements, as scripts of test cases have it, instead of refusing it
 * @param options.maxDepth deepest nesting of elements; unless told 33: 32 structures and a value
 * @throws EncodingError
 */
export function readXml(text: string, options: { readonly remarks?: boolean; readonly maxDepth?: number } = {}): XmlElement {
  const { remarks = false, maxDepth = MAX_DEPTH + 1 } = options
  const open: OpenElement[] = []
  let root: OpenElement | undefined
  let remark = ''
  const parser = new SaxesParser()
  const refuse = (problem: string): never => {
    throw new EncodingError(
      `${problem} at line ${parser.line}`,
      open.map(element => element.name),
    )
  }
  parser.on('error', error => refuse(`malformed XML: ${error.message.replace(/^\d+:\d+: /, '')}`))
  parser.on('xmldecl', ({ encoding = 'utf-8' }) => {
    // The text has been decoded as UTF-8 by now.
    if (!/^(utf-8|us-ascii)$/i.test(encoding)) refuse(`encoding ${encoding}; UTF-8 is accepted,`)
  })
  parser.on('doctype', () => refuse('DOCTYPE is not accepted'))
  parser.on('processinginstruction', () => refuse('processing instructions are not accepted'))
  const onText = (chunk: string): void => {
    if (remarks) remark += chunk
    else if (chunk.trim() !== '') refuse('text between items')
  }
  parser.on('text', onText)
  parser.on('cdata', onText)
  parser.on('opentag', ({ name, attributes }) => {
    if (open.length >= maxDepth) refuse(`items are nested deeper than ${maxDepth}`)
    const element: OpenElement = { name, attributes, children: [], remark, line: parser.line }
    remark = ''
    open.at(-1)?.children.push(element)
    root ??= element
    open.push(element)
  })
  parser.on('closetag', () => {
    open.pop()
    if (open.length > 0) remark = remark.trim() === '' ? '' : remark
  })
  parser.write(text).close()
  return root ?? refuse('no element')
}

/**
 * Decode a message in the XML encoding.
 * @throws EncodingError
 * Spec: KMIP Additional Message Encodings 1.0 section 6.1, Profiles 2.1 section 5.5
 */
export const decodeXml = (text: string): Item => itemOfXml(readXml(text))

/** The item that an element stands for. @throws EncodingError */
const itemOfXml = (element: XmlElement): Item => toItem(element, undefined, [])

function toItem(element: XmlElement, title: string | undefined, path: readonly string[]): Item {
  const here = [...path, element.name]
  const { tag: tagText, name: _, type: typeText = 'Structure', value, xmlns, ...others } = element.attributes
  const [other] = Object.keys(others)
  if (other !== undefined) throw new EncodingError(`unknown XML attribute ${other}`, here)
  if (xmlns !== undefined && xmlns !== NAMESPACE) throw new EncodingError(`unknown namespace ${xmlns}`, here)
  if ((element.name === 'TTLV') !== (tagText !== undefined))
    throw new EncodingError('a tag attribute belongs to TTLV elements, and only there', here)
  const tag = tagOf(tagText ?? element.name)
  if (tag === undefined) throw new EncodingError(`${tagText ?? element.name} is no tag`, here)
  const type = typeOf(typeText)
  if (type === undefined) throw new EncodingError(`${typeText} is no item type`, here)
  if (type === TYPE.Structure) {
    if (value !== undefined) throw new EncodingError('a structure with a value', here)
    if (path.length >= MAX_DEPTH) throw new EncodingError(`structures are nested deeper than ${MAX_DEPTH}`, path)
    const fields: Item[] = []
    let childTitle: string | undefined
    for (const child of element.children) {
      const field = toItem(child, childTitle, here)
      childTitle = titleAfter(childTitle, field)
      fields.push(field)
    }
    return structure(tag, fields)
  }
  if (element.children.length > 0) throw new EncodingError(`elements inside a ${typeText}`, here)
  if (value === undefined) throw new EncodingError('no value', here)
  return itemOfText(tag, type, value, subjectOf(tag, title), here)
}

/**
 * Encode an item as XML, with names where there are any.
 * @param options.indent spaces for each level, on lines of their own; 0, the default, writes one line
 * @throws EncodingError for text that XML 1.0 cannot carry, such as control characters
 */
export function encodeXml(item: Item, options: { readonly indent?: number } = {}): string {
  const { indent = 0 } = options
  const parts: string[] = []
  write(item, undefined, '')
  return parts.join('')

  function write(one: Item, title: string | undefined, margin: string): void {
    const name = tagName(one.tag)
    const element = name.startsWith('0x') ? 'TTLV' : name
    parts.push(margin, '<', element)
    if (element === 'TTLV') parts.push(` tag="${name}"`)
    if (one.type !== TYPE.Structure) {
      parts.push(` type="${typeNameOf(one.type)}" value="${escaped(valueText(one, subjectOf(one.tag, title)), name)}"/>`)
    } else if (one.value.length === 0) {
      parts.push('/>')
    } else {
      parts.push('>', indent > 0 ? '\n' : '')
      let childTitle: string | undefined
      for (const field of one.value) {
        write(field, childTitle, indent > 0 ? margin + ' '.repeat(indent) : '')
        childTitle = titleAfter(childTitle, field)
      }
      parts.push(margin, `</${element}>`)
    }
    if (indent > 0) parts.push('\n')
  }
}

/** Value of an item as XML writes it, before escaping. */
export function valueText(item: Exclude<Item, { type: 1 }>, subject: number): string {
  switch (item.type) {
    case TYPE.Integer:
      return maskText(subject, item.value, ' ') ?? String(item.value)
    case TYPE.Enumeration:
      return enumText(subject, item.value)
    case TYPE.DateTime:
      return dateText(item.value)
    case TYPE.BigInteger:
    case TYPE.ByteString:
      return item.value.toString('hex')
    default:
      return String(item.value)
  }
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\t': '&#x9;',
  '\n': '&#xA;',
  '\r': '&#xD;',
}

function escaped(text: string, name: string): string {
  if (/[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/.test(text)) throw new EncodingError('a character that XML cannot carry', [name])
  return text.replace(/[&<>"\t\n\r]/g, character => ESCAPES[character]!)
}
