import type { KesEvent } from '../kes/log-line.ts'
import type { KesSettings } from '../kes/settings.ts'
import { NativeKeyStore } from '../keystore/native.ts'
import { openKeyStore } from '../keystore/open.ts'
import type { Engine } from '../ops/engine.ts'
import type { Scopes } from '../scopes/scopes.ts'
import type { Records } from '../seal/records.ts'
import type { Audit } from './audit.ts'
import { AuditLines } from './audit-lines.ts'
import type { KesCredential } from './kes-credential.ts'
import { KesServer } from './kes-door.ts'
import type { Logger } from './log.ts'

/** Where the settings of the KES door come from. */
export interface KesSource {
  /** Read them, at the start and at each reload. */
  read(): Promise<KesSettings>
  /** Whether to show the certificate of the KMIP listener instead of one of the settings. */
  readonly ownCertificate?: boolean
}

export interface KesInDaemonOptions {
  readonly source: KesSource
  readonly data: { readonly records: Records; readonly scopes: Scopes }
  readonly engine: Engine
  readonly audit: Audit
  readonly log: Logger
  readonly version: string
  /** PEM. */
  credential(): { readonly certificate: string; readonly key: string }
  newId(): string
}

/** The KES door beside the other doors: its keys may be KMIP objects, its requests stand in the same audit log. */
export async function openKesDoor(options: KesInDaemonOptions): Promise<KesServer> {
  const { source, data, engine, log, version, newId } = options
  const audit = new AuditLines(options.audit)
  const now = (): bigint => BigInt(Math.floor(Date.now() / 1000))
  const settings = await read()
  return KesServer.start({
    settings,
    records: data.records,
    reload: read,
    ...(source.ownCertificate && {
      readCredential: (): KesCredential => {
        const { certificate, key } = options.credential()
        return { certificate, key, trusted: [], endsMs: Number.POSITIVE_INFINITY }
      },
    }),
    openKeyStore: settings =>
      openKeyStore(settings, {
        native: scope => NativeKeyStore.open({ ...data, engine, scope, now, newId }),
        onEvent: event => log.info({ event }, 'the key store of the KES door'),
      }),
    sinks: {
      audit: event => audit.add(auditLine(event)),
      log: (level, message, asked) => log[LEVELS[level]]({ door: 'kes', ...asked }, message),
    },
    version,
  })

  async function read(): Promise<KesSettings> {
    const settings = await source.read()
    for (const warning of settings.warnings) log.warn({ door: 'kes' }, warning)
    return settings
  }
}

const LEVELS = { DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const

const auditLine = ({ timeMs, identity, ip, operation, object, path, status, message, latencyMs }: KesEvent): string =>
  `${JSON.stringify({
    type: 'audit',
    time: new Date(timeMs).toISOString(),
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
