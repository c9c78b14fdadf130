import type { HttpHandler, HttpRequest, HttpResponse } from '../http/exchange.ts'
import type { Records } from '../seal/records.ts'

/**
 * A door whose requests wait until what was committed before them on any node is seen.
 * @param refusal the body that says so when nobody knows what was committed, as JSON
 */
export function settled(handler: HttpHandler, records: Pick<Records, 'settle'>, refusal: (message: string) => object): HttpHandler {
  const afterwards = async (settling: Promise<void>, request: HttpRequest): Promise<HttpResponse> => {
    if (await isKept(settling)) return handler(request)
    const body = `${JSON.stringify(refusal('the store is not reachable'))}\n`
    return { status: 503, headers: { 'content-type': 'application/json' }, body }
  }
  return request => {
    const settling = records.settle?.()
    return settling === undefined ? handler(request) : afterwards(settling, request)
  }
}

/** Why it is not stands in /readyz, and the store has told the log. */
const isKept = (promise: Promise<void>): Promise<boolean> =>
  promise.then(
    () => true,
    () => false,
  )
