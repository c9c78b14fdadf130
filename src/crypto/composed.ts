/**
 * What OpenSSL lacks: modes built on a cipher's ECB, PCBC for every block cipher and CTR for the 64-bit ones; and the one-time pad.
 * Sources: PCBC as in Kerberos 4 (Menezes et al., section 7.2.2); CTR: SP 800-38A section 6.5.
 */
import { CryptoError } from './errors.ts'

/** Whole blocks in, whole blocks out; `final` returns what is left. The shape of a `node:crypto` cipher without its padding. */
export interface Transform {
  update(data: Uint8Array): Buffer
  final(): Buffer
}

function xor(a: Uint8Array, b: Uint8Array): Buffer {
  const out = Buffer.alloc(a.length)
  for (let i = 0; i < out.length; i++) out[i] = (a[i] ?? 0) ^ (b[i] ?? 0)
  return out
}

/** PCBC: each block is mixed with the plaintext and the ciphertext of the one before. `data` must be whole blocks. */
export function pcbc(ecb: Transform, iv: Uint8Array, block: number, encrypting: boolean): Transform {
  let feedback: Buffer = Buffer.from(iv)
  return {
    update(data) {
      const out: Buffer[] = []
      for (let at = 0; at < data.length; at += block) {
        const input = data.subarray(at, at + block)
        const output = encrypting ? ecb.update(xor(input, feedback)) : xor(ecb.update(input), feedback)
        feedback = xor(input, output)
        out.push(output)
      }
      return Buffer.concat(out)
    },
    final: () => ecb.final(),
  }
}

/** CTR: the counter is the whole block, big-endian, and wraps. `ecb` must encrypt, in both directions. */
export function ctr(ecb: Transform, iv: Uint8Array, block: number): Transform {
  const counter = Buffer.from(iv)
  let keystream: Buffer = Buffer.alloc(0)
  const more = (length: number): Buffer => {
    const blocks = Buffer.alloc(length + block - (length % block))
    for (let at = 0; at < blocks.length; at += block) {
      counter.copy(blocks, at)
      for (let i = block - 1; i >= 0; i--) {
        counter[i] = ((counter[i] ?? 0) + 1) & 0xff
        if (counter[i] !== 0) break
      }
    }
    return ecb.update(blocks)
  }
  return {
    update(data) {
      if (keystream.length < data.length) keystream = Buffer.concat([keystream, more(data.length - keystream.length)])
      const out = xor(data, keystream)
      keystream = keystream.subarray(data.length)
      return out
    },
    final: () => Buffer.alloc(0),
  }
}

/**
 * The one-time pad: each byte of the key serves once, from the first on. That no two messages take the same bytes is for the caller.
 * @param key copied
 * @throws CryptoError `invalid` for an empty key; from `update` `too-long` when the key is used up
 */
export function oneTimePad(key: Uint8Array): Transform {
  if (key.length === 0) throw new CryptoError('invalid', 'a one-time pad is not empty')
  let rest: Buffer = Buffer.from(key)
  return {
    update(data) {
      if (data.length > rest.length) throw new CryptoError('too-long', `the one-time pad has ${rest.length} bytes left, not ${data.length}`)
      const out = xor(data, rest)
      rest = rest.subarray(data.length)
      return out
    },
    final: () => Buffer.alloc(0),
  }
}
