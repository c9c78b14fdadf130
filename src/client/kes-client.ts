import { readFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import { rootCertificates } from 'node:tls'

export interface KesClientOptions {
  /** `https://host:port` each; one that does not answer is left for the next. */
  readonly endpoints: readonly string[]
  /** The client's certificate and its private key, in PEM. */
  readonly cert: string
  readonly key: string
  /** Do not check who the server is. */
  readonly insecure?: boolean
  /** File of certificates that the server's may lead to, besides those of the system. */
  readonly ca?: string
  /** For a whole answer; default 30 s. */
  readonly deadlineMs?: number
}

/** `refused`: the server answers so, with the status; its text is the message. `connection`: there is no answer. */
export class KesClientError extends Error {
  override readonly name = 'KesClientError'
  readonly code: 'refused' | 'connection'
  readonly status: number
  constructor(code: KesClientError['code'], status: number, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.status = status
  }
}

export type Json = { readonly [field: string]: unknown }
type Method = 'GET' | 'PUT' | 'DELETE'

const MOST_BYTES = 64 * 1024 * 1024
/** Where systems keep the certificates of authorities that they trust, as Go looks for them. */
const SYSTEM_FILES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
]
const TITLE: { readonly [method in Method]: string } = { GET: 'Get', PUT: 'Put', DELETE: 'Delete' }

/** A client of KES's HTTP API, over HTTP/1.1, which every release serves. */
export class KesClient {
  readonly endpoints: readonly string[]
  /** Which of them answered last. */
  answeredBy: string | undefined
  readonly #options: KesClientOptions
  readonly #agent: Agent

  constructor(options: KesClientOptions) {
    const { endpoints, cert, key, insecure = false, ca } = options
    this.endpoints = endpoints
    this.#options = options
    const trusted = insecure ? {} : { ca: [...rootCertificates, ...systemCertificates(ca)] }
    this.#agent = new Agent({ keepAlive: true, cert, key, rejectUnauthorized: !insecure, minVersion: 'TLSv1.2', ...trusted })
  }

  /** An answer in JSON. @throws KesClientError */
  async json(method: Method, path: string, body?: Json): Promise<Json> {
    const text = await this.text(method, path, body)
    const value: unknown = parsed(text)
    if (typeof value !== 'object' || value === null) throw new KesClientError('refused', 200, `kes: ${path} is not answered with JSON`)
    return value as Json
  }

  /** An answer as it is. @throws KesClientError */
  async text(method: Method, path: string, body?: Json): Promise<string> {
    return (await wholeOf(await this.#answered(method, path, body))).toString('utf8')
  }

  /** Lines of an answer that goes on as long as there is news. @throws KesClientError */
  async *lines(path: string, signal: AbortSignal): AsyncGenerator<string> {
    const response = await this.#answered('GET', path, undefined, signal)
    let rest = ''
    try {
      for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>) {
        const lines = `${rest}${chunk}`.split('\n')
        rest = lines.pop() ?? ''
        yield* lines.filter(line => line.trim() !== '')
      }
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  /** All names of a list, in pages that follow one another by `continue_at`. @throws KesClientError */
  async list(kind: 'key' | 'policy' | 'identity', pattern: string): Promise<string[]> {
    const names = new Set<string>()
    const asked = new Set<string>()
    for (let next: string | undefined = pattern; next !== undefined; ) {
      asked.add(next)
      const page: Json = await this.json('GET', `/v1/${kind}/list/${encodeURIComponent(next)}`)
      for (const name of [page.names, page.identities].flat()) if (typeof name === 'string') names.add(name)
      const { continue_at: more } = page
      next = typeof more === 'string' && more !== '' && !asked.has(more) ? more : undefined
    }
    return [...names].sort()
  }

  close(): void {
    this.#agent.destroy()
  }

  /** The first endpoint that answers, one after the other. */
  async #answered(method: Method, path: string, body?: Json, signal?: AbortSignal): Promise<IncomingMessage> {
    let failure: unknown
    for (const endpoint of this.endpoints) {
      try {
        const response = await this.#send(endpoint, method, path, body, signal)
        const { statusCode: status = 0, headers } = response
        this.answeredBy = endpoint
        if (status === 200) return response
        throw new KesClientError('refused', status, messageOf(await wholeOf(response), headers['content-type'], status))
      } catch (error) {
        if (!(error instanceof KesClientError) || (error.code === 'refused' && error.status !== 503)) throw error
        failure = error
      }
    }
    throw failure ?? new KesClientError('connection', 0, 'kes: no server is named')
  }

  #send(endpoint: string, method: Method, path: string, body?: Json, signal?: AbortSignal): Promise<IncomingMessage> {
    const url = new URL(`${endpoint}${path}`)
    const content = body && Buffer.from(JSON.stringify(body))
    return new Promise((resolve, reject) => {
      const fail = (reason: string): void =>
        reject(new KesClientError('connection', 0, `kes: connection error: ${TITLE[method]} "${endpoint}${path}": ${reason}`))
      const sent = request(url, {
        agent: this.#agent,
        method,
        ...(signal && { signal }),
        ...(content && { headers: { 'content-type': 'application/json', 'content-length': content.length } }),
      })
      // A stream has no deadline: it ends by its signal.
      if (signal === undefined) {
        const { deadlineMs = 30_000 } = this.#options
        sent.setTimeout(deadlineMs, () => sent.destroy(new Error(`no answer within ${deadlineMs} ms`)))
      }
      sent.once('response', resolve)
      sent.on('error', (error: NodeJS.ErrnoException) => fail(error.code === 'ECONNREFUSED' ? refused(url) : error.message))
      sent.end(content)
    })
  }
}

/** As Go says it; who reads it knows that the server is not there. */
const refused = (url: URL): string => `dial tcp ${url.host}: connect: connection refused`

async function wholeOf(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MOST_BYTES) throw new KesClientError('connection', 0, `kes: an answer over ${MOST_BYTES} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function messageOf(body: Buffer, type: string | undefined, status: number): string {
  const text = body.toString('utf8').trim()
  const value = type?.startsWith('application/json') ? parsed(text) : undefined
  const { message, error } = (typeof value === 'object' && value !== null ? value : {}) as Json
  if (typeof message === 'string') return message
  if (typeof error === 'string') return error
  return text === '' ? `the server answers with status ${status}` : text
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function systemCertificates(file: string | undefined): string[] {
  if (file !== undefined) return [readFileSync(file, 'utf8')]
  for (const known of SYSTEM_FILES) {
    const text = contentOf(known)
    if (text !== undefined) return [text]
  }
  return []
}

function contentOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR' || error.code === 'EACCES'))
      return undefined
    throw error
  }
}
