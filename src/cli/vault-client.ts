import type { VaultClient, VaultOptions } from '../vault/client.ts'
import type { VaultSection } from '../vault/configured.ts'
import type { OpenedSecrets } from '../vault/logins.ts'

/** Of the process, which has a client for the seal, one for the store, and others for a look. */
const OPENED: OpenedSecrets = new Map()

/** A client of Vault as a section of the configuration describes it. @throws VaultError `configuration`: files of TLS that cannot be read */
export async function vaultClient(section: VaultSection, more: Partial<VaultOptions> = {}): Promise<VaultClient> {
  const { connectVault } = await import('../vault/client.ts')
  const { vaultOptions } = await import('../vault/configured.ts')
  return connectVault({ ...vaultOptions(section, OPENED), ...more })
}
