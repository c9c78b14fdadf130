/**
 * Symmetric encryption of a message in parts. A stream of an authenticated mode gives no plaintext before `final`, when the tag has been
 * checked; it holds all of the data until then, as do streams of CCM, XTS and key wrap: the caller bounds what it feeds.
 */
import { aeadOf, type CipherInput, type CipherOutput, open, seal, sealer, tagOf } from './aead.ts'
import { type Direction, ivOf, opensslName, type Suite, suiteOf, throughout, transform } from './cipher-suite.ts'
import type { Transform } from './composed.ts'
import { CryptoError } from './errors.ts'
import { paddingRow } from './padding.ts'
import type { CryptographicParameters } from './parameters.ts'

/** A message in parts. After `final`, or after an error, the stream is spent. */
export interface CipherStream {
  /** Output that is ready; often shorter than `data`, or empty. */
  update(data: Uint8Array): Buffer
  final(): CipherOutput
  /** Bytes that it keeps until `final`; absent: no more than a block. */
  readonly held?: number
}

const NO_BYTES = Buffer.alloc(0)

/** Collects all parts and hands them over at the end. */
function collecting(end: (data: Buffer) => CipherOutput): CipherStream {
  const parts: Buffer[] = []
  let held = 0
  return {
    update(data) {
      parts.push(Buffer.from(data))
      held += data.length
      return NO_BYTES
    },
    get held() {
      return held
    },
    final: () => end(Buffer.concat(parts)),
  }
}

/** Pads at the end of the message; whole blocks go through as they come. */
function padding(state: Transform, block: number, method: string | undefined): CipherStream {
  const scheme = paddingRow(method)
  let held: Buffer = NO_BYTES
  return {
    update(data) {
      const all = Buffer.concat([held, data])
      const ready = all.length - (all.length % block)
      held = all.subarray(ready)
      return state.update(all.subarray(0, ready))
    },
    final: () => ({ data: Buffer.concat([state.update(Buffer.concat([held, scheme.pad(held.length, block)])), state.final()]) }),
  }
}

/** Holds the last block back until the end, when its padding is taken away. */
function unpadding(state: Transform, block: number, method: string | undefined): CipherStream {
  const scheme = paddingRow(method)
  let held: Buffer = NO_BYTES
  return {
    update(data) {
      const all = Buffer.concat([held, data])
      const ready = Math.max(0, Math.ceil(all.length / block) - 1) * block
      held = all.subarray(ready)
      return state.update(all.subarray(0, ready))
    },
    final() {
      const empty = held.length === 0 && scheme.pad(0, block).length === 0
      if (!empty && held.length !== block) throw new CryptoError('invalid', `the ciphertext must be a multiple of ${block} bytes`)
      const last = state.update(held)
      return { data: empty ? last : last.subarray(0, scheme.unpad(last, block)) }
    },
  }
}

const plainStream = (state: Transform): CipherStream => ({ update: data => state.update(data), final: () => ({ data: state.final() }) })

/** A mode without tag and without padding. */
function unpadded(s: Suite, direction: Direction, key: Uint8Array, iv: Uint8Array | null): CipherStream {
  if (!s.mode.whole) return plainStream(transform(s, direction, key, iv))
  opensslName(s, key)
  return collecting(data => ({ data: throughout(s, direction, key, data, iv) }))
}

/**
 * Encrypt data that comes in parts. Parameters as for `encrypt`.
 * @throws CryptoError `unsupported`, `invalid`, `missing-iv`, `bad-tag-length`; from `update` and `final` also `too-long`
 */
export function createEncryptStream(key: Uint8Array, p: CryptographicParameters, input: CipherInput = {}): CipherStream {
  const s = suiteOf(p)
  if (s.mode.tags) {
    const a = aeadOf(s, p, key, input)
    if (s.mode.whole) return collecting(data => seal(s, a, data))
    const state = sealer(a)
    return { update: data => state.update(data), final: () => ({ data: state.final(), tag: state.getAuthTag() }) }
  }
  const iv = ivOf(s, p, input.iv)
  return s.mode.blocks ? padding(transform(s, 'encrypt', key, iv), s.cipher.block, p.paddingMethod) : unpadded(s, 'encrypt', key, iv)
}

/**
 * Decrypt data that comes in parts; of an authenticated mode the tag is given at the start, and all plaintext comes from `final`.
 * Parameters as for `encrypt`.
 * @throws CryptoError `unsupported`, `invalid`, `missing-iv`, `bad-tag-length`; from `final` also `failed`, `too-long`
 */
export function createDecryptStream(key: Uint8Array, p: CryptographicParameters, input: CipherInput = {}): CipherStream {
  const s = suiteOf(p)
  if (s.mode.tags) {
    const a = aeadOf(s, p, key, input)
    const tag = tagOf(a, input.tag)
    return collecting(data => ({ data: open(s, a, data, tag) }))
  }
  const iv = ivOf(s, p, input.iv)
  return s.mode.blocks ? unpadding(transform(s, 'decrypt', key, iv), s.cipher.block, p.paddingMethod) : unpadded(s, 'decrypt', key, iv)
}
