import { randomBytes as freshBytes } from 'node:crypto'
import type { HttpResponse } from '../http/exchange.ts'
import { type KeyPage, KeyStoreError, type StoredKey } from '../keystore/keystore.ts'
import { writeTime, ZERO_TIME } from '../keystore/moment.ts'
import { isKeyName } from '../keystore/names.ts'
import { done, json, lines, success } from './answer.ts'
import { readFields, readList } from './body.ts'
import { decrypt, encrypt, hmac, randomBytes } from './cipher.ts'
import { invalidBody, invalidImport, KesError, keyExists, keyNotFound, notAuthentic } from './error.ts'
import { isPattern, pageStart, tokenOf } from './pattern.ts'
import type { Call, Context, Route } from './route.ts'

const MAX_BODY = 1_000_000
const TIMEOUT_MS = 15_000
const KEY_BYTES = 32
const PAGE = 1024
/** Ciphertexts of one request, in releases that could do that. */
const BULK = 1000
const NOTHING = Buffer.alloc(0)

const ALGORITHMS: { readonly [cipher: string]: StoredKey['algorithm'] } = {
  AES256: 'AES256',
  'AES256-GCM_SHA256': 'AES256',
  ChaCha20: 'ChaCha20',
  'XCHACHA20-POLY1305': 'ChaCha20',
}

const CONTEXT = { context: 'bytes' } as const
const PLAINTEXT = { plaintext: 'bytes', context: 'bytes' } as const
const CIPHERTEXT = { ciphertext: 'bytes', context: 'bytes' } as const

function create({ name, identity }: Call, context: Context, algorithm: StoredKey['algorithm'], key: Buffer): Promise<void> {
  const stored: StoredKey = {
    algorithm,
    key,
    hmacKey: freshBytes(KEY_BYTES),
    createdAtNs: context.nowNs(),
    ...(identity !== '' && { createdBy: identity }),
  }
  return context.keys.create(name, stored).catch((error: unknown) => {
    throw isCode(error, 'exists') ? keyExists(error) : new KesError(502, 'failed to create key', { cause: error })
  })
}

async function createKey(call: Call, context: Context): Promise<HttpResponse> {
  await create(call, context, 'AES256', freshBytes(KEY_BYTES))
  call.done = `secret key '${call.name}' created`
  return done
}

/** Up to 2023 the key's field was called `bytes`, and there was one algorithm. */
async function importKey(call: Call, context: Context): Promise<HttpResponse> {
  const fields = readFields(call.request.body, { key: 'bytes', bytes: 'bytes', cipher: 'text' })
  if (fields === undefined) throw invalidImport()
  const { key = fields.bytes ?? NOTHING, cipher = fields.bytes && !fields.key ? 'AES256' : '' } = fields
  const algorithm = Object.hasOwn(ALGORITHMS, cipher) ? ALGORITHMS[cipher] : undefined
  if (algorithm === undefined) throw new KesError(406, `algorithm '${cipher}' is not supported`)
  if (key.length !== KEY_BYTES) throw new KesError(406, `invalid key size for '${cipher}'`)
  await create(call, context, algorithm, key)
  call.done = `secret key '${call.name}' imported`
  return done
}

async function deleteKey(call: Call, { keys }: Context): Promise<HttpResponse> {
  await keys.delete(call.name).catch((error: unknown) => {
    throw isCode(error, 'not-found') ? keyNotFound(error) : new KesError(502, 'failed to delete key', { cause: error })
  })
  call.done = `secret key '${call.name}' deleted`
  return done
}

async function listKeys({ name }: Call, { keys, oldListings }: Context): Promise<HttpResponse> {
  const { prefix, after } = pageStart(name)
  const pageAfter = (after: string | undefined): Promise<KeyPage> =>
    keys.store.list(prefix, { limit: PAGE, ...(after !== undefined && { after }) }).catch((cause: unknown) => {
      throw new KesError(502, 'failed to list keys', { cause })
    })
  const page = await pageAfter(after)
  if (oldListings) {
    const names = [...page.names]
    for (let last = page.after; last !== undefined; ) {
      const next = await pageAfter(last)
      for (const name of next.names) names.push(name)
      last = next.after
    }
    return lines(names.map(name => ({ name })))
  }
  return success(json({ names: page.names, ...(page.after !== undefined && { continue_at: tokenOf(prefix, page.after) }) }))
}

/** What is to be done with a key. A body that cannot be read is refused before the key is looked for. */
type Use = (call: Call) => (key: StoredKey) => string

const describe: Use =
  ({ name }) =>
  key =>
    json({
      name,
      algorithm: key.algorithm,
      created_at: key.createdAtNs === undefined ? ZERO_TIME : writeTime(key.createdAtNs),
      created_by: key.createdBy,
    })

const generate: Use = ({ request: { body } }) => {
  const fields = body.length === 0 ? {} : readFields(body, CONTEXT)
  if (fields === undefined) throw invalidBody()
  return key => {
    const plaintext = randomBytes(KEY_BYTES)
    const ciphertext = encrypt(key, plaintext, fields.context ?? NOTHING)
    const answer = `{"plaintext":"${plaintext.toString('base64')}","ciphertext":"${ciphertext.toString('base64')}"}`
    plaintext.fill(0)
    return answer
  }
}

const encryptText: Use = ({ request }) => {
  const fields = readFields(request.body, PLAINTEXT)
  if (fields === undefined) throw invalidBody()
  return key => `{"ciphertext":"${encrypt(key, fields.plaintext ?? NOTHING, fields.context ?? NOTHING).toString('base64')}"}`
}

const decryptText: Use = ({ request }) => {
  const fields = readFields(request.body, CIPHERTEXT)
  if (fields === undefined) throw invalidBody()
  return key => plaintextOf(key, fields)
}

const decryptAll: Use = ({ request }) => {
  const list = readList(request.body, CIPHERTEXT)
  if (list === undefined) throw invalidBody()
  if (list.length > BULK) throw new KesError(400, 'too many ciphertexts')
  return key => `[${list.map(fields => plaintextOf(key, fields)).join(',')}]`
}

function plaintextOf(key: StoredKey, { ciphertext = NOTHING, context = NOTHING }: { ciphertext?: Buffer; context?: Buffer }): string {
  const plaintext = decrypt(key, ciphertext, context)
  if (plaintext === undefined) throw notAuthentic()
  const answer = `{"plaintext":"${plaintext.toString('base64')}"}`
  plaintext.fill(0)
  return answer
}

const mac: Use = ({ request }) => {
  const fields = readFields(request.body, { message: 'bytes' })
  if (fields === undefined) throw invalidBody()
  return key => `{"hmac":"${hmac(key, fields.message ?? NOTHING).toString('base64')}"}`
}

/** Do something with a key; at once, if it is in memory. */
const withKey =
  (use: Use): Route['run'] =>
  (call, { keys }) => {
    const act = use(call)
    const key = keys.get(call.name)
    if (!(key instanceof Promise)) return success(act(key))
    return key.then(
      key => success(act(key)),
      (error: unknown) => {
        throw isCode(error, 'not-found') ? keyNotFound(error) : new KesError(502, 'failed to read key', { cause: error })
      },
    )
  }

const named =
  (run: Route['run']): Route['run'] =>
  (call, context) => {
    if (!isKeyName(call.name)) throw new KesError(400, `key name '${call.name}' is empty, too long or contains invalid characters`)
    return run(call, context)
  }

const byPattern =
  (run: Route['run']): Route['run'] =>
  (call, context) => {
    const { prefix, after } = pageStart(call.name)
    const isValid = after === undefined ? isPattern(call.name) : isPattern(prefix) && isKeyName(after)
    if (!isValid) throw new KesError(400, `listing pattern '${call.name}' is empty, too long or is invalid`)
    return run(call, context)
  }

const isCode = (error: unknown, code: KeyStoreError['code']): boolean => error instanceof KeyStoreError && error.code === code

const row = (method: Route['method'], path: string, maxBody: number, run: Route['run'], isCurrent = true): Route => ({
  method,
  path: `/v1/key/${path}/`,
  maxBody,
  timeoutMs: TIMEOUT_MS,
  auth: 'policy',
  isCurrent,
  run,
})

export const KEY_ROUTES: readonly Route[] = [
  row('PUT', 'create', 0, named(createKey)),
  row('PUT', 'import', MAX_BODY, named(importKey)),
  row('GET', 'describe', 0, named(withKey(describe))),
  row('GET', 'list', 0, byPattern(listKeys)),
  row('DELETE', 'delete', 0, named(deleteKey)),
  row('PUT', 'generate', MAX_BODY, named(withKey(generate))),
  row('PUT', 'encrypt', MAX_BODY, named(withKey(encryptText))),
  row('PUT', 'decrypt', MAX_BODY, named(withKey(decryptText))),
  row('PUT', 'hmac', MAX_BODY, named(withKey(mac))),
  // MinIO of 2022 to 2024 decrypts the keys of a listing by it.
  row('PUT', 'bulk/decrypt', MAX_BODY, named(withKey(decryptAll)), false),
]
