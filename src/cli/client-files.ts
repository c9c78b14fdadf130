import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CredentialAnswer } from '../scopes/credentials.ts'

const PRIVATE = { mode: 0o600 }

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
