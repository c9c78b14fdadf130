import { FIRST_PATH } from '../../scopes/mounts.ts'
import { AdminError } from '../error.ts'

/** Beginnings that are not for engines. */
const RESERVED = ['sys', 'auth', 'identity', 'cubbyhole', 'audit']
const PART = /^\w(?:[\w.-]{0,126}\w)?$/

/** A path as it is compared: without slashes at its ends, and one behind it. */
export const withSlash = (path: string): string => `${path.replace(/^\/+|\/+$/g, '')}/`

export const isReserved = (path: string): boolean => RESERVED.includes(path.split('/')[0] ?? '')

/** A path that an engine may be mounted at. @throws AdminError 400 */
export function mountable(path: string): string {
  const mounted = withSlash(path)
  const parts = mounted.slice(0, -1).split('/')
  if (isReserved(mounted)) throw new AdminError(400, `path is already in use at ${parts[0]}/`)
  if (parts.length > 8 || !parts.every(part => PART.test(part)))
    throw new AdminError(400, `cannot mount at ${JSON.stringify(mounted)}: use letters, digits, "_", "." and "-", as in ${FIRST_PATH}`)
  return mounted
}
