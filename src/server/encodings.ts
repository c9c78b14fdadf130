import type { Answer, Engine, Peer } from '../ops/engine.ts'
import { sizeOf } from '../ttlv/binary.ts'
import type { Item } from '../ttlv/item.ts'
import { decodeJson, encodeJson } from '../ttlv/json.ts'
import { EncodingError } from '../ttlv/notation.ts'
import { decodeXml, encodeXml } from '../ttlv/xml.ts'

/** A message that is over the limit once it is decoded. */
export class SizeError extends Error {
  override readonly name = 'SizeError'
  readonly code = 'message_size'
}

/** One way to write messages in the body of an HTTP request. */
export interface Encoding {
  /** Of answers, and of requests save for parameters and other spellings. */
  readonly contentType: string
  /** Bytes of a body for each byte that the message has in TTLV, at most: what a limit on messages allows for a body. */
  readonly expansion: number
  /**
   * Answer a body.
   * @param limit bytes of the message, counted in TTLV
   * @throws SizeError
   */
  answer(engine: Engine, body: Buffer, peer: Peer, limit: number): Promise<Answer>
}

interface TextCodec {
  readonly name: string
  decode(text: string): Item
  encode(item: Item): string
}

const TTLV: Encoding = {
  contentType: 'application/octet-stream',
  expansion: 1,
  answer: (engine, body, peer) => engine.answer(body, peer),
}

// Spec: KMIP Additional Message Encodings 1.0 section 2.5, Profiles 2.1 section 5.3
const ENCODINGS: ReadonlyMap<string, Encoding> = new Map([
  ['application/octet-stream', TTLV],
  ['application/json', textEncoding('application/json', { name: 'JSON', decode: decodeJson, encode: encodeJson })],
  ...['text/xml', 'application/xml'].map((type): [string, Encoding] => [
    type,
    textEncoding('text/xml', { name: 'XML', decode: decodeXml, encode: encodeXml }),
  ]),
])

export const CONTENT_TYPES: readonly string[] = [...ENCODINGS.keys()]

/** The encoding that a Content-Type header names, or nothing for another type or for text that is not UTF-8. */
export function encodingOf(header: string | undefined): Encoding | undefined {
  const [type = '', ...parameters] = (header ?? '').toLowerCase().split(';')
  const isUtf8 = parameters.every(parameter => !/^\s*charset\s*=/.test(parameter) || /=\s*"?(utf-8|us-ascii)"?\s*$/.test(parameter))
  return isUtf8 ? ENCODINGS.get(type.trim()) : undefined
}

function textEncoding(contentType: string, codec: TextCodec): Encoding {
  return {
    contentType,
    expansion: 4,
    answer: (engine, body, peer, limit) => answerText(codec, engine, body, peer, limit),
  }
}

/** Invalid text gets a KMIP answer in the same encoding, as invalid TTLV does. */
async function answerText(codec: TextCodec, engine: Engine, body: Buffer, peer: Peer, limit: number): Promise<Answer> {
  const message = decoded(codec, body)
  if (message instanceof EncodingError) {
    const { message: refusal, entries } = engine.answerUnreadable(message.message, versionInText(body))
    return { bytes: Buffer.from(codec.encode(refusal)), close: false, entries }
  }
  const size = sizeOf(message)
  if (size > limit) throw new SizeError(`a request of ${size} bytes in TTLV is above the limit of ${limit}`)
  const reply = await engine.answerItem(message, peer)
  try {
    return { bytes: Buffer.from(codec.encode(reply.message)), close: false, entries: reply.entries }
  } catch (error) {
    if (!(error instanceof EncodingError)) throw error
    const problem = `the answer cannot be written in ${codec.name}, ask for it in TTLV: ${error.message}`
    const { message: refusal, entries } = engine.answerUnreadable(problem, versionInText(body))
    return { bytes: Buffer.from(codec.encode(refusal)), close: false, entries: [...reply.entries, ...entries] }
  }
}

function decoded(codec: TextCodec, body: Buffer): Item | EncodingError {
  try {
    return codec.decode(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch (error) {
    if (error instanceof EncodingError) return error
    if (error instanceof TypeError) return new EncodingError(`the ${codec.name} is not UTF-8`)
    throw error
  }
}

const VERSION_PART = /(?:ProtocolVersion|0x42006)(Major|Minor|[ab])"?[^<>{}]*?value"?\s*[=:]\s*["']?(0x[0-9a-f]{8}|\d{1,3})\b/gi

/** The version in the header of a message that does not decode, where header and version are written in the usual way. */
function versionInText(body: Buffer): { major: number; minor: number } | undefined {
  let major: number | undefined
  for (const [, part = '', digits] of body.toString('latin1', 0, 4096).matchAll(VERSION_PART)) {
    if (/^(major|a)$/i.test(part)) major = Number(digits)
    else if (major !== undefined) return { major, minor: Number(digits) }
  }
  return undefined
}
