import type { CallOptions, VaultClient } from './client.ts'

/** One line of a policy, and why it is needed. */
export interface PolicyLine {
  /** Such as `kv/data/kmipd/log/*`, without a namespace. */
  readonly path: string
  readonly capabilities: readonly string[]
  /** For a person: what does not work without it. */
  readonly why: string
  /** A server does without it. */
  readonly optional?: true
}

/** What a seal by a transit key needs; MinIO KMS's three, and one that `kmipd seal rewrap` alone uses. */
export const sealPolicy = ({ path, key }: { readonly path: string; readonly key: string }): PolicyLine[] => [
  { path: `${path}/encrypt/${key}`, capabilities: ['update'], why: 'seal the root key' },
  { path: `${path}/decrypt/${key}`, capabilities: ['update'], why: 'open the root key' },
  { path: `${path}/hmac/${key}`, capabilities: ['update'], why: 'tell a wrong key from a damaged record' },
  { path: `${path}/rewrap/${key}`, capabilities: ['update'], why: 'kmipd seal rewrap', optional: true },
]

/**
 * Those lines that the token of a client has not, each with the capabilities that are missing. The default policy lets every token ask.
 * @throws VaultError
 */
export async function missingPolicy(
  client: VaultClient,
  lines: readonly PolicyLine[],
  options: CallOptions & { readonly namespace?: string | undefined } = {},
): Promise<PolicyLine[]> {
  if (lines.length === 0) return []
  const found = await client.capabilities(
    lines.map(({ path }) => path),
    options,
  )
  return lines.flatMap(line => {
    const has = found.get(line.path) ?? []
    const missing = has.includes('root') ? [] : line.capabilities.filter(capability => !has.includes(capability))
    return missing.length === 0 ? [] : [{ ...line, capabilities: missing }]
  })
}

/** As a policy is written. */
export const policyText = (lines: readonly PolicyLine[]): string =>
  lines
    .map(({ path, capabilities }) => `path "${path}" { capabilities = [${capabilities.map(capability => `"${capability}"`).join(', ')}] }`)
    .join('\n')
