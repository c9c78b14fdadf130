import type nodeVault from 'node-vault'
import { Outgoing, OutgoingError, type OutgoingOptions } from '../http/outgoing.ts'
import { VaultError } from './errors.ts'
import { type Answer, type Asked, brokenOff, secretsIn } from './failures.ts'

export interface Sent {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'PATCH'
  /** Below `/v1/`, with its query; made of checked segments. */
  readonly path: string
  readonly json?: object
  readonly headers: Readonly<Record<string, string>>
  readonly deadlineMs: number
  readonly idempotent: boolean
  readonly signal?: AbortSignal
}

/**
 * One server, spoken to through node-vault without anything of its own sending: neither its axios (redirects and proxies with the token,
 * errors that hold it) nor its renewal nor its debug output, and no variable of the environment. The token goes with each request, so
 * that one client serves several tokens and namespaces.
 */
export class Transport {
  readonly origin: string
  readonly #outgoing: Outgoing
  #vault: Promise<nodeVault.client> | undefined

  constructor(options: OutgoingOptions) {
    this.#outgoing = new Outgoing(options)
    this.origin = this.#outgoing.origin
  }

  /** Connections (and so TLS handshakes) since the start. */
  get connectionsMade(): number {
    return this.#outgoing.connectionsMade
  }

  /** @returns whatever the server answers. @throws VaultError when it does not */
  async send({ path, headers, ...rest }: Sent): Promise<Answer> {
    this.#vault ??= this.#make()
    const vault = await this.#vault
    return vault.request({ ...rest, path: `/${path}`, headers: { ...headers } })
  }

  close(): void {
    this.#outgoing.close()
  }

  /** Loaded with the first request: it brings much along that is not needed here, and that a process without Vault need not wait for. */
  async #make(): Promise<nodeVault.client> {
    const { default: nodeVault } = await import('node-vault')
    const vault = nodeVault({
      endpoint: this.origin,
      debug: () => {},
      'request-promise': { defaults: () => (given: Given) => this.#exchange(given) },
    })
    // Given as options, empty texts would be replaced by the environment's.
    return Object.assign(vault, { token: '', namespace: '', pathPrefix: '' })
  }

  /** node-vault hands on the `body` of an answer with status 200: there the whole answer stands, whatever its status. */
  async #exchange({ uri, method, headers, json, ...rest }: Given): Promise<Wrapped> {
    const target = uri.slice(this.origin.length)
    const path = target.replace(/^\/v1\//, '').split('?', 1)[0] ?? ''
    const body = json && JSON.stringify(json)
    try {
      const { body: bytes, ...head } = await this.#outgoing.request({
        method,
        target,
        headers: { 'x-vault-request': 'true', ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
        ...(body !== undefined && { body }),
        ...rest,
      })
      return {
        statusCode: 200,
        request: { path: target },
        body: { ...head, body: parse(bytes, head.status, { method, path, idempotent: rest.idempotent }) },
      }
    } catch (error) {
      if (!(error instanceof OutgoingError)) throw error
      throw brokenOff(error, { method, path, secrets: secretsIn(json), idempotent: rest.idempotent })
    }
  }
}

type Given = Omit<Sent, 'path'> & { readonly uri: string }

interface Wrapped {
  readonly statusCode: 200
  readonly request: { readonly path: string }
  readonly body: Answer
}

/** A proxy may answer a failure with a page of its own: the status then says enough. */
function parse(bytes: Buffer, status: number, { method, path, idempotent }: Pick<Asked, 'method' | 'path' | 'idempotent'>): Answer['body'] {
  if (bytes.length === 0) return undefined
  let value: unknown
  try {
    value = JSON.parse(bytes.toString())
  } catch {
    value = undefined
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Answer['body']
  if (status >= 300) return undefined
  const message = `${method} ${path}: the answer is no JSON object; is this a Vault server?`
  throw new VaultError(idempotent ? 'malformed' : 'in-doubt', message, { status })
}
