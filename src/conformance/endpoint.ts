import type { AddressInfo, Socket } from 'node:net'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import { Framer } from '../client/framer.ts'
import { decode, encode } from '../ttlv/binary.ts'
import { ENUM } from '../ttlv/enumerations.ts'
import { child, dateTime, enumeration, type Item, integer, structure } from '../ttlv/item.ts'
import type { Version } from '../ttlv/spec.ts'
import { TAG } from '../ttlv/tags.ts'
import { batchItems, numberIn } from './session.ts'

const { Operation, ResultStatus } = ENUM
const MAX_MESSAGE = 16 * 1024 * 1024

export interface EndpointOptions {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  /** Of the client that listens, and what the server's certificate must descend from; PEM. */
  readonly cert: string | Buffer
  readonly key: string | Buffer
  readonly ca: string | Buffer
}

/** A request of the server's that waits for its answer. */
export interface Asked {
  readonly message: Item
  answer(response: Item): void
}

/**
 * Where a client takes requests of the server: those in a version that is watched wait for whoever asks for them, the others are answered
 * with success.
 */
export class Endpoint {
  readonly #server: Server
  readonly #sockets = new Set<TLSSocket>()
  /** Those in the middle of a handshake too. */
  readonly #accepted = new Set<Socket>()
  #isClosed = false
  readonly #now: () => number
  #watched: Version | undefined
  #kept: Asked[] = []
  #wake: (() => void) | undefined

  private constructor(server: Server, now: () => number) {
    this.#server = server
    this.#now = now
    server.on('connection', socket => this.#accept(socket))
    server.on('secureConnection', socket => this.#take(socket))
    // Who cannot show the server's certificate is no business of a test.
    server.on('tlsClientError', (_error, socket) => socket.destroy())
  }

  /**
   * @param now milliseconds since 1970
   * @throws the system's error when the address cannot be had
   */
  static listen({ host, port, cert, key, ca }: EndpointOptions, now: () => number): Promise<Endpoint> {
    const server = createServer({ cert, key, ca, requestCert: true, rejectUnauthorized: true })
    const endpoint = new Endpoint(server, now)
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, host, () => resolve(endpoint))
    })
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** From now on keep requests in this version; none: answer all, those that are kept too. */
  watch(version: Version | undefined): void {
    this.#watched = version
    for (const asked of this.#kept.splice(0)) asked.answer(this.usualAnswer(asked.message))
  }

  /** The next request in the version that is watched, or nothing if none comes in time. */
  async next(milliseconds: number): Promise<Asked | undefined> {
    if (this.#kept.length === 0) {
      let timer: NodeJS.Timeout | undefined
      await new Promise<void>(resolve => {
        this.#wake = resolve
        timer = setTimeout(resolve, milliseconds)
      })
      clearTimeout(timer)
      this.#wake = undefined
    }
    return this.#kept.shift()
  }

  /** Break all connections, so that the server connects anew. */
  hangUp(): void {
    this.#kept = []
    for (const socket of this.#sockets) socket.destroy()
  }

  /** A server that was just cut off connects anew, and may be about to. */
  close(): void {
    this.#isClosed = true
    this.hangUp()
    for (const socket of this.#accepted) socket.destroy()
    this.#server.close()
  }

  /** Success, without more than the operation demands. */
  usualAnswer(message: Item): Item {
    const header = child(message, TAG.RequestHeader)
    const version = header && child(header, TAG.ProtocolVersion)
    const items = batchItems(message).map(item => {
      const operation = numberIn(item, TAG.Operation) ?? 0
      const id = child(item, TAG.UniqueBatchItemID)
      const payload =
        operation === Operation.Query
          ? SUPPORTED.map(one => enumeration(TAG.Operation, one))
          : operation === Operation.DiscoverVersions && version
            ? [version]
            : operation === Operation.SetEndpointRole
              ? (fieldsOf(child(item, TAG.RequestPayload)) ?? [])
              : []
      return structure(TAG.BatchItem, [
        enumeration(TAG.Operation, operation),
        ...(id ? [id] : []),
        enumeration(TAG.ResultStatus, ResultStatus.Success),
        structure(TAG.ResponsePayload, payload),
      ])
    })
    const time = dateTime(TAG.TimeStamp, BigInt(Math.floor(this.#now() / 1000)))
    const fields = [...(version ? [version] : []), time, integer(TAG.BatchCount, items.length)]
    return structure(TAG.ResponseMessage, [structure(TAG.ResponseHeader, fields), ...items])
  }

  #accept(socket: Socket): void {
    if (this.#isClosed) socket.destroy()
    this.#accepted.add(socket)
    socket.on('close', () => this.#accepted.delete(socket))
  }

  #take(socket: TLSSocket): void {
    const framer = new Framer(MAX_MESSAGE)
    this.#sockets.add(socket)
    socket.setNoDelay(true)
    socket.on('close', () => this.#sockets.delete(socket))
    socket.on('error', () => socket.destroy())
    socket.on('data', chunk => {
      try {
        for (const bytes of framer.push(chunk)) this.#receive(decode(bytes), socket)
      } catch {
        // What is no message breaks the connection, as it would with any client; the step that waits for a request then fails.
        socket.destroy()
      }
    })
  }

  #receive(message: Item, socket: TLSSocket): void {
    const asked: Asked = { message, answer: response => void socket.write(encode(response)) }
    if (this.#watched === undefined || versionIn(message) !== this.#watched) {
      asked.answer(this.usualAnswer(message))
      return
    }
    this.#kept.push(asked)
    this.#wake?.()
  }
}

const SUPPORTED = [Operation.Query, Operation.Notify, Operation.Put, Operation.DiscoverVersions]

const fieldsOf = (item: Item | undefined): readonly Item[] | undefined => (Array.isArray(item?.value) ? item.value : undefined)

function versionIn(message: Item): Version {
  const header = child(message, TAG.RequestHeader)
  const version = header && child(header, TAG.ProtocolVersion)
  return version ? (numberIn(version, TAG.ProtocolVersionMajor) ?? 0) * 10 + (numberIn(version, TAG.ProtocolVersionMinor) ?? 0) : 0
}
