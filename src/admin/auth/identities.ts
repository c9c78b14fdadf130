import type { Records } from '../../seal/records.ts'
import { permissionDenied } from '../error.ts'
import type { AuthAnswer, Caller } from '../route.ts'
import { Attempts } from './attempts.ts'
import { IdentityStore } from './identity-store.ts'
import { Logins } from './logins.ts'
import { Policies } from './policies.ts'
import { type Made, type Token, Tokens } from './tokens.ts'

export interface IdentitiesOptions {
  readonly records: Records
  /** Milliseconds since 1970. */
  now(): number
}

/** Failed logins of one name, or unknown tokens from one address, within a minute. */
const ATTEMPTS = { failures: 10, windowMs: 60_000 }

/** Who may administer: tokens, policies, login methods, and what they are kept in. */
export class Identities {
  readonly store: IdentityStore
  readonly tokens: Tokens
  readonly policies: Policies
  readonly logins: Logins
  readonly attempts: Attempts
  readonly now: () => number
  readonly #callers = new WeakMap<Caller, Token>()

  private constructor(store: IdentityStore, now: () => number) {
    this.store = store
    this.now = now
    this.tokens = new Tokens(store, now)
    this.policies = new Policies(store)
    this.logins = new Logins(store)
    this.attempts = new Attempts(ATTEMPTS, now)
  }

  /** @throws StoreError, SealError */
  static async open({ records, now }: IdentitiesOptions): Promise<Identities> {
    return new Identities(await IdentityStore.open(records), now)
  }

  /** A token that may do everything and does not expire. @returns the token, which is kept nowhere */
  async createRoot(): Promise<string> {
    const { secret } = await this.tokens.create({ policies: ['root'], path: 'auth/token/root', displayName: 'root', mayLast: true })
    return secret
  }

  /** Whether a root token was ever made and is still good. */
  async hasRoot(): Promise<boolean> {
    for (const { row } of await this.store.list('token')) if (row.policies.includes('root') && row.expiresMs === undefined) return true
    return false
  }

  callerOf(token: Token): Caller {
    const { displayName, accessor, policies } = token.row
    const caller: Caller = { displayName, accessor, policies, isRoot: policies.includes('root') }
    this.#callers.set(caller, token)
    return caller
  }

  /** The token of a caller, as it was when the request came. */
  tokenOf(caller: Caller | undefined): Token {
    const token = caller && this.#callers.get(caller)
    if (!token) throw permissionDenied()
    return token
  }

  /** `auth` of an answer, for a token that was just made. */
  authOf({ secret, token }: Pick<Made, 'secret' | 'token'>): AuthAnswer {
    const { accessor, policies, meta, renewable, parent, uses } = token.row
    return {
      client_token: secret,
      accessor,
      policies,
      token_policies: policies,
      metadata: meta,
      lease_duration: this.tokens.ttlOf(token.row),
      renewable,
      entity_id: '',
      token_type: 'service',
      orphan: parent === undefined,
      mfa_requirement: null,
      num_uses: uses,
    }
  }
}
