import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'

export const PASSWORD = 'a-password-that-nobody-may-see'

/** What an answer shall be instead of the right one. */
export interface Fault {
  readonly call: string
  readonly status: number
  readonly body?: string
  /** The call is done all the same. */
  readonly done?: boolean
}

/** The calls of KeyControl's vault API that a key store makes, over plain HTTP. Answers as recorded from clients and documentation. */
export class FakeEntrust {
  readonly secrets = new Map<string, { data: string; expired: boolean }>()
  readonly tokens = new Map<string, number>()
  readonly calls: string[] = []
  readonly bodies: string[] = []
  faults: Fault[] = []
  /** Happens after a renewal. */
  onRenew: (() => void) | undefined
  endpoint = ''
  now = 1_000_000
  lifeMs: number | undefined = 60_000
  page = 3
  #count = 0

  static async start(t: Test): Promise<FakeEntrust> {
    const fake = new FakeEntrust()
    const server = createServer((request, response) => void fake.#answer(request, response))
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    fake.endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    t.teardown(() => {
      server.closeAllConnections()
      server.close()
    })
    return fake
  }

  /** How often each call came. */
  count(call: string): number {
    return this.calls.filter(one => one === call).length
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const text = Buffer.concat(chunks).toString()
    const [, , , call = '', vault] = (request.url ?? '').split('/')
    this.calls.push(call)
    this.bodies.push(text)
    const at = this.faults.findIndex(fault => fault.call === call)
    const [fault] = at < 0 ? [] : this.faults.splice(at, 1)
    const right = fault === undefined || fault.done === true ? this.#do(call, vault, request, text) : undefined
    const [status, body] = fault ? [fault.status, fault.body ?? '{"error":"a fault"}'] : (right ?? [500, ''])
    if (status === 0) request.socket.destroy()
    else response.writeHead(status, { 'content-type': 'application/json' }).end(body)
  }

  #do(call: string, vault: string | undefined, request: IncomingMessage, text: string): [status: number, body: string] {
    const error = (status: number, message: string): [number, string] => [status, JSON.stringify({ error: message })]
    const body = JSON.parse(text || '{}') as { [field: string]: string }
    if (call === 'Login') {
      if (vault !== 'vault-1' || body.password !== PASSWORD) return error(401, `Invalid password ${body.password}`)
      return [200, this.#newToken()]
    }
    const token = String(request.headers['x-vault-auth'])
    if ((this.tokens.get(token) ?? 0) <= this.now) return error(401, 'Authentication token is invalid or expired')
    if (call === 'Renew') {
      this.tokens.delete(token)
      const renewed = this.#newToken()
      this.onRenew?.()
      return [200, renewed]
    }
    if (body.box_id !== 'box') return error(404, 'Box not found')
    const secret = this.secrets.get(body.secret_id ?? '')
    if (call === 'GetBox') return [200, '{"name":"box"}']
    if (call === 'CreateSecret') {
      if (this.secrets.has(body.name!)) return error(409, 'Secret already exists')
      this.secrets.set(body.name!, { data: body.secret_data!, expired: false })
      return [200, '{}']
    }
    if (call === 'ListSecretIds') return [200, this.#list(body.next_token)]
    if (!secret) return error(404, 'Secret not found')
    if (call === 'CheckoutSecret') return [200, JSON.stringify({ secret_data: secret.data })]
    this.secrets.delete(body.secret_id!)
    return [200, '{}']
  }

  /** Pages go by a mark; empty names stand among the others, as clients have reported. */
  #list(token: string | undefined): string {
    const from = token === undefined ? 0 : Number(Buffer.from(token, 'base64').toString())
    const all = [...this.secrets].sort(([a], [b]) => (a < b ? -1 : 1))
    const secrets = all.slice(from, from + this.page).map(([name, { expired }]) => ({ name, expired }))
    const next = from + this.page < all.length ? Buffer.from(String(from + this.page)).toString('base64') : undefined
    return JSON.stringify({ [from === 0 ? 'secrets' : 'Secrets']: [{ name: '', expired: false }, ...secrets], next_token: next })
  }

  #newToken(): string {
    const token = `token-${++this.#count}`
    const ends = this.now + (this.lifeMs ?? 300_000)
    this.tokens.set(token, ends)
    return JSON.stringify({ access_token: token, ...(this.lifeMs !== undefined && { expires_at: new Date(ends).toISOString() }) })
  }
}
