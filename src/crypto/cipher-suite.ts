/**
 * The suites: each algorithm with each of its modes, and what key, IV and tag a suite takes.
 * Spec: KMIP 1.4 section 3.6, 2.1 section 4.16.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto'
import { CIPHERS, type CipherRow, MODES, type ModeRow } from './algorithms.ts'
import { ctr, oneTimePad, pcbc, type Transform } from './composed.ts'
import { CryptoError, failure, lookup } from './errors.ts'
import type { CryptographicParameters } from './parameters.ts'

export type Direction = 'encrypt' | 'decrypt'

export interface Suite {
  readonly cipher: CipherRow
  readonly mode: ModeRow
  readonly modeName: string
  /** IV lengths allowed, in bytes; absent: the mode takes none */
  readonly ivBytes?: readonly number[]
  /** OpenSSL's name by the bytes of the key */
  readonly openssl: ReadonlyMap<number, string>
}

const DEFAULT_TAG_BYTES = 16
// SP 800-38E allows 2^20 blocks.
const MAX_XTS_BYTES = 2 ** 24
const NIST_KEY_WRAP_IV = Buffer.from('a6a6a6a6a6a6a6a6', 'hex')
const KEY_WRAP_PADDING_IV = Buffer.from('a65959a6', 'hex')

function suite(cipher: CipherRow, modeName: string, name: string): Suite {
  const mode = lookup(MODES, modeName, 'Block Cipher Mode')
  const keys = cipher.keyBytes === 'any' ? [] : cipher.keyBytes.filter(bytes => !(mode.twoKeys && bytes === 24))
  return {
    cipher,
    mode,
    modeName,
    ...(mode.iv && { ivBytes: mode.iv === 'block' ? [cipher.block] : mode.iv }),
    openssl: new Map(keys.map(bytes => [mode.twoKeys ? bytes * 2 : bytes, name.replace('#', String(bytes * 8))])),
  }
}

const SUITES: ReadonlyMap<string, ReadonlyMap<string | undefined, Suite>> = new Map(
  Object.entries(CIPHERS).map(([algorithm, cipher]) => {
    const suites = Object.entries(cipher.names).map(([mode, name]) => [mode, suite(cipher, mode, name)] as const)
    const usual = suites.filter(([mode]) => mode === cipher.defaultMode).map(([, row]) => [undefined, row] as const)
    return [algorithm, new Map<string | undefined, Suite>([...suites, ...usual])]
  }),
)

/** @throws CryptoError `unsupported`; `invalid` when the algorithm, or a mode that it needs, is absent */
export function suiteOf(p: CryptographicParameters): Suite {
  const found = SUITES.get(p.cryptographicAlgorithm ?? '')?.get(p.blockCipherMode)
  if (found) return found
  const { names } = lookup(CIPHERS, p.cryptographicAlgorithm, 'Cryptographic Algorithm')
  lookup(names, p.blockCipherMode, `${p.cryptographicAlgorithm} with Block Cipher Mode`)
  throw new CryptoError('unsupported', `${p.cryptographicAlgorithm} with Block Cipher Mode ${p.blockCipherMode} is not supported`)
}

/** The IV as OpenSSL takes it; null where the mode has none. @throws CryptoError `missing-iv`, `invalid` */
export function ivOf(s: Suite, p: CryptographicParameters, given: Uint8Array | undefined): Uint8Array | null {
  const { mode, modeName, ivBytes, cipher } = s
  if (ivBytes === undefined) return null
  if (given === undefined) {
    if (mode.ivOptional) return modeName === 'NISTKeyWrap' ? NIST_KEY_WRAP_IV : KEY_WRAP_PADDING_IV
    throw new CryptoError('missing-iv', `${modeName} needs an IV, counter or nonce`)
  }
  if (modeName === 'stream') return chachaIv(given, p)
  if (modeName === 'CTR' && given.length < cipher.block) return counterBlock(given, cipher.block, p)
  if (!ivBytes.includes(given.length)) throw new CryptoError('invalid', `an IV of ${given.length} bytes does not fit ${modeName}`)
  return given
}

const startOf = (p: CryptographicParameters): bigint => BigInt((p.initialCounterValue ?? 0) >>> 0)

/** OpenSSL wants counter and nonce, little-endian, in 16 bytes: 4 + 12 (RFC 8439) or 8 + 8 (Bernstein's original), which KMIP gives apart. */
function chachaIv(nonce: Uint8Array, p: CryptographicParameters): Uint8Array {
  if (nonce.length === 16) return nonce
  if (nonce.length !== 8 && nonce.length !== 12)
    throw new CryptoError('invalid', `a nonce of ${nonce.length} bytes does not fit ChaCha20: 8, 12 or 16`)
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64LE(startOf(p))
  return Buffer.concat([counter.subarray(0, 16 - nonce.length), nonce])
}

/** The first counter block of RFC 3686: what was given, and behind it the counter from Initial Counter Value. */
function counterBlock(given: Uint8Array, block: number, p: CryptographicParameters): Buffer {
  const bytes = block - given.length
  if (p.initialCounterValue === undefined || (p.counterLength ?? bytes * 8) !== bytes * 8)
    throw new CryptoError('invalid', `CTR takes a counter block of ${block} bytes, or fewer with Initial Counter Value for the rest`)
  return Buffer.concat([
    given,
    Buffer.from(
      startOf(p)
        .toString(16)
        .padStart(bytes * 2, '0'),
      'hex',
    ).subarray(-bytes),
  ])
}

/** OpenSSL's name for this key. @throws CryptoError `invalid` for a key of a length that the suite does not take */
export function opensslName(s: Suite, key: Uint8Array): string {
  const name = s.openssl.get(key.length)
  if (name === undefined) throw new CryptoError('invalid', `a key of ${key.length} bytes does not fit the algorithm and mode`)
  return name
}

/** Bytes of tag that the parameters ask for. @throws CryptoError `bad-tag-length` */
export function tagBytes({ mode, modeName }: Suite, p: CryptographicParameters): number {
  const bytes = p.tagLength ?? DEFAULT_TAG_BYTES
  if (!mode.tags?.includes(bytes)) throw new CryptoError('bad-tag-length', `a tag of ${bytes} bytes does not fit ${modeName}`)
  return bytes
}

/** The cipher of a mode without tag, padding apart. @throws CryptoError `invalid` */
export function transform(s: Suite, direction: Direction, key: Uint8Array, iv: Uint8Array | null): Transform {
  if (s.modeName === 'pad') return oneTimePad(key)
  const name = opensslName(s, key)
  const composed = s.cipher.composed.includes(s.modeName)
  const forward = direction === 'encrypt' || (composed && s.modeName === 'CTR')
  const state = refusing(() =>
    (forward ? createCipheriv : createDecipheriv)(name, s.cipher.expand?.(key) ?? key, composed ? null : iv).setAutoPadding(false),
  )
  if (!composed || iv === null) return state
  return s.modeName === 'CTR' ? ctr(state, iv, s.cipher.block) : pcbc(state, iv, s.cipher.block, direction === 'encrypt')
}

/** OpenSSL refuses some keys outright: XTS with two equal halves. */
function refusing<T>(make: () => T): T {
  try {
    return make()
  } catch (cause) {
    throw new CryptoError('invalid', 'the key or IV was refused for this algorithm and mode', { cause })
  }
}

/** A mode without tag and without padding. XTS and key wrap have rules for the length, and may refuse the data. */
export function throughout(s: Suite, direction: Direction, key: Uint8Array, data: Uint8Array, iv: Uint8Array | null): Buffer {
  if (!s.mode.whole) return transform(s, direction, key, iv).update(data)
  checkLength(s, direction, data.length)
  const state = transform(s, direction, key, iv)
  try {
    return Buffer.concat([state.update(data), state.final()])
  } catch (cause) {
    if (direction === 'decrypt') throw failure(cause)
    throw new CryptoError('invalid', `the data was refused by ${s.modeName}`, { cause })
  }
}

function checkLength({ mode, modeName }: Suite, direction: Direction, length: number): void {
  if (mode.input === undefined) return
  const [plain, cipher, unit] = mode.input
  const least = direction === 'encrypt' ? plain : cipher
  if (length < least || length % (direction === 'decrypt' && modeName === 'AESKeyWrapPadding' ? 8 : unit) !== 0)
    throw new CryptoError('invalid', `${length} bytes of data do not fit ${modeName}`)
  if (modeName === 'XTS' && length > MAX_XTS_BYTES) throw new CryptoError('too-long', `XTS takes at most ${MAX_XTS_BYTES} bytes`)
}
