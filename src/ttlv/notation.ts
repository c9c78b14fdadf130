import { ENUM, ENUM_ALIASES, ENUM_OF_TAG, MASK, MASK_OF_TAG } from './enumerations.ts'
import { bigInteger, boolean, bytes, enumNameOfTag, type Item, maskNames, TYPE, type TypeName, tagName, tagTitle } from './item.ts'
import { functionName, functionNumber, returnCodeName, returnCodeNumber } from './pkcs11.ts'
import { TAG } from './tags.ts'

// How values are written in the text encodings. Spec: KMIP Additional Message Encodings 1.0 sections 4.1 and 6.1, Profiles 2.1 sections 5.4 and 5.5

/** A text, XML or JSON message that cannot be read or written. `path` names the items that lead to the fault. */
export class EncodingError extends Error {
  override readonly name = 'EncodingError'
  readonly code = 'encoding'
  readonly path: string
  constructor(problem: string, path: readonly string[] = []) {
    super(path.length === 0 ? problem : `${problem} in ${path.join('/')}`)
    this.path = path.join('/')
  }
}

export const MAX_DEPTH = 32

const TAG_OF_TITLE = new Map(Object.values(TAG).map(tag => [tagTitle(tag), tag]))
const TAG_BY_NAME: Readonly<Record<string, number>> = { __proto__: null as never, ...TAG }
const TYPE_BY_NAME: Readonly<Record<string, number>> = { __proto__: null as never, ...TYPE }
const ALIASES = new Map([
  ...ENUM_ALIASES.map(([enumeration, alias, name]): [string, string] => [`${enumeration}/${alias}`, name]),
  // Spellings that published messages use beside the tables'.
  ['ResultReason/NotAuthorized', 'NotAuthorised'],
])
const MASK_ALIASES = { ContentCommitment: MASK.CryptographicUsageMask.ContentCommitmentNonRepudiation }

/** Tag number of an XML name or of `0x` and six digits. */
export function tagOf(name: string): number | undefined {
  if (/^0x(42|54)[0-9a-f]{4}$/i.test(name)) return Number(name)
  return TAG_BY_NAME[name]
}
export const typeOf = (name: string): number | undefined => TYPE_BY_NAME[name]

/**
 * The tag whose enumeration or mask the value of `tag` belongs to: the attribute's own for an Attribute Value of 1.x.
 * @param title content of the Attribute Name beside it
 */
export const subjectOf = (tag: number, title: string | undefined): number =>
  tag === TAG.AttributeValue && title !== undefined ? (TAG_OF_TITLE.get(title) ?? tag) : tag

/**
 * Content of the first Attribute Name in a structure, as far as it is known after this field. Reader and writer go by what stands before a
 * value alone, so that they agree on its subject wherever the name stands.
 */
export const titleAfter = (title: string | undefined, field: Item): string | undefined =>
  title ?? (field.tag === TAG.AttributeName && field.type === TYPE.TextString ? field.value : undefined)

const hex = (value: number | bigint, digits: number): string => `0x${value.toString(16).padStart(digits, '0')}`

/** Name of an enumeration's value, or `0x` and eight digits. */
export function enumText(subject: number, value: number): string {
  if (subject === TAG.AttributeReference) return TAG_NAMES.has(value) ? tagName(value) : hex(value, 8)
  if (subject === TAG.PKCS_11Function) return functionName(value) ?? hex(value, 8)
  if (subject === TAG.PKCS_11ReturnCode) return returnCodeName(value) ?? hex(value, 8)
  return enumNameOfTag(subject, value)
}
const TAG_NAMES: ReadonlySet<number> = new Set(Object.values(TAG))

/** Names of a mask's bits with `separator` between, or nothing if the subject is no mask or no bit is set. */
export const maskText = (subject: number, value: number, separator: string): string | undefined =>
  MASK_OF_TAG.has(subject) && value !== 0 ? maskNames(subject, value).join(separator) : undefined

const YEAR_1 = -62_135_596_800n
const YEAR_10000 = 253_402_300_800n

/** Seconds since 1970 as `2001-01-01T00:00:00+00:00`; what four digits of a year cannot say as `0x` and 16 digits. */
export function dateText(seconds: bigint): string {
  if (seconds < YEAR_1 || seconds >= YEAR_10000) return longHex(seconds)
  return new Date(Number(seconds) * 1000).toISOString().replace('.000Z', '+00:00')
}

export const longHex = (value: bigint): string => hex(BigInt.asUintN(64, value), 16)

/**
 * The item that a value in text form stands for; both XML and JSON strings come through here.
 * @param subject tag that decides which names an enumeration or mask has, see `subjectOf`
 * @throws EncodingError
 */
export function itemOfText(tag: number, type: number, text: string, subject: number, path: readonly string[]): Item {
  const fail = (what: string): never => {
    throw new EncodingError(`${JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text)} is no ${what}`, path)
  }
  switch (type) {
    case TYPE.Integer:
      return { tag, type, value: integerOf(text) ?? maskOf(text, subject) ?? fail(MASK_OF_TAG.has(subject) ? 'mask' : 'Integer') }
    case TYPE.LongInteger:
    case TYPE.DateTimeExtended:
      return { tag, type, value: longOf(text) ?? fail('64-bit integer') }
    case TYPE.BigInteger: {
      const digits = text.replace(/^0x/i, '')
      return isHex(digits) && digits.length > 0 && digits.length % 16 === 0
        ? bigInteger(tag, Buffer.from(digits, 'hex'))
        : fail('Big Integer')
    }
    case TYPE.Enumeration:
      return { tag, type, value: enumOf(text, subject) ?? fail(`value of ${tagName(subject)}`) }
    case TYPE.Boolean:
      if (/^(true|1|0x0{15}1)$/.test(text)) return boolean(tag, true)
      return /^(false|0|0x0{16})$/.test(text) ? boolean(tag, false) : fail('Boolean')
    case TYPE.TextString:
    case TYPE.Identifier:
    case TYPE.Reference:
    case TYPE.NameReference:
      return Buffer.from(text).toString() === text ? { tag, type, value: text } : fail('well-formed text')
    case TYPE.ByteString:
      return isHex(text) ? bytes(tag, Buffer.from(text, 'hex')) : fail('Byte String')
    case TYPE.DateTime:
      return { tag, type, value: secondsOf(text) ?? fail('Date-Time with a time zone') }
    case TYPE.Interval: {
      const value = /^\d{1,10}$|^0x[0-9a-f]{1,8}$/i.test(text) ? Number(text) : -1
      return value >= 0 && value <= 0xffffffff ? { tag, type, value } : fail('Interval')
    }
    default:
      throw new EncodingError(`a value where ${tagName(tag)} is a structure`, path)
  }
}

const isHex = (text: string): boolean => text.length % 2 === 0 && /^[0-9a-f]*$/i.test(text)

function integerOf(text: string): number | undefined {
  if (/^0x[0-9a-f]{1,8}$/i.test(text)) return Number(text) | 0
  if (!/^[+-]?\d{1,10}$/.test(text)) return undefined
  const value = Number(text)
  return value === (value | 0) ? value | 0 : undefined
}

function maskOf(text: string, subject: number): number | undefined {
  const mask = MASK_OF_TAG.get(subject)
  if (mask === undefined) return undefined
  const bits: Readonly<Record<string, number>> = { __proto__: null as never, ...MASK_ALIASES, ...MASK[mask] }
  let value = 0
  for (const part of text.trim().split(/\s*\|\s*|\s+/)) {
    const bit = /^0x[0-9a-f]{1,8}$/i.test(part) ? Number(part) : bits[part]
    if (bit === undefined) return undefined
    value |= bit
  }
  return value
}

function longOf(text: string): bigint | undefined {
  if (/^0x[0-9a-f]{1,16}$/i.test(text)) return BigInt.asIntN(64, BigInt(text))
  if (!/^[+-]?\d{1,19}$/.test(text)) return undefined
  const value = BigInt(text.replace('+', ''))
  return value === BigInt.asIntN(64, value) ? value : undefined
}

function enumOf(text: string, subject: number): number | undefined {
  if (/^0x[0-9a-f]{1,8}$/i.test(text)) return Number(text)
  if (subject === TAG.AttributeReference) return TAG_BY_NAME[text]
  if (subject === TAG.PKCS_11ReturnCode) return returnCodeNumber(text)
  if (subject === TAG.PKCS_11Function) return functionNumber(text)
  const enumeration = ENUM_OF_TAG.get(subject)
  if (enumeration === undefined) return undefined
  const values: Readonly<Record<string, number>> = { __proto__: null as never, ...ENUM[enumeration] }
  return values[text] ?? values[ALIASES.get(`${enumeration}/${text}`) ?? '']
}

const DATE = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:Z|([+-])(\d\d):(\d\d))$/

/** Seconds since 1970; fractions are cut off. Spec: KMIP Additional Message Encodings 1.0 section 4.1.6.11 */
function secondsOf(text: string): bigint | undefined {
  if (/^0x[0-9a-f]{16}$/i.test(text)) return BigInt.asIntN(64, BigInt(text))
  const match = DATE.exec(text)
  if (match === null) return undefined
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [number, number, number, number, number, number]
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  date.setUTCHours(hour, minute, second)
  // A date that rolls over, such as 30 February, is none.
  if (date.getUTCDate() !== day || date.getUTCMonth() !== month - 1 || hour > 23 || minute > 59 || second > 59) return undefined
  const zone = (Number(match[8] ?? 0) * 60 + Number(match[9] ?? 0)) * (match[7] === '-' ? -60 : 60)
  return BigInt(date.getTime() / 1000 - zone)
}

export const typeNameOf = (type: number): TypeName => TYPE_NAMES.get(type)!
const TYPE_NAMES = new Map(Object.entries(TYPE).map(([name, type]) => [type as number, name as TypeName]))
