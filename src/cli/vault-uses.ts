import type { Config } from '../config/schema.ts'
import type { VaultSeal, VaultStore } from '../config/vault-schema.ts'
import type { Needed, VaultUse } from '../server/checkup.ts'
import { vaultClient } from './vault-client.ts'

/** All that a server uses Vault for, with what a policy must allow for it. The caller closes the clients. */
export async function vaultUses({ seal, store }: Config): Promise<VaultUse[]> {
  const seals = await Promise.all(seal.flatMap(entry => (entry.kind === 'vault' ? [sealUse(entry)] : [])))
  return store.kind === 'vault' ? [...seals, await storeUse(store)] : seals
}

async function sealUse(entry: VaultSeal): Promise<VaultUse> {
  const { sealPolicy } = await import('../vault/policy.ts')
  const { transit } = entry
  const client = await vaultClient(entry, LIMITS)
  return {
    name: 'the seal',
    client,
    async prove() {
      const engine = client.transit(transit.path, { namespace: transit.namespace })
      await engine.hmac(transit.key, Buffer.from('kmipd: is it there?'))
      await engine.newestVersion(transit.key)
    },
    needs: async () => [{ namespace: transit.namespace, lines: sealPolicy(transit) }],
    fresh: false,
  }
}

async function storeUse(section: VaultStore): Promise<VaultUse> {
  const { storePermissions } = await import('../store/vault-permissions.ts')
  const client = await vaultClient(section, LIMITS)
  const { mount, prefix, transit, maxStaleness } = section
  return {
    name: 'the store',
    client,
    fresh: maxStaleness === 0,
    ...(transit && {
      async prove() {
        const { plaintext } = await client.transit(transit.path, { namespace: transit.namespace }).dataKey(transit.key)
        plaintext.fill(0)
      },
    }),
    async needs() {
      const { version } = await client.kv(mount)
      const lines = storePermissions({ mount, version, prefix, transit })
      const isOfTransit = ({ path }: { readonly path: string }): boolean => transit !== undefined && path.startsWith(`${transit.path}/`)
      const needed: Needed[] = [
        { lines: lines.filter(line => !isOfTransit(line)) },
        { namespace: transit?.namespace, lines: lines.filter(isOfTransit) },
      ]
      return needed.filter(({ lines }) => lines.length > 0)
    },
  }
}

const LIMITS = { deadlineMs: 5000 }
