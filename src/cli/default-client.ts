import { X509Certificate } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Scopes } from '../scopes/scopes.ts'
import { writeClientFiles } from './client-files.ts'

const SCOPE = 'default'
const ROLE = 'all'

/**
 * Make the scope `default`, its role `all` and credentials for it in `clients/` of a data directory, as far as they are not there. A credential
 * that is revoked, has ended or belongs to other data is replaced.
 */
export async function makeClients(scopes: Scopes, dataDir: string, names: readonly string[]): Promise<void> {
  if (!(await scopes.listScopes()).includes(SCOPE)) await scopes.createScope(SCOPE)
  if (!(await scopes.listRoles(SCOPE)).includes(ROLE)) await scopes.writeRole(SCOPE, ROLE, { operation_all: true })
  const good = new Set((await scopes.listCredentials(SCOPE, ROLE)).map(({ serial_number }) => serial_number))
  for (const name of names) {
    const dir = join(dataDir, 'clients', name)
    if (!isGood(join(dir, 'cert.pem'), good)) writeClientFiles(dir, await scopes.generateCredential(SCOPE, ROLE, { format: 'pem' }))
  }
}

function isGood(file: string, serials: ReadonlySet<string>): boolean {
  if (!existsSync(file)) return false
  const { serialNumber, validTo } = new X509Certificate(readFileSync(file))
  return serials.has(BigInt(`0x${serialNumber}`).toString()) && Date.parse(validTo) > Date.now()
}
