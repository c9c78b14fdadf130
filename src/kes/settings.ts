import type { KeyStoreSettings } from '../keystore/settings.ts'
import type { RouteSettings } from './door.ts'
import type { CacheSettings } from './key-cache.ts'
import type { Policy } from './policy.ts'

/** What a configuration file of KES says, whatever release it was written for. Paths are as they stand there. */
export interface KesSettings {
  readonly address: { readonly host: string; readonly port: number }
  /** Absent: the file names none, as files before 2022 did not have to. */
  readonly admin?: string
  readonly tls: TlsSettings
  readonly policies: readonly (Policy & { readonly identities: readonly string[] })[]
  readonly cache: CacheSettings
  readonly api: { readonly [path: string]: RouteSettings }
  /** Thresholds as Go's slog counts them. */
  readonly log: { readonly error: number; readonly audit: number }
  /** Keys that are made at the start, if they are missing. */
  readonly keys: readonly string[]
  readonly keystore: KeyStoreSettings
  readonly oldTexts: boolean
  readonly oldListings: boolean
  readonly prefer?: 'h2' | 'http/1.1'
  /** What somebody who wrote the file should know. */
  readonly warnings: readonly string[]
}

export interface TlsSettings {
  readonly key: string
  readonly cert: string
  readonly password?: string
  /** Whether certificates of clients have to lead to an authority. */
  readonly auth: boolean
  /** A file, or a directory of files. */
  readonly ca?: string
  readonly proxy?: { readonly identities: readonly string[]; readonly header: string }
}
