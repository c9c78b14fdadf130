import type { Config } from './schema.ts'
import { type Address, formatAddress } from './value-types.ts'

/**
 * What the file says of the settings that the store keeps too, by the names that it keeps them under. What the file leaves out is left
 * out here.
 */
export function storedFields({ kmip, ca, credentials }: Config): { readonly [field: string]: string | number | readonly string[] } {
  const fields = {
    listen_addrs: kmip.listen?.map(formatAddress),
    server_hostnames: kmip.serverHostnames,
    server_ips: kmip.serverIps,
    tls_min_version: kmip.tlsMinVersion,
    tls_ca_key_type: ca.keyType,
    tls_ca_key_bits: ca.keyBits,
    default_tls_client_key_type: credentials.keyType,
    default_tls_client_key_bits: credentials.keyBits,
    default_tls_client_ttl: credentials.ttl === undefined ? undefined : Math.ceil(credentials.ttl / 1000),
  }
  return Object.fromEntries(Object.entries(fields).flatMap(([field, value]) => (value === undefined ? [] : [[field, value]])))
}

/** Where this node listens by its file, and no other: nodes that share a store cannot share an address. Absent: where the store says. */
export const ownAddresses = ({ kmip, store }: Config): readonly Address[] | undefined => (store.kind === 'vault' ? kmip.listen : undefined)
