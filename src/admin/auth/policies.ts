import { AdminError } from '../error.ts'
import { Acl } from './acl.ts'
import type { IdentityStore } from './identity-store.ts'
import { type Policy, PolicyError, parsePolicy } from './policy.ts'

/** What each token may about itself, unless it is made without. May be rewritten. */
const DEFAULT_POLICY = `# What each token may do with itself.
path "auth/token/lookup-self" {
  capabilities = ["read"]
}
path "auth/token/renew-self" {
  capabilities = ["update"]
}
path "auth/token/revoke-self" {
  capabilities = ["update"]
}
path "sys/capabilities-self" {
  capabilities = ["update"]
}
path "sys/internal/ui/mounts" {
  capabilities = ["read"]
}
path "sys/internal/ui/mounts/*" {
  capabilities = ["read"]
}

# Responses that wait for a token of one use.
path "sys/wrapping/lookup" {
  capabilities = ["update"]
}
path "sys/wrapping/unwrap" {
  capabilities = ["update"]
}
path "sys/wrapping/rewrap" {
  capabilities = ["update"]
}
path "sys/wrapping/wrap" {
  capabilities = ["update"]
}
`

const MAX_POLICY = 1 << 18

/** Names are not told apart by case. */
export const policyName = (name: string): string => name.trim().toLowerCase()

/** The same of a name in a path, which nobody is to write in two ways. @throws AdminError 400 */
function nameInPath(name: string): string {
  if (name !== name.trim()) throw new AdminError(400, 'the name of a policy cannot begin or end with a space')
  return policyName(name)
}

/** Policies by name. `root` allows everything and has no text; `default` is there from the beginning. */
export class Policies {
  readonly #store: IdentityStore

  constructor(store: IdentityStore) {
    this.#store = store
  }

  /** Names, sorted, `root` last as Vault has it. */
  async list(): Promise<string[]> {
    const stored = (await this.#store.list('policy')).map(({ row }) => row.name)
    return [...[...new Set(['default', ...stored])].sort(), 'root']
  }

  /** The text of a policy; empty for `root`. */
  async read(wanted: string): Promise<{ readonly name: string; readonly text: string } | undefined> {
    const name = nameInPath(wanted)
    if (name === 'root') return { name, text: '' }
    const stored = await this.#store.get('policy', name)
    if (stored) return { name, text: stored.row.text }
    return name === 'default' ? { name, text: DEFAULT_POLICY } : undefined
  }

  /** @throws AdminError 400 for a text that is no policy */
  async write(wanted: string, text: string): Promise<void> {
    const name = nameInPath(wanted)
    if (name === 'root') throw new AdminError(400, 'cannot update "root" policy')
    if (text.length > MAX_POLICY) throw new AdminError(400, `a policy may have ${MAX_POLICY} characters`)
    try {
      parsePolicy(name, text)
    } catch (cause) {
      if (!(cause instanceof PolicyError)) throw cause
      throw new AdminError(400, cause.message, { cause })
    }
    await this.#store.change(async () => {
      const id = this.#store.id('policy', name)
      const stored = await this.#store.at('policy', id)
      return { writes: [{ id, expect: stored?.revision ?? 0, row: { kind: 'policy', name, text } }], result: undefined }
    })
  }

  async delete(wanted: string): Promise<void> {
    const name = nameInPath(wanted)
    if (name === 'root' || name === 'default') throw new AdminError(400, `cannot delete "${name}" policy`)
    await this.#store.change(async () => {
      const stored = await this.#store.get('policy', name)
      return { writes: stored ? [{ id: stored.id, expect: stored.revision }] : [], result: undefined }
    })
  }

  /** What these policies allow together, as they are now. Those that are not there allow nothing. */
  async acl(names: readonly string[]): Promise<Acl> {
    const policies: Policy[] = []
    for (const name of names) {
      if (name === 'root') policies.push({ name, rules: [] })
      const found = name === 'root' ? undefined : await this.read(name)
      if (found) policies.push(parsePolicy(name, found.text))
    }
    return new Acl(policies)
  }
}
