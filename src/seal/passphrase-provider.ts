import { createHmac, randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { decryptGcm, encryptGcm, NONCE_BYTES, TAG_BYTES } from './aead.ts'
import { SealError } from './error.ts'
import type { KeyProvider } from './provider.ts'

/** What one guess costs: 128 * n * r bytes of memory, p times. RFC 7914 */
export interface ScryptCost {
  /** A power of two. */
  readonly n: number
  readonly r: number
  readonly p: number
}

/** 128 MiB, and about half a second. */
const DEFAULT_COST: ScryptCost = { n: 2 ** 17, r: 8, p: 1 }
/** More than that is not worked through for a header that anybody who can write the database may have changed. */
const MAX_MEMORY = 2 ** 30
const MAX_P = 4

/** Shorter ones are not sealed with. */
const MIN_PASSPHRASE = 12
const SALT_BYTES = 16
const KEY_BYTES = 32
const CHECK_BYTES = 16
const SEALED_BYTES = NONCE_BYTES + KEY_BYTES + TAG_BYTES

const FORM = /^scrypt:(\d{1,10}):(\d{1,3}):(\d{1,3}):([A-Za-z0-9+/=]{1,200})$/

/**
 * A provider whose key scrypt makes from a passphrase. What it wraps is `scrypt:n:r:p:` and in base64 salt (16), check (16), nonce (12), the
 * sealed root key (32) and tag (16). The check tells a wrong passphrase from a damaged store; it helps who guesses no more than the tag does.
 * @param name tells several passphrases apart, since a fingerprint of one could be guessed from; stands in the store in clear
 * @param cost of what is wrapped from now on; what was wrapped says its own
 */
export function passphraseProvider(name: string, passphrase: string, cost: ScryptCost = DEFAULT_COST): KeyProvider {
  return {
    kind: 'passphrase',
    key: name,
    async wrap(rootKey, context) {
      if (passphrase.length < MIN_PASSPHRASE)
        throw new SealError('malformed-key', `the passphrase ${name} is shorter than ${MIN_PASSPHRASE} characters: take a longer one`)
      const salt = randomBytes(SALT_BYTES)
      const nonce = randomBytes(NONCE_BYTES)
      const { key, check } = await keysFrom(passphrase, salt, cost)
      const bytes = Buffer.concat([salt, check, nonce, ...encryptGcm(key, nonce, context, rootKey)])
      key.fill(0)
      return `scrypt:${cost.n}:${cost.r}:${cost.p}:${bytes.toString('base64')}`
    },
    async unwrap(wrapped, context) {
      const { cost, salt, check, nonce, sealed } = parse(wrapped)
      const keys = await keysFrom(passphrase, salt, cost)
      if (!timingSafeEqual(keys.check, check))
        throw new SealError('wrong-key', `the passphrase ${name} is another one than that which sealed the store: give that one`)
      const rootKey = decryptGcm(keys.key, nonce, context, sealed)
      keys.key.fill(0)
      if (!rootKey) throw damaged()
      return rootKey
    },
  }
}

const damaged = (): SealError => new SealError('damaged', 'the root key in the store was changed since it was sealed: restore a backup')

function parse(wrapped: string): { cost: ScryptCost; salt: Buffer; check: Buffer; nonce: Buffer; sealed: Buffer } {
  const [, n, r, p, base64] = FORM.exec(wrapped) ?? []
  const bytes = Buffer.from(base64 ?? '', 'base64')
  if (bytes.length !== SALT_BYTES + CHECK_BYTES + SEALED_BYTES) throw damaged()
  const cost = { n: Number(n), r: Number(r), p: Number(p) }
  const isPower = cost.n > 1 && Number.isInteger(Math.log2(cost.n))
  if (!isPower || cost.r < 1 || cost.p < 1 || cost.p > MAX_P || 128 * cost.n * cost.r > MAX_MEMORY)
    throw new SealError('damaged', 'the cost of the passphrase in the store is one that kmipd never writes: restore a backup')
  const rest = bytes.subarray(SALT_BYTES + CHECK_BYTES)
  return {
    cost,
    salt: bytes.subarray(0, SALT_BYTES),
    check: bytes.subarray(SALT_BYTES, SALT_BYTES + CHECK_BYTES),
    nonce: rest.subarray(0, NONCE_BYTES),
    sealed: rest.subarray(NONCE_BYTES),
  }
}

/** The same text may be typed in several sequences of code points, which look alike. */
function keysFrom(passphrase: string, salt: Buffer, { n, r, p }: ScryptCost): Promise<{ key: Buffer; check: Buffer }> {
  const options = { N: n, r, p, maxmem: 128 * n * r + 128 * r * p + 2 ** 20 }
  return new Promise((resolve, reject) => {
    scrypt(passphrase.normalize('NFC'), salt, 2 * KEY_BYTES, options, (error, derived) => {
      if (error) return reject(error)
      const check = createHmac('sha256', derived.subarray(KEY_BYTES)).update('kmipd passphrase').digest().subarray(0, CHECK_BYTES)
      resolve({ key: derived.subarray(0, KEY_BYTES), check })
    })
  })
}
