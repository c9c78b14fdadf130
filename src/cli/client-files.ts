import { accessSync, constants, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CredentialAnswer } from '../scopes/credentials.ts'
import { UsageError } from './usage-error.ts'

const PRIVATE = { mode: 0o600 }

/**
 * Make the directory of a credential, before that is made: a key that cannot be written is lost, and so is one that is written over.
 * @throws UsageError if the key of another one is there, and what the system says of a directory that cannot be written
 */
export function refuseKeys(dir: string): void {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  accessSync(dir, constants.W_OK | constants.X_OK)
  for (const name of ['key.pem', 'client.pem'])
    if (existsSync(join(dir, name)))
      throw new UsageError(`${join(dir, name)} is there already, and no key is overwritten: give another directory`)
}

/**
 * Write a credential in PEM as the files that clients want: `ca.pem` to know the server by, `cert.pem`, and where there is a private key
 * `key.pem` and `client.pem` with both.
 * @returns the files
 */
export function writeClientFiles(dir: string, { ca_chain, certificate, private_key }: CredentialAnswer): string[] {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const texts = [
    // Many clients read one certificate of a file. The root is enough, since the server sends the intermediate.
    ['ca.pem', [...ca_chain].reverse()],
    ['cert.pem', [certificate]],
    ...(private_key === undefined
      ? []
      : ([
          ['key.pem', [private_key]],
          ['client.pem', [certificate, private_key]],
        ] as const)),
  ] as const
  return texts.map(([name, pems]) => {
    const file = join(dir, name)
    writeFileSync(file, `${pems.join('\n')}\n`, PRIVATE)
    return file
  })
}
