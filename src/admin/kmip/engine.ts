import { ScopeError } from '../../scopes/error.ts'
import type { Mount } from '../../scopes/mounts.ts'
import { AdminError } from '../error.ts'

/** An address cannot be listened on; the message names it and says why. */
export class AddressError extends Error {
  override readonly name = 'AddressError'
  readonly code = 'address'
}

/** What listens for KMIP clients. */
export interface Sockets {
  /**
   * Listen where the rows of a mount say, with the certificates and versions that they say, and nowhere else; listeners that stay as they are keep
   * their connections. When the promise is kept, a client that connects meets the new settings.
   * @throws AddressError when an address cannot be had; then everything listens as before
   */
  apply(mountId: string): Promise<void>
}

/** What the routes of one mount work on. */
export interface Engine {
  readonly mount: Mount
  readonly sockets: Sockets
}

const isMissing = (error: unknown): error is ScopeError => error instanceof ScopeError && error.code === 'not-found'

/** Nothing, where what is asked for is not there. */
export async function orNothing<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** For writes below something that is not there. @throws AdminError 400 */
export async function orRefused<T>(asked: Promise<T>): Promise<T> {
  try {
    return await asked
  } catch (error) {
    if (isMissing(error)) throw new AdminError(400, error.message, { cause: error })
    throw error
  }
}

/** A list as Vault gives it: nothing at all when it is empty. */
export const keysAnswer = (keys: readonly string[] | undefined) => (keys && keys.length > 0 ? { data: { keys } } : undefined)

/**
 * Listen by what was just written; if an address cannot be had, put back what was before.
 * @throws AdminError 400
 */
export async function applied({ mount, sockets }: Engine, putBack: () => Promise<unknown>): Promise<void> {
  try {
    await sockets.apply(mount.row.id)
  } catch (error) {
    if (!(error instanceof AddressError)) throw error
    await putBack()
    await sockets.apply(mount.row.id)
    throw new AdminError(400, error.message, { cause: error })
  }
}
