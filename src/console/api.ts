/** An answer that says no. `messages` are the server's own sentences; status 0: there was no answer. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly status: number
  readonly messages: readonly string[]
  constructor(status: number, messages: readonly string[], options?: ErrorOptions) {
    super(messages.join('; '), options)
    this.status = status
    this.messages = messages
  }
}

export interface Answer<T> {
  readonly data: T
  readonly auth?: { readonly client_token: string } | null
}

type Query = Readonly<Record<string, string | undefined>>
type Body = Readonly<Record<string, unknown>>

/** Names that a list gives, and what it says of each. */
export interface Listing<T> {
  readonly keys: readonly string[]
  readonly key_info?: Readonly<Record<string, T>>
  /** Where to go on, if there may be more. */
  readonly next?: string
}

const TIMEOUT_MS = 30_000
const NOTHING: Listing<never> = { keys: [] }

/** A path below `/v1/`, its parts encoded: names may hold anything. */
export const path = (...parts: readonly string[]): string => parts.map(encodeURIComponent).join('/')

/** The administrator's API as one holder of a token sees it. Every function rejects with ApiError. */
export class Api {
  readonly #token: string
  readonly #fetch: typeof fetch

  constructor(token: string, send: typeof fetch = (input, init) => fetch(input, init)) {
    this.#token = token
    this.#fetch = send
  }

  async read<T>(at: string, query: Query = {}): Promise<T> {
    return (await this.#send<T>('GET', at, query)).data
  }

  /** An empty list when there is nothing. */
  async list<T = unknown>(at: string, query: Query = {}): Promise<Listing<T>> {
    try {
      return (await this.#send<Listing<T>>('GET', at, { list: 'true', ...query })).data
    } catch (err) {
      if (err instanceof ApiError && err.status === 404 && err.messages.length === 0) return NOTHING
      throw err
    }
  }

  /** @returns what the answer holds; an empty object if it holds nothing */
  async write<T = unknown>(at: string, body: Body = {}): Promise<T> {
    return (await this.#send<T>('POST', at, {}, body)).data ?? ({} as T)
  }

  /** A new token below this one: it ends with it. */
  async makeToken(body: Body): Promise<string> {
    const { auth } = await this.#send('POST', 'auth/token/create', {}, body)
    if (!auth) throw new ApiError(0, ['The answer holds no token.'])
    return auth.client_token
  }

  async remove(at: string, query: Query = {}): Promise<void> {
    await this.#send('DELETE', at, query)
  }

  async #send<T>(method: string, at: string, query: Query, body?: Body): Promise<Answer<T>> {
    const search = new URLSearchParams(Object.entries(query).flatMap(([name, value]) => (value ? [[name, value]] : []))).toString()
    const headers = { 'X-Vault-Token': this.#token, 'X-Vault-Request': 'true', ...(body && { 'Content-Type': 'application/json' }) }
    let response: Response
    let text: string
    try {
      response = await this.#fetch(`/v1/${at}${search === '' ? '' : `?${search}`}`, {
        method,
        headers,
        ...(body && { body: JSON.stringify(body) }),
        cache: 'no-store',
        credentials: 'omit',
        redirect: 'error',
        signal: AbortSignal.timeout(TIMEOUT_MS),
      })
      text = await response.text()
    } catch (cause) {
      throw new ApiError(0, ['The server does not answer.'], { cause })
    }
    const answer = parsed(text)
    if (!response.ok) throw new ApiError(response.status, errorsOf(answer))
    return answer as unknown as Answer<T>
  }
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  if (text.trim() === '') return {}
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch (cause) {
    throw new ApiError(0, ['The answer is not that of kmipd; something between may have answered.'], { cause })
  }
}

function errorsOf({ errors }: Readonly<Record<string, unknown>>): readonly string[] {
  return Array.isArray(errors) ? errors.filter(text => typeof text === 'string') : []
}

/** What to tell a person about a failure. */
export function sentenceOf(err: unknown): string {
  if (!(err instanceof ApiError)) return 'Something went wrong in the console itself; reload the page.'
  const said = err.messages
    .map(text =>
      text
        .replace(/^\d+ errors? occurred:\s*/, '')
        .replace(/\s*\* /g, ' ')
        .trim(),
    )
    .filter(text => text !== '')
    .join('; ')
  if (err.status === 403) return 'The policies of your token do not allow this.'
  if (err.status === 404) return said || 'It is not there, or not any more.'
  if (err.status === 429) return said || 'Too many requests; wait a little.'
  if (err.status === 503) return said || 'The server cannot serve now.'
  return said || `The server answered with status ${err.status}.`
}
