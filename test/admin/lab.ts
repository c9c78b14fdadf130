import { randomUUID } from 'node:crypto'
import { createDoor } from '../../src/admin/door.ts'
import { AdminError, collected, permissionDenied } from '../../src/admin/error.ts'
import type { Guard, Outcome, Trail } from '../../src/admin/guard.ts'
import type { Answer, LogicalRequest, Mounted } from '../../src/admin/route.ts'
import type { HttpRequest } from '../../src/http/exchange.ts'

/** One token that may do all, `root`, and one that may only read, `reader`. */
export const guard: Guard = {
  async authenticate({ token }) {
    if (token === undefined) throw permissionDenied()
    if (token !== 'root' && token !== 'reader') throw new AdminError(403, collected('permission denied', 'invalid token'))
    return { displayName: token, accessor: token, policies: [token], isRoot: token === 'root' }
  },
  async authorize(caller, { operation }, { sudo }) {
    if (!caller.isRoot && (sudo || (operation !== 'read' && operation !== 'help'))) throw permissionDenied()
  },
  async wrap(_caller, { wrapTtl, path }, envelope) {
    return { token: `wrapping ${Object.keys(envelope).length}`, ttl: wrapTtl, creation_path: path }
  },
}

export interface Recorded {
  readonly request: LogicalRequest
  readonly refusal?: string | undefined
  readonly outcome?: Outcome
  readonly answer?: Answer | undefined
}

export interface DoorLab {
  readonly trail: Recorded[]
  readonly errors: unknown[]
  /** Fails while it is set. */
  broken: boolean
  /** Ask, by method and target; a body that is no text is sent as JSON. */
  ask(method: string, target: string, body?: unknown, headers?: Record<string, string>, from?: Partial<HttpRequest>): Promise<Reply>
}

export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Body
}

/** What answers have in their JSON; a body that is none is a text in `text`. */
export interface Body {
  readonly text?: string
  readonly request_id: string
  readonly errors: readonly string[]
  readonly data: Readonly<Record<string, unknown>>
  readonly warnings: readonly string[] | null
  readonly help: string
  readonly openapi: { readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>> }
  readonly [name: string]: unknown
}

/** A door over these mounts with a guard of two tokens, which asks as root unless the headers say otherwise. */
export function doorLab(
  mounts: () => readonly Mounted[] | Promise<readonly Mounted[]>,
  options: { guard?: Guard; maxBody?: number } = {},
): DoorLab {
  const trail: Recorded[] = []
  const errors: unknown[] = []
  const record = async (entry: Recorded): Promise<void> => {
    if (lab.broken) throw new Error('the disk is full')
    trail.push(entry)
  }
  const written: Trail = {
    asked: (request, _caller, refusal) => record({ request, refusal }),
    answered: (request, _caller, answer, outcome) => record({ request, answer, outcome }),
  }
  const door = createDoor({
    mounts,
    guard: options.guard ?? guard,
    trail: written,
    newId: randomUUID,
    maxBody: options.maxBody ?? 1 << 16,
    onError: error => errors.push(error),
  })
  const lab: DoorLab = {
    trail,
    errors,
    broken: false,
    async ask(method, target, body, headers = {}, from = {}) {
      const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body)
      const request: HttpRequest = {
        method,
        target,
        headers: { 'x-vault-token': 'root', ...headers },
        body: Buffer.from(text),
        remoteAddress: '127.0.0.1',
        certificates: [],
        signal: new AbortController().signal,
        ...from,
      }
      const { status, headers: answered = {}, body: content } = await door(request)
      if (content !== undefined && typeof content !== 'string' && !Buffer.isBuffer(content)) throw new Error('streamed')
      const answer = content?.toString() ?? ''
      return { status, headers: answered, body: answer.startsWith('{') ? JSON.parse(answer) : { text: answer } }
    },
  }
  return lab
}
