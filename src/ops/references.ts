import { KmipError } from '../objects/errors.ts'
import { ENUM } from '../ttlv/enumerations.ts'
import { bytes, enumName, type Item, structure, TYPE, text } from '../ttlv/item.ts'
import { TAG } from '../ttlv/tags.ts'
import type { Batch } from './context.ts'
import type { Operation } from './operation.ts'

// From 2.0 on a request may say "the identifier that this operation answered earlier in the batch" instead of an identifier, by an
// enumeration, or by its place among all identifiers answered so far; and "what this operation gave" instead of Data. An answer whose data
// is Ephemeral can be referred to all the same. Spec: KMIP 2.1 section 4.58, 7.9, 11.13, 11.58

const IDENTIFIERS: ReadonlySet<number> = new Set<number>([
  TAG.UniqueIdentifier,
  TAG.PrivateKeyUniqueIdentifier,
  TAG.PublicKeyUniqueIdentifier,
])

/** What operations of cryptography give, and what stands behind the operation's name in the Data enumeration. */
const RESULTS: ReadonlyMap<number, string> = new Map<number, string>([
  [TAG.Data, ''],
  [TAG.MACData, 'MACData'],
  [TAG.SignatureData, 'SignatureData'],
])

/** The payload with references to earlier answers replaced by what these answered. @throws KmipError if there is no such answer */
export function resolveReferences(payload: Item, batch: Batch): Item {
  if (payload.type !== TYPE.Structure || !payload.value.some(isReference)) return payload
  return structure(
    payload.tag,
    payload.value.map(field => {
      if (!isReference(field)) return field
      return field.tag === TAG.Data ? bytes(field.tag, dataOf(field, batch)) : text(field.tag, identifierOf(field, batch))
    }),
  )
}

const isReference = (field: Item): boolean =>
  (IDENTIFIERS.has(field.tag) || field.tag === TAG.Data) && (field.type === TYPE.Enumeration || field.type === TYPE.Integer)

function dataOf(field: Item, batch: Batch): Buffer {
  const data = field.type === TYPE.Integer ? batch.results.at(field.value) : batch.namedResults.get(enumName('Data', Number(field.value)))
  if (data === undefined) throw new KmipError('InvalidField', 'Data refers to an answer that the batch does not have so far')
  return data
}

function identifierOf(field: Item, batch: Batch): string {
  const id =
    field.type === TYPE.Integer
      ? batch.identifiers.at(field.value)
      : field.value === ENUM.UniqueIdentifier.IDPlaceholder
        ? batch.placeholder
        : batch.named.get(enumName('UniqueIdentifier', Number(field.value)))
  if (id === undefined) throw new KmipError('InvalidField', 'the Unique Identifier refers to an answer that the batch does not have so far')
  return id
}

/** Keep the identifiers and the data of an answer for later items to refer to. */
export function remember(operation: Operation, fields: readonly Item[], batch: Batch): void {
  for (const field of fields) {
    const result = RESULTS.get(field.tag)
    if (result !== undefined && field.type === TYPE.ByteString) {
      batch.results.push(field.value)
      batch.namedResults.set(`${operation.name}${result}`, field.value)
    }
    if (field.type !== TYPE.TextString || !IDENTIFIERS.has(field.tag)) continue
    batch.identifiers.push(field.value)
    if (field.tag === TAG.PrivateKeyUniqueIdentifier) batch.named.set(`${operation.name}PrivateKey`, field.value)
    else if (field.tag === TAG.PublicKeyUniqueIdentifier) batch.named.set(`${operation.name}PublicKey`, field.value)
    if (field.tag !== TAG.PublicKeyUniqueIdentifier) batch.named.set(operation.name, field.value)
  }
}
