// h2spec, which tries what the specification of HTTP/2 and HPACK demands of a server, against the KES door.
// node test/interop/h2spec.mjs PROGRAM (of test/interop/h2spec)
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MAIN, Processes, tlsFiles } from './kes-server.mjs'
import { freePort } from './vault-server.mjs'

/** Priorities, which RFC 9113 took out of HTTP/2 again: they are read and nothing follows from them. */
const EXCEPTIONS = ['Sends HEADERS frame that depend on itself', 'Sends PRIORITY frame that depend on itself']
/** Anybody may ask for it, and it takes a body. */
const PATH = '/v1/key/generate/h2spec'

const [program] = process.argv.slice(2)
if (!program) throw new Error('say where the program is')
const dir = mkdtempSync(join(tmpdir(), 'kmipd-h2spec-'))
const processes = new Processes(dir)
const { key, cert } = tlsFiles(dir)
const config = {
  admin: { identity: 'disabled' },
  tls: { key, cert },
  api: { '/v1/key/generate/': { skip_auth: true } },
  keys: [{ name: 'h2spec' }],
  keystore: { fs: { path: join(dir, 'keys') } },
}
writeFileSync(join(dir, 'config.yml'), JSON.stringify(config))

try {
  const port = await freePort()
  const args = ['kes', 'server', '--config', join(dir, 'config.yml'), '--addr', `127.0.0.1:${port}`]
  await processes.answering(processes.start('kes', process.execPath, [MAIN, ...args]), port)
  const text = await new Promise(resolve => {
    execFile(program, ['-t', '-k', '-h', '127.0.0.1', '-p', String(port), '-P', PATH, '-o', '5'], (_error, out, err) => resolve(out + err))
  })
  const [results, failures = ''] = text.split('Failures:')
  const [, tests, passed] = /(\d+) tests, (\d+) passed/.exec(text) ?? []
  if (tests === undefined) throw new Error(`h2spec did not run: ${text}`)
  const failed = [...failures.matchAll(/× \d+: (.*)/g)].map(([, title]) => title)
  const unexpected = failed.filter(title => !EXCEPTIONS.includes(title))
  console.log(unexpected.length > 0 ? `${results}${failures}` : `${failed.length} more by exception: ${failed.join('; ')}`)
  console.log(`${passed} passed, ${unexpected.length} failed`)
  process.exitCode = unexpected.length > 0 ? 1 : 0
} finally {
  await processes.stopAll()
  rmSync(dir, { recursive: true, force: true })
}
