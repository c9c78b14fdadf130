import { StoreError } from '../store/store.ts'
import { VaultError } from '../vault/errors.ts'
import { keyVersionOf, type Transit } from '../vault/transit.ts'
import type { DataKeySource } from './data-keys.ts'

const CURES: Partial<Record<VaultError['code'], string>> = {
  'version-refused': 'run kmipd seal rewrap before min_decryption_version is raised; lower it again until then',
  'permission-denied': 'grant update on datakey/plaintext, decrypt and rewrap of the key',
  'key-missing': 'create the key, or give its right name under store.transit',
}

const storeErrorOf = (e: VaultError): StoreError => {
  if (e.code === 'damaged') return new StoreError('damaged', `a data key does not open with its transit key: ${e.message}`, { cause: e })
  const cure = CURES[e.code]
  return new StoreError('unavailable', `transit: ${e.message}${cure === undefined ? '' : `; ${cure}`}`, { cause: e })
}

async function translated<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (e) {
    throw e instanceof VaultError ? storeErrorOf(e) : e
  }
}

/** Data keys of a key of a transit engine, which never sees what they encrypt. */
export function transitKeys(transit: Transit, key: string): DataKeySource {
  let newest: Promise<number> | undefined
  const errorsIn = <T>(results: readonly (T | VaultError)[]): (T | StoreError)[] =>
    results.map(result => (result instanceof VaultError ? storeErrorOf(result) : result))
  return {
    make: () => translated(() => transit.dataKey(key)),
    unwrap: wrapped => translated(async () => errorsIn(await transit.decryptAll(key, wrapped))),
    rewrap: wrapped => translated(async () => (wrapped.length === 0 ? [] : errorsIn(await transit.rewrapAll(key, wrapped)))),
    isOld: wrapped =>
      translated(async () => {
        newest ??= newestVersion(transit, key)
        return keyVersionOf(wrapped) < (await newest)
      }),
  }
}

/** A data key is made to see it: that takes no permission beyond those that are needed anyway. */
async function newestVersion(transit: Transit, key: string): Promise<number> {
  const { plaintext, wrapped } = await transit.dataKey(key)
  plaintext.fill(0)
  return keyVersionOf(wrapped)
}
