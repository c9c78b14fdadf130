import type { HttpResponse } from '../http/exchange.ts'
import type { Answer, LogicalRequest } from './route.ts'

const HEADERS = {
  'Cache-Control': 'no-store',
  'Content-Type': 'application/json',
  'Strict-Transport-Security': 'max-age=31536000; includeSubDomains',
} as const

const json = (value: unknown): string => `${JSON.stringify(value)}\n`

/** `{"errors": [...]}`. */
export const refusal = (status: number, errors: readonly string[]): HttpResponse => ({ status, headers: HEADERS, body: json({ errors }) })

/** Vault's envelope around an answer, as an object. */
export function envelopeOf(request: Pick<LogicalRequest, 'id' | 'mountType'>, answer: Answer): Readonly<Record<string, unknown>> {
  const { data = null, wrapInfo = null, warnings = [], auth = null, repeated = false, mountType = request.mountType } = answer
  return {
    ...(repeated && data),
    request_id: wrapInfo ? '' : request.id,
    lease_id: '',
    renewable: false,
    lease_duration: 0,
    data,
    wrap_info: wrapInfo,
    warnings: warnings.length > 0 ? warnings : null,
    auth,
    mount_type: wrapInfo ? '' : mountType,
  }
}

/** The answer to a request that was let through. */
export function responseTo(request: LogicalRequest, answer: Answer | undefined): HttpResponse {
  const reads = request.operation === 'read' || request.operation === 'list'
  if (answer === undefined) return reads ? refusal(404, []) : { status: 204, headers: HEADERS }
  const { status = 200, raw, bare, headers = {} } = answer
  if (raw) return { status, headers: { ...HEADERS, 'Content-Type': raw.contentType, ...headers }, body: raw.body }
  return { status, headers: { ...HEADERS, ...headers }, body: json(bare ?? envelopeOf(request, answer)) }
}

/** With the namespace of the request beside it, as Vault shows that it was read. */
export function inNamespace(response: HttpResponse, namespace: string | undefined): HttpResponse {
  if (namespace === undefined || !/^[\w./-]{1,256}$/.test(namespace)) return response
  return { ...response, headers: { ...response.headers, 'X-Vault-Namespace': namespace } }
}
