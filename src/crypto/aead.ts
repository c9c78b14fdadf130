/**
 * Authenticated encryption: GCM, CCM, ChaCha20-Poly1305. Sources: SP 800-38C, SP 800-38D, RFC 8439.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto'
import { ivOf, opensslName, type Suite, tagBytes } from './cipher-suite.ts'
import { CryptoError, failure } from './errors.ts'
import type { CryptographicParameters } from './parameters.ts'

/** What goes with the data. `iv` also serves as counter, nonce and tweak; `tag` only when decrypting. */
export interface CipherInput {
  readonly iv?: Uint8Array | undefined
  readonly aad?: Uint8Array | undefined
  readonly tag?: Uint8Array | undefined
}

/** `tag` is there after encryption in an authenticated mode. */
export interface CipherOutput {
  readonly data: Buffer
  readonly tag?: Buffer
}

const NO_BYTES = Buffer.alloc(0)

/** An authenticated mode with its key and nonce. */
export interface Aead {
  readonly name: string
  readonly key: Uint8Array
  readonly iv: Uint8Array
  readonly tagLength: number
  readonly aad: Uint8Array
}

export function aeadOf(s: Suite, p: CryptographicParameters, key: Uint8Array, input: CipherInput): Aead {
  const tagLength = tagBytes(s, p)
  return { name: opensslName(s, key), key, iv: ivOf(s, p, input.iv) ?? NO_BYTES, tagLength, aad: input.aad ?? NO_BYTES }
}

// The types of node:crypto tell GCM, CCM and ChaCha20-Poly1305 apart by literal names; all have the methods of GCM's. CCM needs the
// length of the text before anything else, also where there is no associated data.
type Gcm = 'aes-256-gcm'

/** @param length bytes of the text, where the mode must know them */
export function sealer(a: Aead, length = 0) {
  const state = createCipheriv(a.name as Gcm, a.key, a.iv, { authTagLength: a.tagLength })
  return a.aad.length > 0 || length > 0 ? state.setAAD(a.aad, { plaintextLength: length }) : state
}

function opener(a: Aead, length = 0) {
  const state = createDecipheriv(a.name as Gcm, a.key, a.iv, { authTagLength: a.tagLength })
  return a.aad.length > 0 || length > 0 ? state.setAAD(a.aad, { plaintextLength: length }) : state
}

/**
 * Bytes of text that the mode must know beforehand; 0 for the others. CCM counts them in 15 - n bytes (SP 800-38C appendix A).
 * @throws CryptoError `too-long`
 */
function announced(s: Suite, a: Aead, length: number): number {
  if (!s.mode.whole) return 0
  if (length >= 2 ** (8 * Math.min(6, 15 - a.iv.length)))
    throw new CryptoError('too-long', `CCM with a nonce of ${a.iv.length} bytes does not take ${length} bytes`)
  return length
}

/** All output of these modes comes from `update`; `final` makes or checks the tag. */
export function seal(s: Suite, a: Aead, data: Uint8Array): CipherOutput {
  const state = sealer(a, announced(s, a, data.length))
  const sealed = state.update(data)
  state.final()
  return { data: sealed, tag: state.getAuthTag() }
}

/** @throws CryptoError `failed` */
export function open(s: Suite, a: Aead, data: Uint8Array, tag: Uint8Array): Buffer {
  const length = announced(s, a, data.length)
  try {
    const state = opener(a, length).setAuthTag(tag)
    const plain = state.update(data)
    state.final()
    return plain
  } catch (cause) {
    throw failure(cause)
  }
}

/** @throws CryptoError `invalid`, `bad-tag-length` */
export function tagOf(a: Aead, tag: Uint8Array | undefined): Uint8Array {
  if (tag === undefined) throw new CryptoError('invalid', 'decryption needs the Authenticated Encryption Tag')
  if (tag.length !== a.tagLength) throw new CryptoError('bad-tag-length', `the tag has ${tag.length} bytes, Tag Length says ${a.tagLength}`)
  return tag
}
