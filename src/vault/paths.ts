import { VaultError } from './errors.ts'

const SEGMENT = /^[A-Za-z0-9_-]{1,200}$/
const MOUNT_SEGMENT = /^(?!\.{1,2}$)[A-Za-z0-9_.-]{1,200}$/
const NAMESPACE = /^[A-Za-z0-9_-]+(\/[A-Za-z0-9_-]+)*\/?$/

/**
 * A path below a mount, of segments that can mean nothing else: no dots, slashes, percent signs, spaces.
 * @throws VaultError `invalid-request` for any other segment
 */
export function pathOf(...segments: readonly string[]): string {
  const wrong = segments.findIndex(segment => !SEGMENT.test(segment))
  if (wrong >= 0) throw new VaultError('invalid-request', `segment ${wrong + 1} of a path is not made of A-Z, a-z, 0-9, "_" and "-" alone`)
  return segments.join('/')
}

/** The same for several segments in one text, such as `log/1/27`. */
export const checkedPath = (path: string): string => pathOf(...path.split('/'))

/**
 * Where an engine is mounted, or what stands before all paths of a store: what an operator wrote, which may have dots.
 * @returns without slashes around it
 * @throws VaultError `configuration`
 */
export function mountPath(text: string): string {
  const path = text.replace(/^\/+|\/+$/g, '')
  if (path.split('/').every(segment => MOUNT_SEGMENT.test(segment))) return path
  throw new VaultError('configuration', `${JSON.stringify(text)} is no path of a mount: write letters, digits, "_", "-", "." and "/"`)
}

/** @returns without a slash at its end. @throws VaultError `configuration` */
export function namespaceOf(text: string): string {
  if (NAMESPACE.test(text)) return text.replace(/\/$/, '')
  throw new VaultError('configuration', `${JSON.stringify(text)} is no namespace: write letters, digits, "_", "-" and "/"`)
}
