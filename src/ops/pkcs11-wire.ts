import { KmipError } from '../objects/errors.ts'
import { ATTRIBUTE_WIDTH, type ReturnCode } from '../ttlv/pkcs11.ts'

// How the parameters of PKCS#11 functions stand in the byte strings of the PKCS#11 operation: CK_ULONG in eight bytes, counts and
// lengths in four in front of what they count, all big-endian. Spec: KMIP Profiles 2.1 section 5.18.1

/** Fails one function of PKCS#11; the KMIP operation itself succeeds and tells the code. */
export class Pkcs11Error extends Error {
  override readonly name = 'Pkcs11Error'
  readonly code: ReturnCode
  constructor(code: ReturnCode) {
    super(`CKR_${code}`)
    this.code = code
  }
}

/** One attribute of a template; `value` absent: only asked for. */
export interface TemplateItem {
  readonly type: number
  readonly value?: Buffer
  /** The value's length was told, or its width is fixed and a value is wanted. */
  readonly counted: boolean
}

export interface Mechanism {
  readonly type: number
  readonly parameter: Buffer | undefined
}

/** Reads parameters in order. @throws KmipError PKCS#11 Codec Error: they end too soon, or go on */
export class Reader {
  readonly #bytes: Buffer
  #at = 0
  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  bytes(length: number): Buffer {
    if (length > this.left) throw new KmipError('PKCS_11CodecError', 'the input parameters end too soon')
    const start = this.#at
    this.#at += length
    return this.#bytes.subarray(start, this.#at)
  }

  byte(): number {
    return this.bytes(1).readUInt8()
  }

  /** A count or a length. */
  count(): number {
    return this.bytes(4).readUInt32BE()
  }

  /** @throws Pkcs11Error Arguments Bad: more than a number of ours can be */
  ulong(): number {
    const value = this.bytes(8).readBigUInt64BE()
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new Pkcs11Error('ARGUMENTS_BAD')
    return Number(value)
  }

  /** A byte string with its length in front. */
  data(): Buffer {
    return this.bytes(this.count())
  }

  /** Where the answer goes: whether values are wanted or only their number, and room for how many, if told. */
  room(): { wanted: boolean; limit: number } {
    const wanted = this.left === 0 || this.byte() !== 0
    return { wanted, limit: this.left >= 4 ? this.count() : Number.POSITIVE_INFINITY }
  }

  mechanism(): Mechanism {
    const type = this.ulong()
    return { type, parameter: this.byte() === 0 ? undefined : this.data() }
  }

  template(): TemplateItem[] {
    const count = this.count()
    // The shortest attribute has ten bytes; a count that cannot be is refused before anything is made of it.
    if (count * 10 > this.left) throw new KmipError('PKCS_11CodecError', 'the template has fewer attributes than it says')
    return Array.from({ length: count }, () => this.#attribute())
  }

  #attribute(): TemplateItem {
    const type = this.ulong()
    const hasValue = this.byte() !== 0
    const counted = this.byte() !== 0
    if (hasValue && !counted) throw new KmipError('PKCS_11CodecError', 'a value without its length stands in the template')
    const width = ATTRIBUTE_WIDTH.get(type)
    const length = width ?? (counted ? this.count() : 0)
    return hasValue ? { type, value: this.bytes(length), counted } : { type, counted }
  }

  end(): void {
    if (this.left > 0) throw new KmipError('PKCS_11CodecError', 'the input parameters go on after their end')
  }
}

export const ulong = (value: number): Buffer => {
  const buffer = Buffer.alloc(8)
  buffer.writeBigUInt64BE(BigInt(value))
  return buffer
}
/** CK_UNAVAILABLE_INFORMATION. */
export const UNAVAILABLE = Buffer.alloc(8, 0xff)
export const count = (value: number): Buffer => {
  const buffer = Buffer.alloc(4)
  buffer.writeUInt32BE(value)
  return buffer
}
export const data = (value: Buffer): Buffer => Buffer.concat([count(value.length), value])
/** Text padded with blanks to a width; what does not fit is cut off. */
export const padded = (text: string, width: number): Buffer => {
  const bytes = Buffer.from(text)
  return Buffer.concat([bytes, Buffer.alloc(width, ' ')]).subarray(0, width)
}
export const version = (major: number, minor: number): Buffer => Buffer.from([major, minor])
export const flag = (value: boolean): Buffer => Buffer.from([value ? 1 : 0])

/** An array as far as it is wanted. @throws Pkcs11Error Buffer Too Small */
export function array(items: readonly Buffer[], { wanted, limit }: { wanted: boolean; limit: number }): Buffer {
  if (!wanted) return count(items.length)
  if (items.length > limit) throw new Pkcs11Error('BUFFER_TOO_SMALL')
  return Buffer.concat([count(items.length), ...items])
}

/** One attribute of a template in an answer; `value` absent: it is not to be had. */
export function attribute(type: number, value: Buffer | undefined, wanted: boolean): Buffer {
  const head = [ulong(type), flag(value !== undefined && wanted), flag(value !== undefined)]
  if (!value) return Buffer.concat(head)
  return Buffer.concat([...head, ...(ATTRIBUTE_WIDTH.has(type) ? [] : [count(value.length)]), ...(wanted ? [value] : [])])
}
