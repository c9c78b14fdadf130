// Header blocks of HTTP/2. Spec: RFC 7541

/** A block that is none: what follows on the connection cannot be read either. */
export class HpackError extends Error {
  override readonly name = 'HpackError'
  readonly code = 'hpack'
}

export type Field = readonly [name: string, value: string]

/** Names, and values where there is one, from 1 on. Spec: appendix A */
const STATIC: readonly Field[] =
  `:authority|:method=GET|:method=POST|:path=/|:path=/index.html|:scheme=http|:scheme=https|:status=200|:status=204|\
:status=206|:status=304|:status=400|:status=404|:status=500|accept-charset|accept-encoding=gzip, deflate|accept-language|accept-ranges|accept|\
access-control-allow-origin|age|allow|authorization|cache-control|content-disposition|content-encoding|content-language|content-length|\
content-location|content-range|content-type|cookie|date|etag|expect|expires|from|host|if-match|if-modified-since|if-none-match|if-range|\
if-unmodified-since|last-modified|link|location|max-forwards|proxy-authenticate|proxy-authorization|range|referer|refresh|retry-after|server|\
set-cookie|strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate`
    .split('|')
    .map(text => {
      const [name = '', value = ''] = text.split('=')
      return [name, value]
    })
const STATIC_NAMES = new Map(STATIC.map(([name], i) => [name, i + 1] as const).reverse())

/** Bytes that the other side may have us remember. Spec: RFC 9113 section 6.5.2, SETTINGS_HEADER_TABLE_SIZE */
const TABLE_BYTES = 4096
/** What an entry counts beside its text. Spec: section 4.1 */
const ENTRY_BYTES = 32

/** Reads the header blocks of one connection, which refer to each other. */
export class HpackDecoder {
  /** Newest last. */
  readonly #entries: Field[] = []
  #size = 0
  #limit = TABLE_BYTES

  /**
   * @param most bytes of the fields together
   * @returns nothing if they are more; the connection can go on
   * @throws HpackError
   */
  decode(block: Buffer, most: number): Field[] | undefined {
    const reader = new Reader(block)
    const fields: Field[] = []
    let bytes = 0
    const add = (field: Field): void => {
      bytes += sizeOf(field)
      if (bytes <= most) fields.push(field)
    }
    while (!reader.isAtEnd) {
      const first = reader.first
      if (first >= 0x80) add(this.#at(reader.integer(7)))
      else if (first >= 0x40) {
        const field = this.#literal(reader, 6)
        this.#remember(field)
        add(field)
      } else if (first >= 0x20) {
        const limit = reader.integer(5)
        if (limit > TABLE_BYTES || fields.length > 0) throw new HpackError('the table is resized against the rules')
        this.#limit = limit
        this.#evict(0)
      } else add(this.#literal(reader, 4))
    }
    return bytes > most ? undefined : fields
  }

  #literal(reader: Reader, bits: number): Field {
    const index = reader.integer(bits)
    const name = index === 0 ? reader.text() : this.#at(index)[0]
    return [name, reader.text()]
  }

  #at(index: number): Field {
    const field = index <= STATIC.length ? STATIC[index - 1] : this.#entries[this.#entries.length - (index - STATIC.length)]
    if (field === undefined) throw new HpackError('there is no such entry')
    return field
  }

  #remember(field: Field): void {
    const size = sizeOf(field)
    this.#evict(size)
    if (size > this.#limit) return
    this.#entries.push(field)
    this.#size += size
  }

  #evict(room: number): void {
    while (this.#entries.length > 0 && this.#size + room > this.#limit) this.#size -= sizeOf(this.#entries.shift()!)
  }
}

const sizeOf = ([name, value]: Field): number => name.length + value.length + ENTRY_BYTES

/** No length or index that makes sense is longer. */
const LONGEST_INTEGER = 1 << 24

class Reader {
  readonly #block: Buffer
  #at = 0
  constructor(block: Buffer) {
    this.#block = block
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#block.length
  }

  get first(): number {
    return this.#block[this.#at]!
  }

  /** Spec: section 5.1 */
  integer(bits: number): number {
    const full = (1 << bits) - 1
    let value = this.#byte() & full
    if (value < full) return value
    for (let factor = 1; ; factor *= 128) {
      const byte = this.#byte()
      value += (byte & 0x7f) * factor
      if (value > LONGEST_INTEGER || factor > LONGEST_INTEGER) throw new HpackError('an integer is too long')
      if (byte < 0x80) return value
    }
  }

  text(): string {
    if (this.isAtEnd) throw new HpackError('the block is cut')
    const isShort = this.first >= 0x80
    const length = this.integer(7)
    const end = this.#at + length
    if (end > this.#block.length) throw new HpackError('the block is cut')
    const bytes = this.#block.subarray(this.#at, end)
    this.#at = end
    return isShort ? fromHuffman(bytes) : bytes.toString('latin1')
  }

  #byte(): number {
    if (this.isAtEnd) throw new HpackError('the block is cut')
    return this.#block[this.#at++]!
  }
}

/** Bits of each byte's code, and of the end's, as digits to the base 36. Codes of one length count up, so the lengths tell all. Spec: appendix B */
const CODE_BITS =
  'dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6cad67777777777777777777777878djde6f56565666577666567655677777fbeds\
kmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmlnmnnkmmmnmmnqqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrqu'
const END = 256
const LONGEST_CODE = 30

interface Codes {
  readonly first: number
  /** In the order of the codes. */
  readonly symbols: readonly number[]
}

const CODES: readonly Codes[] = makeCodes()

function makeCodes(): Codes[] {
  const codes: Codes[] = []
  let next = 0
  for (let bits = 0; bits <= LONGEST_CODE; bits++) {
    const symbols = [...CODE_BITS].flatMap((digit, symbol) => (Number.parseInt(digit, 36) === bits ? [symbol] : []))
    codes.push({ first: next, symbols })
    next = (next + symbols.length) * 2
  }
  return codes
}

/** @throws HpackError */
function fromHuffman(bytes: Buffer): string {
  const text: number[] = []
  let code = 0
  let bits = 0
  for (const byte of bytes)
    for (let mask = 0x80; mask > 0; mask >>= 1) {
      code = code * 2 + ((byte & mask) === 0 ? 0 : 1)
      const { first, symbols } = CODES[++bits]!
      const symbol = symbols[code - first]
      if (symbol === undefined) {
        if (bits === LONGEST_CODE) throw new HpackError('there is no such code')
        continue
      }
      if (symbol === END) throw new HpackError('the end stands in the middle')
      text.push(symbol)
      code = bits = 0
    }
  // What fills the last byte is the beginning of the end's code: ones.
  if (bits > 7 || code !== (1 << bits) - 1) throw new HpackError('the last byte is not filled as it should be')
  return Buffer.from(text).toString('latin1')
}

const STATUS_NAME = 8

/** Without a table, and so the same on every connection. */
export const encodeStatus = (status: number): Buffer => {
  const index = STATIC.findIndex(([name, value]) => name === ':status' && value === String(status))
  return index >= 0 ? Buffer.of(0x80 | (index + 1)) : Buffer.concat([Buffer.of(STATUS_NAME), encodedText(String(status))])
}

/** A field that nobody is to remember. @param name in lower case */
export function encodeField(name: string, value: string): Buffer {
  if (/[\0\r\n]/.test(value)) throw new TypeError(`a header ${name} cannot have such a value`)
  const index = STATIC_NAMES.get(name)
  return Buffer.concat([index === undefined ? Buffer.concat([Buffer.of(0), encodedText(name)]) : integer(4, index), encodedText(value)])
}

function encodedText(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1')
  return Buffer.concat([integer(7, bytes.length), bytes])
}

/** In so many bits of its first byte, whose others are 0. Spec: section 5.1 */
function integer(bits: number, value: number): Buffer {
  const full = (1 << bits) - 1
  if (value < full) return Buffer.of(value)
  const bytes = [full]
  let rest = value - full
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push(0x80 | (rest % 128))
  return Buffer.from([...bytes, rest])
}
