import { requestMessage, responseItems } from '../client/message.ts'
import { attribute } from '../client/operations.ts'
import type { Engine, Peer } from '../ops/engine.ts'
import type { Records } from '../seal/records.ts'
import { decode, encode } from '../ttlv/binary.ts'
import { ENUM } from '../ttlv/enumerations.ts'
import { boolean, child, enumeration, enumName, type Item, type Structure, structure, text } from '../ttlv/item.ts'
import { TAG } from '../ttlv/tags.ts'

/** An object of another server. */
export interface Found {
  /** Its Unique Identifier there, which it keeps. */
  readonly id: string
  /** Called only for an object that is to be imported. @throws Unreadable */
  read(): Promise<Readable>
}

export interface Readable {
  /** Under its own tag. */
  readonly object: Item
  /** Attributes as KMIP 1.4 writes them: Attribute structures with name and value. */
  readonly attributes: readonly Structure[]
  /** What an operator should know, such as an attribute that is left behind. */
  readonly notes?: readonly string[]
}

/** An object cannot be had from where it is; the others can. */
export class Unreadable extends Error {
  override readonly name = 'Unreadable'
  readonly code = 'unreadable'
}

export interface Remark {
  readonly id: string
  readonly text: string
}

export interface ImportReport {
  readonly imported: number
  /** The scope had objects with these identifiers already; they were left as they are. */
  readonly present: number
  /** What was not imported, and why. */
  readonly left: readonly Remark[]
  /** What is otherwise than it was. */
  readonly notes: readonly Remark[]
}

/**
 * Import objects into a scope, each by the Import operation, under the rules that hold for clients. What has an identifier that the scope
 * has is skipped, so an import that was cut short can be begun anew.
 * @param peer of the scope, with the right to import
 */
export async function importObjects(
  objects: AsyncIterable<Found> | Iterable<Found>,
  { engine, records, peer }: { readonly engine: Engine; readonly records: Records; readonly peer: Peer },
): Promise<ImportReport> {
  let imported = 0
  let present = 0
  const left: Remark[] = []
  const notes: Remark[] = []
  for await (const found of objects) {
    const { id } = found
    if ((await records.revision(peer.scope, id)) > 0) {
      present++
      continue
    }
    const outcome = await importOne(found, engine, peer)
    if ('problem' in outcome) left.push({ id, text: outcome.problem })
    else {
      imported++
      notes.push(...outcome.notes.map(text => ({ id, text })))
    }
  }
  return { imported, present, left, notes }
}

type Outcome = { readonly problem: string } | { readonly notes: readonly string[] }

async function importOne(found: Found, engine: Engine, peer: Peer): Promise<Outcome> {
  let readable: Readable
  try {
    readable = await found.read()
  } catch (e) {
    if (!(e instanceof Unreadable)) throw e
    return { problem: e.message }
  }
  const { object, attributes, notes = [] } = readable
  const problem = await tryImport(found.id, object, attributes, engine, peer)
  if (problem === undefined) return { notes }
  // A name may be what is refused, since others do not ask that it be the only one; then it is kept as another attribute.
  const renamed = attributes.map(alternative)
  if (renamed.every((one, i) => one === attributes[i])) return { problem }
  if ((await tryImport(found.id, object, renamed, engine, peer)) !== undefined) return { problem }
  const names = attributes.flatMap(one => nameOf(one) ?? [])
  return { notes: [...notes, `another object has its Name, so it has it as Alternative Name: ${names.join(', ')}`] }
}

/** @returns why it was refused; nothing: it is stored */
async function tryImport(id: string, object: Item, attributes: readonly Item[], engine: Engine, peer: Peer): Promise<string | undefined> {
  const payload = [text(TAG.UniqueIdentifier, id), boolean(TAG.ReplaceExisting, false), ...attributes, object]
  const { bytes } = await engine.answer(encode(requestMessage([{ operation: 'Import', payload }])), peer)
  const [item] = responseItems(decode(bytes))
  if (item?.status === ENUM.ResultStatus.Success) return undefined
  return item?.message ?? (item?.reason === undefined ? 'refused' : enumName('ResultReason', item.reason))
}

const isName = (one: Item): boolean => child(one, TAG.AttributeName)?.value === 'Name'

function nameOf(one: Item): string | undefined {
  const value = isName(one) ? child(one, TAG.AttributeValue) : undefined
  const name = value && child(value, TAG.NameValue)?.value
  return typeof name === 'string' ? name : undefined
}

/** A Name as Alternative Name; another attribute as it is. Spec: KMIP 1.4 section 3.40 */
function alternative(one: Structure): Structure {
  const name = nameOf(one)
  if (name === undefined) return one
  return attribute(
    structure(TAG.AlternativeName, [
      text(TAG.AlternativeNameValue, name),
      enumeration(TAG.AlternativeNameType, ENUM.AlternativeNameType.UninterpretedTextString),
    ]),
  )
}
