import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import t from 'tap'
import { run, start } from './run.ts'

const FOLDER = resolve('fixtures/conformance')

t.test('published cases against a server, in each encoding', async t => {
  const cwd = t.testdir({})
  const server = await start(
    ['dev', '--ephemeral', '--data-dir', 'data', '--conformance', '--kmip-address', '127.0.0.1:0', '--kmip-https-address', '127.0.0.1:0'],
    cwd,
  )
  t.teardown(server.stop)
  const { kmip, https } = JSON.parse(readFileSync(join(cwd, 'data', 'listeners.json'), 'utf8')) as { kmip: string; https: string }
  t.match(server.out, `https://${https}/kmip`)
  const port = (address: string): string => address.split(':').at(-1)!
  const conformance = (...more: readonly string[]) => run(['conformance', FOLDER, ...more], { cwd })
  const clients = ['--clients', 'data/clients']
  const query = ['--only', 'OWN-QUERY', ...clients]
  const WAYS: readonly (readonly string[])[] = [
    ['--port', port(kmip)],
    ['--port', port(https), '--https'],
    ['--port', port(https), '--encoding', 'json'],
    ['--port', port(https), '--encoding', 'xml'],
  ]
  for (const way of WAYS) {
    const { code, out, err } = await conformance(...query, ...way)
    t.same([code, err], [0, ''], way.join(' '))
    t.equal(out, 'OWN-QUERY-14 passed\n\nKMIP 1.4: 1 passed, 0 failed\n1 passed, 0 failed\n')
  }

  const reports = ['--junit', 'report.xml', '--json', 'report.json']
  const failed = await conformance(...clients, '--port', port(kmip), '--versions', '1.2,1.4', '--only', 'own-query', 'OWN-MAC', ...reports)
  t.equal(failed.code, 1)
  t.match(failed.out, /^OWN-MAC-12 failed at step 2: ResponseMessage\/BatchItem\[1\]\/ResultStatus: expected Success, got OperationFailed/)
  t.match(failed.out, /\nKMIP 1\.2: 0 passed, 1 failed\nKMIP 1\.4: 1 passed, 0 failed\n1 passed, 1 failed\n$/)
  t.match(failed.err, '1 of 2 cases failed')
  t.match(readFileSync(join(cwd, 'report.xml'), 'utf8'), /<testsuite name="KMIP 1\.2" tests="1" failures="1"/)
  t.match(JSON.parse(readFileSync(join(cwd, 'report.json'), 'utf8')), { cases: [{ name: 'OWN-MAC-12', status: 'failed' }, {}] })

  const dir = join('data', 'clients', 'default')
  const own = ['--ca', join(dir, 'ca.pem'), '--cert', join(dir, 'cert.pem'), '--key', join(dir, 'key.pem')]
  t.equal((await conformance('--only', 'OWN-QUERY', ...own, '--port', port(kmip))).code, 0, 'files of its own')
  t.equal((await conformance('--only', 'OWN-QUERY', ...own, '--port', port(https), '--https', '--path', '/else')).code, 1)

  const WRONG: readonly [readonly string[], number, RegExp][] = [
    [['--port', '1'], 2, /--ca, --cert and --key/],
    [[...clients, '--versions', 'all'], 2, /--versions all: write a list/],
    [[...clients, '--only', 'NONE'], 2, /none of the \d+ cases/],
    [[...clients, '--encoding', 'yaml'], 2, /Choices/],
    [[...clients, '--ca', 'x'], 2, /mutually exclusive/],
    [['--ca', 'x', '--cert', 'x'], 2, /key/],
    [['--clients', 'nowhere'], 1, /ENOENT/],
  ]
  for (const [more, code, err] of WRONG) t.match(await conformance(...more), { code, err }, more.join(' '))
})
