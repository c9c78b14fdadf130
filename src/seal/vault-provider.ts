import { createHash, timingSafeEqual } from 'node:crypto'
import { sameBytes } from '../crypto/same-bytes.ts'
import type { VaultClient } from '../vault/client.ts'
import { VaultError, type VaultErrorCode } from '../vault/errors.ts'
import { keyVersionOf, type Transit } from '../vault/transit.ts'
import { frame } from './aead.ts'
import { SealError, type SealErrorCode } from './error.ts'
import type { KeyProvider } from './provider.ts'

const KEY_BYTES = 32
const DIGEST_BYTES = 32
const FORMAT = 1

export interface VaultKey {
  /** Closed by `close`. */
  readonly client: VaultClient
  readonly key: string
  /** Where transit is mounted. */
  readonly path: string
  readonly namespace?: string | undefined
}

/** What stands in the store, as JSON. The header's MAC protects it. */
interface Wrapped {
  readonly format: number
  /** `vault:v<N>:...` of digest of the context and root key. */
  readonly wrapped: string
  /** `vault:v<M>:...`: HMAC of the context by the same key. */
  readonly check: string
}

/**
 * A key in a transit engine, used by `encrypt`, `decrypt` and `hmac` alone. Before anything is decrypted, the HMAC of the store's identifier
 * must be what it was: another server, namespace or key is told apart from a damaged record by that. The context is bound inside what is
 * encrypted, since transit does not rewrap what has associated data.
 */
export function vaultProvider({ client, key, path, namespace }: VaultKey): KeyProvider {
  const transit = client.transit(path, { namespace })
  const place = `${namespace === undefined ? '' : `${namespace}/`}${path}/${key}`
  const at = `transit key ${place} of Vault`
  return {
    kind: 'vault',
    key: place,
    async wrap(rootKey, context) {
      const content = Buffer.concat([digestOf(context), rootKey])
      try {
        return await asked(at, async () => {
          // Of a key that is not there the HMAC says so; to encrypt would be to make it, which the policy refuses.
          const check = await transit.hmac(key, inputOf(context))
          return textOf(await transit.encrypt(key, content), check)
        })
      } finally {
        content.fill(0)
      }
    },
    async unwrap(text, context) {
      const { wrapped, check } = parse(text)
      const content = await asked(at, async () => {
        await verify(transit, key, at, check, context)
        return transit.decrypt(key, wrapped)
      })
      try {
        if (content.length !== DIGEST_BYTES + KEY_BYTES || !timingSafeEqual(content.subarray(0, DIGEST_BYTES), digestOf(context)))
          throw new SealError('damaged', `what ${at} opens is no root key of this store: restore a backup`)
        return Buffer.from(content.subarray(DIGEST_BYTES))
      } finally {
        content.fill(0)
      }
    },
    async rewrap(text, context) {
      const { wrapped, check } = parse(text)
      return asked(at, async () => {
        await verify(transit, key, at, check, context)
        const newest = await transit.newestVersion(key)
        if (keyVersionOf(wrapped) === newest && keyVersionOf(check) === newest) return undefined
        return textOf(await transit.rewrap(key, wrapped), await transit.hmac(key, inputOf(context)))
      })
    },
    keyVersion: text => Math.min(keyVersionOf(parse(text).wrapped), keyVersionOf(parse(text).check)),
    close: () => client.close(),
  }
}

const digestOf = (context: Buffer): Buffer => createHash('sha256').update(context).digest()
const inputOf = (context: Buffer): Buffer => frame('kmipd seal check', context.toString('base64'))

function textOf(wrapped: string, check: string): string {
  const value: Wrapped = { format: FORMAT, wrapped, check }
  return JSON.stringify(value)
}

function parse(text: string): Wrapped {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    value = undefined
  }
  if (isWrapped(value)) return value
  throw new SealError('damaged', 'the root key that Vault has wrapped has not its form: restore a backup')
}

const isWrapped = (value: unknown): value is Wrapped =>
  typeof value === 'object' &&
  value !== null &&
  'format' in value &&
  value.format === FORMAT &&
  'wrapped' in value &&
  typeof value.wrapped === 'string' &&
  'check' in value &&
  typeof value.check === 'string'

/** @throws SealError `wrong-key` */
async function verify(transit: Transit, key: string, at: string, check: string, context: Buffer): Promise<void> {
  let found: string
  try {
    found = await transit.hmac(key, inputOf(context), keyVersionOf(check))
  } catch (error) {
    // A key that has not as many versions is not the one.
    if (error instanceof VaultError && error.code === 'invalid-request') throw wrongKey(at)
    throw error
  }
  if (!sameBytes(Buffer.from(found), Buffer.from(check))) throw wrongKey(at)
}

const wrongKey = (at: string): SealError =>
  new SealError('wrong-key', `${at} is not the key that sealed this store: the server, the namespace or the key is another one`)

const CODES: Partial<Record<VaultErrorCode, SealErrorCode>> = {
  damaged: 'damaged',
  'key-missing': 'refused',
  'version-refused': 'refused',
  'permission-denied': 'refused',
  'login-refused': 'refused',
  'secret-opened': 'refused',
  configuration: 'refused',
  'invalid-request': 'refused',
}

const WORDS: Partial<Record<SealErrorCode, string>> = {
  damaged: 'did not make what is in the store, although it is the right key: it was changed; restore a backup',
  refused: 'refuses',
  away: 'cannot be asked now',
}

async function asked<T>(at: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    if (!(error instanceof VaultError)) throw error
    const code = CODES[error.code] ?? 'away'
    throw new SealError(code, `${at} ${WORDS[code]}: ${error.message}`, { cause: error })
  }
}
