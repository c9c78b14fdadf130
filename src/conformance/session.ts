import { ENUM } from '../ttlv/enumerations.ts'
import { child, type Item, TYPE } from '../ttlv/item.ts'
import type { Version } from '../ttlv/spec.ts'
import { TAG } from '../ttlv/tags.ts'
import type { Sender } from './case.ts'
import { IDENTIFIERS } from './rules.ts'

/** An object that a case made and has not destroyed yet. */
export interface Left {
  readonly id: Item
  readonly sender: Sender
  readonly version: Version
  /** The Authentication of the request that made it. */
  readonly authentication: Item | undefined
}

/** What is known of an object that the case met. */
interface Origin {
  /** The client chose its bytes, so that all that follows from them can be foretold. */
  readonly registered: boolean
  readonly algorithm: number | undefined
}

const { Operation, ResultStatus } = ENUM
const GENERATING: ReadonlySet<number> = new Set([
  Operation.Create,
  Operation.CreateKeyPair,
  Operation.ReKey,
  Operation.ReKeyKeyPair,
  Operation.Certify,
  Operation.ReCertify,
  Operation.CreateSplitKey,
])
const REGISTERING: ReadonlySet<number> = new Set([
  Operation.Register,
  Operation.Import,
  Operation.CreateUser,
  Operation.CreateGroup,
  Operation.CreateCredential,
])
const DERIVING: ReadonlySet<number> = new Set([Operation.DeriveKey, Operation.JoinSplitKey])

/** What one run of a case, with the cases that set it up, has learnt from the exchange so far. */
export class Session {
  /** Literal values of the case that the server made differently, and what it made of them. */
  readonly samples = new Map<string, Item>()
  /** The last value returned in each field. */
  readonly last = new Map<number, Item>()
  /** Dates that requests fixed, in seconds. */
  readonly dates = new Set<bigint>()
  /** Texts that requests carried. */
  readonly texts = new Set<string>()
  readonly #origins = new Map<string, Origin>()
  readonly #left = new Map<string, Left>()

  /** Objects that are still there, the newest first. */
  get left(): Left[] {
    return [...this.#left.values()].reverse()
  }

  /** What is known of an object; nothing is, if it was there before. */
  originOf(id: string): Origin | undefined {
    return this.#origins.get(id)
  }

  /** Take in a request before it is sent. */
  sent(request: Item): void {
    for (const item of everyItem(request)) {
      if (item.type === TYPE.DateTime) this.dates.add(item.value)
      else if (item.type === TYPE.TextString) this.texts.add(item.value)
    }
  }

  /** Take in a response. */
  received(request: Item, response: Item, sender: Sender, version: Version): void {
    for (const item of everyItem(response)) this.last.set(item.tag, item)
    const header = child(request, TAG.RequestHeader)
    const authentication = header && child(header, TAG.Authentication)
    const asked = batchItems(request)
    batchItems(response).forEach((answer, index) => {
      const question = asked[index]
      const operation = numberIn(answer, TAG.Operation)
      const payload = child(answer, TAG.ResponsePayload)
      if (numberIn(answer, TAG.ResultStatus) !== ResultStatus.Success || payload === undefined || operation === undefined) return
      if (operation === Operation.Destroy) {
        for (const id of identifiersIn(payload)) this.#left.delete(String(id.value))
        return
      }
      const generated = GENERATING.has(operation)
      const derived = DERIVING.has(operation)
      if (!generated && !derived && !REGISTERING.has(operation)) return
      const algorithm = question && algorithmIn(question)
      const basis = question === undefined ? [] : identifiersIn(child(question, TAG.RequestPayload) ?? question)
      const registered = !generated && (!derived || basis.every(id => this.#origins.get(String(id.value))?.registered === true))
      for (const id of identifiersIn(payload)) {
        const key = String(id.value)
        this.#origins.set(key, { registered, algorithm: algorithm ?? this.#origins.get(String(basis[0]?.value))?.algorithm })
        this.#left.set(key, { id, sender, version, authentication })
      }
    })
  }
}

/** Every item of a tree, itself first. */
export function* everyItem(item: Item): Generator<Item> {
  yield item
  if (item.type === TYPE.Structure) for (const field of item.value) yield* everyItem(field)
}

export const batchItems = (message: Item): Item[] =>
  message.type === TYPE.Structure ? message.value.filter(item => item.tag === TAG.BatchItem) : []

/** Number of an Enumeration or Integer among the fields. */
export function numberIn(item: Item, tag: number): number | undefined {
  const value = child(item, tag)?.value
  return typeof value === 'number' ? value : undefined
}

/** Identifiers of objects among the fields themselves. */
export const identifiersIn = (payload: Item): Item[] =>
  payload.type === TYPE.Structure
    ? payload.value.filter(item => IDENTIFIERS.has(item.tag) && item.tag !== TAG.ShortUniqueIdentifier && typeof item.value === 'string')
    : []

/** The cryptographic algorithm that a request names, in a key block or among attributes. */
function algorithmIn(request: Item): number | undefined {
  for (const item of everyItem(request)) {
    if (item.tag === TAG.CryptographicAlgorithm && item.type === TYPE.Enumeration) return item.value
    if (item.tag === TAG.Attribute && child(item, TAG.AttributeName)?.value === 'Cryptographic Algorithm')
      return numberIn(item, TAG.AttributeValue)
  }
  return undefined
}
