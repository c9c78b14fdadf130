import { type Item, type Structure, TYPE, tagName, typeName } from './item.ts'

/** Protocol version as major * 10 + minor. */
export type Version = number

/** What went wrong with a message that could be decoded as TTLV; `reason` is the KMIP Result Reason to answer. */
export class MessageError extends Error {
  override readonly name = 'MessageError'
  readonly reason: 'InvalidMessage' | 'InvalidField'
  constructor(reason: 'InvalidMessage' | 'InvalidField', message: string) {
    super(message)
    this.reason = reason
  }
}

interface Kinds {
  text: string
  enum: number
  integer: number
  interval: number
  long: bigint
  date: bigint
  /** Date-Time Extended, microseconds since 1970 */
  dateExtended: bigint
  boolean: boolean
  bytes: Buffer
  big: Buffer
  item: Item
  struct: unknown
  /** one item under any of several tags, kept as it is: the managed object of a Register */
  oneOf: Item
}
type Kind = keyof Kinds

/** A row of a structure's table: one field under one tag. */
export interface Row<K extends Kind = Kind, V = Kinds[K], Required extends boolean = boolean, Repeated extends boolean = boolean> {
  readonly tag: number
  readonly kind: K
  readonly required: Required
  readonly repeated: Repeated
  readonly fields?: Fields
  readonly tags?: readonly number[]
  /** Types that an item may have; any without. */
  readonly types?: readonly number[]
  /** First and last version in which a response may carry the field. */
  readonly since?: Version
  readonly until?: Version
  /** For the compiler only: the type of a value. */
  readonly value?: V
}
export type Fields = Readonly<Record<string, Row>>

type Of<R> = R extends Row<Kind, infer V, boolean, infer Repeated> ? (Repeated extends true ? readonly V[] : V) : never
/** The TypeScript type of a structure, from its table. */
export type Value<F extends Fields> = {
  readonly [N in keyof F as F[N] extends Row<Kind, unknown, true, boolean> ? N : never]: Of<F[N]>
} & {
  readonly [N in keyof F as F[N] extends Row<Kind, unknown, true, boolean> ? never : N]?: Of<F[N]> | undefined
}

interface Span {
  readonly since?: Version
  readonly until?: Version
}
type Made<K extends Kind> = (tag: number, span?: Span) => Row<K, Kinds[K], true, false>
const row =
  <K extends Kind>(kind: K): Made<K> =>
  (tag, span) => ({ tag, kind, required: true, repeated: false, ...span })

export const text = row('text')
export const enumeration = row('enum')
export const integer = row('integer')
export const interval = row('interval')
export const long = row('long')
export const date = row('date')
export const dateTimeExtended = row('dateExtended')
export const boolean = row('boolean')
export const bytes = row('bytes')
/** Big Integer, as the two's complement bytes of the wire. */
export const big = row('big')
/** Any item, kept as it is. */
export const item = row('item')
/** An item of one of these types, kept as it is. */
export const itemOf = (tag: number, types: readonly number[], span?: Span): Row<'item', Item, true, false> => ({
  ...item(tag, span),
  types,
})
/** A structure whose content is kept as items: attributes, mostly. */
export const content = (tag: number, span?: Span): Row<'item', Item, true, false> => itemOf(tag, [TYPE.Structure], span)
export const oneOf = (tags: readonly number[], span?: Span): Row<'oneOf', Item, true, false> => ({
  tag: tags[0]!,
  tags,
  kind: 'oneOf',
  required: true,
  repeated: false,
  ...span,
})
export const struct = <F extends Fields>(tag: number, fields: F, span?: Span): Row<'struct', Value<F>, true, false> => ({
  tag,
  kind: 'struct',
  fields,
  required: true,
  repeated: false,
  ...span,
})
export const optional = <K extends Kind, V, M extends boolean>(row: Row<K, V, boolean, M>): Row<K, V, false, M> => ({
  ...row,
  required: false,
})
/** Any number of them, none too. */
export const repeated = <K extends Kind, V>(row: Row<K, V, boolean, false>): Row<K, V, true, true> => ({
  ...row,
  required: true,
  repeated: true,
})

const TYPE_OF_KIND: Readonly<Record<Exclude<Kind, 'item' | 'oneOf'>, number>> = {
  text: TYPE.TextString,
  enum: TYPE.Enumeration,
  integer: TYPE.Integer,
  interval: TYPE.Interval,
  long: TYPE.LongInteger,
  date: TYPE.DateTime,
  dateExtended: TYPE.DateTimeExtended,
  boolean: TYPE.Boolean,
  bytes: TYPE.ByteString,
  big: TYPE.BigInteger,
  struct: TYPE.Structure,
}
const TEXT_LIKE: ReadonlySet<number> = new Set([TYPE.TextString, TYPE.Identifier, TYPE.Reference, TYPE.NameReference])

type Named = readonly [name: string, row: Row]
interface Reading {
  readonly byTag: ReadonlyMap<number, Named>
  /** What must be there or become an empty list. */
  readonly expected: readonly Named[]
}

const READINGS = new WeakMap<Fields, Reading>()
function readingOf(fields: Fields): Reading {
  let reading = READINGS.get(fields)
  if (!reading) {
    const rows = Object.entries(fields)
    reading = {
      byTag: new Map(rows.flatMap(named => (named[1].tags ?? [named[1].tag]).map(tag => [tag, named] as const))),
      expected: rows.filter(([, row]) => row.required),
    }
    READINGS.set(fields, reading)
  }
  return reading
}

/**
 * Read the fields of a structure by their table, in whatever order they stand.
 * @param ignoreUnknown skip fields that the table does not have, as for a later minor version than ours (KMIP 1.4 section 11.1)
 * @throws MessageError  Invalid Message: a field is missing, repeated or of another type; Invalid Field: an unknown one
 */
export function read<F extends Fields>(structure: Item, fields: F, ignoreUnknown = false): Value<F> {
  if (structure.type !== TYPE.Structure) throw new MessageError('InvalidMessage', `${tagName(structure.tag)} must be a Structure`)
  const where = structure.tag
  const { byTag, expected } = readingOf(fields)
  const value: Record<string, unknown> = {}
  for (const field of structure.value) {
    const named = byTag.get(field.tag)
    if (named === undefined) {
      if (ignoreUnknown) continue
      throw new MessageError('InvalidField', `${tagName(where)} has no field ${tagName(field.tag)}`)
    }
    const [name, row] = named
    const got = readOne(field, row, where, ignoreUnknown)
    const before = value[name]
    if (row.repeated) {
      if (before === undefined) value[name] = [got]
      else (before as unknown[]).push(got)
    } else if (before !== undefined) throw new MessageError('InvalidMessage', `${tagName(field.tag)} stands twice in ${tagName(where)}`)
    else value[name] = got
  }
  for (const [name, row] of expected) {
    if (value[name] !== undefined) continue
    if (!row.repeated) throw new MessageError('InvalidMessage', `${tagName(row.tag)} is missing in ${tagName(where)}`)
    value[name] = []
  }
  return value as Value<F>
}

function readOne(field: Item, row: Row, where: number, ignoreUnknown: boolean): unknown {
  if (row.kind === 'item' || row.kind === 'oneOf') {
    if (row.types && !row.types.includes(field.type)) throw wrongType(field, where, row.types)
    return field
  }
  const type = TYPE_OF_KIND[row.kind]
  if (field.type !== type && !(row.kind === 'text' && TEXT_LIKE.has(field.type))) throw wrongType(field, where, [type])
  return row.kind === 'struct' ? read(field, row.fields!, ignoreUnknown) : field.value
}

const wrongType = (field: Item, where: number, types: readonly number[]): MessageError =>
  new MessageError(
    'InvalidMessage',
    `${tagName(field.tag)} in ${tagName(where)} must be of type ${types.map(typeName).join(' or ')}, not ${typeName(field.type)}`,
  )

/** The items of a structure's value in wire order, without the fields that `version` does not have. */
export function write<F extends Fields>(value: Value<F>, fields: F, version: Version): Item[] {
  const items: Item[] = []
  const values = value as Readonly<Record<string, unknown>>
  for (const name in fields) {
    const row = fields[name]!
    const field = values[name]
    if (field === undefined || (row.since !== undefined && version < row.since) || (row.until !== undefined && version > row.until))
      continue
    if (row.repeated) for (const one of field as unknown[]) items.push(writeOne(one, row, version))
    else items.push(writeOne(field, row, version))
  }
  return items
}

function writeOne(value: unknown, row: Row, version: Version): Item {
  if (row.kind === 'item' || row.kind === 'oneOf') return value as Item
  if (row.kind === 'struct') return { tag: row.tag, type: TYPE.Structure, value: write(value as Value<Fields>, row.fields!, version) }
  return { tag: row.tag, type: TYPE_OF_KIND[row.kind], value } as Item
}

/** A structure with this tag from a typed value. */
export const writeStructure = <F extends Fields>(tag: number, value: Value<F>, fields: F, version: Version): Structure => ({
  tag,
  type: TYPE.Structure,
  value: write(value, fields, version),
})
