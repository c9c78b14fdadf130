import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { HttpRequest, HttpResponse } from './exchange.ts'
import { Exchange, isStream, type Peer, type Serving } from './incoming.ts'

const BEGINNING = 'LIST '
const END = '\r\n\r\n'
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*$/

interface Head {
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
}

/**
 * The head of a request by the verb LIST, which Vault has and Node's parser of HTTP/1 refuses at its third letter: it gives the bytes of the
 * packet that it stopped at, and of all that come after.
 */
export class ListHead {
  readonly #limit: number
  #text = ''

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Whether what the parser stopped at can be the verb: it has taken up to two letters of it before, if they came apart. */
  static begins(packet: Buffer): boolean {
    const start = packet.toString('latin1', 0, BEGINNING.length)
    return [0, 1, 2].some(taken => start === BEGINNING.slice(taken, taken + start.length) || start.startsWith(BEGINNING.slice(taken)))
  }

  /** @returns the head once it is whole; `bad` for what is none */
  add(packet: Buffer): Head | 'bad' | undefined {
    this.#text += packet.toString('latin1')
    if (this.#text.length > this.#limit) return 'bad'
    const end = this.#text.indexOf(END)
    if (end < 0) return undefined
    // A list has no body, and nothing may follow before it is answered.
    return this.#text.length > end + END.length ? 'bad' : headOf(this.#text.slice(0, end))
  }
}

function headOf(text: string): Head | 'bad' {
  const [line = '', ...lines] = text.split('\r\n')
  const [, target] = /^(?:L?I)?ST ([\x21-\x7e]+) HTTP\/1\.[01]$/.exec(line) ?? []
  if (target === undefined) return 'bad'
  const headers: Record<string, string> = {}
  for (const one of lines) {
    const [, name, value] = FIELD.exec(one) ?? []
    if (name === undefined || value === undefined) return 'bad'
    const key = name.toLowerCase()
    if (key === 'transfer-encoding' || (key === 'content-length' && value !== '0') || (key === 'host' && key in headers)) return 'bad'
    headers[key] = Object.hasOwn(headers, key) ? `${headers[key]}, ${value}` : value
  }
  return { target, headers }
}

/** A request by LIST over HTTP/1. The parser is of no more use after it, so the connection is closed with the answer. */
export class ListExchange extends Exchange {
  readonly headers: HttpRequest['headers']
  readonly #socket: Socket

  constructor(head: Head, socket: Socket, peer: Peer, serving: Serving) {
    super('LIST', head.target, peer, serving)
    this.headers = head.headers
    this.#socket = socket
  }

  start(): void {
    this.begin()
    this.#socket.once('close', () => this.over(this.#socket.writableFinished))
    this.answer()
  }

  cut(): void {
    this.#socket.destroy()
  }

  protected send({ status, headers = {}, body }: HttpResponse): void {
    if (isStream(body)) throw new TypeError('a list is answered whole')
    const fields = {
      ...headers,
      Date: new Date().toUTCString(),
      Connection: 'close',
      'Content-Length': String(Buffer.byteLength(body ?? '')),
    }
    const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}`)
    this.#socket.write([`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`, ...lines, '', ''].join('\r\n'))
    this.#socket.end(body ?? '')
  }
}
