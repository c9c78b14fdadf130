import { type BaseBlock, Constructed, fromBER, ObjectIdentifier } from 'asn1js'
import { PkiError } from './error.ts'

// Writing is done here and not with asn1js: its Integer, BitString and RawData blocks each have rules of their own for what they
// take, and a certificate needs exact DER. Spec: X.690 section 8 and 10

function lengthOf(count: number): Buffer {
  if (count < 0x80) return Buffer.of(count)
  const digits = count.toString(16)
  const bytes = Buffer.from(digits.length % 2 ? `0${digits}` : digits, 'hex')
  return Buffer.concat([Buffer.of(0x80 | bytes.length), bytes])
}

/** One DER item: identifier octet, length, and the parts one after another as its content. */
export function item(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const count = parts.reduce((sum, part) => sum + part.length, 0)
  return Buffer.concat([Buffer.of(tag), lengthOf(count), ...parts])
}

export const sequence = (...parts: readonly Uint8Array[]): Buffer => item(0x30, ...parts)
export const set = (...parts: readonly Uint8Array[]): Buffer => item(0x31, ...parts)
export const octets = (bytes: Uint8Array): Buffer => item(0x04, bytes)
export const bool = (value: boolean): Buffer => item(0x01, Buffer.of(value ? 0xff : 0))
export const nothing = (): Buffer => item(0x05)

/** A BIT STRING without unused bits, or with as many as said. */
export const bits = (bytes: Uint8Array, unused = 0): Buffer => item(0x03, Buffer.of(unused), bytes)

/** An INTEGER from its big-endian magnitude, shortened to the minimal form. */
export function unsigned(magnitude: Uint8Array): Buffer {
  const first = magnitude.findIndex(byte => byte !== 0)
  const short = first < 0 ? Buffer.of(0) : magnitude.subarray(first)
  return short[0]! & 0x80 ? item(0x02, Buffer.of(0), short) : item(0x02, short)
}

/** An OBJECT IDENTIFIER from its dotted form. */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  const content: number[] = []
  for (const arc of [first * 40 + second, ...rest]) {
    const digits = [arc % 128]
    for (let high = Math.floor(arc / 128); high > 0; high = Math.floor(high / 128)) digits.unshift((high % 128) + 128)
    content.push(...digits)
  }
  return item(0x06, Buffer.from(content))
}

/** A Time in whole seconds: UTCTime until 2049, GeneralizedTime from 2050. Spec: RFC 5280 section 4.1.2.5 */
export function time(at: Date): Buffer {
  const digits = at
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replace(/[-:T]/g, '')
  return at.getUTCFullYear() < 2050 ? item(0x17, Buffer.from(digits.slice(2))) : item(0x18, Buffer.from(digits))
}

/** Read one DER item that fills the bytes. @throws PkiError `malformed` */
export function read(der: Uint8Array, what: string): BaseBlock {
  const block = (() => {
    try {
      return fromBER(der)
    } catch (cause) {
      // asn1js throws for some malformed values, such as dates, and reports the others in its result.
      throw new PkiError('malformed', `${what}: not DER`, { cause })
    }
  })()
  if (block.offset !== der.length) throw new PkiError('malformed', `${what}: not one DER item of ${der.length} bytes`)
  return block.result
}

/** The items inside a constructed one. @throws PkiError `malformed` */
export function inside(block: BaseBlock | undefined, what: string): readonly BaseBlock[] {
  if (!(block instanceof Constructed)) throw new PkiError('malformed', `${what}: a constructed item was expected`)
  return block.valueBlock.value
}

/** The bytes an item was read from, its tag and length included; a view into what was read. */
export const raw = (block: BaseBlock): Buffer => {
  const { buffer, byteOffset, byteLength } = block.valueBeforeDecodeView
  return Buffer.from(buffer, byteOffset, byteLength)
}

/** The content octets of an item; a view into what was read. */
export const content = (block: BaseBlock): Buffer => raw(block).subarray(block.idBlock.blockLength + block.lenBlock.blockLength)

/** The dotted form of an OBJECT IDENTIFIER. @throws PkiError `malformed` */
export function dotted(block: BaseBlock | undefined, what: string): string {
  if (!(block instanceof ObjectIdentifier)) throw new PkiError('malformed', `${what}: an object identifier was expected`)
  return block.valueBlock.toString()
}

/** Whether an item is the context-specific one of this number. */
export const isContext = (block: BaseBlock | undefined, number: number): block is BaseBlock =>
  block?.idBlock.tagClass === 3 && block.idBlock.tagNumber === number

/** DER of the first PEM block with one of these labels. @throws PkiError `malformed` */
export function fromPem(pem: string, ...labels: readonly string[]): Buffer {
  for (const [, begin = '', base64 = '', end] of pem.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----([A-Za-z0-9+/=\s]+)-----END ([A-Z0-9 ]+)-----/g))
    if (begin === end && labels.includes(begin)) return Buffer.from(base64, 'base64')
  throw new PkiError('malformed', `no PEM block "${labels.join('" or "')}" was found`)
}

/** A PEM block with lines of 64 characters and no line end after the last. */
export const toPem = (label: string, der: Uint8Array): string =>
  [
    `-----BEGIN ${label}-----`,
    ...(Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? []),
    `-----END ${label}-----`,
  ].join('\n')
