import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http'
import { CONTENT_TYPES, type Encoding, encodingOf } from './encodings.ts'
import type { Refusal } from './metrics.ts'

/** A request that gets no KMIP answer. */
export class HttpRefusal extends Error {
  override readonly name = 'HttpRefusal'
  readonly status: number
  readonly kind: Refusal
  readonly headers: OutgoingHttpHeaders
  constructor(status: number, message: string, options: { readonly kind?: Refusal; readonly headers?: OutgoingHttpHeaders } = {}) {
    super(message)
    this.status = status
    this.kind = options.kind ?? 'http'
    this.headers = options.headers ?? {}
  }
}

const PATH = '/kmip'
/** Where there may be one only: Node joins or drops what comes again. */
const SINGLE = ['host', 'content-type', 'content-length', 'content-encoding', 'transfer-encoding', 'expect']

/**
 * Look at the headers of a request before its body is read. What leaves its length in doubt is refused here or by Node's parser, so that no
 * proxy sees other requests than we do.
 * @param messageBytes limit of a message, counted in TTLV
 * @returns how the message is encoded, and how many bytes the body may have
 * @throws HttpRefusal
 * Spec: KMIP Additional Message Encodings 1.0 section 2.4; RFC 9112 sections 3.2 and 6.3
 */
export function admissible(request: IncomingMessage, messageBytes: number): { readonly encoding: Encoding; readonly limit: number } {
  const { headers, httpVersion, method } = request
  if (httpVersion !== '1.1' && httpVersion !== '1.0') throw new HttpRefusal(505, 'HTTP/1.1 and HTTP/1.0 are spoken here')
  for (const name of SINGLE)
    if ((request.headersDistinct[name]?.length ?? 0) > 1) throw new HttpRefusal(400, `the header ${name} is given twice`)
  if (headers.host === undefined && httpVersion === '1.1') throw new HttpRefusal(400, 'the header host is missing')
  const coding = headers['transfer-encoding']
  if (coding !== undefined && httpVersion === '1.0') throw new HttpRefusal(400, 'HTTP/1.0 has no transfer-encoding')
  if (coding !== undefined && coding.toLowerCase() !== 'chunked')
    throw new HttpRefusal(501, 'the one transfer-encoding known here is chunked')
  if (pathOf(request.url ?? '') !== PATH) throw new HttpRefusal(404, `KMIP is at ${PATH}`)
  if (method !== 'POST') throw new HttpRefusal(405, 'use POST', { headers: { allow: 'POST' } })
  if (headers.expect !== undefined && headers.expect.toLowerCase() !== '100-continue')
    throw new HttpRefusal(417, 'the one expectation known here is 100-continue')
  const encoding = encodingOf(headers['content-type'])
  if (encoding === undefined)
    throw new HttpRefusal(415, `the content-type must be one of ${CONTENT_TYPES.join(', ')}, and text UTF-8`, {
      headers: { accept: CONTENT_TYPES.join(', ') },
    })
  if ((headers['content-encoding'] ?? 'identity').toLowerCase() !== 'identity')
    throw new HttpRefusal(415, 'a content-encoding is not accepted', { headers: { 'accept-encoding': 'identity' } })
  const limit = messageBytes * encoding.expansion
  const length = headers['content-length']
  if (length === undefined && coding === undefined) throw new HttpRefusal(411, 'the header content-length is missing')
  if (Number(length ?? 0) > limit)
    throw new HttpRefusal(413, `a body of ${length} bytes is above the limit of ${limit}`, { kind: 'message_size' })
  return { encoding, limit }
}

/** Path of a request target, be it given alone or with scheme and host. */
const pathOf = (target: string): string => target.replace(/^https?:\/\/[^/?#]+/i, '').replace(/\?.*$/, '')
