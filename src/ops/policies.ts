import type { UnitOfWork } from '../objects/unit-of-work.ts'
import type { Records } from '../seal/records.ts'
import { decode, encode } from '../ttlv/binary.ts'
import type { Constraints, DefaultsInformation } from '../ttlv/payloads/policies.ts'
import { Policy as PolicyFields } from '../ttlv/payloads/policies.ts'
import { read, type Value, writeStructure } from '../ttlv/spec.ts'

export type Constraint = Value<typeof Constraints>['constraint'][number]
export type ObjectDefaults = Value<typeof DefaultsInformation>['objectDefaults'][number]

/** What the clients of a scope have set for everything that is made in it. */
export interface Policy {
  readonly constraints: readonly Constraint[]
  readonly defaults: readonly ObjectDefaults[]
}

/** Where they are kept, one a scope; apart from the scopes' own objects. */
const PARTITION = 'policies'
/** Stands around a stored policy; extension tags that never appear on the wire. */
const RECORD = 0x54f010
const NEWEST = 21
const NONE: Policy = { constraints: [], defaults: [] }

interface Known {
  readonly policy: Policy
  readonly revision: number
}

interface Asked {
  /** The store's version at which it was asked. */
  readonly version: number
  readonly answer: Promise<Known>
}

/** Constraints and defaults of each scope, in clear; what another process sets counts at once. Spec: KMIP 2.1 section 7.7, 7.11 */
export class Policies {
  readonly #records: Records
  readonly #known = new Map<string, Known>()
  readonly #asked = new Map<string, Asked>()

  constructor(records: Records) {
    this.#records = records
  }

  /** As the unit of work sees them, its own changes included. @throws StoreError, SealError */
  async of(unit: UnitOfWork): Promise<Policy> {
    const written = unit.written(PARTITION, unit.scope)?.body
    return written ? fromBody(written) : (await this.#read(unit.scope)).policy
  }

  /** Change them with the unit of work. @throws StoreError, SealError */
  async change(unit: UnitOfWork, change: Partial<Policy>): Promise<void> {
    const policy = { ...(await this.of(unit)), ...change }
    const expect = unit.written(PARTITION, unit.scope)?.expect ?? (await this.#read(unit.scope)).revision
    unit.write({ partition: PARTITION, id: unit.scope, expect, body: toBody(policy) })
  }

  /** All that ask at one version of the store share an answer. */
  #read(scope: string): Promise<Known> {
    const version = this.#records.version()
    const asked = this.#asked.get(scope)
    if (asked?.version === version) return asked.answer
    const answer = this.#ask(scope)
    this.#asked.set(scope, { version, answer })
    return answer
  }

  async #ask(scope: string): Promise<Known> {
    try {
      const revision = await this.#records.revision(PARTITION, scope)
      const before = this.#known.get(scope)
      if (before?.revision === revision) return before
      const record = revision === 0 ? undefined : await this.#records.get(PARTITION, scope)
      const known: Known = { policy: record ? fromBody(record.body) : NONE, revision: record?.revision ?? 0 }
      this.#known.set(scope, known)
      return known
    } catch (error) {
      this.#asked.delete(scope)
      throw error
    }
  }
}

function toBody({ constraints, defaults }: Policy): Buffer {
  const value = { constraints: { constraint: constraints }, defaults: { objectDefaults: defaults } }
  return encode(writeStructure(RECORD, value, PolicyFields, NEWEST))
}

function fromBody(body: Buffer): Policy {
  const { constraints, defaults } = read(decode(body), PolicyFields)
  return { constraints: constraints.constraint, defaults: defaults.objectDefaults }
}
