import { KeyStoreError, type StoredKey } from './keystore.ts'
import { joinTime, readTime, splitTime, writeTime, ZERO_TIME } from './moment.ts'
import { type Field, ProtobufError, readFields, writeField } from './protobuf.ts'

/** Bytes of a stored value at most; longer ones are not read. */
export const LONGEST_VALUE = 1 << 20

const KEY_BYTES = 32
const HMAC_SHA256 = 1n

/** All names that releases of KES gave the algorithms, and their number in protobuf. */
const ALGORITHMS: readonly { readonly algorithm: StoredKey['algorithm']; readonly number: bigint; readonly names: readonly string[] }[] = [
  { algorithm: 'AES256', number: 1n, names: ['AES256', 'AES256-GCM_SHA256', ''] },
  { algorithm: 'ChaCha20', number: 2n, names: ['ChaCha20', 'XCHACHA20-POLY1305'] },
]

/**
 * Read a key in any form that a release of KES stored: JSON of 2019 to 2024, and base64 of a protobuf message since.
 * @param what the store and the key, for the error
 * @throws KeyStoreError `damaged`
 */
export function readStoredKey(value: Buffer | string, what: string): StoredKey {
  const damaged = (why: string): KeyStoreError => new KeyStoreError('damaged', `${what}: ${why}`)
  if (value.length > LONGEST_VALUE) throw damaged(`the value is longer than ${LONGEST_VALUE} bytes`)
  const text = (typeof value === 'string' ? value : value.toString('utf8')).trim()
  const found = text.startsWith('{') ? fromJson(text) : fromProtobuf(text)
  if (typeof found === 'string') throw damaged(found)
  return found
}

/**
 * Write a key as today's KES does. A key without an HMAC key takes the JSON form, the only one in which KES stored such keys: so every
 * release reads it, and nobody takes it for one that has it.
 */
export function writeStoredKey({ algorithm, key, hmacKey, createdAtNs, createdBy }: StoredKey): string {
  if (hmacKey === undefined)
    return JSON.stringify({
      version: 'v1',
      bytes: key.toString('base64'),
      algorithm,
      ...(createdAtNs !== undefined && { created_at: writeTime(createdAtNs) }),
      ...(createdBy !== undefined && { created_by: createdBy }),
    })
  const number = ALGORITHMS.find(row => row.algorithm === algorithm)?.number ?? 0n
  return Buffer.concat([
    writeField(1, Buffer.concat([writeField(1, key), writeField(2, number)])),
    writeField(2, Buffer.concat([writeField(1, hmacKey), writeField(2, HMAC_SHA256)])),
    ...(createdAtNs === undefined ? [] : [writeField(3, timestamp(createdAtNs))]),
    ...(createdBy === undefined ? [] : [writeField(4, Buffer.from(createdBy))]),
  ]).toString('base64')
}

function timestamp(ns: bigint): Buffer {
  const { seconds, nanos } = splitTime(ns)
  return Buffer.concat([...nonZero(1, seconds), ...nonZero(2, nanos)])
}

const nonZero = (number: number, value: bigint): Buffer[] => (value === 0n ? [] : [writeField(number, value)])

/** @returns the key, or what is wrong */
function fromJson(text: string): StoredKey | string {
  const fields = jsonFields(text)
  if (fields === undefined) return 'the value is no JSON object'
  const { version = 'v1', bytes, algorithm: name = '', created_at: time = ZERO_TIME, created_by: createdBy = '' } = fields
  if (version !== 'v1' && version !== '') return 'the key has an unknown version'
  const algorithm = ALGORITHMS.find(({ names }) => names.some(known => known === name))?.algorithm
  if (algorithm === undefined) return 'the key has an unknown algorithm'
  const key = typeof bytes === 'string' ? fromBase64(bytes) : undefined
  if (key?.length !== KEY_BYTES) return `the key has no ${KEY_BYTES} bytes`
  const createdAtNs = typeof time === 'string' ? readTime(time) : undefined
  if (createdAtNs === undefined) return 'created_at is no time'
  if (typeof createdBy !== 'string') return 'created_by is no text'
  return { algorithm, key, ...(time !== ZERO_TIME && { createdAtNs }), ...(createdBy !== '' && { createdBy }) }
}

/** The fields that are not null. KES looks names up without regard to case. */
function jsonFields(text: string): { readonly [field: string]: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null) return undefined
    return Object.fromEntries(Object.entries(value).flatMap(([name, field]) => (field === null ? [] : [[name.toLowerCase(), field]])))
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

/** @returns the key, or what is wrong */
function fromProtobuf(text: string): StoredKey | string {
  const message = fromBase64(text)
  if (message === undefined || message.length === 0) return 'the value is neither JSON nor base64'
  try {
    const fields = readFields(message)
    const secret = readFields(bytesOf(fields, 1))
    const algorithm = ALGORITHMS.find(({ number }) => number === numberOf(secret, 2))?.algorithm
    if (algorithm === undefined) return 'the key has an unknown algorithm'
    const key = bytesOf(secret, 1)
    if (key.length !== KEY_BYTES) return `the key has no ${KEY_BYTES} bytes`
    // No release wrote this form without an HMAC key: what lacks it was cut.
    const hmac = readFields(bytesOf(fields, 2))
    const hmacKey = bytesOf(hmac, 1)
    if (hmacKey.length !== KEY_BYTES || numberOf(hmac, 2) !== HMAC_SHA256) return `there is no HMAC key of ${KEY_BYTES} bytes for SHA-256`
    const time = fields.some(({ number }) => number === 3) ? readFields(bytesOf(fields, 3)) : undefined
    const createdAtNs = time && joinTime(BigInt.asIntN(64, numberOf(time, 1)), BigInt.asIntN(32, numberOf(time, 2)))
    const createdBy = bytesOf(fields, 4).toString('utf8')
    return {
      algorithm,
      key: Buffer.from(key),
      hmacKey: Buffer.from(hmacKey),
      ...(createdAtNs !== undefined && { createdAtNs }),
      ...(createdBy !== '' && { createdBy }),
    }
  } catch (error) {
    if (error instanceof ProtobufError) return `the value is no message of a key: ${error.message}`
    throw error
  }
}

/** The last value of a field, as protobuf has it; what is not there is empty. @throws ProtobufError */
function bytesOf(fields: readonly Field[], number: number): Buffer {
  const value = fields.findLast(field => field.number === number)?.value ?? Buffer.alloc(0)
  if (typeof value === 'bigint') throw new ProtobufError(`field ${number} is a number`)
  return value
}

function numberOf(fields: readonly Field[], number: number): bigint {
  const value = fields.findLast(field => field.number === number)?.value ?? 0n
  if (typeof value !== 'bigint') throw new ProtobufError(`field ${number} is no number`)
  return value
}

/** Standard base64 with its padding; line ends inside are skipped as Go does. */
export function fromBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64')
  // Node skips what is no digit: where as many bytes come out as the text has digits for, there was none.
  if (bytes.length === wholeBytes(text) && !text.includes('-') && !text.includes('_')) return bytes
  const digits = text.replace(/[\r\n]/g, '')
  return /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(digits) ? Buffer.from(digits, 'base64') : undefined
}

function wholeBytes(text: string): number | undefined {
  if (text.length % 4 !== 0) return undefined
  return (text.length / 4) * 3 - (text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0)
}
