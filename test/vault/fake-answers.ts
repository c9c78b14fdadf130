import type { IncomingHttpHeaders } from 'node:http'

export interface FakeAnswer {
  readonly status: number
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

export interface FakeRequest {
  readonly method: string
  /** Below `/v1/`, without its query. */
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: { readonly [field: string]: unknown }
  readonly isList: boolean
}

export const answer = (status: number, body?: unknown, headers?: Record<string, string>): FakeAnswer => ({
  status,
  body,
  ...(headers && { headers }),
})
export const errors = (status: number, ...texts: string[]): FakeAnswer => answer(status, { errors: texts })
