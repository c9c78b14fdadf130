// Frames of HTTP/2. Spec: RFC 9113 sections 4 and 6

export const FRAME = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const

export const FLAG = { ACK: 1, END_STREAM: 1, END_HEADERS: 4, PADDED: 8, PRIORITY: 0x20 } as const

export const SETTING = {
  ENABLE_PUSH: 2,
  MAX_CONCURRENT_STREAMS: 3,
  INITIAL_WINDOW_SIZE: 4,
  MAX_FRAME_SIZE: 5,
  MAX_HEADER_LIST_SIZE: 6,
} as const

/** Spec: section 7 */
export const CODE = {
  NO_ERROR: 0,
  PROTOCOL_ERROR: 1,
  INTERNAL_ERROR: 2,
  FLOW_CONTROL_ERROR: 3,
  STREAM_CLOSED: 5,
  FRAME_SIZE_ERROR: 6,
  REFUSED_STREAM: 7,
  CANCEL: 8,
  COMPRESSION_ERROR: 9,
  ENHANCE_YOUR_CALM: 11,
} as const

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
export const HEAD_BYTES = 9
/** Of a frame's payload, unless the other side allows more. */
export const FRAME_BYTES = 16_384
export const WINDOW = 65_535
export const LARGEST_WINDOW = 0x7fffffff

/** The other side broke the rules in a way that ends the connection. */
export class Http2Error extends Error {
  override readonly name = 'Http2Error'
  readonly code: number
  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

export function writeHead(into: Buffer, at: number, length: number, type: number, flags: number, stream: number): void {
  into.writeUIntBE(length, at, 3)
  into[at + 3] = type
  into[at + 4] = flags
  into.writeUInt32BE(stream, at + 5)
}

export function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + payload.length)
  writeHead(bytes, 0, payload.length, type, flags, stream)
  bytes.set(payload, HEAD_BYTES)
  return bytes
}

/** A frame of one number, such as a window's growth or the reason of a reset. */
export function numberFrame(type: number, stream: number, value: number): Buffer {
  const payload = Buffer.allocUnsafe(4)
  payload.writeUInt32BE(value)
  return frame(type, 0, stream, payload)
}

export function settingsFrame(settings: { readonly [id: number]: number }): Buffer {
  const entries = Object.entries(settings)
  const payload = Buffer.allocUnsafe(entries.length * 6)
  entries.forEach(([id, value], i) => {
    payload.writeUInt16BE(Number(id), i * 6)
    payload.writeUInt32BE(value, i * 6 + 2)
  })
  return frame(FRAME.SETTINGS, 0, 0, payload)
}

/** What stands between the padding and the priority of a frame. @throws Http2Error */
export function unpadded(payload: Buffer, flags: number, hasPriority = false): Buffer {
  const isPadded = (flags & FLAG.PADDED) !== 0
  const start = (isPadded ? 1 : 0) + (hasPriority ? 5 : 0)
  const end = payload.length - (isPadded ? (payload[0] ?? 0) : 0)
  if (start > payload.length || end < start) throw new Http2Error(CODE.PROTOCOL_ERROR, 'a frame is filled with more than it holds')
  return payload.subarray(start, end)
}

export function goAway(lastStream: number, code: number): Buffer {
  const payload = Buffer.allocUnsafe(8)
  payload.writeUInt32BE(lastStream, 0)
  payload.writeUInt32BE(code, 4)
  return frame(FRAME.GOAWAY, 0, 0, payload)
}
