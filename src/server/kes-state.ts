import { randomBytes } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import type { KesSettings, TlsSettings } from '../kes/settings.ts'
import { type KeyStore, KeyStoreError } from '../keystore/keystore.ts'
import type { KeyStoreSettings } from '../keystore/settings.ts'
import { type KesCredential, readKesCredential } from './kes-credential.ts'
import { orUndo } from './or-undo.ts'

export interface KesStateOptions {
  /** Reads the configuration. */
  read(): Promise<KesSettings>
  openKeyStore(settings: KeyStoreSettings): Promise<KeyStore>
  /** Absent: the files that the configuration names. */
  readCredential?(settings: TlsSettings): KesCredential | Promise<KesCredential>
}

/** What a configuration wants, made ready. */
export interface KesState {
  readonly settings: KesSettings
  readonly credential: KesCredential
  readonly store: KeyStore
}

/** Read the configuration, open the key store, and make the keys that shall be there. @throws KesConfigError, KeyStoreError, the system's error */
export async function openState(options: KesStateOptions): Promise<KesState> {
  const settings = await options.read()
  const credential = await readCredential(options, settings)
  // What OpenSSL says against it, it shall say now.
  createSecureContext({ cert: credential.certificate, key: credential.key })
  const store = await options.openKeyStore(settings.keystore)
  await orUndo(
    () => store.close(),
    () => makeKeys(settings.keys, store),
  )
  return { settings, credential, store }
}

export const readCredential = async (
  { readCredential = readKesCredential }: KesStateOptions,
  { tls }: KesSettings,
): Promise<KesCredential> => readCredential(tls)

async function makeKeys(names: readonly string[], store: KeyStore): Promise<void> {
  for (const name of names)
    try {
      const nowNs = BigInt(Date.now()) * 1_000_000n
      await store.create(name, { algorithm: 'AES256', key: randomBytes(32), hmacKey: randomBytes(32), createdAtNs: nowNs })
    } catch (error) {
      if (!(error instanceof KeyStoreError && error.code === 'exists')) throw error
    }
}

const LEAST_MS = 15_000
// setTimeout turns longer times into none at all.
const MOST_MS = 2 ** 31 - 1

/**
 * Close the key store of a configuration that counts no more, when no request can need it any longer.
 * @param settings those by which it was opened: the requests that use it have their time from them
 */
export function closeLater(store: Pick<KeyStore, 'close'>, settings: KesSettings): void {
  const longestMs = Math.max(LEAST_MS, ...Object.values(settings.api).map(({ timeoutMs = 0 }) => timeoutMs))
  setTimeout(() => void store.close(), Math.min(longestMs, MOST_MS)).unref()
}
