import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { requestMessage } from '../../src/client/message.ts'
import type { Settings } from '../../src/ops/context.ts'
import { createEngine } from '../../src/ops/create-engine.ts'
import type { AuditEntry, Engine, Peer } from '../../src/ops/engine.ts'
import { localProvider, newLocalKey } from '../../src/seal/local-provider.ts'
import type { Records } from '../../src/seal/records.ts'
import { openRecords } from '../../src/seal/sealed-records.ts'
import { openMemory } from '../../src/store/memory.ts'
import { decode, encode } from '../../src/ttlv/binary.ts'
import { ENUM, ENUM_VERSIONS, MASK } from '../../src/ttlv/enumerations.ts'
import {
  bytes,
  child,
  enumeration,
  enumName,
  type Item,
  integer,
  retag,
  structure,
  TYPE,
  tagName,
  tagTitle,
  text,
} from '../../src/ttlv/item.ts'
import { TAG } from '../../src/ttlv/tags.ts'

export const U = MASK.CryptographicUsageMask
export const VERSIONS = [10, 11, 12, 13, 14, 20, 21] as const
export type Name = keyof typeof ENUM.Operation
export type Step = readonly [Name | number, ...Item[]]

export interface Options {
  readonly maximumResponseSize?: number
  readonly errorContinuation?: 'Continue' | 'Stop' | 'Undo'
  readonly batchOrder?: boolean
  readonly credentials?: readonly Item[]
}

/** One batch item of an answer. */
export class Reply {
  readonly item: Item
  constructor(item: Item) {
    this.item = item
  }
  #enum(tag: number, name: string): string | undefined {
    const value = child(this.item, tag)?.value
    return typeof value === 'number' ? enumName(name, value) : undefined
  }
  get operation(): string | undefined {
    return this.#enum(TAG.Operation, 'Operation')
  }
  get status(): string {
    return this.#enum(TAG.ResultStatus, 'ResultStatus') ?? 'none'
  }
  get reason(): string | undefined {
    return this.#enum(TAG.ResultReason, 'ResultReason')
  }
  get message(): string | undefined {
    return child(this.item, TAG.ResultMessage)?.value as string | undefined
  }
  get batchId(): Buffer | undefined {
    return child(this.item, TAG.UniqueBatchItemID)?.value as Buffer | undefined
  }
  get payload(): Item | undefined {
    return child(this.item, TAG.ResponsePayload)
  }
  /** `Success`, or the reason why not. */
  get result(): string {
    return this.status === 'Success' ? 'Success' : (this.reason ?? this.status)
  }
  all(tag: number): Item[] {
    return this.payload?.type === TYPE.Structure ? this.payload.value.filter(item => item.tag === tag) : []
  }
  /** The value down a path of tags below the payload. */
  at(...path: number[]): unknown {
    let item = this.payload
    for (const tag of path) item = item && child(item, tag)
    return item?.value
  }
  get id(): string {
    const id = this.at(TAG.UniqueIdentifier)
    if (typeof id !== 'string') throw new Error(`no identifier in ${describe(this)}`)
    return id
  }
  get ids(): string[] {
    return this.all(TAG.UniqueIdentifier).map(item => String(item.value))
  }
  get fields(): string[] {
    return this.payload?.type === TYPE.Structure ? this.payload.value.map(item => tagName(item.tag)) : []
  }
}

const describe = (reply: Reply): string => `${reply.operation} ${reply.status} ${reply.reason ?? ''} ${reply.message ?? ''}`

/** A whole answer, its form checked: what every client relies on. */
export class Message {
  readonly bytes: Buffer
  readonly item: Item
  readonly replies: readonly Reply[]
  readonly entries: readonly AuditEntry[]
  readonly close: boolean
  constructor(answer: { bytes: Buffer; entries: readonly AuditEntry[]; close: boolean }) {
    this.bytes = answer.bytes
    this.entries = answer.entries
    this.close = answer.close
    this.item = decode(answer.bytes)
    this.replies = this.#items.filter(item => item.tag === TAG.BatchItem).map(item => new Reply(item))
    this.#checkForm()
  }
  get #items(): readonly Item[] {
    return this.item.type === TYPE.Structure ? this.item.value : []
  }
  get header(): Item {
    return this.#items[0]!
  }
  get headerFields(): string[] {
    return this.header.type === TYPE.Structure ? this.header.value.map(item => tagName(item.tag)) : []
  }
  get version(): number {
    const version = child(this.header, TAG.ProtocolVersion)!
    return Number(child(version, TAG.ProtocolVersionMajor)!.value) * 10 + Number(child(version, TAG.ProtocolVersionMinor)!.value)
  }
  get results(): string[] {
    return this.replies.map(reply => reply.result)
  }
  get reply(): Reply {
    return this.replies[0]!
  }
  #checkForm(): void {
    const fail = (problem: string): never => {
      throw new Error(`malformed answer: ${problem}`)
    }
    if (this.item.tag !== TAG.ResponseMessage || this.header?.tag !== TAG.ResponseHeader) fail('no response message')
    const rest = this.headerFields.filter(name => name !== 'ClientCorrelationValue' && name !== 'ServerHashedPassword')
    if (rest.join() !== `ProtocolVersion,TimeStamp${this.version < 30 ? ',BatchCount' : ''}`) fail(`header ${this.headerFields}`)
    if (this.version < 14 && rest.length !== this.headerFields.length) fail('a correlation value before 1.4')
    if (this.version < 30 && child(this.header, TAG.BatchCount)?.value !== this.replies.length) fail('Batch Count')
    if (this.#items.some((item, at) => at > 0 && item.tag !== TAG.BatchItem)) fail('more than batch items')
    for (const reply of this.replies) {
      const failed = reply.status === 'OperationFailed'
      if (failed && (reply.reason === undefined || !reply.message)) fail(`no reason or message: ${describe(reply)}`)
      if (!failed && (reply.reason !== undefined || reply.message !== undefined)) fail(`reason without failure: ${describe(reply)}`)
      const isPending = reply.status === 'OperationPending'
      if (isPending && child(reply.item, TAG.AsynchronousCorrelationValue) === undefined) fail('pending without a correlation value')
      if (!failed && !isPending && reply.payload === undefined) fail('no payload')
      const [since, until] = ENUM_VERSIONS.ResultReason?.[reply.reason ?? ''] ?? [10, 30]
      if (this.version >= 10 && this.version <= 30 && (this.version < since || this.version > until))
        fail(`${reply.reason} is no reason of ${this.version}`)
      if (reply.reason?.startsWith('0x')) fail(`reason ${reply.reason}`)
    }
  }
}

/** An engine over a store in memory, with a clock that stands still until it is set. */
export class Lab {
  readonly records: Records
  readonly engine: Engine
  /** Seconds since 1970. */
  now = 1_700_000_000n
  #ids = 0
  constructor(records: Records, settings: Partial<Settings>) {
    this.records = records
    this.engine = this.anotherEngine(settings)
  }
  /** As another process over the same records would have it. */
  anotherEngine(settings: Partial<Settings> = {}): Engine {
    // Nobody here has a credential, so none is replaced; but the operation is there.
    const replace = async (): Promise<undefined> => undefined
    return createEngine({ records: this.records, now: () => this.now, randomBytes, newId: () => this.newId(), settings, replace })
  }
  newId(): string {
    return `00000000-0000-4000-8000-${String(++this.#ids).padStart(12, '0')}`
  }
  client(
    options: {
      scope?: string
      role?: string
      serial?: string
      may?: (operation: string) => boolean
      engine?: Engine
      version?: number
    } = {},
  ): Client {
    const { scope = 'scope-1', role = 'role', serial = '1', may = () => true, engine = this.engine, version = 14 } = options
    return new Client(engine, { scope, scopeName: scope, role, serial, may }, version)
  }
}

export async function makeLab(settings: Partial<Settings> = {}): Promise<Lab> {
  return new Lab(await openRecords({ store: await openMemory(), providers: [localProvider(newLocalKey())] }), settings)
}

/** One client of an engine, speaking one version. */
export class Client {
  readonly engine: Engine
  readonly peer: Peer
  readonly version: number
  constructor(engine: Engine, peer: Peer, version: number) {
    this.engine = engine
    this.peer = peer
    this.version = version
  }
  in(version: number): Client {
    return new Client(this.engine, this.peer, version)
  }
  async raw(request: Buffer): Promise<Message> {
    return new Message(await this.engine.answer(request, this.peer))
  }
  send(steps: readonly Step[], options: Options = {}): Promise<Message> {
    const operations = steps.map(([operation, ...payload]) => ({ operation, payload }))
    return this.raw(encode(requestMessage(operations, { version: this.version, ...options })))
  }
  /** The answer to one operation, whatever it says. */
  async try(operation: Name | number, ...payload: Item[]): Promise<Reply> {
    return (await this.send([[operation, ...payload]])).reply
  }
  /** The answer to an operation that must succeed. */
  async ok(operation: Name, ...payload: Item[]): Promise<Reply> {
    const reply = await this.try(operation, ...payload)
    if (reply.status !== 'Success') throw new Error(describe(reply))
    return reply
  }
  /** `Success`, or the reason why not. */
  async result(operation: Name, ...payload: Item[]): Promise<string> {
    return (await this.try(operation, ...payload)).result
  }

  /** Attributes under their own tags as the version writes them, in a Template-Attribute or in Attributes. */
  template(items: readonly Item[], tag: number = TAG.TemplateAttribute): Item {
    return this.version < 20 ? structure(tag, items.map(attribute)) : structure(TAG_OF_V2.get(tag) ?? tag, items)
  }
  async create(items: readonly Item[] = [], length = 256): Promise<string> {
    const taken = new Set(items.map(item => item.tag))
    const all = [...AES.filter(item => !taken.has(item.tag)), ...(taken.has(TAG.CryptographicLength) ? [] : [bits(length)]), ...items]
    return (await this.ok('Create', objectType('SymmetricKey'), this.template(all))).id
  }
  async active(items: readonly Item[] = []): Promise<string> {
    const id = await this.create(items)
    await this.ok('Activate', uid(id))
    return id
  }
  async register(type: keyof typeof ENUM.ObjectType, object: Item, items: readonly Item[] = []): Promise<string> {
    return (await this.ok('Register', objectType(type), this.template(items), object)).id
  }
  /** Values of an attribute by its 1.x name. */
  async values(id: string, title: string): Promise<unknown[]> {
    const reply = await this.in(14).ok('GetAttributes', uid(id), text(TAG.AttributeName, title))
    return reply.all(TAG.Attribute).map(item => plain(child(item, TAG.AttributeValue)!))
  }
  async value(id: string, title: string): Promise<unknown> {
    return (await this.values(id, title))[0]
  }
  async state(id: string): Promise<string> {
    return enumName('State', Number(await this.value(id, 'State')))
  }
  /** Identifiers that a Locate with these attributes answers. */
  async locate(items: readonly Item[], ...fields: Item[]): Promise<string[]> {
    const attributes = this.version < 20 ? items.map(attribute) : [structure(TAG.Attributes, items)]
    return (await this.ok('Locate', ...fields, ...attributes)).ids
  }
}

const TAG_OF_V2 = new Map<number, number>([
  [TAG.TemplateAttribute, TAG.Attributes],
  [TAG.CommonTemplateAttribute, TAG.CommonAttributes],
  [TAG.PrivateKeyTemplateAttribute, TAG.PrivateKeyAttributes],
  [TAG.PublicKeyTemplateAttribute, TAG.PublicKeyAttributes],
])

/** A value without its item: structures become lists of values. */
export const plain = (item: Item): unknown => (item.type === TYPE.Structure ? item.value.map(plain) : item.value)

/** An Attribute of 1.x; one that is one already stays. */
export const attribute = (item: Item): Item => (item.tag === TAG.Attribute ? item : custom(tagTitle(item.tag), item))
export const custom = (name: string, value: Item, index?: number): Item =>
  structure(TAG.Attribute, [
    text(TAG.AttributeName, name),
    ...(index === undefined ? [] : [integer(TAG.AttributeIndex, index)]),
    retag(value, TAG.AttributeValue),
  ])
export const indexed = (item: Item, index: number): Item => custom(tagTitle(item.tag), item, index)
export const x = (name: string, value: string): Item => custom(`x-${name}`, text(TAG.AttributeValue, value))

export const uid = (id: string): Item => text(TAG.UniqueIdentifier, id)
export const named = (title: string): Item => text(TAG.AttributeName, title)
export const objectType = (name: keyof typeof ENUM.ObjectType): Item => enumeration(TAG.ObjectType, ENUM.ObjectType[name])
export const algorithm = (name: keyof typeof ENUM.CryptographicAlgorithm): Item =>
  enumeration(TAG.CryptographicAlgorithm, ENUM.CryptographicAlgorithm[name])
export const bits = (length: number): Item => integer(TAG.CryptographicLength, length)
export const usage = (mask: number): Item => integer(TAG.CryptographicUsageMask, mask)
export const name = (value: string): Item =>
  structure(TAG.Name, [text(TAG.NameValue, value), enumeration(TAG.NameType, ENUM.NameType.UninterpretedTextString)])
export const group = (value: string): Item => text(TAG.ObjectGroup, value)
export const AES: readonly Item[] = [algorithm('AES'), usage(U.Encrypt | U.Decrypt)]

export const parameters = (fields: {
  mode?: keyof typeof ENUM.BlockCipherMode
  padding?: keyof typeof ENUM.PaddingMethod
  hash?: keyof typeof ENUM.HashingAlgorithm
  signature?: keyof typeof ENUM.DigitalSignatureAlgorithm
  algorithm?: keyof typeof ENUM.CryptographicAlgorithm
  randomIv?: boolean
  tagLength?: number
}): Item =>
  structure(TAG.CryptographicParameters, [
    ...(fields.mode ? [enumeration(TAG.BlockCipherMode, ENUM.BlockCipherMode[fields.mode])] : []),
    ...(fields.padding ? [enumeration(TAG.PaddingMethod, ENUM.PaddingMethod[fields.padding])] : []),
    ...(fields.hash ? [enumeration(TAG.HashingAlgorithm, ENUM.HashingAlgorithm[fields.hash])] : []),
    ...(fields.signature ? [enumeration(TAG.DigitalSignatureAlgorithm, ENUM.DigitalSignatureAlgorithm[fields.signature])] : []),
    ...(fields.algorithm ? [algorithm(fields.algorithm)] : []),
    ...(fields.randomIv === undefined ? [] : [{ tag: TAG.RandomIV, type: TYPE.Boolean, value: fields.randomIv } as const]),
    ...(fields.tagLength === undefined ? [] : [integer(TAG.TagLength, fields.tagLength)]),
  ])

export interface BlockFields {
  readonly format?: keyof typeof ENUM.KeyFormatType
  readonly compression?: number
  readonly algorithm?: keyof typeof ENUM.CryptographicAlgorithm
  readonly length?: number
  readonly wrapping?: Item
}
/** A Key Block; `material` is bytes, or a whole Key Value or Key Material item. */
export function keyBlock(material: Buffer | Item | undefined, fields: BlockFields = {}): Item {
  const value =
    material === undefined
      ? []
      : Buffer.isBuffer(material)
        ? [structure(TAG.KeyValue, [bytes(TAG.KeyMaterial, material)])]
        : material.tag === TAG.KeyValue
          ? [material]
          : [structure(TAG.KeyValue, [material])]
  return structure(TAG.KeyBlock, [
    enumeration(TAG.KeyFormatType, ENUM.KeyFormatType[fields.format ?? 'Raw']),
    ...(fields.compression === undefined ? [] : [enumeration(TAG.KeyCompressionType, fields.compression)]),
    ...value,
    ...(fields.algorithm === undefined ? [] : [algorithm(fields.algorithm)]),
    ...(fields.length === undefined ? [] : [bits(fields.length)]),
    ...(fields.wrapping ? [fields.wrapping] : []),
  ])
}
export const symmetricKey = (key: Buffer, fields: BlockFields = {}): Item =>
  structure(TAG.SymmetricKey, [keyBlock(key, { algorithm: 'AES', length: key.length * 8, ...fields })])
export const secretData = (secret: Buffer, kind: keyof typeof ENUM.SecretDataType = 'Password'): Item =>
  structure(TAG.SecretData, [enumeration(TAG.SecretDataType, ENUM.SecretDataType[kind]), keyBlock(secret, { format: 'Opaque' })])
export const opaque = (content: Buffer, type = 0x80000000): Item =>
  structure(TAG.OpaqueObject, [enumeration(TAG.OpaqueDataType, type), bytes(TAG.OpaqueDataValue, content)])
export const revocation = (code: keyof typeof ENUM.RevocationReasonCode, message?: string): Item =>
  structure(TAG.RevocationReason, [
    enumeration(TAG.RevocationReasonCode, ENUM.RevocationReasonCode[code]),
    ...(message === undefined ? [] : [text(TAG.RevocationMessage, message)]),
  ])
export const usageLimits = (total: number, unit: keyof typeof ENUM.UsageLimitsUnit = 'Object', count?: number): Item =>
  structure(TAG.UsageLimits, [
    { tag: TAG.UsageLimitsTotal, type: TYPE.LongInteger, value: BigInt(total) },
    ...(count === undefined ? [] : [{ tag: TAG.UsageLimitsCount, type: TYPE.LongInteger, value: BigInt(count) } as const]),
    enumeration(TAG.UsageLimitsUnit, ENUM.UsageLimitsUnit[unit]),
  ])
export const data = (value: Buffer | string): Item => bytes(TAG.Data, Buffer.from(value as string))

/** Requests recorded from a client program, by the names that `fixtures/clients/<client>.txt` gives them. */
export function captured(client: string): Map<string, Buffer> {
  const lines = readFileSync(new URL(`../../fixtures/clients/${client}.txt`, import.meta.url), 'utf8').split('\n')
  return new Map(
    lines
      .filter(line => line !== '' && !line.startsWith('#'))
      .map(line => {
        const [key = '', hex = ''] = line.split(' ')
        return [key, Buffer.from(hex, 'hex')]
      }),
  )
}
export const CAPTURED_CLIENTS = ['libkmip', 'kmippp', 'pymongocrypt', 'kmip-go', 'pykmip', 'pykmip-2.0', 'cyphera-kmip'] as const

/** Change items of a message wherever they stand. */
export const rewrite = (item: Item, change: (item: Item) => Item | undefined): Item =>
  change(item) ??
  (item.type === TYPE.Structure
    ? structure(
        item.tag,
        item.value.map(field => rewrite(field, change)),
      )
    : item)

/** A recorded request about another object. */
export const withId = (request: Buffer, id: string): Buffer =>
  encode(rewrite(decode(request), item => (item.tag === TAG.UniqueIdentifier ? uid(id) : undefined)))
