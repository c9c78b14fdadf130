import { X509Certificate } from 'node:crypto'
import { existsSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Identities } from '../../src/admin/auth/identities.ts'
import { KmipClient } from '../../src/client/client.ts'
import { parseConfig } from '../../src/config/parse.ts'
import { openMounts } from '../../src/scopes/mounts.ts'
import { localProvider, newLocalKey } from '../../src/seal/local-provider.ts'
import { openRecords } from '../../src/seal/sealed-records.ts'
import { Daemon } from '../../src/server/daemon.ts'
import type { KmipSockets } from '../../src/server/kmip-sockets.ts'
import { createLog } from '../../src/server/log.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { ENUM } from '../../src/ttlv/enumerations.ts'
import { child, enumeration, type Item, integer, structure, text } from '../../src/ttlv/item.ts'
import { encodeJson } from '../../src/ttlv/json.ts'
import { TAG } from '../../src/ttlv/tags.ts'
import { freePort } from '../free-port.ts'
import { until } from './lab.ts'

const LOCAL = [{ host: '127.0.0.1', port: 0 }]

async function start(t: { teardown(stop: () => Promise<void>): unknown }, dir: string, more = '', admin = 'off') {
  const config = parseConfig(
    `store: { kind: memory }\nmetrics: { listen: '127.0.0.1:0' }\nadmin: { listen: '${admin}' }\n${more}`,
    join(dir, 'kmipd.yaml'),
    {
      env: {},
      readFile: () => '',
    },
  )
  const records = await openRecords({ store: new MemoryStore(), providers: [localProvider(newLocalKey())] })
  const mounts = await openMounts({ records, now: Date.now })
  const scopes = await mounts.scopesAt('kmip/')
  const logged: string[] = []
  const log = createLog({ pretty: false, destination: { write: line => logged.push(line) } })
  const daemon = await Daemon.start({ config, data: { records, mounts }, log, version: '0.0.0', kmip: LOCAL })
  t.teardown(async () => {
    await daemon.stop()
    await records.close()
  })
  await scopes.createScope('app')
  await scopes.writeRole('app', 'reader', { operation_get: true, operation_query: true })
  const credential = await scopes.generateCredential('app', 'reader', { format: 'pem' })
  const [host, port] = daemon.addresses.kmip.split(':') as [string, string]
  const connect = () =>
    KmipClient.connect({
      host,
      port: Number(port),
      ca: credential.ca_chain.join('\n'),
      cert: credential.certificate,
      key: credential.private_key!,
    })
  return { daemon, records, scopes, credential, connect, logged }
}

/** A message with one item and an empty payload. */
const request = (operation: number, ...header: Item[]): Item =>
  structure(TAG.RequestMessage, [
    structure(TAG.RequestHeader, [
      structure(TAG.ProtocolVersion, [integer(TAG.ProtocolVersionMajor, 1), integer(TAG.ProtocolVersionMinor, 4)]),
      ...header,
      integer(TAG.BatchCount, 1),
    ]),
    structure(TAG.BatchItem, [enumeration(TAG.Operation, operation), structure(TAG.RequestPayload, [])]),
  ])
const statusOf = (answer: Item): unknown => child(child(answer, TAG.BatchItem)!, TAG.ResultStatus)?.value
const auditOf = (file: string): Record<string, unknown>[] =>
  readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line))

t.test('a server from store to socket', async t => {
  const dir = t.testdir({})
  const file = join(dir, 'audit.log')
  const { daemon, scopes, credential, connect } = await start(t, dir)
  const client = await connect()
  t.teardown(() => client.close())
  t.equal(statusOf(await client.request(request(ENUM.Operation.Query))), ENUM.ResultStatus.Success)
  t.equal(statusOf(await client.request(request(ENUM.Operation.Create))), ENUM.ResultStatus.OperationFailed)
  const who = { type: 'audit', scopeName: 'app', role: 'reader', serial: credential.serial_number, connection: 1 }
  t.match(auditOf(file), [
    { ...who, operation: 'Query', status: 'Success' },
    { ...who, operation: 'Create', status: 'OperationFailed' },
  ])

  const get = async (path: string): Promise<string> => (await fetch(`http://${daemon.addresses.metrics}${path}`)).text()
  const metrics = await get('/metrics')
  t.match(metrics, 'kmipd_requests_total{operation="Query",status="Success"} 1')
  t.match(metrics, /kmipd_certificate_end_timestamp_seconds\{certificate="ca"\} \d{10}/)
  t.match(metrics, /kmipd_client_last_success_timestamp_seconds\{scope="app",role="reader",serial="\d+"\} \d{10}/)
  t.match(metrics, /kmipd_client_certificate_end_timestamp_seconds\{scope="app",role="reader",serial="\d+"\} \d{10}/)
  t.equal(await get('/readyz'), 'ok\n')

  renameSync(file, `${file}.1`)
  await daemon.reload()
  t.equal(statusOf(await client.request(request(ENUM.Operation.Query))), ENUM.ResultStatus.Success)
  t.equal(auditOf(file).length, 1, 'after a reload the records go to a new file')

  await scopes.writeRole('app', 'reader', { operation_get: true, operation_query: false })
  t.equal(
    statusOf(await client.request(request(ENUM.Operation.Query))),
    ENUM.ResultStatus.OperationFailed,
    'a role counts from the next message on',
  )
  await scopes.revokeCredential('app', 'reader', { serial_number: credential.serial_number })
  await t.rejects(client.request(request(ENUM.Operation.Get)), { name: 'ClientError', code: 'closed' })
  const again = await connect()
  await t.rejects(again.request(request(ENUM.Operation.Get)), { name: 'ClientError', code: 'closed' })
})

t.test('a message above the limit is answered in its version, with the limit', async t => {
  const { connect, daemon } = await start(t, t.testdir({}), 'kmip: { maxMessage: 2048 }')
  const client = await connect()
  t.teardown(() => client.close())
  const [header, item] = request(ENUM.Operation.Query).value as readonly Item[]
  const answer = await client.request(structure(TAG.RequestMessage, [header!, item!, text(TAG.Comment, 'x'.repeat(2048))]))
  t.same(child(child(answer, TAG.ResponseHeader)!, TAG.ProtocolVersion), child(header!, TAG.ProtocolVersion))
  const refusal = child(answer, TAG.BatchItem)!
  t.equal(child(refusal, TAG.ResultReason)?.value, ENUM.ResultReason.InvalidMessage)
  t.match(child(refusal, TAG.ResultMessage)?.value, /^a request of \d+ bytes is above the limit of 2048$/)
  await t.rejects(client.request(request(ENUM.Operation.Query)), { code: 'closed' })
  t.match(await daemon.metrics.registry.metrics(), 'kmipd_refusals_total{kind="message_size"} 1')
})

t.test('another name in the settings shows in the certificate at the next reload', async t => {
  const { daemon, scopes, connect, logged } = await start(t, t.testdir({}))
  const old = await connect()
  await scopes.writeConfiguration({ server_hostnames: 'kms.example.com,localhost' })
  await daemon.reload()
  t.ok(logged.some(line => line.includes('another certificate')))
  const { certificate } = await scopes.serverCertificate()
  t.match(new X509Certificate(certificate).subjectAltName, 'kms.example.com')
  const fresh = await connect()
  for (const client of [old, fresh]) {
    t.equal(statusOf(await client.request(request(ENUM.Operation.Query))), ENUM.ResultStatus.Success)
    client.close()
  }
})

t.test('what a command beside the server writes of its listener is followed at once', async t => {
  const { daemon, scopes } = await start(t, t.testdir({}))
  const address = `127.0.0.1:${await freePort()}`
  const began = performance.now()
  await scopes.writeConfiguration({ listen_addrs: [address] })
  await until(() => (daemon.sockets as KmipSockets).listeners.some(listener => listener.address === address))
  t.ok(performance.now() - began < 30_000, 'before the minute in which all certificates are looked at')
})

t.test('a server that cannot start leaves nothing behind', async t => {
  const dir = t.testdir({})
  const first = await start(t, dir)
  const [host, port] = first.daemon.addresses.kmip.split(':') as [string, string]
  const records = await openRecords({ store: new MemoryStore(), providers: [localProvider(newLocalKey())] })
  t.teardown(() => records.close())
  const mounts = await openMounts({ records, now: Date.now })
  const config = parseConfig('store: { kind: memory }\nmetrics: { listen: off }\nadmin: { listen: off }', join(dir, 'kmipd.yaml'), {
    env: {},
    readFile: () => '',
  })
  const options = { config, data: { records, mounts }, log: createLog({ level: 'silent' }), version: '0.0.0' }
  await t.rejects(Daemon.start({ ...options, kmip: [...LOCAL, { host, port: Number(port) }] }), { name: 'Error', code: 'EADDRINUSE' })
  const missing = { ...options, config: { ...config, audit: { file: join(dir, 'no', 'audit.log'), fsync: false } } }
  await t.rejects(Daemon.start({ ...missing, kmip: LOCAL }), { name: 'AuditError', code: 'audit_unwritable' })
  t.notOk(existsSync(join(dir, 'no')))
})

t.test('who comes with a token is counted, limited, traced and on record like any client of the role', async t => {
  const dir = t.testdir({})
  const { daemon, records, scopes } = await start(t, dir, '', '127.0.0.1:0')
  const token = await (await Identities.open({ records, now: Date.now })).createRoot()
  const send = async () => {
    const body = JSON.stringify({ request: JSON.parse(encodeJson(request(ENUM.Operation.Query))) })
    const at = `${daemon.addresses.admin}/v1/kmip/scope/app/role/reader/client/query`
    return (await fetch(at, { method: 'POST', headers: { 'X-Vault-Token': token }, body })).text()
  }
  await scopes.writeLimits('app', 'reader', { requestsPerSecond: 1 })
  await scopes.trace('app', Date.now() + 60_000)
  const answers = await Promise.all(Array.from({ length: 6 }, send))
  const refused = answers.filter(answer => /"GeneralFailure".*role reader of scope app may send 1 requests a second/.test(answer))
  t.equal(answers.filter(answer => answer.includes('"Success"')).length, answers.length - refused.length)
  t.ok(refused.length > 0 && refused.length < answers.length, `${refused.length} of ${answers.length} are refused`)
  const trace = await fetch(`${daemon.addresses.admin}/v1/kmip/scope/app/trace`, { headers: { 'X-Vault-Token': token } })
  t.match(await trace.text(), /"role":"reader".*may send 1 requests a second/)
  const metrics = await (await fetch(`http://${daemon.addresses.metrics}/metrics`)).text()
  const counted = [...metrics.matchAll(/^kmipd_requests_total\{.*operation="Query".*\} (\d+)$/gm)].map(([, count]) => Number(count))
  t.equal(
    counted.reduce((sum, count) => sum + count, 0),
    answers.length,
  )
  const lines = readFileSync(join(dir, 'audit.log'), 'utf8').split('\n')
  t.equal(lines.filter(line => line.includes('"role":"reader"') && line.includes('"operation":"Query"')).length, answers.length)
})

t.test('accounts of the configuration are asked for their passwords', async t => {
  const { connect } = await start(
    t,
    t.testdir({}),
    "accounts: [{ name: ada, password: right }, { name: array, password: own, device: { deviceSerialNumber: '7' } }]",
  )
  const client = await connect()
  t.teardown(() => client.close())
  const credential = (type: number, ...fields: Item[]): Item =>
    structure(TAG.Authentication, [
      structure(TAG.Credential, [enumeration(TAG.CredentialType, type), structure(TAG.CredentialValue, fields)]),
    ])
  const { UsernameAndPassword, Device } = ENUM.CredentialType
  const user = (name: string, password: string): Item =>
    credential(UsernameAndPassword, text(TAG.Username, name), text(TAG.Password, password))
  const device = (serial: string): Item => credential(Device, text(TAG.DeviceSerialNumber, serial), text(TAG.Password, 'own'))
  const result = async (authentication: Item): Promise<unknown> =>
    statusOf(await client.request(request(ENUM.Operation.Query, authentication)))
  const { Success, OperationFailed } = ENUM.ResultStatus
  t.equal(await result(user('ada', 'right')), Success)
  t.equal(await result(user('ada', 'wrong')), OperationFailed)
  t.equal(await result(user('bob', 'right')), OperationFailed, 'nobody of that name')
  t.equal(await result(user('array', 'own')), OperationFailed, 'a device is no user')
  t.equal(await result(device('7')), Success)
  t.equal(await result(device('8')), OperationFailed)
})
