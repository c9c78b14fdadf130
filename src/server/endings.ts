import type { Ending } from '../admin/live.ts'
import { parseCertificatePem } from '../pki/certificate.ts'
import type { Mounts } from '../scopes/mounts.ts'

/** Every certificate of the engines that will end: of their listeners, their CAs and their clients. */
export async function endingsOf(mounts: Mounts): Promise<readonly Ending[]> {
  const endings: Ending[] = []
  for (const { row, scopes } of await mounts.list()) {
    if (await scopes.hasAuthority()) {
      const { notAfterMs } = await scopes.serverCertificate()
      endings.push({ kind: 'server', name: row.path, expiration: iso(notAfterMs) })
      endings.push({ kind: 'ca', name: row.path, expiration: iso((await scopes.signer()).notAfterMs) })
    }
    for (const name of await scopes.authorities.list()) {
      const { certificate } = await scopes.authorities.read(name)
      endings.push({ kind: 'ca', name: `${row.path}ca/${name}`, expiration: parseCertificatePem(certificate).notAfter.toISOString() })
    }
    for (const { scope, role, serial_number, notAfterMs } of await scopes.credentials())
      endings.push({ kind: 'credential', name: `${row.path}scope/${scope}`, scope, role, serial_number, expiration: iso(notAfterMs) })
  }
  return endings
}

const iso = (ms: number): string => new Date(ms).toISOString()
