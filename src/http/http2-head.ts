import type { HttpRequest } from './exchange.ts'
import type { Field } from './hpack.ts'

/** The head of a request in HTTP/2. */
export interface Http2Head {
  readonly method: string
  readonly path: string
  readonly fields: readonly Field[]
  /** Bytes of the body, if that is said. */
  readonly length: number | undefined
}

const TOKEN = /^[!#$%&'*+.^_`|~0-9a-z-]+$/
const PSEUDO = new Set([':method', ':path', ':scheme', ':authority'])
/** They are of connections of HTTP/1. */
const FOREIGN = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'])

/** @returns nothing if it is malformed. Spec: RFC 9113 sections 8.1.1, 8.2 and 8.3 */
export function readRequest(fields: readonly Field[]): Http2Head | undefined {
  const pseudo: { [name: string]: string } = {}
  let length: number | undefined
  let isBehind = false
  for (const [name, value] of fields) {
    if (/[\0\r\n]/.test(value)) return undefined
    if (name.startsWith(':')) {
      if (isBehind || !PSEUDO.has(name) || name in pseudo) return undefined
      pseudo[name] = value
      continue
    }
    isBehind = true
    if (!TOKEN.test(name) || FOREIGN.has(name) || (name === 'te' && value !== 'trailers')) return undefined
    if (name === 'content-length') {
      if (!/^\d{1,15}$/.test(value) || (length !== undefined && length !== Number(value))) return undefined
      length = Number(value)
    }
  }
  const { ':method': method, ':path': path, ':scheme': scheme } = pseudo
  return method && path && scheme ? { method, path, fields, length } : undefined
}

/** Of these the first counts, as Node has it. */
const SINGLE = new Set([
  ...['age', 'authorization', 'content-length', 'content-type', 'date', 'etag', 'expires', 'from', 'host', 'if-modified-since'],
  ...['if-unmodified-since', 'last-modified', 'location', 'max-forwards', 'proxy-authorization', 'referer', 'retry-after', 'user-agent'],
])

export function headersOf(fields: readonly Field[]): HttpRequest['headers'] {
  const headers: { [name: string]: string } = Object.create(null)
  for (const [name, value] of fields) {
    const known = name === ':authority' ? 'host' : name
    if (known.startsWith(':')) continue
    const before = headers[known]
    if (before === undefined) headers[known] = value
    else if (!SINGLE.has(known)) headers[known] = `${before}${known === 'cookie' ? '; ' : ', '}${value}`
  }
  return headers
}
