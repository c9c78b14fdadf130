/**
 * Decryption by RC2 in CBC mode, which OpenSSL no longer has and which the certificates of older PKCS #12 files are encrypted with.
 * To read those only: forty bits of key hide nothing. Source: RFC 2268.
 */
import { failure } from './errors.ts'

const BLOCK = 8
// RFC 2268 section 2: a permutation made of the digits of pi.
const PI = Buffer.from(
  'd978f9c419ddb5ed28e9fd794aa0d89dc67e37832b76538e624c6488448bfba2179a59f587b34f1361456d8d09817d32bd8f40eb86b77b0bf09521225c6b4e82' +
    '54d66593ce60b21c7356c014a78cf1dc1275ca1f3bbee4d1423dd430a33cb6266fbf0eda4669075727f21d9bbc944303f811c7f690ef3ee706c3d52fc8661ed7' +
    '08e8eade8052eef784aa72ac354d6a2a961ad2715a1549744b9fd05e0418a4ecc2e0416e0f51cbcc2491af50a1f47039997c3a8523b8b47afc02365b25559731' +
    '2d5dfa98e38a92ae05df2910676cbac9d300e6cfe19ea82c6316013f58e289a90d38341bab33ffb0bb480c5fb9b1cd2ec5f3db47e5a59c770aa62068fe7fc1ad',
  'hex',
)
const ROTATIONS = [1, 2, 3, 5] as const

const pi = (index: number): number => PI[index & 0xff] ?? 0

/** RFC 2268 section 2. @param bits effective bits of the key */
function expanded(key: Uint8Array, bits: number): Uint16Array {
  const bytes = Buffer.alloc(128)
  const at = (i: number): number => bytes[i] ?? 0
  bytes.set(key)
  for (let i = key.length; i < 128; i++) bytes[i] = pi(at(i - 1) + at(i - key.length))
  const effective = Math.ceil(bits / 8)
  bytes[128 - effective] = pi(at(128 - effective) & (0xff >> (8 * effective - bits)))
  for (let i = 127 - effective; i >= 0; i--) bytes[i] = pi(at(i + 1) ^ at(i + effective))
  return Uint16Array.from({ length: 64 }, (_, i) => bytes.readUInt16LE(2 * i))
}

/** RFC 2268 section 4. */
function decryptBlock(keys: Uint16Array, block: Buffer): Buffer {
  const r = Uint16Array.from({ length: 4 }, (_, i) => block.readUInt16LE(2 * i))
  const word = (i: number): number => r[i & 3] ?? 0
  let next = 63
  const mix = (): void => {
    for (let i = 3; i >= 0; i--) {
      const turn = ROTATIONS[i] ?? 0
      const turned = (word(i) >>> turn) | (word(i) << (16 - turn))
      r[i] = turned - (keys[next--] ?? 0) - (word(i + 3) & word(i + 2)) - (~word(i + 3) & word(i + 1))
    }
  }
  const mash = (): void => {
    for (let i = 3; i >= 0; i--) r[i] = word(i) - (keys[word(i + 3) & 63] ?? 0)
  }
  for (const [rounds, last] of [
    [5, false],
    [6, false],
    [5, true],
  ] as const) {
    for (let i = 0; i < rounds; i++) mix()
    if (!last) mash()
  }
  const plain = Buffer.alloc(BLOCK)
  for (const [i, value] of r.entries()) plain.writeUInt16LE(value, 2 * i)
  return plain
}

/**
 * Decrypt and take the PKCS #7 padding away.
 * @param bits  effective bits of the key, as the algorithm's name says: 40 or 128 in PKCS #12
 * @throws CryptoError `failed` for a padding that does not check, and for data that is not whole blocks
 */
export function rc2Decrypt(key: Uint8Array, bits: number, iv: Uint8Array, data: Uint8Array): Buffer {
  if (data.length === 0 || data.length % BLOCK !== 0) throw failure()
  const keys = expanded(key, bits)
  const plain = Buffer.alloc(data.length)
  for (let at = 0; at < data.length; at += BLOCK) {
    const before = at === 0 ? iv : data.subarray(at - BLOCK, at)
    for (const [i, byte] of decryptBlock(keys, Buffer.from(data.subarray(at, at + BLOCK))).entries())
      plain[at + i] = byte ^ (before[i] ?? 0)
  }
  const count = plain.at(-1) ?? 0
  if (count < 1 || count > BLOCK || plain.subarray(-count).some(byte => byte !== count)) throw failure()
  return plain.subarray(0, plain.length - count)
}
