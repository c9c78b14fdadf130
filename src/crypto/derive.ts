/**
 * Derivation of keys, one row for each Derivation Method. Every result is the leftmost bytes of what the method gives.
 *
 *   await deriveKey('PBKDF2', { key, salt, iterationCount, length: 32, maxIterations: 1_000_000 })
 *
 * Spec: KMIP 1.4 section 4.6, 2.1 sections 6.1.14, 7.12. Sources: RFC 8018 (PBKDF2), SP 800-108, RFC 5869 (HKDF).
 *
 * What the specification leaves open, and what is done here:
 * - HASH digests the derivation key or the derivation data; both together are refused.
 * - SP 800-108: the derivation data is the whole fixed input, as it comes: the length [L] is not added to it. The counter is 32 bits
 *   unless Counter Length says 8, 16 or 24, and stands before the fixed input. The PRF is HMAC by the Hashing Algorithm, or CMAC when
 *   that is the Block Cipher Mode. The feedback of the first round is the Initialization Vector, empty unless given; the
 *   double-pipeline mode carries the counter.
 */
import { createHmac, hkdf, type KeyObject, pbkdf2 } from 'node:crypto'
import { promisify } from 'node:util'
import { encrypt } from './cipher.ts'
import { CryptoError, lookup } from './errors.ts'
import { hash, hashRow } from './hash.ts'
import { agree } from './keys.ts'
import { hmacHash, mac } from './mac.ts'
import type { CryptographicParameters } from './parameters.ts'

/** What a method may use. The derivation key is `key`, or for Asymmetric Key the pair of `privateKey` and `publicKey`. */
export interface DerivationInput {
  readonly key?: Uint8Array | undefined
  readonly privateKey?: KeyObject | undefined
  readonly publicKey?: KeyObject | undefined
  /** Derivation Data, in the order given; only AWS Signature Version 4 takes more than one */
  readonly data?: readonly Uint8Array[] | undefined
  readonly parameters?: CryptographicParameters | undefined
  /** Cryptographic Algorithm of the derivation key, which names HMAC's hash (HMAC_SHA256) or ENCRYPT's cipher */
  readonly keyAlgorithm?: string | undefined
  readonly iv?: Uint8Array | undefined
  readonly salt?: Uint8Array | undefined
  readonly iterationCount?: number | undefined
  /** most iterations of PBKDF2 that are accepted */
  readonly maxIterations?: number | undefined
  /** bytes wanted */
  readonly length: number
}

type Method = (input: DerivationInput) => Promise<Buffer>

const MAX_BYTES = 1 << 16
const DEFAULT_MAX_ITERATIONS = 10_000_000
const pbkdf2Async = promisify(pbkdf2)
const hkdfAsync = promisify(hkdf)

const keyOf = ({ key }: DerivationInput): Uint8Array => {
  if (key === undefined) throw new CryptoError('invalid', 'the method needs a derivation key')
  return key
}

function dataOf({ data = [] }: DerivationInput): Uint8Array | undefined {
  if (data.length > 1) throw new CryptoError('invalid', 'the method takes one Derivation Data')
  return data[0]
}

const neededData = (input: DerivationInput): Uint8Array => {
  const data = dataOf(input)
  if (data === undefined) throw new CryptoError('invalid', 'the method needs Derivation Data')
  return data
}

/** Hash of an HMAC: the key's own algorithm says, else the parameters. */
const prfHash = (input: DerivationInput): string | undefined =>
  hmacHash(input.keyAlgorithm) ?? hmacHash(input.parameters?.cryptographicAlgorithm) ?? input.parameters?.hashingAlgorithm

type Prf = (...data: readonly Uint8Array[]) => Buffer

function prfOf(input: DerivationInput): Prf {
  const key = keyOf(input)
  const { parameters: p = {} } = input
  if (p.blockCipherMode === 'CMAC') {
    const cryptographicAlgorithm = p.cryptographicAlgorithm ?? input.keyAlgorithm ?? 'AES'
    return (...data) => mac(key, Buffer.concat(data), { cryptographicAlgorithm, blockCipherMode: 'CMAC' })
  }
  const { name } = hashRow(prfHash(input))
  return (...data) => createHmac(name, key).update(Buffer.concat(data)).digest()
}

/** The counter of SP 800-108 for each round. */
function counterOf({ parameters: p = {} }: DerivationInput): (round: number) => Buffer {
  const bits = p.counterLength ?? 32
  if (![8, 16, 24, 32].includes(bits)) throw new CryptoError('invalid', `Counter Length ${bits} is not 8, 16, 24 or 32 bits`)
  return round => {
    if (round >= 2 ** bits) throw new CryptoError('too-long', 'the counter is too short for the length asked for')
    const counter = Buffer.alloc(bits / 8)
    counter.writeUIntBE(round, 0, bits / 8)
    return counter
  }
}

/** Rounds until there are enough bytes. */
function rounds(length: number, next: (round: number) => Buffer): Buffer {
  const out: Buffer[] = []
  for (let have = 0, round = 1; have < length; round++) {
    const block = next(round)
    out.push(block)
    have += block.length
  }
  return Buffer.concat(out)
}

const METHODS: Readonly<Record<string, Method>> = {
  async PBKDF2(input) {
    const { salt, iterationCount: count, maxIterations = DEFAULT_MAX_ITERATIONS, length } = input
    if (salt === undefined) throw new CryptoError('invalid', 'PBKDF2 needs a Salt')
    if (count === undefined || !Number.isSafeInteger(count) || count < 1)
      throw new CryptoError('invalid', 'PBKDF2 needs an Iteration Count of at least 1')
    if (count > maxIterations) throw new CryptoError('too-long', `PBKDF2 is limited to ${maxIterations} iterations here`)
    return pbkdf2Async(keyOf(input), salt, count, length, hashRow(prfHash(input) ?? 'SHA_1').name)
  },

  async HASH(input) {
    const data = dataOf(input)
    if ((data === undefined) === (input.key === undefined))
      throw new CryptoError('invalid', 'HASH takes a derivation key or Derivation Data, and one of them only')
    return hash(data ?? keyOf(input), input.parameters?.hashingAlgorithm)
  },

  async HMAC(input) {
    return createHmac(hashRow(prfHash(input)).name, keyOf(input))
      .update(neededData(input))
      .digest()
  },

  async ENCRYPT(input) {
    const parameters = { ...input.parameters, cryptographicAlgorithm: input.parameters?.cryptographicAlgorithm ?? input.keyAlgorithm }
    return encrypt(keyOf(input), neededData(input), parameters, { iv: input.iv }).data
  },

  async NIST800_108_C(input) {
    const [prf, counter, data] = [prfOf(input), counterOf(input), neededData(input)]
    return rounds(input.length, round => prf(counter(round), data))
  },

  async NIST800_108_F(input) {
    const [prf, counter, data] = [prfOf(input), counterOf(input), neededData(input)]
    let feedback: Uint8Array = input.iv ?? Buffer.alloc(0)
    return rounds(input.length, round => {
      const block = prf(feedback, counter(round), data)
      feedback = block
      return block
    })
  },

  async NIST800_108_DPI(input) {
    const [prf, counter, data] = [prfOf(input), counterOf(input), neededData(input)]
    let first: Uint8Array = data
    return rounds(input.length, round => {
      first = prf(first)
      return prf(first, counter(round), data)
    })
  },

  async HKDF(input) {
    const { name, bytes } = hashRow(input.parameters?.hashingAlgorithm ?? 'SHA_256')
    if (input.length > 255 * bytes) throw new CryptoError('too-long', `HKDF by this hash gives at most ${255 * bytes} bytes`)
    const info = dataOf(input) ?? Buffer.alloc(0)
    if (info.length > 1024) throw new CryptoError('too-long', 'the Derivation Data of HKDF is limited to 1024 bytes')
    return Buffer.from(await hkdfAsync(name, keyOf(input), input.salt ?? Buffer.alloc(0), info, input.length))
  },

  async AsymmetricKey({ privateKey, publicKey }) {
    if (!privateKey || !publicKey) throw new CryptoError('invalid', 'the method needs a private key and a public key')
    return agree(privateKey, publicKey)
  },

  async AWSSignatureVersion4(input) {
    const { data = [] } = input
    if (data.length !== 3) throw new CryptoError('invalid', 'the method takes three Derivation Data: date, region and service')
    const { name } = hashRow(input.parameters?.hashingAlgorithm ?? 'SHA_256')
    const start: Uint8Array = Buffer.concat([Buffer.from('AWS4'), keyOf(input)])
    return Buffer.from([...data, Buffer.from('aws4_request')].reduce((key, part) => createHmac(name, key).update(part).digest(), start))
  },
}

/**
 * Derive `input.length` bytes. PBKDF2 and HKDF run off the main thread.
 * @param method Derivation Method: PBKDF2 (hash: SHA-1 unless given), HASH, HMAC, ENCRYPT, NIST800_108_C, _F, _DPI, HKDF (SHA-256 unless
 *               given), AsymmetricKey, AWSSignatureVersion4
 * @throws CryptoError `unsupported`; `invalid` for what the method lacks; `too-long` when it gives less than `length`, or for too many
 *         iterations; and those of `encrypt` and `agree`
 */
export async function deriveKey(method: string, input: DerivationInput): Promise<Buffer> {
  const derive = lookup(METHODS, method, 'Derivation Method')
  if (!Number.isSafeInteger(input.length) || input.length < 1) throw new CryptoError('invalid', `${input.length} is not a length in bytes`)
  if (input.length > MAX_BYTES) throw new CryptoError('too-long', `at most ${MAX_BYTES} bytes are derived`)
  const derived = await derive(input)
  if (derived.length < input.length)
    throw new CryptoError('too-long', `the method gives ${derived.length} bytes, fewer than the ${input.length} asked for`)
  return derived.subarray(0, input.length)
}
