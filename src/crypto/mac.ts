/**
 * Message authentication codes: HMAC, Poly1305, and CMAC and CBC-MAC of any block cipher.
 *
 *   mac(key, data, { cryptographicAlgorithm: 'HMAC_SHA256' })
 *   mac(key, data, { cryptographicAlgorithm: 'AES', blockCipherMode: 'CMAC' })
 *
 * A cipher without a mode makes CMAC, or HMAC when a Hashing Algorithm is given. Spec: KMIP 1.4 sections 4.33, 4.34.
 * Sources: RFC 2104, RFC 8439 section 2.5, SP 800-38B (CMAC), FIPS 113 (CBC-MAC).
 */
import { createCipheriv, createHmac } from 'node:crypto'
import { poly1305 } from '@noble/ciphers/_poly1305.js'
import { HMACS } from './algorithms.ts'
import { opensslName, type Suite, suiteOf } from './cipher-suite.ts'
import { CryptoError, lookup } from './errors.ts'
import { type DigestStream, hashRow } from './hash.ts'
import { paddingRow } from './padding.ts'
import type { CryptographicParameters } from './parameters.ts'

/** Hashing Algorithm of an HMAC algorithm; undefined for another algorithm. */
export const hmacHash = (algorithm: string | undefined): string | undefined => HMACS[algorithm ?? '']

/**
 * A MAC over data in parts.
 * @param key any length for HMAC, 32 bytes for Poly1305 (and only once for each key), the cipher's for the others
 * @throws CryptoError `unsupported`, `invalid`
 */
export function createMacStream(key: Uint8Array, p: CryptographicParameters): DigestStream {
  const { cryptographicAlgorithm: algorithm, blockCipherMode: mode } = p
  const hash = hmacHash(algorithm) ?? (mode === undefined ? p.hashingAlgorithm : undefined)
  if (hash !== undefined) return hmac(key, hash)
  if (algorithm === 'Poly1305') return poly(key)
  const block = lookup(BLOCK_MACS, mode ?? 'CMAC', 'MAC with Block Cipher Mode')
  return block(key, algorithm, p.paddingMethod)
}

/** MAC of `data`, at full length. Parameters and errors as `createMacStream`. */
export function mac(key: Uint8Array, data: Uint8Array, p: CryptographicParameters): Buffer {
  const stream = createMacStream(key, p)
  stream.update(data)
  return stream.final()
}

function hmac(key: Uint8Array, hash: string): DigestStream {
  const state = createHmac(hashRow(hash).name, key)
  return { update: data => void state.update(data), final: () => state.digest() }
}

function poly(key: Uint8Array): DigestStream {
  if (key.length !== 32) throw new CryptoError('invalid', `a key of ${key.length} bytes does not fit Poly1305: 32`)
  const state = poly1305.create(new Uint8Array(key))
  return { update: data => void state.update(new Uint8Array(data)), final: () => Buffer.from(state.digest()) }
}

type BlockMac = (key: Uint8Array, algorithm: string | undefined, padding: string | undefined) => DigestStream

const BLOCK_MACS: Readonly<Record<string, BlockMac>> = {
  CMAC(key, algorithm) {
    const { block, once, chain } = blockCipher(key, algorithm)
    const k1 = doubled(once(Buffer.alloc(block)))
    return chained(chain, block, held => {
      if (held.length === block) return xor(held, k1)
      return xor(Buffer.concat([held, Buffer.of(0x80), Buffer.alloc(block - held.length - 1)]), doubled(k1))
    })
  },
  CBC_MAC(key, algorithm, padding) {
    const { block, chain } = blockCipher(key, algorithm)
    const scheme = paddingRow(padding ?? 'Zeros')
    return chained(chain, block, held => Buffer.concat([held, scheme.pad(held.length, block)]))
  },
}

interface BlockCipher {
  readonly block: number
  /** one block by the bare cipher */
  once(data: Buffer): Buffer
  /** CBC from a block of zeros */
  chain(data: Buffer): Buffer
}

function blockCipher(key: Uint8Array, algorithm: string | undefined): BlockCipher {
  const suite = (blockCipherMode: string): Suite => suiteOf({ cryptographicAlgorithm: algorithm, blockCipherMode })
  const [ecb, cbc] = [suite('ECB'), suite('CBC')]
  const { block, expand } = cbc.cipher
  const bytes = expand?.(key) ?? key
  const cipher = createCipheriv(opensslName(cbc, key), bytes, Buffer.alloc(block)).setAutoPadding(false)
  return {
    block,
    once: data => createCipheriv(opensslName(ecb, key), bytes, null).setAutoPadding(false).update(data),
    chain: data => cipher.update(data),
  }
}

/** CBC over all blocks; the last one, which may be short or empty, is held back for `finish`. The MAC is the last output block. */
function chained(chain: (data: Buffer) => Buffer, block: number, finish: (held: Buffer) => Buffer): DigestStream {
  let held: Buffer = Buffer.alloc(0)
  let last: Buffer = Buffer.alloc(block)
  const feed = (data: Buffer): void => {
    if (data.length > 0) last = Buffer.from(chain(data).subarray(-block))
  }
  return {
    update(data) {
      const all = Buffer.concat([held, data])
      const ready = Math.max(0, Math.ceil(all.length / block) - 1) * block
      feed(all.subarray(0, ready))
      held = all.subarray(ready)
    },
    final() {
      feed(finish(held))
      return last
    },
  }
}

const xor = (a: Uint8Array, b: Uint8Array): Buffer => Buffer.from(a.map((byte, i) => byte ^ (b[i] ?? 0)))

// The constants of SP 800-38B section 5.3: x^128 and x^64 reduced.
const REDUCTION: Readonly<Record<number, number>> = { 16: 0x87, 8: 0x1b }

/** Twice `block` in GF(2^b). */
function doubled(block: Buffer): Buffer {
  const out = Buffer.alloc(block.length)
  for (const [i, byte] of block.entries()) out[i] = ((byte << 1) | ((block[i + 1] ?? 0) >> 7)) & 0xff
  if ((block[0] ?? 0) & 0x80) out[out.length - 1] = (out[out.length - 1] ?? 0) ^ (REDUCTION[block.length] ?? 0)
  return out
}
