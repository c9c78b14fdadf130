/**
 * `in-doubt`: it may have happened or not. `unreachable`: it has not, and may work later. `refused`: a permission or a limit is in the
 * way, and trying again does not help. `deleted`: somebody took out what stood there.
 */
export type SlotsErrorCode = 'in-doubt' | 'unreachable' | 'refused' | 'deleted'

/** Messages name paths, never contents. */
export class SlotsError extends Error {
  override readonly name = 'SlotsError'
  readonly code: SlotsErrorCode
  constructor(code: SlotsErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

export interface Slot {
  readonly text: string
  /** 1 when it is made, another one at each replacement. */
  readonly version: number
  /** When this version was written, by the clock of the other side, in milliseconds since 1970. */
  readonly writtenMs: number
  /** The other side is going to delete it of itself. */
  readonly ends?: true
}

/** What was found at a path, and the time on the other side's clock (coarse: seconds). */
export interface Sight {
  readonly slot: Slot | undefined
  readonly nowMs: number
}

/**
 * Texts at paths, each made by one writer alone: what a commit log needs, and what KV engines of Vault give. Paths are segments of
 * `[A-Za-z0-9_-]` that we make ourselves, with slashes between. Everything may fail with SlotsError.
 */
export interface Slots {
  /** Why one node alone can use them, in words for an operator; absent: any number can. */
  readonly single?: string
  /**
   * Make what must not be there. @returns when it was written, or `taken` if something is or was there
   * @throws SlotsError `refused`, also for what was written and would be deleted after a time
   */
  create(path: string, text: string): Promise<{ readonly writtenMs: number } | 'taken'>
  /** As it is after everything that was answered before this call, whoever wrote it. */
  read(path: string): Promise<Sight>
  /** Replace the given version and no other one. @returns its new version, or `taken` */
  replace(path: string, text: string, version: number): Promise<{ readonly version: number } | 'taken'>
  /** Also what is not there. Afterwards it was never there. */
  remove(path: string): Promise<void>
  /** Names in a folder; those of folders in it end with a slash. */
  list(folder: string): Promise<readonly string[]>
  close(): Promise<void>
}
