import { mountPath } from '../vault/paths.ts'
import type { PolicyLine } from '../vault/policy.ts'

export interface StorePlace {
  readonly mount: string
  readonly version: 1 | 2
  readonly prefix: string
  readonly transit?: { readonly path: string; readonly key: string } | undefined
}

const FOLDERS: readonly [folder: string, why: string][] = [
  ['log', 'commits are added, and never changed'],
  ['blob', 'pieces of large commits'],
  ['snap', 'snapshots'],
  ['node', 'nodes say that they are there'],
]

const DATA_KEYS: readonly [verb: string, why: string][] = [
  ['datakey/plaintext', 'new data keys'],
  ['decrypt', 'data keys that are there'],
  ['rewrap', 'data keys after a rotation'],
]

/** The least that a node needs of Vault for its store: nothing that is there can be overwritten but the head. */
export function storePermissions({ mount: given, version, prefix, transit }: StorePlace): PolicyLine[] {
  const mount = mountPath(given)
  const rows: PolicyLine[] =
    version === 2
      ? [
          ...FOLDERS.map(([folder, why]) => ({ path: `${mount}/data/${prefix}/${folder}/*`, capabilities: ['create', 'read'], why })),
          { path: `${mount}/data/${prefix}/head`, capabilities: ['create', 'update', 'read'], why: 'where the log begins' },
          { path: `${mount}/metadata/${prefix}/*`, capabilities: ['list', 'delete'], why: 'what is old is found and removed' },
        ]
      : [{ path: `${mount}/${prefix}/*`, capabilities: ['create', 'read', 'list', 'delete'], why: 'the store of one node' }]
  if (transit)
    for (const [verb, why] of DATA_KEYS)
      rows.push({ path: `${mountPath(transit.path)}/${verb}/${transit.key}`, capabilities: ['update'], why })
  return rows
}
