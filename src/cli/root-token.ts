import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Data } from './data.ts'

const ROOT_TOKEN_NAME = 'root-token'

/** A root token for data that never had one; nothing if one is good already. */
export async function firstRootToken({ records }: Data): Promise<string | undefined> {
  const identities = await identitiesOf(records)
  return (await identities.hasRoot()) ? undefined : identities.createRoot()
}

/** Another root token, whatever there is already. */
export const newRootToken = async ({ records }: Data): Promise<string> => (await identitiesOf(records)).createRoot()

/**
 * The root token of a server for trying out, kept in a file that only its user reads; made anew if the file's does not work.
 * @returns the file
 */
export async function keptRootToken({ records }: Data, dir: string): Promise<string> {
  const file = join(dir, ROOT_TOKEN_NAME)
  const identities = await identitiesOf(records)
  const known = existsSync(file) ? await identities.tokens.find(readFileSync(file, 'utf8').trim()) : undefined
  if (!known) writeFileSync(file, `${await identities.createRoot()}\n`, { mode: 0o600 })
  return file
}

async function identitiesOf(records: Data['records']) {
  const { Identities } = await import('../admin/auth/identities.ts')
  return Identities.open({ records, now: Date.now })
}
