// A connection to a KMIP server that sees what the clients of these sequences are particular about: TLS records and the form of each answer.
import { connect as connectTcp } from 'node:net'
import { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import { requestMessage } from '../../dist/client/message.js'
import { decode, encode } from '../../dist/ttlv/binary.js'
import { child, enumName, TYPE, tagName } from '../../dist/ttlv/item.js'
import { TAG } from '../../dist/ttlv/tags.js'

const APPLICATION_DATA = 23

/** Passes bytes between TLS and TCP, and counts the application data records that come in. */
class RecordCounter extends Duplex {
  constructor(socket) {
    super()
    this.records = 0
    this.pending = Buffer.alloc(0)
    this.socket = socket
    socket.on('data', chunk => {
      this.#count(chunk)
      if (!this.push(chunk)) socket.pause()
    })
    socket.on('end', () => this.push(null))
    socket.on('error', error => this.destroy(error))
    socket.on('close', () => this.destroy())
  }

  _read() {
    this.socket.resume()
  }

  _write(chunk, encoding, done) {
    this.socket.write(chunk, encoding, done)
  }

  _final(done) {
    this.socket.end(done)
  }

  _destroy(error, done) {
    this.socket.destroy()
    done(error)
  }

  #count(chunk) {
    this.pending = Buffer.concat([this.pending, chunk])
    while (this.pending.length >= 5) {
      const end = 5 + this.pending.readUInt16BE(3)
      if (this.pending.length < end) return
      if (this.pending[0] === APPLICATION_DATA) this.records++
      this.pending = this.pending.subarray(end)
    }
  }
}

export class Connection {
  #tls
  #counter
  #bytes = Buffer.alloc(0)
  #waiting
  #session

  constructor(tls, counter) {
    this.#tls = tls
    this.#counter = counter
    tls.on('session', session => {
      this.#session = session
    })
    tls.on('data', chunk => {
      this.#bytes = Buffer.concat([this.#bytes, chunk])
      this.#deliver()
    })
    tls.on('error', error => this.#waiting?.reject(error))
    tls.on('close', () => this.#waiting?.reject(new Error('the server closed the connection')))
  }

  /** TLS 1.2 unless told, since 1.3 hides its tickets among the application data. No server name, as most of the clients. */
  static open({ host, port, ca, cert, key }, options = {}) {
    return new Promise((resolve, reject) => {
      const counter = new RecordCounter(connectTcp(port, host))
      const tls = connectTls({ socket: counter, ca, cert, key, maxVersion: 'TLSv1.2', checkServerIdentity: () => undefined, ...options })
      tls.once('error', reject)
      tls.once('secureConnect', () => {
        tls.off('error', reject)
        resolve(new Connection(tls, counter))
      })
    })
  }

  get protocol() {
    return this.#tls.getProtocol()
  }

  get resumed() {
    return this.#tls.isSessionReused()
  }

  /** The TLS session to resume, once the server has given one. */
  get session() {
    return this.#session ?? this.#tls.getSession()
  }

  close() {
    this.#tls.destroy()
  }

  /** Send a message as it is; gives the answer and the number of records that it came in. */
  async send(bytes) {
    const before = this.#counter.records
    const message = await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('no answer within 20 s')), 20_000)
      const done = settle => value => {
        clearTimeout(timer)
        this.#waiting = undefined
        settle(value)
      }
      this.#waiting = { resolve: done(resolve), reject: done(reject) }
      if (this.#tls.destroyed) this.#waiting.reject(new Error('the connection is closed'))
      else this.#tls.write(bytes)
    })
    return { message, records: this.#counter.records - before }
  }

  /** Do operations in one message, `options` as for `requestMessage`; the answer's form is checked. */
  async ask(operations, options = {}) {
    const request = requestMessage(operations, options)
    const { message, records } = await this.send(encode(request))
    const answer = decode(message)
    if (this.protocol === 'TLSv1.2') equal(records, 1, 'TLS records of the answer')
    return checkAnswer(request, answer)
  }

  #deliver() {
    if (this.#bytes.length < 8) return
    const end = 8 + this.#bytes.readUInt32BE(4)
    if (this.#bytes.length < end) return
    const message = this.#bytes.subarray(0, end)
    this.#bytes = this.#bytes.subarray(end)
    this.#waiting?.resolve(message)
  }
}

const HEADER_ORDER = ['ProtocolVersion', 'TimeStamp', 'ClientCorrelationValue', 'ServerCorrelationValue', 'BatchCount']
const ITEM_ORDER = ['Operation', 'UniqueBatchItemID', 'ResultStatus', 'ResultReason', 'ResultMessage', 'ResponsePayload']

/**
 * What every client needs of every answer: the version of the request, a Time Stamp, the order of fields, identifiers of items echoed, and a
 * reason and a message with each failure. Gives the items.
 */
export function checkAnswer(request, answer) {
  equal(tagName(answer.tag), 'ResponseMessage')
  const [header, ...items] = answer.value
  const [asked, ...operations] = request.value
  const version = item => child(child(item, TAG.ProtocolVersion), TAG.ProtocolVersionMinor).value
  const major = item => child(child(item, TAG.ProtocolVersion), TAG.ProtocolVersionMajor).value
  equal([major(header), version(header)], [major(asked), version(asked)], 'version of the answer')
  ordered(header, HEADER_ORDER)
  if (child(header, TAG.TimeStamp) === undefined) throw new Error('the answer has no Time Stamp')
  if (major(asked) === 1 && version(asked) < 4 && child(header, TAG.ServerCorrelationValue)) throw new Error('a Server Correlation Value')
  equal(child(header, TAG.BatchCount)?.value, items.length, 'Batch Count')
  return items.map(item => {
    ordered(item, ITEM_ORDER)
    const status = enumName('ResultStatus', child(item, TAG.ResultStatus).value)
    const reason = child(item, TAG.ResultReason)
    const note = child(item, TAG.ResultMessage)?.value
    if (status === 'OperationFailed' && !(reason && note)) throw new Error('a failure without reason or message')
    const id = child(item, TAG.UniqueBatchItemID)?.value
    const operation = operations.find(one => same(child(one, TAG.UniqueBatchItemID)?.value, id))
    if (operation === undefined) throw new Error(`Unique Batch Item ID ${id?.toString('hex')} is none of the request`)
    return new Reply(status, reason && enumName('ResultReason', reason.value), note, child(item, TAG.ResponsePayload))
  })
}

/** One batch item of an answer. */
export class Reply {
  constructor(status, reason, note, payload) {
    this.status = status
    this.reason = reason
    this.note = note
    this.payload = payload
  }

  get fields() {
    return this.payload?.value.map(item => tagName(item.tag)) ?? []
  }

  /** The item under a path of tag names. */
  item(...path) {
    return path.reduce((item, name) => item && child(item, TAG[name]), this.payload)
  }

  at(...path) {
    return this.item(...path)?.value
  }

  all(name) {
    return this.payload?.value.filter(item => item.tag === TAG[name]).map(item => item.value) ?? []
  }

  get id() {
    return this.at('UniqueIdentifier')
  }

  /** Attributes as {name: [items]}. */
  get attributes() {
    const result = {}
    for (const value of this.all('Attribute')) {
      const attribute = { type: TYPE.Structure, tag: TAG.Attribute, value }
      const name = child(attribute, TAG.AttributeName).value
      result[name] ??= []
      result[name].push(child(attribute, TAG.AttributeValue))
    }
    return result
  }

  succeeded() {
    if (this.status !== 'Success') throw new Error(`${this.status}: ${this.reason}: ${this.note}`)
    return this
  }

  failed(...reasons) {
    if (this.status !== 'OperationFailed' || !reasons.includes(this.reason))
      throw new Error(`${this.status} ${this.reason ?? ''} instead of a failure by ${reasons.join(' or ')}`)
    return this
  }
}

function ordered(structure, order) {
  const places = structure.value.map(item => order.indexOf(tagName(item.tag)))
  if (places.includes(-1) || places.some((place, index) => index > 0 && place <= places[index - 1]))
    throw new Error(`fields ${structure.value.map(item => tagName(item.tag)).join(', ')}`)
}

const same = (a, b) => (Buffer.isBuffer(a) && Buffer.isBuffer(b) ? a.equals(b) : a === b)

export function equal(actual, expected, what = 'value') {
  const show = value => JSON.stringify(value, (_, one) => (typeof one === 'bigint' ? String(one) : one))
  if (show(actual) !== show(expected)) throw new Error(`${what}: ${show(actual)} instead of ${show(expected)}`)
}
