import { setTimeout as sleep } from 'node:timers/promises'
import { SealError, type SealErrorCode } from '../seal/error.ts'
import { StoreError } from '../store/store.ts'
import { backOffMs } from '../vault/endpoints.ts'
import { VaultError } from '../vault/errors.ts'
import { type SealedOptions, SealedServer } from './sealed-server.ts'

const PAUSE = { firstMs: 500, longestMs: 30_000 }

/** Why data is closed although nothing is wrong with it: Vault is away or sealed, or says no and may say yes later. */
type Waiting = (SealError | StoreError | VaultError) & { readonly code: string }

function passes(error: unknown): error is Waiting {
  if (error instanceof SealError) return error.code === 'away' || error.code === 'refused'
  if (error instanceof VaultError) return error.passing || error.code === 'login-refused' || error.code === 'permission-denied'
  return error instanceof StoreError && error.cause !== undefined && passes(error.cause)
}

const isWaiting = <T>(outcome: T | Waiting): outcome is Waiting => outcome instanceof Error && passes(outcome)

/**
 * Open data. While those who can open it are away or refuse, listen in its place, say so, and keep trying.
 * @param open fails as `openRecords` does
 * @param stop ends the waiting
 * @returns nothing if it was told to stop meanwhile
 * @throws whatever else `open` throws, and the system's error when an address cannot be had
 */
export async function unseal<T>(open: () => Promise<T>, stop: AbortSignal, place: Omit<SealedOptions, 'reason'>): Promise<T | undefined> {
  const first = await tried(open)
  if (!isWaiting(first)) return first
  const { log } = place
  let { message } = first
  log.warn({ code: first.code }, `the data is sealed, and opened as soon as that is possible: ${message}`)
  const server = await SealedServer.listen({ ...place, reason: () => message })
  log.info(server.addresses, 'sealed')
  try {
    for (let failures = 0; ; failures++) {
      if (!(await paused(backOffMs(failures, PAUSE), stop))) return undefined
      const next = await tried(open)
      if (!isWaiting(next)) return next
      if (next.message !== message) log.warn({ code: next.code }, `still sealed: ${next.message}`)
      message = next.message
    }
  } finally {
    await server.close()
  }
}

async function tried<T>(open: () => Promise<T>): Promise<T | Waiting> {
  try {
    return await open()
  } catch (error) {
    if (passes(error)) return error
    throw error
  }
}

/** @returns whether the time is over; otherwise it was told to stop */
async function paused(ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await sleep(ms, undefined, { signal })
    return true
  } catch (error) {
    if (signal.aborted) return false
    throw error
  }
}

export interface Recheck {
  readonly everyMs: number
  /** Fails as a provider's `unwrap` does. */
  prove(): Promise<void>
}

// That its server is away is no refusal; and what does not seal the data yet cannot refuse to open it.
const REFUSALS: ReadonlySet<SealErrorCode> = new Set(['refused', 'wrong-key', 'damaged'])

/** Have a seal proved again and again. @returns a promise that is kept with the reason once it refuses */
export async function refusalOf({ everyMs, prove }: Recheck, stop: AbortSignal): Promise<SealError> {
  while (await paused(everyMs, stop)) {
    try {
      await prove()
    } catch (error) {
      if (!(error instanceof SealError)) throw error
      if (REFUSALS.has(error.code)) return error
    }
  }
  return new Promise(() => {})
}
