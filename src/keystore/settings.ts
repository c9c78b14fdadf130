/** Which key store, and how to reach it, as KES's configuration says it under `keystore`. Paths are absolute or of the working directory. */
export type KeyStoreSettings = MemorySettings | FsSettings | VaultSettings | EntrustSettings | NativeSettings

/** Keys that are gone with the process. */
export interface MemorySettings {
  readonly kind: 'memory'
}

export interface FsSettings {
  readonly kind: 'fs'
  /** The directory; made if it is missing. */
  readonly path: string
}

/** Keys as KMIP objects of this server. */
export interface NativeSettings {
  readonly kind: 'native'
  /** The scope that they stand in; made if it is missing. */
  readonly scope: string
}

/** A KV secrets engine of Vault or OpenBao. Exactly one of `approle` and `kubernetes` is there. */
export interface VaultSettings {
  readonly kind: 'vault'
  /** `https://vault:8200` */
  readonly endpoint: string
  /** Where the KV engine is mounted: `kv`. */
  readonly engine: string
  readonly version: 'v1' | 'v2'
  readonly namespace?: string
  /** Folder of the keys in the engine. */
  readonly prefix?: string
  readonly transit?: { readonly engine: string; readonly key: string }
  readonly approle?: VaultLogin & { readonly id: string; readonly secret: string }
  /** `jwt` is the token, or, if it has a slash, the file with it, which is read at each login. */
  readonly kubernetes?: VaultLogin & { readonly role: string; readonly jwt: string }
  readonly tls?: TlsFiles
  /** Between two looks at Vault's health. */
  readonly pingMs: number
}

interface VaultLogin {
  /** Where the login method is mounted. */
  readonly engine: string
  /** Instead of that of the keys; `/` is none. */
  readonly namespace?: string
}

/** PEM files. */
export interface TlsFiles {
  readonly key?: string
  readonly cert?: string
  /** A file, or a directory of files, of authorities. */
  readonly ca?: string
}

/** A box of Entrust KeyControl. */
export interface EntrustSettings {
  readonly kind: 'entrust'
  readonly endpoint: string
  readonly vaultId: string
  /** Name or identifier. */
  readonly boxId: string
  readonly username: string
  readonly password: string
  readonly tls?: Pick<TlsFiles, 'ca'>
}
