import type { LookAnswer } from '../store/remote-copy.ts'
import type { ParcelVerdict } from '../store/remote-writer.ts'
import type { UnitsMessage } from '../store/sqlite-message.ts'
import type { Addresses } from './daemon.ts'

/** One metric of a process as prom-client gives it, to be summed with those of the others. */
export type MetricValues = object

/** What a worker is asked. */
export interface Answers {
  metrics: readonly MetricValues[]
  /** Why it cannot answer clients now; nothing if it can. */
  unready: string | undefined
  /** Listen as the rows of a mount say: why it cannot; nothing if it does. */
  apply: string | undefined
}

/** What the primary process says to a worker. */
export type ToWorker =
  /** `copy`: where the store is one, its file. */
  | { readonly kind: 'start'; readonly ticketKeys: Uint8Array; readonly copy?: string }
  | { readonly kind: 'moved'; readonly copy: string }
  | { readonly kind: 'looked'; readonly question: number; readonly answer: LookAnswer }
  | { readonly kind: 'reload' }
  | { readonly kind: 'stop' }
  | { readonly kind: 'ask'; readonly id: number; readonly what: keyof Answers; readonly mount?: string }
  | { readonly kind: 'verdict'; readonly parcel: number; readonly verdicts: ParcelVerdict }

/** What a worker says to the primary process. */
export type FromWorker =
  /** It can take what it is told. */
  | { readonly kind: 'here' }
  /** Its listeners accept. */
  | { readonly kind: 'ready'; readonly addresses: Addresses }
  | { readonly kind: 'answer'; readonly id: number; readonly value: Answers[keyof Answers] }
  /** See `SharedCopy`. */
  | { readonly kind: 'look'; readonly question: number }
  | { readonly kind: 'units'; readonly parcel: number; readonly units: UnitsMessage }
