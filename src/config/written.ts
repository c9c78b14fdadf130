import type { Config } from './schema.ts'
import { type Address, formatAddress, formatDuration } from './value-types.ts'
import { type VaultStore, writtenVault } from './vault-schema.ts'

const SECRET = '(hidden)'

/** A configuration as it would be written in a file: durations and addresses as texts, secrets hidden. */
export function written({ store, kmip, credentials, accounts, seal, metrics, admin, notifications, ...rest }: Config) {
  return {
    ...rest,
    store: store.kind === 'vault' ? writtenStore(store) : store,
    kmip: {
      ...kmip,
      ...(kmip.listen && { listen: kmip.listen.map(formatAddress) }),
      https: writtenAddress(kmip.https),
      handshake: formatDuration(kmip.handshake),
      partial: formatDuration(kmip.partial),
      idle: formatDuration(kmip.idle),
      drain: formatDuration(kmip.drain),
      leaseTime: formatDuration(kmip.leaseTime),
    },
    credentials: { ...credentials, ...(credentials.ttl !== undefined && { ttl: formatDuration(credentials.ttl) }) },
    accounts: accounts.map(account => ({ ...account, password: SECRET })),
    seal: seal.map(entry => {
      if (entry.kind === 'passphrase') return { ...entry, passphrase: SECRET }
      if (entry.kind === 'vault') return { ...writtenVault(entry, SECRET), recheck: formatDuration(entry.recheck) }
      return entry.key === undefined ? entry : { ...entry, key: SECRET }
    }),
    notifications: notifications.map(({ address, ...entry }) => ({ ...entry, ...(address && { address: formatAddress(address) }) })),
    metrics: { listen: writtenAddress(metrics.listen) },
    admin: { listen: writtenAddress(admin.listen), ...(admin.tls !== undefined && { tls: admin.tls }) },
  }
}

const writtenAddress = (address: Address | undefined): string => (address === undefined ? 'off' : formatAddress(address))

const writtenStore = (store: VaultStore) => ({
  ...writtenVault(store, SECRET),
  maxStaleness: formatDuration(store.maxStaleness),
  deadline: formatDuration(store.deadline),
  retention: formatDuration(store.retention),
})
