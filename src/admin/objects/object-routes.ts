import { type Operation, requestMessage, responseItems } from '../../client/message.ts'
import type { AuditEntry, Engine as KmipEngine, Peer } from '../../ops/engine.ts'
import type { Mount } from '../../scopes/mounts.ts'
import type { Records } from '../../seal/records.ts'
import { ENUM } from '../../ttlv/enumerations.ts'
import { enumeration, enumName, structure, text } from '../../ttlv/item.ts'
import { TAG } from '../../ttlv/tags.ts'
import { AdminError } from '../error.ts'
import type { Fields } from '../fields.ts'
import { orNothing } from '../kmip/engine.ts'
import { type Answer, type Call, routeFor } from '../route.ts'
import { Inventory } from './inventory.ts'

/** Who did something with the token of an administrator, for the audit log. */
export interface ActingFor extends Pick<Peer, 'scope' | 'scopeName' | 'role' | 'serial'> {
  readonly address: string
}

/** A record of the audit log, as far as it is shown. */
export interface HistoryEntry {
  /** ISO 8601. */
  readonly time: string
  readonly operation: string
  readonly scope?: string
  readonly role?: string
  readonly id?: string
  readonly status: string
  readonly reason?: string
  readonly remote?: string
  readonly path?: string
  readonly user?: string
}

/** A request that was refused, in whole or in part. */
export interface RequestTrace {
  /** ISO 8601. */
  readonly time: string
  readonly role: string
  /** Decimal. */
  readonly serial_number: string
  /** What was wrong, item by item: which operation, the Result Reason, and the message that names field and rule. */
  readonly problems: readonly { readonly operation: string; readonly reason: string; readonly message: string }[]
  /** As an indented tree; values that are or may be secret are hidden. */
  readonly request: string
}

export interface HistoryQuery {
  /** Partition of the objects. */
  readonly partition?: string
  /** Name. */
  readonly scope?: string
  readonly role?: string
  readonly operation?: string
  /** Of an object. */
  readonly id?: string
  readonly status?: string
  readonly limit: number
  /** `next` of the page before. */
  readonly after?: string
}

/** Newest first. */
export interface HistoryPage {
  readonly entries: readonly HistoryEntry[]
  /** Where to go on, if there may be more. */
  readonly next?: string
}

/** What administrators look at objects with, and end them. */
export interface ObjectServices {
  readonly records: Records
  readonly kmip: KmipEngine
  /** The same for clients: within their limits, and traced. */
  readonly clients: KmipEngine
  /** To the audit log, before the answer leaves. */
  record(acting: ActingFor, entries: readonly AuditEntry[]): void
  /** From the audit log. @throws AdminError for an `after` that is none */
  history(query: HistoryQuery): Promise<HistoryPage>
  /** Traces of refused requests, newest first. */
  traces(partition: string): Promise<readonly RequestTrace[]>
  forgetTraces(partition: string): Promise<void>
  /** Seconds since 1970. */
  now(): bigint
}

export interface ObjectContext extends ObjectServices {
  readonly mount: Mount
}

const route = routeFor<ObjectContext>()
const SCOPE = { scope: 'Name of the scope.' }
const OBJECT = { ...SCOPE, object: 'Unique identifier of the object.' }
const LIMIT = 100
const MOST = 1000

const FILTERS = {
  name: { type: 'string', description: 'Part of a name, whatever its case.' },
  type: { type: 'string', description: 'Object type, such as SymmetricKey.' },
  state: {
    type: 'string',
    description: 'State.',
    allowed: ['Pre-Active', 'Active', 'Deactivated', 'Compromised', 'Destroyed', 'Destroyed Compromised'],
  },
  attribute: { type: 'pairs', description: 'Values of attributes by their names, as cryptographic_algorithm=AES.' },
  made_after: { type: 'string', description: 'ISO 8601; made then or later.' },
  made_before: { type: 'string', description: 'ISO 8601; made earlier.' },
  after: { type: 'string', description: 'The last identifier of the page before.' },
  limit: { type: 'integer', default: LIMIT, description: `How many at most, up to ${MOST}.` },
} as const satisfies Fields

const INFO = {
  type: { type: 'string', description: 'Object type.' },
  state: { type: 'string', description: 'State, by its dates.' },
  names: { type: 'list', description: 'Its names.' },
  algorithm: { type: 'string', description: 'Cryptographic algorithm.' },
  length: { type: 'integer', description: 'Bits.' },
  initial_date: { type: 'string', description: 'When it was made, ISO 8601.' },
} as const satisfies Fields

async function inventoryOf({ mount, records, now }: ObjectContext, scope: string): Promise<Inventory | undefined> {
  const partition = await orNothing(mount.scopes.objectsOf(scope))
  return partition === undefined ? undefined : new Inventory(records, partition, now)
}

function instant(name: string, value: string | undefined): number | undefined {
  if (value === undefined || value === '') return undefined
  const ms = Date.parse(value)
  if (Number.isNaN(ms)) throw new AdminError(400, `${name} is no time; write one such as 2026-01-31T12:00:00Z`)
  return ms
}

/** Do a KMIP operation on an object of a scope, in the name of who asks. @throws AdminError */
async function perform(context: ObjectContext, { caller, request, params }: Call<'scope' | 'object'>, operation: Operation): Promise<void> {
  const partition = await orNothing(context.mount.scopes.objectsOf(params.scope))
  if (partition === undefined) throw new AdminError(404)
  const role = `administrator ${caller?.displayName ?? ''}`
  const peer = { scope: partition, scopeName: params.scope, role, serial: '-', may: () => true }
  const { message, entries } = await context.kmip.answerItem(requestMessage([operation], { version: 21 }), peer)
  context.record({ ...peer, address: request.remoteAddress }, entries)
  const [item] = responseItems(message)
  if (item?.status === ENUM.ResultStatus.Success) return
  const reason = item?.reason === undefined ? 'failed' : enumName('ResultReason', item.reason)
  throw new AdminError(
    item?.reason === ENUM.ResultReason.ObjectNotFound ? 404 : 400,
    `${reason}: ${item?.message ?? 'the operation failed'}`,
  )
}

const PAGE = {
  limit: { type: 'integer', default: LIMIT, description: `How many records at most, up to ${MOST}.` },
  after: { type: 'string', description: 'What next said in the page before.' },
} as const satisfies Fields
const FOUND = {
  entries: { type: 'list', description: 'Records, newest first.' },
  next: { type: 'string', description: 'Where to go on, if there may be more.' },
} as const satisfies Fields

const pageOf = ({ limit = LIMIT, after }: { readonly limit?: number | undefined; readonly after?: string | undefined }) => ({
  limit: Math.min(Math.max(limit, 1), MOST),
  ...(after && { after }),
})

const REASONS = Object.keys(ENUM.RevocationReasonCode)
const isReason = (name: string): name is keyof typeof ENUM.RevocationReasonCode => REASONS.includes(name)

const BASE = 'scope/:scope/object'

/** Within an engine: the managed objects of its scopes, never what they are made of. Vault has none of it. */
export const OBJECT_ROUTES = [
  route({
    path: BASE,
    summary: 'The managed objects of a scope, newest first; never what they are made of.',
    params: SCOPE,
    fields: FILTERS,
    actions: {
      list: {
        takes: ['name', 'type', 'state', 'attribute', 'made_after', 'made_before', 'after', 'limit'],
        async run({ params, fields }, context): Promise<Answer | undefined> {
          const { name, type, state, attribute, made_after, made_before, after, limit = LIMIT } = fields
          if (limit < 1 || limit > MOST) throw new AdminError(400, `limit is between 1 and ${MOST}`)
          const [madeAfterMs, madeBeforeMs] = [instant('made_after', made_after), instant('made_before', made_before)]
          const filters = {
            ...(name && { name }),
            ...(type && { type }),
            ...(state && { state }),
            ...(attribute && { attributes: attribute }),
            ...(madeAfterMs !== undefined && { madeAfterMs }),
            ...(madeBeforeMs !== undefined && { madeBeforeMs }),
          }
          const inventory = await inventoryOf(context, params.scope)
          const list = await inventory?.list(filters, { limit, ...(after && { after }) })
          if (!list || (list.found.length === 0 && list.next === undefined)) return undefined
          const { found, next } = list
          return {
            data: { keys: found.map(([id]) => id), key_info: Object.fromEntries(found), ...(next !== undefined && { next }) },
            ...(found.length < limit && next !== undefined && { warnings: [`not all objects were looked at; go on with after=${next}`] }),
          }
        },
      },
    },
  }),
  route({
    path: `${BASE}/:object`,
    summary: 'A managed object: its attributes, never what it is made of.',
    params: OBJECT,
    fields: { confirm: { type: 'string', description: 'The identifier once more: nothing brings a destroyed object back.' } },
    actions: {
      read: {
        answer: { ...INFO, attributes: { type: 'object', description: 'By their names in snake case.' } },
        async run({ params }, context) {
          const facts = await (await inventoryOf(context, params.scope))?.read(params.object)
          return facts && { data: { ...facts } }
        },
      },
      delete: {
        summary: 'Destroy the object. Its attributes stay; what it is made of is gone, and what was encrypted with it is lost.',
        takes: ['confirm'],
        async run(call, context) {
          const { object } = call.params
          if (call.fields.confirm !== object) throw new AdminError(400, 'to destroy the object, repeat its identifier as confirm')
          await perform(context, call, { operation: 'Destroy', payload: [text(TAG.UniqueIdentifier, object)] })
          return undefined
        },
      },
    },
  }),
  route({
    path: `${BASE}/:object/revoke`,
    summary: 'Revoke a managed object: it protects nothing new from now on.',
    params: OBJECT,
    fields: {
      reason: {
        type: 'string',
        default: 'CessationOfOperation',
        allowed: REASONS,
        description: 'Why; KeyCompromise makes it compromised.',
      },
      message: { type: 'string', description: 'Said with the reason.' },
    },
    actions: {
      write: {
        statuses: [204],
        async run(call, context) {
          const { reason = 'CessationOfOperation', message } = call.fields
          if (!isReason(reason)) throw new AdminError(400, `reason is one of ${REASONS.join(', ')}`)
          const why = [enumeration(TAG.RevocationReasonCode, ENUM.RevocationReasonCode[reason])]
          if (message !== undefined) why.push(text(TAG.RevocationMessage, message))
          const payload = [text(TAG.UniqueIdentifier, call.params.object), structure(TAG.RevocationReason, why)]
          await perform(context, call, { operation: 'Revoke', payload })
          return undefined
        },
      },
    },
  }),
  route({
    path: `${BASE}/:object/history`,
    summary: 'What the audit log says of a managed object, newest first.',
    params: OBJECT,
    fields: PAGE,
    actions: {
      read: {
        takes: ['limit', 'after'],
        answer: FOUND,
        async run({ params, fields }, context) {
          const partition = await orNothing(context.mount.scopes.objectsOf(params.scope))
          if (partition === undefined) return undefined
          return { data: { ...(await context.history({ partition, id: params.object, ...pageOf(fields) })) } }
        },
      },
    },
  }),
]

/** Within `sys/kmipd/`: search of the audit log. */
export const HISTORY_ROUTES = [
  routeFor<Pick<ObjectServices, 'history'>>()({
    path: 'audit',
    summary: 'Search the audit log, newest first. Vault has no such thing.',
    fields: {
      scope: { type: 'string', description: 'Name of the scope.' },
      role: { type: 'string', description: 'Name of the role.' },
      operation: { type: 'string', description: 'Operation, such as Get; of administrators read, update and so on.' },
      id: { type: 'string', description: 'Unique identifier of an object.' },
      status: { type: 'string', description: 'Result status, such as OperationFailed.' },
      ...PAGE,
    },
    actions: {
      read: {
        takes: ['scope', 'role', 'operation', 'id', 'status', 'limit', 'after'],
        answer: FOUND,
        async run({ fields: { limit, after, ...wanted } }, { history }) {
          const given = Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== ''))
          return { data: { ...(await history({ ...given, ...pageOf({ limit, after }) })) } }
        },
      },
    },
  }),
]
