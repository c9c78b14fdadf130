import type { LookAnswer } from '../store/remote-copy.ts'
import type { ParcelVerdict } from '../store/remote-writer.ts'
import type { UnitsMessage } from '../store/sqlite-message.ts'
import type { Addresses } from './daemon.ts'
import type { KesCall, KesQuestion } from './kes-siblings.ts'

/** One metric of a process as prom-client gives it, to be summed with those of the others. */
export type MetricValues = object

/** What a worker is asked, and what it answers. */
export type Question =
  | { readonly what: 'metrics' | 'unready' | 'reload' }
  /** Listen as the rows of a mount say. */
  | { readonly what: 'apply'; readonly mount: string }
  | { readonly what: 'kes'; readonly question: KesQuestion }

/** Whether a worker is to be another one afterwards. One that is still starting may have read what was there before, so it does that when it serves. */
export const changes = ({ what }: Question): boolean => what === 'reload' || what === 'apply'

export interface Answers {
  metrics: readonly MetricValues[]
  /** Why it cannot answer clients now; nothing if it can. */
  unready: string | undefined
  /** Why it goes on as it was; nothing if it does as the configuration says now. */
  reload: string | undefined
  /** Why it cannot; nothing if it does. */
  apply: string | undefined
  kes: unknown
}

/** What the primary process tells a worker before it starts. */
export interface Start {
  /** Keys of TLS session tickets that all workers share. */
  readonly ticketKeys: Buffer
  /** Whether it serves clients of KES. */
  readonly hasKes: boolean
  /** Where the store is a copy, its file. */
  readonly copy?: string
}

/** What the primary process says to a worker. */
export type ToWorker =
  | ({ readonly kind: 'start' } & Start)
  | { readonly kind: 'moved'; readonly copy: string }
  | { readonly kind: 'looked'; readonly question: number; readonly answer: LookAnswer }
  | { readonly kind: 'stop' }
  | { readonly kind: 'ask'; readonly id: number; readonly question: Question }
  | { readonly kind: 'verdict'; readonly parcel: number; readonly verdicts: ParcelVerdict }
  /** To a call, or why it failed. */
  | { readonly kind: 'return'; readonly id: number; readonly value?: unknown; readonly failure?: string }

/** What a worker says to the primary process. */
export type FromWorker =
  /** It can take what it is told. */
  | { readonly kind: 'here' }
  /** Its listeners accept, at these addresses; said again when they move. */
  | { readonly kind: 'ready'; readonly addresses: Addresses }
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  /** See `SharedCopy`. */
  | { readonly kind: 'look'; readonly question: number }
  | { readonly kind: 'units'; readonly parcel: number; readonly units: UnitsMessage }
  /** What it cannot do itself. */
  | { readonly kind: 'call'; readonly id: number; readonly call: KesCall }
