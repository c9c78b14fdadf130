import { X509Certificate } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** Files that cannot be used to trust somebody; the message names them. */
export class AuthoritiesError extends Error {
  override readonly name = 'AuthoritiesError'
  readonly code = 'authorities'
}

const PEM = /-----BEGIN (?:TRUSTED )?CERTIFICATE-----[^-]+-----END (?:TRUSTED )?CERTIFICATE-----/g

/**
 * The certificates in a file, or in the files of a folder (its own alone; names that begin with a dot are passed over), in PEM.
 * @throws AuthoritiesError when it cannot be read, has none, or one is none
 */
export function readAuthorities(path: string): string[] {
  let files: string[]
  try {
    files = statSync(path).isDirectory() ? filesOf(path) : [path]
    const found = files.flatMap(file => certificatesOf(file))
    if (found.length > 0) return found
  } catch (error) {
    if (error instanceof AuthoritiesError) throw error
    throw new AuthoritiesError(`${path} cannot be read${reason(error)}`)
  }
  throw new AuthoritiesError(`${path} has no certificate in PEM`)
}

const filesOf = (folder: string): string[] =>
  readdirSync(folder)
    .filter(name => !name.startsWith('.'))
    .map(name => join(folder, name))
    .filter(file => statSync(file).isFile())
    .sort()

function certificatesOf(file: string): string[] {
  const found = readFileSync(file, 'latin1').match(PEM) ?? []
  for (const pem of found) {
    try {
      new X509Certificate(pem)
    } catch {
      throw new AuthoritiesError(`${file} has a certificate that cannot be read`)
    }
  }
  return found
}

const reason = (error: unknown): string => (error instanceof Error && 'code' in error ? ` (${error.code})` : '')
