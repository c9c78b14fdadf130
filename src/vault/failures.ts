import type { OutgoingError } from '../http/outgoing.ts'
import { VaultError, type VaultErrorCode } from './errors.ts'

/** What is left of an answer once it was read as JSON. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** Nothing where the body was empty. */
  readonly body: { readonly [field: string]: unknown } | undefined
}

interface Row {
  readonly status: number | readonly [from: number, to: number]
  /** In one of the answer's `errors` or `warnings`. */
  readonly text?: RegExp
  readonly code: VaultErrorCode
  /** Nothing was done, so that a write is not in doubt. */
  readonly undone?: true
  readonly says?: string | ((asked: Asked) => string)
}

// The first row that fits. Texts differ between Vault 1.13 and OpenBao 2.6; both are here.
const ROWS: readonly Row[] = [
  { status: 307, code: 'not-active', undone: true, says: 'this node is not the active one' },
  {
    status: 400,
    text: /Waiting for the primary to upgrade|Upgrading from non-versioned/i,
    code: 'not-active',
    undone: true,
    says: 'the mount is not ready',
  },
  { status: 400, text: /check-and-set parameter did not match/, code: 'conflict', says: 'another version is there' },
  { status: 400, text: /check-and-set parameter required/, code: 'cas-required', says: 'the mount demands check-and-set' },
  {
    status: 400,
    text: /wrapping token is not valid or does not exist/,
    code: 'secret-opened',
    says: 'the wrapping token was used already, or has ended',
  },
  { status: [400, 500], text: /invalid (role or )?secret[ _]id|invalid role([ _]id| name)/i, code: 'login-refused' },
  {
    status: 400,
    // The latter of an HMAC.
    text: /disallowed by policy \(too old\)|no such key version/i,
    code: 'version-refused',
    says: 'the key version is below min_decryption_version',
  },
  {
    status: [400, 499],
    text: /encryption key not found|no such key|signing key not found/i,
    code: 'key-missing',
    says: 'there is no such transit key',
  },
  {
    status: 400,
    text: /message authentication failed|invalid ciphertext|version is too new|no prefix|could not decode base64|illegal base64/i,
    code: 'damaged',
    says: 'this is not what the key has encrypted',
  },
  // Of a token that is dead, the server says no more than the last two words.
  { status: 403, text: /^1 error occurred:\s+\* permission denied/, code: 'permission-denied', undone: true, says: lacking },
  { status: 403, code: 'permission-denied', undone: true },
  { status: 404, text: /namespace not found|no handler for route|route entry not found/i, code: 'configuration', undone: true },
  { status: 404, code: 'not-found', undone: true },
  { status: 412, code: 'not-active', undone: true, says: 'replication is behind' },
  { status: 413, code: 'too-large', says: 'the request is over the limit of the server' },
  {
    status: 500,
    text: /value being too large|payload exceeds limit|too large/i,
    code: 'too-large',
    says: 'the value is over the limit of the storage',
  },
  { status: 429, code: 'quota', undone: true, says: 'too many requests' },
  { status: [472, 473], code: 'not-active', undone: true },
  { status: 500, text: /local node not active|no active (node|cluster)|active cluster node not found/i, code: 'not-active' },
  { status: 501, code: 'sealed', undone: true, says: 'Vault is not initialised' },
  { status: 503, text: /sealed/i, code: 'sealed', says: 'Vault is sealed' },
  { status: [502, 504], code: 'unreachable', says: 'a gateway finds nobody' },
  { status: [500, 599], code: 'unavailable' },
  { status: [300, 499], code: 'invalid-request' },
]

/** What was asked, as a failure names it. */
export interface Asked {
  readonly method: string
  readonly path: string
  /** A GET of names. */
  readonly isList?: boolean
  /** Texts that were sent and must not come back in a message. */
  readonly secrets: readonly string[]
  /** Whether it does no harm when done twice. */
  readonly idempotent: boolean
}

/** @returns nothing for an answer that says success */
export function failureOf({ status, headers, body }: Answer, asked: Asked): VaultError | undefined {
  if (status >= 200 && status < 300) return undefined
  const texts = textsOf(body)
  const row = ROWS.find(row => within(status, row.status) && (row.text === undefined || texts.some(text => row.text?.test(text))))
  const code = row?.code ?? 'malformed'
  const says = typeof row?.says === 'function' ? row.says(asked) : row?.says
  const said = says ?? (body ? quoted(texts, asked.secrets) : NOT_VAULT)
  const retryAfter = Number(headers['retry-after'])
  const error = new VaultError(code, `${asked.method} ${asked.path}: ${said} (status ${status})`, {
    status,
    ...(code === 'quota' && retryAfter > 0 && { retryAfterMs: retryAfter * 1000 }),
  })
  return error.passing && row?.undone !== true && !asked.idempotent ? doubt(error, asked) : error
}

/** A request that got no answer. */
export function brokenOff(error: OutgoingError, asked: Asked): VaultError {
  const { code, sent } = error
  if (code === 'aborted' || code === 'closed' || code === 'busy') return new VaultError(code, error.message)
  const kind = code === 'tls' || code === 'malformed' || code === 'too-large' ? (code === 'too-large' ? 'malformed' : code) : 'unreachable'
  const failure = new VaultError(kind, error.message)
  return sent && !asked.idempotent ? doubt(failure, asked) : failure
}

function lacking({ method, isList }: Asked): string {
  const capability = isList ? 'list' : (CAPABILITIES[method] ?? 'create or update')
  return `permission denied: the policy of the token lacks ${capability} for this path`
}

const CAPABILITIES: Readonly<Record<string, string>> = { GET: 'read', DELETE: 'delete', PATCH: 'patch' }

const doubt = ({ message, status }: VaultError, { method, path }: Asked): VaultError =>
  new VaultError('in-doubt', `${method} ${path} may have been done: ${message}`, status === undefined ? {} : { status })

function within(status: number, of: number | readonly [from: number, to: number]): boolean {
  return typeof of === 'number' ? status === of : status >= of[0] && status <= of[1]
}

const isTexts = (value: unknown): value is string[] => Array.isArray(value) && value.every(text => typeof text === 'string')

/** What the server says went wrong. */
function textsOf(body: Answer['body']): string[] {
  return [body?.errors, body?.warnings].flatMap(value => (isTexts(value) ? value : []))
}

/** Of an answer that was no JSON. */
const NOT_VAULT = "refused, not in the words of Vault's API: is this its address, and http or https right?"
const SHORTEST_SECRET = 6

/** The server's words in one short line, unless they repeat what we sent. */
function quoted(texts: readonly string[], secrets: readonly string[]): string {
  const line = texts.join('; ').replace(/\s+/g, ' ').trim()
  if (line === '') return 'refused'
  if (secrets.some(secret => secret.length >= SHORTEST_SECRET && line.includes(secret))) return 'refused, in words that repeat a secret'
  return line.length > 200 ? `${line.slice(0, 200)}...` : line
}

/** All texts in a value that is sent: none of them may be told. */
export function secretsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  if (typeof value !== 'object' || value === null) return []
  return Object.values(value).flatMap(secretsIn)
}
