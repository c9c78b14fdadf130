import { readFile } from 'node:fs/promises'
import type { Call } from './dispatcher.ts'
import { VaultError } from './errors.ts'
import type { Answer } from './failures.ts'
import { rowOf } from './fields.ts'
import { mountPath, namespaceOf } from './paths.ts'

/** A text, or the file that holds it: read anew at each login. */
export type Secret = string | { readonly file: string }

interface Place {
  /** Where the method is mounted, without `auth/`. Default: its kind. */
  readonly engine?: string | undefined
  /** Namespace to log in to. Default: that of use. */
  readonly namespace?: string | undefined
}

export interface AppRoleLogin extends Place {
  readonly kind: 'approle'
  /** Role id. */
  readonly id: string
  /** Secret id; with `wrapped` the wrapping token that it came in, which opens once. */
  readonly secret: Secret
  readonly wrapped?: boolean | undefined
  /** What came out of which wrapping token, of this client and those that share it: each token opens once. */
  readonly opened?: OpenedSecrets | undefined
}

export type OpenedSecrets = Map<string, Promise<string>>

export interface KubernetesLogin extends Place {
  readonly kind: 'kubernetes'
  readonly role: string
  /** Of the service account. */
  readonly jwt: Secret
}

export interface TokenLogin extends Place {
  readonly kind: 'token'
  readonly token: Secret
}

export type Login = AppRoleLogin | KubernetesLogin | TokenLogin

/** A token, and what is known of its life. */
export interface Grant {
  readonly token: string
  /** 0: it never ends. */
  readonly ttlMs: number
  readonly renewable: boolean
}

/** One way to get a token. */
export interface LoginMethod {
  readonly kind: Login['kind']
  readonly namespace: string | undefined
  /** What it would show now, to see whether it has changed. @throws VaultError `login-refused` when its file cannot be read */
  secret(): Promise<string>
  /** @throws VaultError `login-refused`, `secret-opened`, `configuration`, or one that passes */
  logIn(secret: string): Promise<Grant>
}

/** A request of the login itself, which goes to its namespace. */
export type Send = (call: Pick<Call, 'method' | 'path' | 'json' | 'token' | 'namespace' | 'idempotent'>) => Promise<Answer>

/** It goes into a header. */
const TOKEN = /^[\x21-\x7e]+$/
const ROLE = /^[\w.-]{1,250}$/

export function loginMethod(login: Login, usedNamespace: string | undefined, send: Send): LoginMethod {
  const chosen = login.namespace ?? usedNamespace
  const namespace = chosen === undefined || chosen === '' ? undefined : namespaceOf(chosen)
  const place = { kind: login.kind, namespace, engine: mountPath(login.engine ?? login.kind) }
  const there: Send = call => send({ ...call, namespace })
  if (login.kind === 'approle') return appRole(login, place, there)
  if (login.kind === 'kubernetes') return kubernetes(login, place, there)
  return { ...place, secret: () => textOf(login.token, 'token'), logIn: token => ownToken(token, there) }
}

interface Placed extends Pick<LoginMethod, 'kind' | 'namespace'> {
  readonly engine: string
}

function appRole({ id, secret, wrapped, opened = new Map() }: AppRoleLogin, place: Placed, send: Send): LoginMethod {
  const open = (token: string): Promise<string> => {
    const opening = opened.get(token) ?? unwrap(token, place.engine, send)
    opened.set(token, opening)
    // What failed may be tried again.
    opening.catch(() => opened.delete(token))
    return opening
  }
  return {
    ...place,
    secret: () => textOf(secret, 'secret id'),
    async logIn(text) {
      const secretId = wrapped ? await open(text) : text
      return grantOf(
        await send({ method: 'POST', path: `auth/${place.engine}/login`, json: { role_id: id, secret_id: secretId }, idempotent: true }),
      )
    },
  }
}

function kubernetes({ role, jwt }: KubernetesLogin, place: Placed, send: Send): LoginMethod {
  if (!ROLE.test(role)) throw new VaultError('configuration', `${JSON.stringify(role)} is no name of a Kubernetes role`)
  return {
    ...place,
    secret: () => textOf(jwt, 'JWT of the service account'),
    logIn: async text =>
      grantOf(await send({ method: 'POST', path: `auth/${place.engine}/login`, json: { role, jwt: text }, idempotent: true })),
  }
}

/** A token that was made elsewhere. */
async function ownToken(token: string, send: Send): Promise<Grant> {
  checkToken(token)
  const { body } = await send({ method: 'GET', path: 'auth/token/lookup-self', token })
  const { ttl, renewable, num_uses, type } = rowOf(body?.data)
  checkUses(num_uses)
  return { token, ttlMs: secondsOf(ttl), renewable: renewable === true && type !== 'batch' }
}

/**
 * The secret id in a wrapping token. It is looked at first: whoever opened it and wrapped another one could not choose its path.
 * Spec: Vault, "Response Wrapping", validation
 */
async function unwrap(token: string, engine: string, send: Send): Promise<string> {
  checkToken(token)
  const found = await send({ method: 'POST', path: 'sys/wrapping/lookup', json: { token }, idempotent: true })
  const path = rowOf(found.body?.data).creation_path
  const expected = typeof path === 'string' && path.startsWith(`auth/${engine}/role/`) && path.endsWith('/secret-id')
  if (!expected)
    throw new VaultError(
      'secret-opened',
      `the wrapping token was not made by auth/${engine}/role/.../secret-id: do not trust what is in it`,
    )
  const { body } = await send({ method: 'POST', path: 'sys/wrapping/unwrap', token })
  const { secret_id } = rowOf(body?.data)
  if (typeof secret_id === 'string') return secret_id
  throw new VaultError('secret-opened', 'there is no secret id in the wrapping token')
}

/** What a login answers. @throws VaultError `configuration`: its token ends after a number of uses */
export function grantOf({ body }: Answer): Grant {
  const { client_token, lease_duration, renewable, num_uses, token_type } = rowOf(body?.auth)
  if (typeof client_token !== 'string' || client_token === '') throw new VaultError('malformed', 'a login was answered without a token')
  checkUses(num_uses)
  const isBatch = token_type === 'batch' || /^(hvb|b)\./.test(client_token)
  return { token: client_token, ttlMs: secondsOf(lease_duration), renewable: renewable === true && !isBatch }
}

function checkToken(token: string): void {
  if (!TOKEN.test(token)) throw new VaultError('login-refused', 'the token has characters that no token has: write it alone, in one line')
}

function checkUses(uses: unknown): void {
  if (uses === undefined || uses === null || uses === 0) return
  throw new VaultError('configuration', 'the token ends after a number of uses: set token_num_uses of the role to 0')
}

const secondsOf = (value: unknown): number => (typeof value === 'number' && value > 0 ? value * 1000 : 0)

async function textOf(secret: Secret, what: string): Promise<string> {
  if (typeof secret === 'string') return secret
  let text: string
  try {
    text = (await readFile(secret.file, 'utf8')).trim()
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? ` (${error.code})` : ''
    throw new VaultError('login-refused', `the file of the ${what}, ${secret.file}, cannot be read${code}`)
  }
  if (text === '') throw new VaultError('login-refused', `the file of the ${what}, ${secret.file}, is empty`)
  return text
}
