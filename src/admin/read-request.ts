import { vaultBoolean, vaultSeconds } from '../config/vault-values.ts'
import type { HttpRequest } from '../http/exchange.ts'
import { AdminError, collected } from './error.ts'
import type { LogicalRequest, Operation } from './route.ts'

type Data = Readonly<Record<string, unknown>>
/** What the HTTP says; mount and the difference of create and update come later. */
export type Asked = Omit<LogicalRequest, 'mount' | 'mountType'>

export const PREFIX = '/v1/'
/** The one path that load balancers ask by HEAD. */
const HEALTH = 'sys/health'

/** @throws AdminError for a request that cannot be understood */
export function readRequest(http: HttpRequest, id: string): Asked {
  const [rawPath = '', query = ''] = splitOnce(http.target.slice(PREFIX.length), '?')
  const parameters = new URLSearchParams(query)
  const path = pathOf(rawPath)
  const operation = operationOf(http.method === 'HEAD' && path === HEALTH ? 'GET' : http.method, parameters)
  const { headers } = http
  return {
    id,
    operation,
    path,
    data: operation === 'update' || operation === 'patch' ? bodyOf(http) : queryData(parameters),
    token: tokenOf(headers),
    namespace: headers['x-vault-namespace'],
    wrapTtl: wrapTtlOf(headers['x-vault-wrap-ttl']),
    remoteAddress: http.remoteAddress,
    certificates: http.certificates,
    headers,
    signal: http.signal,
  }
}

function splitOnce(text: string, separator: string): readonly [string, string] {
  const at = text.indexOf(separator)
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}

function pathOf(raw: string): string {
  let path: string
  try {
    path = decodeURIComponent(raw)
  } catch (cause) {
    if (cause instanceof URIError) throw new AdminError(400, 'the path is not percent-encoded UTF-8', { cause })
    throw cause
  }
  // Policies are read by the letters of a path, so no two spellings may mean the same.
  if (path.split('/').some(part => part === '..' || part === '.')) throw new AdminError(400, 'relative paths not supported')
  if (/[\u0000-\u001f\u007f]/.test(path)) throw new AdminError(400, 'the path has control characters')
  if (path.includes('//')) throw new AdminError(400, 'the path has an empty part')
  return path.replace(/^\//, '').replace(/\/$/, '')
}

const METHODS: Readonly<Record<string, Operation>> = {
  GET: 'read',
  LIST: 'list',
  PUT: 'update',
  POST: 'update',
  DELETE: 'delete',
  PATCH: 'patch',
}

function operationOf(method: string, parameters: URLSearchParams): Operation {
  const operation = Object.hasOwn(METHODS, method) ? METHODS[method] : undefined
  if (operation === undefined) throw new AdminError(405, collected('unsupported operation'))
  if (operation !== 'read') return operation
  if ((parameters.get('help') ?? '') !== '') return 'help'
  const list = vaultBoolean(parameters.get('list') ?? '')
  if (list === undefined) throw new AdminError(400)
  return list ? 'list' : 'read'
}

/** A parameter that stands once is a text, one that stands several times a list. */
function queryData(parameters: URLSearchParams): Data {
  const names = new Set([...parameters.keys()].filter(name => name !== 'list' && name !== 'help'))
  return Object.fromEntries(
    [...names].map(name => {
      const values = parameters.getAll(name)
      return [name, values.length === 1 ? values[0] : values]
    }),
  )
}

const MERGE_PATCH = 'application/merge-patch+json'
const FORM = 'application/x-www-form-urlencoded'
const typeOf = (headers: HttpRequest['headers']): string => (headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase()

/** No request needs as many, and what walks over a body must not run out of stack before the audit log has it. */
const DEEPEST = 200
const isDeeper = (value: unknown, levels: number): boolean =>
  typeof value === 'object' && value !== null && (levels === 0 || Object.values(value).some(item => isDeeper(item, levels - 1)))

function bodyOf({ method, headers, body }: HttpRequest): Data {
  const type = typeOf(headers)
  if (method === 'PATCH' && type !== MERGE_PATCH)
    throw new AdminError(415, `PATCH requires Content-Type of ${MERGE_PATCH}, provided ${type || FORM}`)
  const text = body.toString('utf8').trim()
  if (text === '') return {}
  // curl -d says that it sends a form, whatever it sends.
  if (type === FORM && !/^[[{]/.test(text) && text !== 'null') return queryData(new URLSearchParams(text))
  let read: unknown
  try {
    read = JSON.parse(text)
  } catch (cause) {
    // The reader's own message quotes the body, which may be secret.
    if (cause instanceof SyntaxError) throw new AdminError(400, 'failed to parse JSON input: it is not JSON')
    throw cause
  }
  if (isDeeper(read, DEEPEST)) throw new AdminError(400, `failed to parse JSON input: it is nested in more than ${DEEPEST} levels`)
  if (read === null) return {}
  if (typeof read !== 'object' || Array.isArray(read)) {
    const kind = Array.isArray(read) ? 'array' : typeof read === 'boolean' ? 'bool' : typeof read
    const why = `json: cannot unmarshal ${kind} into Go value of type map[string]interface {}`
    throw new AdminError(400, `error parsing JSON: failed to parse JSON input: ${why}`)
  }
  return read as Data
}

function tokenOf(headers: HttpRequest['headers']): string | undefined {
  const bearer = /^bearer +(.+)$/i.exec(headers.authorization ?? '')?.[1]
  return headers['x-vault-token']?.trim() || bearer?.trim() || undefined
}

function wrapTtlOf(text: string | undefined): number {
  const seconds = vaultSeconds(text ?? '')
  if (seconds === undefined || seconds < 0) throw new AdminError(400, 'requested wrap ttl is not a duration')
  return seconds
}
