import { closeSync, openSync, readFileSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Registry } from 'prom-client'
import t from 'tap'
import { openAudit, piecesOf } from '../../src/server/audit.ts'
import { auditLine, auditSubject } from '../../src/server/audit-record.ts'
import { ClientUses } from '../../src/server/client-uses.ts'
import { MetricsServer } from '../../src/server/http.ts'
import { createLog, output, prettyLine } from '../../src/server/log.ts'
import { Metrics } from '../../src/server/metrics.ts'

const ENTRY = { operation: 'Get', status: 'Success', latencyMs: 0.12345 }
const peer = { scope: 'Sc0pe', scopeName: 'app"s', role: 'all', serial: '12', may: () => true }

t.test('an audit record is one line of JSON', async t => {
  const subject = auditSubject(peer, '127.0.0.1:4000', 7)
  const time = '2026-01-02T03:04:05.678Z'
  const who = {
    type: 'audit',
    time,
    scope: 'Sc0pe',
    scopeName: 'app"s',
    role: 'all',
    serial: '12',
    address: '127.0.0.1:4000',
    connection: 7,
  }
  const cases: [name: string, entry: Parameters<typeof auditLine>[2], record: object][] = [
    ['success', { ...ENTRY, object: 'id' }, { ...who, operation: 'Get', object: 'id', status: 'Success', latencyMs: 0.123 }],
    [
      'failure',
      { ...ENTRY, status: 'OperationFailed', reason: 'ItemNotFound' },
      { ...who, operation: 'Get', status: 'OperationFailed', reason: 'ItemNotFound', latencyMs: 0.123 },
    ],
    [
      'an identifier that a client made up',
      { ...ENTRY, object: 'a"\n\\\u2028' },
      { ...who, operation: 'Get', object: 'a"\n\\\u2028', status: 'Success', latencyMs: 0.123 },
    ],
    [
      'a user inside the request, and what it asked to be logged',
      { ...ENTRY, operation: 'Log', user: 'an"n', remark: 'the "tape" is in' },
      { ...who, operation: 'Log', user: 'an"n', remark: 'the "tape" is in', status: 'Success', latencyMs: 0.123 },
    ],
    [
      'a cause is for the log alone',
      { ...ENTRY, cause: new Error('disk') },
      { ...who, operation: 'Get', status: 'Success', latencyMs: 0.123 },
    ],
  ]
  for (const [name, entry, record] of cases) {
    const line = auditLine(time, subject, entry)
    t.equal(line.indexOf('\n'), line.length - 1, `${name}: one line`)
    t.same(JSON.parse(line), record, name)
  }
})

t.test('the audit log', async t => {
  const dir = t.testdir({})
  const file = join(dir, 'audit.log')
  const audit = openAudit({ file, fsync: true })
  audit.write('one\n')
  t.equal(statSync(file).mode & 0o777, 0o600)
  renameSync(file, `${file}.1`)
  audit.write('two\n')
  audit.reopen()
  audit.write('three\n')
  t.equal(readFileSync(`${file}.1`, 'utf8'), 'one\ntwo\n')
  t.equal(readFileSync(file, 'utf8'), 'three\n')
  audit.close()
  t.throws(() => audit.write('four\n'), { name: 'AuditError', code: 'audit_unwritable' })
  t.throws(() => openAudit({ file: dir }), { name: 'AuditError', code: 'audit_unwritable' })
  const full = openAudit({ file: '/dev/full' })
  t.throws(() => full.write('five\n'), { name: 'AuditError', code: 'audit_unwritable' })
  full.close()
})

t.test('the log', async t => {
  const lines: string[] = []
  const write = (line: string) => lines.push(line)
  const json = createLog({ pretty: false, destination: { write } })
  json.info({ port: 1 }, 'listening')
  json.debug('not shown')
  t.match(JSON.parse(lines[0]!), { level: 'info', port: 1, msg: 'listening' })
  t.equal(lines.length, 1)
  const pretty = createLog({ level: 'debug', pretty: true, destination: { write } })
  pretty.warn({ err: new Error('outer', { cause: new Error('inner') }), path: 'x' }, 'trouble')
  t.match(lines[1], /\d\d:\d\d:\d\d/)
  for (const part of ['warn', 'trouble', 'path=', 'x', 'outer', 'inner']) t.ok(lines[1]?.includes(part), part)
  t.equal(prettyLine('{"level":"info","time":"2026-01-02T03:04:05.678Z","msg":"hello"}\n'), '\x1b[2m03:04:05\x1b[0m hello\n')
})

t.test('a log that cannot be written ends no server, and says what is lost', async t => {
  const full = openSync('/dev/full', 'w')
  t.throws(() => output(full).write('one\n'), { code: 'ENOSPC' })
  createLog({ destination: output(full) }).info('lost')
  closeSync(full)

  const file = join(t.testdir(), 'log')
  const fd = openSync(file, 'w')
  const written = output(fd)
  let isFull = false
  const log = createLog({
    destination: {
      write(line) {
        if (isFull) throw new Error('full')
        written.write(line)
      },
    },
  })
  log.info('one')
  isFull = true
  log.info('two')
  log.info('three')
  isFull = false
  log.info('four')
  closeSync(fd)
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
  t.match(
    lines.map(line => JSON.parse(line)),
    [{ msg: 'one' }, { level: 'error', lines: 2, msg: /are lost/ }, { msg: 'four' }],
  )
})

t.test('metrics and health', async t => {
  const metrics = new Metrics({ version: '1.2.3' })
  let unready: string | undefined
  const server = await MetricsServer.listen({
    host: '127.0.0.1',
    port: 0,
    metrics: () => metrics.registry.metrics(),
    unready: async () => unready,
  })
  t.teardown(() => server.close())
  const get = (path: string, method = 'GET') => fetch(`http://${server.address}${path}`, { method })

  metrics.request('Get', 'Success', 0.2)
  metrics.request('Get', 'Success', 700)
  metrics.request('Create', 'OperationFailed', 3)
  metrics.refuse('idle')
  metrics.receivedBytes += 100
  metrics.connectionsOpen = 3
  metrics.commit(0.002)
  metrics.certificateEnds('server', new Date(1_800_000_000_000))
  const text = await (await get('/metrics')).text()
  for (const line of [
    'kmipd_requests_total{operation="Get",status="Success"} 2',
    'kmipd_requests_total{operation="Create",status="OperationFailed"} 1',
    'kmipd_request_duration_seconds_bucket{operation="Get",le="0.00025"} 1',
    'kmipd_request_duration_seconds_bucket{operation="Get",le="+Inf"} 2',
    'kmipd_request_duration_seconds_count{operation="Get"} 2',
    'kmipd_refusals_total{kind="idle"} 1',
    'kmipd_refusals_total{kind="connections"} 0',
    'kmipd_received_bytes_total 100',
    'kmipd_connections 3',
    'kmipd_store_commit_seconds_count 1',
    'kmipd_certificate_end_timestamp_seconds{certificate="server"} 1800000000',
    `kmipd_build_info{version="1.2.3",node="${process.versions.node}"} 1`,
  ])
    t.ok(text.includes(`\n${line}\n`), line)
  t.equal(
    (await (await get('/metrics')).text()).split('\n').filter(line => line.startsWith('kmipd_refusals_total{kind="idle"} 1')).length,
    1,
  )

  t.equal((await get('/readyz')).status, 200)
  unready = 'the server is stopping'
  const cases: [path: string, method: string, status: number, body: string][] = [
    ['/healthz', 'GET', 200, 'ok\n'],
    ['/healthz?x=1', 'GET', 200, 'ok\n'],
    ['/healthz', 'HEAD', 200, ''],
    ['/readyz', 'GET', 503, 'the server is stopping\n'],
    ['/healthz', 'POST', 405, 'use GET\n'],
    ['/', 'GET', 404, 'here are /metrics, /healthz and /readyz\n'],
  ]
  for (const [path, method, status, body] of cases) {
    const response = await get(path, method)
    t.equal(response.status, status, `${method} ${path}`)
    t.equal(await response.text(), body, `${method} ${path}`)
  }
})

t.test('clients that get one certificate after the other fill no memory', async t => {
  const registry = new Registry()
  const uses = new ClientUses(registry, () => 5_000, 3)
  const shown = async (): Promise<string[]> =>
    [...(await registry.metrics()).matchAll(/client_last_success_timestamp_seconds\{.*serial="(\d+)"\}/g)]
      .map(([, serial]) => serial!)
      .sort()
  for (const serial of ['1', '2', '3']) uses.of({ ...peer, serial }, 10_000).lastSuccessMs = 1_000
  uses.of({ ...peer, serial: '1' }, 10_000)
  uses.of({ ...peer, serial: '4' }, 10_000).lastSuccessMs = 2_000
  t.same(await shown(), ['1', '3', '4'], 'the one that connected longest ago goes')
  uses.of({ ...peer, serial: '5' }, 4_000).lastSuccessMs = 3_000
  await registry.metrics()
  t.same(await shown(), ['1', '4'], 'and those whose certificates have ended')
})

t.test('lines in pieces that a pipe takes whole', async t => {
  const CASES: readonly (readonly [name: string, lines: readonly string[]])[] = [
    ['none', []],
    ['one', ['a\n']],
    ['as many as fit', Array(10).fill('123456789\n')],
    ['one more', Array(11).fill('123456789\n')],
    ['many of many lengths', Array.from({ length: 100 }, (_, n) => `${'x'.repeat((n * 37) % 90)}\n`)],
    ['one that is too long', ['a\n', `${'y'.repeat(300)}\n`, 'b\n']],
    ['letters of several bytes', Array.from({ length: 50 }, (_, n) => `${'€ä𝄞'.repeat(n % 9)}\n`)],
    ['without an end', ['a\n', 'b']],
  ]
  for (const [name, lines] of CASES) {
    const pieces = piecesOf(lines.join(''), 100)
    t.equal(pieces.join(''), lines.join(''), name)
    t.ok(
      pieces.every(piece => Buffer.byteLength(piece) <= 100 || piece.indexOf('\n') === piece.length - 1),
      `${name}: none too long`,
    )
    t.ok(
      pieces.slice(0, -1).every(piece => piece.endsWith('\n')),
      `${name}: whole lines`,
    )
  }
  t.equal(piecesOf('123456789\n'.repeat(10), 100).length, 1)
  t.equal(piecesOf('123456789\n'.repeat(11), 100).length, 2)
})
