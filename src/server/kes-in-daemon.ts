import type { KesDoor } from '../admin/live.ts'
import { isoTime } from '../http/iso-time.ts'
import type { KesEvent } from '../kes/log-line.ts'
import type { KesSettings } from '../kes/settings.ts'
import type { KeyStore } from '../keystore/keystore.ts'
import { NativeKeyStore } from '../keystore/native.ts'
import { openKeyStore } from '../keystore/open.ts'
import type { KeyStoreSettings } from '../keystore/settings.ts'
import type { Engine } from '../ops/engine.ts'
import type { Scopes } from '../scopes/scopes.ts'
import type { Records } from '../seal/records.ts'
import type { Audit } from './audit.ts'
import { AuditLines } from './audit-lines.ts'
import type { KesCredential } from './kes-credential.ts'
import { KesServer } from './kes-door.ts'
import { type HubMembers, KesHub } from './kes-hub.ts'
import type { Siblings } from './kes-siblings.ts'
import type { KesStateOptions } from './kes-state.ts'
import type { Logger } from './log.ts'

/** Where the settings of the KES door come from: they are read at the start and at each reload. */
export type KesSource =
  | {
      read(): Promise<KesSettings>
      /** Whether to show the certificate of the KMIP listener instead of one of the settings. */
      readonly ownCertificate?: boolean
    }
  /** From the process that holds together those that serve the door. */
  | Siblings

export interface KesInDaemonOptions {
  readonly data: { readonly records: Records; readonly scopes: Scopes }
  readonly engine: Engine
  readonly log: Logger
  /** PEM. */
  credential(): { readonly certificate: string; readonly key: string }
  newId(): string
}

export interface KesDoorOptions extends KesInDaemonOptions {
  readonly source: KesSource
  readonly audit: Audit
  readonly version: string
}

/** The KES door beside the other doors: its keys may be KMIP objects, its requests stand in the same audit log. */
export function openKesDoor(options: KesDoorOptions): Promise<KesServer> {
  const { source, data, log, version } = options
  const audit = new AuditLines(options.audit)
  return KesServer.start({
    ...(isSiblings(source) ? { ...sharedState(source, options), siblings: source } : ownState(source, options)),
    records: data.records,
    sinks: {
      audit: event => audit.add(auditLine(event)),
      log: (level, message, asked) => log[LEVELS[level]]({ door: 'kes', ...asked }, message),
    },
    version,
  })
}

/** What holds the door together where other processes serve it. */
export function openKesHub(options: KesInDaemonOptions & { readonly source: KesSource; readonly members: HubMembers }): Promise<KesHub> {
  const { source, members } = options
  if (isSiblings(source)) throw new Error('only one process holds the door together')
  return KesHub.open({ ...ownState(source, options), members })
}

/** For administrators. */
export function liveKes({ store, settings }: { readonly store: KeyStore; readonly settings: KesSettings }): KesDoor {
  const patterns = (rules: readonly { readonly pattern: string }[]): string[] => rules.map(({ pattern }) => pattern)
  return {
    store,
    policies: settings.policies.map(({ name, allow, deny, identities }) => ({
      ...{ name, identities },
      allow: patterns(allow),
      deny: patterns(deny),
    })),
  }
}

const isSiblings = (source: KesSource): source is Siblings => 'join' in source

function ownState(source: Exclude<KesSource, Siblings>, options: KesInDaemonOptions): KesStateOptions {
  const { log } = options
  return {
    async read() {
      const settings = await source.read()
      for (const warning of settings.warnings) log.warn({ door: 'kes' }, warning)
      return settings
    },
    ...(source.ownCertificate && {
      readCredential: (): KesCredential => {
        const { certificate, key } = options.credential()
        return { certificate, key, trusted: [], endsMs: Number.POSITIVE_INFINITY }
      },
    }),
    openKeyStore: settings =>
      openKeyStore(settings, {
        native: scope => openNative(scope, options),
        onEvent: event => log.info({ event }, 'the key store of the KES door'),
      }),
  }
}

/** Objects of the server each process reads by itself; any other key store is open in one of them. */
const sharedState = (siblings: Siblings, options: KesInDaemonOptions): KesStateOptions => ({
  read: () => siblings.settings(),
  readCredential: () => siblings.credential(),
  openKeyStore: async (settings: KeyStoreSettings) =>
    settings.kind === 'native' ? openNative(settings.scope, options) : siblings.keyStore(),
})

const openNative = (scope: string, { data, engine, newId }: KesInDaemonOptions): Promise<NativeKeyStore> =>
  NativeKeyStore.open({ ...data, engine, scope, now: () => BigInt(Math.floor(Date.now() / 1000)), newId })

const LEVELS = { DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const

const auditLine = ({ timeMs, identity, ip, operation, object, path, status, message, latencyMs }: KesEvent): string =>
  `${JSON.stringify({
    type: 'audit',
    time: isoTime(timeMs),
    door: 'kes',
    ...(identity !== '' && { identity }),
    address: ip,
    operation,
    object,
    path,
    status: status < 400 ? 'Success' : 'Failure',
    code: status,
    ...(status >= 400 && { reason: message }),
    latencyMs: Math.round(latencyMs * 1000) / 1000,
  })}\n`
