import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { KesSource } from '../server/kes-in-daemon.ts'
import { quoted, reachable } from './client-guide.ts'
import type { Io } from './io.ts'

const FILE = 'kes-api-key'

/** A KES door for trying out: keys are KMIP objects of the scope `kes`, and one API key, kept in the data directory, may everything. */
export async function devKes(address: string, dataDir: string, io: Io): Promise<{ readonly source: KesSource; readonly file: string }> {
  const { apiKeyOf, identityOfApiKey } = await import('../kes/identity.ts')
  const { readKesConfig } = await import('../kes/config.ts')
  const file = join(dataDir, FILE)
  if (!existsSync(file)) writeFileSync(file, `${apiKeyOf(randomBytes(32))}\n`, { mode: 0o600, flag: 'wx' })
  const apiKey = readFileSync(file, 'utf8').trim()
  const text = JSON.stringify({
    address,
    admin: { identity: identityOfApiKey(apiKey) },
    tls: { key: 'of the KMIP listener', cert: 'of the KMIP listener' },
    keystore: { native: {} },
  })
  return { source: { read: async () => readKesConfig(text, io.env), ownCertificate: true }, file }
}

/**
 * How to use it from here, for the help at the start.
 * @param bound `host:port`
 * @param keyFile of the API key
 * @param ca file of the CA that the server's certificate leads to
 */
export function kesGuide(bound: string, keyFile: string, ca: string, program: string): string {
  const { host, port } = reachable(bound)
  return `
MinIO and other clients of KES
  export MINIO_KMS_KES_ENDPOINT=https://${host.includes(':') ? `[${host}]` : host}:${port} MINIO_KMS_KES_API_KEY=$(cat ${quoted(keyFile)})
  export MINIO_KMS_KES_CAPATH=${quoted(ca)} MINIO_KMS_KES_KEY_NAME=minio
  ${program} kes key ls --ca ${quoted(ca)}
`
}
