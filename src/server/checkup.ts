import type { KeyProvider } from '../seal/provider.ts'
import { sealStatus } from '../seal/reseal.ts'
import type { Store } from '../store/store.ts'
import type { VaultClient } from '../vault/client.ts'
import { missingPolicy, type PolicyLine, policyText } from '../vault/policy.ts'

/** What a look at one thing has shown. */
export interface Finding {
  /** `bad`: something does not work; `warn`: it works, and an operator should know. */
  readonly state: 'good' | 'warn' | 'bad'
  readonly what: string
  /** More than fits in a line: policy lines to add. */
  readonly add?: string
}

export interface Check {
  /** What is looked at: `the store`. */
  readonly name: string
  look(): Promise<Finding[]>
}

/** Look at everything, one thing after another. A typed error is a finding; a fault of the program is thrown. */
export async function checkUp(checks: readonly Check[]): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const check of checks) findings.push(...(await looked(check)))
  return findings
}

async function looked({ name, look }: Check): Promise<Finding[]> {
  try {
    return await look()
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error
    return [{ state: 'bad', what: `${name}: ${error.message}` }]
  }
}

const LOOK_MS = 5000
const LOOPBACK = /^http:\/\/(127\.\d+\.\d+\.\d+|localhost|\[::1\])(:|$)/

export interface Needed {
  /** Absent: the client's own. */
  readonly namespace?: string | undefined
  readonly lines: readonly PolicyLine[]
}

export interface VaultUse {
  /** What Vault is used for: `the seal`. */
  readonly name: string
  readonly client: VaultClient
  /** What its token must be allowed. @throws VaultError */
  needs(): Promise<readonly Needed[]>
  /** Whether its key of a transit engine is there, and of use. @throws VaultError */
  prove?(): Promise<void>
  /** Reads must never be older than the request. */
  readonly fresh: boolean
}

/** Whether Vault can be used for what it shall do: its servers, the login, the policy. */
export const vaultChecks = ({ name, client, needs, prove, fresh }: VaultUse): Check[] => [
  {
    name: `Vault for ${name}`,
    async look() {
      const { servers } = await client.ping()
      const states = servers.map(
        ({ origin, state, version }): Finding => ({
          state: state === 'active' || state === 'standby' ? 'good' : 'bad',
          what: `Vault for ${name}: ${origin} is ${state}${version === undefined ? '' : `, version ${version}`}`,
        }),
      )
      const open = servers.filter(({ origin }) => origin.startsWith('http:') && !LOOPBACK.test(origin))
      const what = ({ origin }: { readonly origin: string }): string =>
        `Vault for ${name}: ${origin} is not encrypted: tokens and keys can be read on the way`
      return [...states, ...open.map((server): Finding => ({ state: 'warn', what: what(server) }))]
    },
  },
  {
    name: `Vault for ${name}`,
    async look() {
      await client.ready({ deadlineMs: LOOK_MS })
      const findings: Finding[] = []
      for (const { namespace, lines } of await needs()) findings.push(await policyFinding(name, client, namespace, lines))
      if (findings.every(({ state }) => state !== 'bad')) await prove?.()
      const stale = fresh ? await client.freshness() : undefined
      return stale === undefined ? findings : [...findings, { state: 'warn', what: `Vault for ${name}: ${stale}` }]
    },
  },
]

async function policyFinding(
  name: string,
  client: VaultClient,
  namespace: string | undefined,
  lines: readonly PolicyLine[],
): Promise<Finding> {
  const missing = await missingPolicy(client, lines, { namespace, deadlineMs: LOOK_MS })
  if (missing.length === 0) return { state: 'good', what: `Vault for ${name}: the policy allows all that is needed` }
  const where = namespace === undefined ? '' : ` in the namespace ${namespace}`
  const why = missing.map(({ path, why }) => `${path} (${why})`).join(', ')
  // MinIO KMS asks for less than we know a use for.
  const state = missing.every(({ optional }) => optional) ? 'warn' : 'bad'
  return { state, what: `Vault for ${name}: the policy of its token${where} lacks ${why}; add:`, add: policyText(missing) }
}

interface Sealed {
  readonly store: Store
  /** Where data keys of transit encrypt it. */
  dataKeys?(): Promise<{ readonly keys: number; readonly oldest: number | undefined }>
  close(): Promise<void>
}

/** Whether each key that is configured opens the store, and which versions of keys in Vault must be kept. */
export const sealCheck = (open: () => Promise<Sealed>, providers: readonly KeyProvider[]): Check => ({
  name: 'the seal',
  async look() {
    const { store, dataKeys, close } = await open()
    try {
      const data = await dataKeys?.()
      const status = await sealStatus(store, providers)
      const findings: Finding[] = status.providers.map(({ provider, key, seals, configured, opens, problem, keyVersion }) => {
        const what = `the seal: ${provider} ${key}`
        if (!configured)
          return { state: 'warn', what: `${what} opens the store and is not configured; take it out with: kmipd seal remove` }
        if (!seals) return { state: 'warn', what: `${what} does not open the store yet; see: kmipd seal add` }
        if (!opens) return { state: 'bad', what: `${what} does not open the store: ${problem}` }
        return {
          state: 'good',
          what: `${what} opens the store${keyVersion === undefined ? '' : `; oldest key version in use: ${keyVersion}`}`,
        }
      })
      if (!status.providers.some(({ seals }) => seals))
        findings.push({ state: 'warn', what: 'the seal: nothing is sealed yet; the first start does that' })
      if (data?.oldest !== undefined)
        findings.push({ state: 'good', what: `the data keys: ${data.keys}; oldest key version in use: ${data.oldest}` })
      if (status.rotating) findings.push({ state: 'bad', what: 'the seal: a rotation was cut short; finish it with: kmipd seal rotate' })
      return findings
    } finally {
      await close()
    }
  },
})
