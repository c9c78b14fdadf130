import type { VaultEvent } from '../vault/session.ts'
import type { KeyStore } from './keystore.ts'
import type { KeyStoreSettings } from './settings.ts'

export interface OpenOptions {
  /** Opens the native key store: whoever has the server's data can, and nobody else. */
  readonly native?: (scope: string) => Promise<KeyStore>
  /** What becomes of a login: for the log. */
  readonly onEvent?: (event: VaultEvent) => void
}

/**
 * Open the key store that a configuration names. What it needs is loaded only now.
 * @throws KeyStoreError, and the errors of `native`
 */
export async function openKeyStore(settings: KeyStoreSettings, { native, onEvent }: OpenOptions = {}): Promise<KeyStore> {
  switch (settings.kind) {
    case 'memory':
      return new (await import('./memory.ts')).MemoryKeyStore()
    case 'fs':
      return (await import('./fs.ts')).FsKeyStore.open(settings.path)
    case 'vault':
      return (await import('./vault.ts')).VaultKeyStore.open({ settings, ...(onEvent && { onEvent }) })
    case 'entrust':
      return (await import('./entrust.ts')).EntrustKeyStore.open({ settings })
    case 'native': {
      if (native) return native(settings.scope)
      const { KeyStoreError } = await import('./keystore.ts')
      const cure = 'name this file under kes.config in kmipd.yaml, and run: kmipd server'
      throw new KeyStoreError('unavailable', `the native key store needs the data of a server: ${cure}`)
    }
  }
}
