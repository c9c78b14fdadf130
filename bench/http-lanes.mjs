// The smallest clients that can ask one request after the other on a connection, over HTTP/1.1 and HTTP/2.
import { once } from 'node:events'
import { connect } from 'node:tls'

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
const [DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE] = [0, 1, 3, 4, 6, 7, 8]
const END_STREAM = 1
const ACK = 1
const END_HEADERS = 4
const WINDOW = 1 << 20
/** `:status`, the first field of an answer, as entries of HPACK's static table. Spec: RFC 7541 appendix A */
const STATUS = { 136: 200, 140: 400, 141: 404, 142: 500 }

/**
 * @param {'h2' | 'http/1.1'} version
 * @returns a connection whose `ask(request)` resolves to the status and the body
 */
export async function openLane(version, { port, cert, key }) {
  const socket = connect({ host: '127.0.0.1', port, cert, key, rejectUnauthorized: false, ALPNProtocols: [version] })
  await once(socket, 'secureConnect')
  socket.setNoDelay(true)
  return version === 'h2' ? new Http2Lane(socket) : new Http1Lane(socket)
}

class Lane {
  constructor(socket) {
    this.socket = socket
    this.bytes = Buffer.alloc(0)
    socket.on('data', chunk => {
      this.bytes = this.bytes.length === 0 ? chunk : Buffer.concat([this.bytes, chunk])
      this.read()
    })
    socket.on('error', error => this.fail?.(error))
    socket.on('close', () => this.fail?.(new Error('the connection was closed')))
  }
  ask(request) {
    return new Promise((resolve, reject) => {
      this.done = resolve
      this.fail = reject
      this.send(request)
    })
  }
  close() {
    this.fail = undefined
    this.socket.destroy()
  }
}

class Http1Lane extends Lane {
  send({ method, path, headers, body }) {
    const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
    this.socket.write(`${method} ${path} HTTP/1.1\r\nhost: kes\r\n${fields.join('')}content-length: ${body.length}\r\n\r\n${body}`)
  }
  read() {
    const end = this.bytes.indexOf('\r\n\r\n')
    if (end < 0) return
    const head = this.bytes.latin1Slice(0, end)
    const whole = end + 4 + Number(/content-length: (\d+)/i.exec(head)[1])
    if (this.bytes.length < whole) return
    const body = this.bytes.latin1Slice(end + 4, whole)
    this.bytes = this.bytes.subarray(whole)
    this.done({ status: Number(head.slice(9, 12)), body })
  }
}

class Http2Lane extends Lane {
  #stream = -1
  #body = ''
  #status = 0
  #received = 0
  constructor(socket) {
    super(socket)
    // SETTINGS_HEADER_TABLE_SIZE 0: answers come without a table of what was sent before. SETTINGS_INITIAL_WINDOW_SIZE
    socket.write(
      Buffer.concat([PREFACE, frame(SETTINGS, 0, 0, Buffer.from(`00010000000000040${WINDOW.toString(16).padStart(7, '0')}`, 'hex'))]),
    )
  }
  send({ method, path, headers, body }) {
    this.#stream += 2
    this.#body = ''
    const fields = [[':method', method], [':scheme', 'https'], [':path', path], [':authority', 'kes'], ...Object.entries(headers)]
    const head = Buffer.concat(fields.flatMap(([name, value]) => [Buffer.of(0), text(name), text(String(value))]))
    const frames = [frame(HEADERS, END_HEADERS | (body.length === 0 ? END_STREAM : 0), this.#stream, head)]
    if (body.length > 0) frames.push(frame(DATA, END_STREAM, this.#stream, Buffer.from(body)))
    this.socket.write(Buffer.concat(frames))
  }
  read() {
    while (this.bytes.length >= 9) {
      const length = this.bytes.readUIntBE(0, 3)
      if (this.bytes.length < 9 + length) return
      const [type, flags] = [this.bytes[3], this.bytes[4]]
      const payload = this.bytes.subarray(9, 9 + length)
      this.bytes = this.bytes.subarray(9 + length)
      if (type === SETTINGS && (flags & ACK) === 0) this.socket.write(frame(SETTINGS, ACK, 0))
      else if (type === PING && (flags & ACK) === 0) this.socket.write(frame(PING, ACK, 0, payload))
      else if (type === RST_STREAM || type === GOAWAY) this.fail?.(new Error(`the server gave up: ${payload.toString('hex')}`))
      else if (type === DATA) this.#take(payload)
      else if (type === HEADERS) this.#status = STATUS[payload[payload[0] >> 5 === 1 ? 1 : 0]] ?? 0
      if ((type === DATA || type === HEADERS) && (flags & END_STREAM) !== 0) this.done({ status: this.#status, body: this.#body })
    }
  }
  #take(payload) {
    this.#body += payload.latin1Slice()
    this.#received += payload.length
    if (this.#received < 30_000) return
    const more = Buffer.alloc(4)
    more.writeUInt32BE(this.#received)
    this.#received = 0
    this.socket.write(frame(WINDOW_UPDATE, 0, 0, more))
  }
}

/** A literal of HPACK without Huffman's code, up to 254 bytes longer than fit into the first. */
function text(value) {
  const bytes = Buffer.from(value)
  return bytes.length < 127 ? Buffer.concat([Buffer.of(bytes.length), bytes]) : Buffer.concat([Buffer.of(127, bytes.length - 127), bytes])
}

function frame(type, flags, stream, payload = Buffer.alloc(0)) {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}
