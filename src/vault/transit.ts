import type { CallOptions, Request } from './client.ts'
import { VaultError } from './errors.ts'
import { failureOf, secretsIn } from './failures.ts'
import { type Row, rowOf } from './fields.ts'
import { pathOf } from './paths.ts'

/** `vault:v<N>:` and base64. */
const CIPHERTEXT = /^vault:v([1-9]\d{0,8}):[A-Za-z0-9+/=_-]+$/

/**
 * The key version that made a ciphertext or an HMAC.
 * @throws VaultError `damaged` when it is neither
 */
export function keyVersionOf(text: string): number {
  const [, version] = CIPHERTEXT.exec(text) ?? []
  if (version === undefined) throw new VaultError('damaged', 'what should begin with vault:v<version>: does not')
  return Number(version)
}

export interface DataKey {
  /** For the caller to zero. */
  readonly plaintext: Buffer
  readonly wrapped: string
}

/** Keys of one transit engine. A key that is not there is an error `key-missing`, or `permission-denied` where the policy allows no making. */
export class Transit {
  readonly mount: string
  readonly #request: Request

  constructor(mount: string, request: Request) {
    this.mount = mount
    this.#request = request
  }

  /** @returns `vault:v<N>:...` */
  async encrypt(key: string, plaintext: Buffer, options?: CallOptions): Promise<string> {
    return textIn(await this.#ask('encrypt', key, { plaintext: plaintext.toString('base64') }, options), 'ciphertext')
  }

  /** @returns for the caller to zero. @throws VaultError `damaged`, `version-refused`, `key-missing` */
  async decrypt(key: string, ciphertext: string, options?: CallOptions): Promise<Buffer> {
    keyVersionOf(ciphertext)
    return Buffer.from(textIn(await this.#ask('decrypt', key, { ciphertext }, options), 'plaintext'), 'base64')
  }

  /** The same for many, in order; an item that fails is an error in its place. */
  async decryptAll(key: string, ciphertexts: readonly string[]): Promise<(Buffer | VaultError)[]> {
    const items = ciphertexts.map(ciphertext => ({ ciphertext }))
    const results = await this.#batch('decrypt', key, items, 'plaintext')
    return results.map(result => (result instanceof VaultError ? result : Buffer.from(result, 'base64')))
  }

  /** A new key of 32 bytes, and the same wrapped. */
  async dataKey(key: string): Promise<DataKey> {
    const data = await this.#ask('datakey/plaintext', key, { bits: 256 })
    const plaintext = Buffer.from(textIn(data, 'plaintext'), 'base64')
    if (plaintext.length !== 32) throw new VaultError('malformed', `${this.mount}: a data key of ${plaintext.length} bytes`)
    return { plaintext, wrapped: textIn(data, 'ciphertext') }
  }

  /** Encrypt anew with the newest version of the key; what is in it does not leave Vault. */
  async rewrap(key: string, ciphertext: string): Promise<string> {
    return textIn(await this.#ask('rewrap', key, { ciphertext }), 'ciphertext')
  }

  async rewrapAll(key: string, ciphertexts: readonly string[]): Promise<(string | VaultError)[]> {
    const items = ciphertexts.map(ciphertext => ({ ciphertext }))
    return this.#batch('rewrap', key, items, 'ciphertext')
  }

  /**
   * HMAC-SHA256 with a version of the key, the newest unless told.
   * @returns `vault:v<N>:...`
   */
  async hmac(key: string, input: Buffer, version?: number): Promise<string> {
    const json = { input: input.toString('base64'), ...(version !== undefined && { key_version: version }) }
    return textIn(await this.#ask('hmac', key, json), 'hmac')
  }

  /** The newest version of a key, with no more permission than `encrypt`. */
  async newestVersion(key: string): Promise<number> {
    return keyVersionOf(await this.encrypt(key, Buffer.from('kmipd: which version?')))
  }

  async #ask(verb: string, key: string, json: object, options?: CallOptions): Promise<Row> {
    const path = `${this.mount}/${verb}/${pathOf(key)}`
    return rowOf((await this.#request({ method: 'POST', path, json, idempotent: true, ...options })).body?.data)
  }

  /** One bad item makes the status of the whole answer 400, with the good results in it. */
  async #batch(verb: string, key: string, items: readonly object[], field: string): Promise<(string | VaultError)[]> {
    if (items.length === 0) return []
    const path = `${this.mount}/${verb}/${pathOf(key)}`
    const json = { batch_input: items }
    const asked = { method: 'POST', path, idempotent: true, secrets: secretsIn(json) }
    const answer = await this.#request({ method: 'POST', path, json, idempotent: true, batch: true })
    const { batch_results: results } = rowOf(answer.body?.data)
    if (!Array.isArray(results) || results.length !== items.length)
      throw failureOf(answer, asked) ?? new VaultError('malformed', `${path}: not as many results as were asked for`)
    return results.map(result => {
      const row = rowOf(result)
      const text = row[field]
      if (typeof text === 'string' && (text !== '' || row.error === undefined)) return text
      const errors = [typeof row.error === 'string' ? row.error : 'no result']
      return failureOf({ status: 400, headers: {}, body: { errors } }, asked)!
    })
  }
}

function textIn(data: Row, field: string): string {
  const text = data[field]
  if (typeof text === 'string') return text
  throw new VaultError('malformed', `a transit answer without ${field}`)
}
