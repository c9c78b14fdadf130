import { randomBytes, randomUUID } from 'node:crypto'
import { appendFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { CLIENT_ROUTES } from '../../src/admin/objects/client-routes.ts'
import type { ActingFor, HistoryQuery } from '../../src/admin/objects/object-routes.ts'
import { HISTORY_ROUTES, OBJECT_ROUTES } from '../../src/admin/objects/object-routes.ts'
import { snakeCase } from '../../src/admin/objects/plain-item.ts'
import { TRACE_ROUTES } from '../../src/admin/objects/trace-routes.ts'
import { bound } from '../../src/admin/route.ts'
import { type Operation, payloadOf, requestMessage, responseItems } from '../../src/client/message.ts'
import { attribute, nameItem } from '../../src/client/operations.ts'
import { createEngine } from '../../src/ops/create-engine.ts'
import type { AuditEntry } from '../../src/ops/engine.ts'
import { openMounts } from '../../src/scopes/mounts.ts'
import { localProvider, newLocalKey } from '../../src/seal/local-provider.ts'
import { openRecords } from '../../src/seal/sealed-records.ts'
import { auditLine, auditSubject } from '../../src/server/audit-record.ts'
import { searchAudit } from '../../src/server/audit-search.ts'
import { RequestTraces } from '../../src/server/request-traces.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { encode } from '../../src/ttlv/binary.ts'
import { ENUM, MASK } from '../../src/ttlv/enumerations.ts'
import { bytes as bytesItem, child, enumeration, integer, structure, text } from '../../src/ttlv/item.ts'
import { encodeJson } from '../../src/ttlv/json.ts'
import { TAG } from '../../src/ttlv/tags.ts'
import { encodeXml } from '../../src/ttlv/xml.ts'
import { doorLab } from './lab.ts'

const START = Date.parse('2026-01-01T00:00:00Z')

async function objectLab() {
  const clock = { ms: START }
  const records = await openRecords({ store: new MemoryStore(), providers: [localProvider(newLocalKey())] })
  const mounts = await openMounts({ records, now: () => clock.ms })
  const [mount] = await mounts.list()
  if (!mount) throw new Error('no mount')
  await mount.scopes.createScope('finance')
  await mount.scopes.createScope('other')
  const now = () => BigInt(Math.floor(clock.ms / 1000))
  const errors: unknown[] = []
  const traces = new RequestTraces(
    records,
    () => clock.ms,
    error => errors.push(error),
  )
  const kmip = traces.over(createEngine({ records, now, randomBytes, newId: randomUUID }))
  const recorded: { readonly acting: ActingFor; readonly entries: readonly AuditEntry[] }[] = []
  const asked: HistoryQuery[] = []
  const services = {
    ...{ records, kmip, clients: kmip, now },
    record: (acting: ActingFor, entries: readonly AuditEntry[]) => void recorded.push({ acting, entries }),
    traces: (partition: string) => traces.read(partition),
    forgetTraces: (partition: string) => traces.forget(partition),
    history: async (query: HistoryQuery) => {
      asked.push(query)
      return { entries: [{ time: '2026-01-01T00:00:00.000Z', operation: 'Get', status: 'Success' }], next: '1-2' }
    },
  }
  const door = doorLab(() => [
    { path: 'kmip/', type: 'kmip', routes: bound([...OBJECT_ROUTES, ...TRACE_ROUTES, ...CLIENT_ROUTES], { ...services, mount }) },
    { path: 'sys/kmipd/', type: 'system', routes: bound(HISTORY_ROUTES, services) },
  ])
  const perform = async (operation: Operation) => {
    const peer = { scope: await mount.scopes.objectsOf('finance'), scopeName: 'finance', role: 'app', serial: '1', may: () => true }
    const { message } = await kmip.answerItem(requestMessage([operation]), peer)
    return payloadOf(responseItems(message)[0]!)
  }
  const create = async (name: string, algorithm: keyof typeof ENUM.CryptographicAlgorithm, length: number) => {
    const payload = await perform({
      operation: 'Create',
      payload: [
        enumeration(TAG.ObjectType, ENUM.ObjectType.SymmetricKey),
        structure(TAG.TemplateAttribute, [
          attribute(enumeration(TAG.CryptographicAlgorithm, ENUM.CryptographicAlgorithm[algorithm])),
          attribute(integer(TAG.CryptographicLength, length)),
          attribute(integer(TAG.CryptographicUsageMask, MASK.CryptographicUsageMask.Encrypt | MASK.CryptographicUsageMask.Decrypt)),
          attribute(nameItem(name)),
          structure(TAG.Attribute, [text(TAG.AttributeName, 'x-team'), text(TAG.AttributeValue, 'red')]),
        ]),
      ],
    })
    return String(child(payload, TAG.UniqueIdentifier)?.value)
  }
  return {
    ...{ clock, records, mount, kmip, traces, errors },
    recorded,
    asked,
    door,
    perform,
    create,
    ask: (method: string, path: string, body?: unknown) => door.ask(method, `/v1/${path}`, body),
  }
}

t.test('objects are listed, found and read, and never what they are made of', async t => {
  const { clock, ask, create, perform } = await objectLab()
  t.match(await ask('LIST', 'kmip/scope/finance/object'), { status: 404, body: { errors: [] } })
  t.match(await ask('LIST', 'kmip/scope/none/object'), { status: 404 })
  const backup = await create('Backup key', 'AES', 256)
  clock.ms += 3_600_000
  const card = await create('card', 'DES3', 168)
  await perform({ operation: 'Activate', payload: [text(TAG.UniqueIdentifier, card)] })
  const list = async (query = '') => (await ask('GET', `kmip/scope/finance/object?list=true${query}`)).body.data
  t.strictSame((await list()).keys, [card, backup], 'newest first')
  t.strictSame((await list()).key_info, {
    [card]: {
      ...{ type: 'SymmetricKey', state: 'Active', names: ['card'], algorithm: 'DES3', length: 168 },
      initial_date: '2026-01-01T01:00:00.000Z',
    },
    [backup]: {
      ...{ type: 'SymmetricKey', state: 'Pre-Active', names: ['Backup key'], algorithm: 'AES', length: 256 },
      initial_date: '2026-01-01T00:00:00.000Z',
    },
  })
  const FOUND: readonly (readonly [query: string, keys: readonly string[] | undefined])[] = [
    ['&name=backup', [backup]],
    ['&name=&type=&state=', [card, backup]],
    ['&type=SymmetricKey&state=Active', [card]],
    ['&type=Certificate', undefined],
    ['&attribute=cryptographic_algorithm=AES', [backup]],
    ['&attribute=x-team=red', [card, backup]],
    ['&attribute=x-team=blue', undefined],
    ['&attribute=cryptographic_usage_mask=Encrypt', [card, backup]],
    ['&made_after=2026-01-01T00:30:00Z', [card]],
    ['&made_before=2026-01-01T00:30:00Z', [backup]],
    [`&after=${card}`, [backup]],
    ['&limit=1', [card]],
  ]
  for (const [query, keys] of FOUND) t.strictSame((await list(query))?.keys, keys, query)
  t.equal((await list('&limit=1')).next, card)
  for (const query of ['&limit=0', '&limit=5000', '&made_after=soon'])
    t.match(await ask('GET', `kmip/scope/finance/object?list=true${query}`), { status: 400 }, query)

  const { attributes, ...info } = (await ask('GET', `kmip/scope/finance/object/${backup}`)).body.data
  t.match(info, { type: 'SymmetricKey', state: 'Pre-Active', names: ['Backup key'] })
  t.match(attributes, {
    ...{
      unique_identifier: backup,
      object_type: 'SymmetricKey',
      cryptographic_algorithm: 'AES',
      cryptographic_length: 256,
      name: 'Backup key',
    },
    ...{ cryptographic_usage_mask: ['Encrypt', 'Decrypt'], 'x-team': 'red', initial_date: '2026-01-01T00:00:00.000Z' },
  })
  t.notHas(attributes, { digest: {} })
  t.match(await ask('GET', `kmip/scope/other/object/${backup}`), { status: 404 }, 'not in another scope')
  const { value } = child(await perform({ operation: 'Get', payload: [text(TAG.UniqueIdentifier, backup)] }), TAG.SymmetricKey) ?? {}
  const material = JSON.stringify(value, (_, item) =>
    item?.type === 'Buffer' ? Buffer.from(item.data).toString('hex') : typeof item === 'bigint' ? `${item}` : item,
  )
  const [key = 'none'] = /[0-9a-f]{64}/.exec(material) ?? []
  t.notOk(JSON.stringify(attributes).includes(key))
  t.equal(key.length, 64)
  t.same(['UniqueIdentifier', 'PKCS12FriendlyName', 'X509CertificateSubject', 'IVLength'].map(snakeCase), [
    'unique_identifier',
    'pkcs12_friendly_name',
    'x509_certificate_subject',
    'iv_length',
  ])
})

t.test('objects are revoked and destroyed with confirmation, and that is on record', async t => {
  const { ask, create, recorded, asked } = await objectLab()
  const id = await create('k', 'AES', 128)
  const at = `kmip/scope/finance/object/${id}`
  t.match(await ask('POST', `${at}/revoke`, { reason: 'Boredom' }), { status: 400, body: { errors: [/reason is one of/] } })
  t.match(await ask('POST', `${at}/revoke`, { reason: 'KeyCompromise', message: 'seen' }), { status: 204 })
  t.match((await ask('GET', at)).body.data, { state: 'Compromised', attributes: { revocation_reason: { revocation_message: 'seen' } } })
  t.match(await ask('DELETE', at), { status: 400, body: { errors: [/repeat its identifier as confirm/] } })
  t.match(await ask('DELETE', `${at}?confirm=yes`), { status: 400 })
  t.match(await ask('DELETE', `${at}?confirm=${id}`), { status: 204 })
  t.match((await ask('GET', at)).body.data, { state: 'Destroyed Compromised' })
  t.match(await ask('DELETE', `${at}?confirm=${id}`), { status: 400 })
  const missing = randomUUID()
  t.match(await ask('POST', `kmip/scope/finance/object/${missing}/revoke`, {}), { status: 404 })
  t.match(await ask('POST', `kmip/scope/none/object/${missing}/revoke`, {}), { status: 404 })
  t.match(recorded, [
    {
      acting: { scopeName: 'finance', role: 'administrator root', address: '127.0.0.1' },
      entries: [{ operation: 'Revoke', object: id, status: 'Success' }],
    },
    { entries: [{ operation: 'Destroy', object: id, status: 'Success' }] },
    { entries: [{ operation: 'Destroy', status: 'OperationFailed' }] },
    { entries: [{ operation: 'Revoke', status: 'OperationFailed' }] },
  ])
  t.match((await ask('GET', `${at}/history`)).body.data, { entries: [{ operation: 'Get' }] })
  t.match((await ask('GET', 'sys/kmipd/audit?scope=finance&role=&limit=9999&after=1-5')).body.data, { next: '1-2' })
  t.match(asked, [
    { id, limit: 100 },
    { scope: 'finance', limit: 1000, after: '1-5' },
  ])
  t.notHas(asked[1], { role: '' })
})

t.test('refused requests are traced where that is switched on, with secrets hidden', async t => {
  const { clock, mount, kmip, traces, errors, ask, records } = await objectLab()
  await mount.scopes.writeRole('finance', 'app', { operation_get: true })
  const { certificate } = await mount.scopes.generateCredential('finance', 'app', { format: 'der' })
  const identity = await mount.scopes.identify(Buffer.from(certificate, 'base64'))
  if ('refused' in identity) throw new Error(identity.reason)
  const send = async (bytes: Buffer) => {
    const peer = await mount.scopes.peerOf(identity)
    if ('refused' in peer) throw new Error(peer.reason)
    await kmip.answer(bytes, peer)
    await traces.settle()
  }
  const secret = Buffer.from('0123456789abcdef0123456789abcdef')
  const material = structure(TAG.KeyValue, [bytesItem(TAG.KeyMaterial, secret)])
  const block = structure(TAG.KeyBlock, [enumeration(TAG.KeyFormatType, ENUM.KeyFormatType.Raw), material])
  const register = requestMessage([
    {
      operation: 'Register',
      payload: [
        enumeration(TAG.ObjectType, ENUM.ObjectType.SymmetricKey),
        structure(TAG.TemplateAttribute, []),
        structure(TAG.SymmetricKey, [block]),
      ],
    },
  ])
  const read = async () => (await ask('GET', 'kmip/scope/finance/trace')).body.data
  await send(encode(register))
  t.same(await read(), { requests: [] }, 'not unless it is on')
  t.match(await ask('POST', 'kmip/scope/finance/trace', { duration: '10m' }), { status: 204 })
  await send(encode(register))
  await send(encode(requestMessage([{ operation: 'Locate', payload: [] }])))
  await send(Buffer.concat([encode(register).subarray(0, 8), secret, secret]))
  const found = await read()
  t.match(found, {
    until: '2026-01-01T00:10:00.000Z',
    requests: [
      { role: 'app', problems: [{ operation: '-', reason: 'CodecError' }], request: /^\d+ bytes that are no TTLV/ },
      { problems: [{ operation: 'Locate', reason: 'PermissionDenied', message: /./ }], request: /Operation \(Enumeration\): Locate/ },
      {
        serial_number: /^\d+$/,
        problems: [{ operation: 'Register', message: /./ }],
        request: /KeyMaterial \(ByteString\): 32 bytes, hidden/,
      },
    ],
  })
  const text = JSON.stringify(found)
  for (const form of ['utf8', 'hex', 'base64'] as const) t.notOk(text.includes(secret.toString(form)), form)
  for (let i = 0; i < 60; i++) await send(encode(requestMessage([{ operation: 'Locate', payload: [] }])))
  t.match(await read(), { requests: { length: 50 } })
  clock.ms += 600_000
  await send(encode(register))
  t.match(await read(), { until: undefined, requests: [{ problems: [{ operation: 'Locate' }] }] }, 'it ends by itself')
  t.match(await ask('DELETE', 'kmip/scope/finance/trace'), { status: 204 })
  t.same(await read(), { requests: [] })
  t.equal(await records.revision('request-traces', await mount.scopes.objectsOf('finance')), 0)
  t.match(await ask('POST', 'kmip/scope/finance/trace', { duration: '30d' }), { status: 400 })
  t.match(await ask('GET', 'kmip/scope/none/trace'), { status: 404 })
  t.same(errors, [])
})

t.test('who has a token does KMIP operations as a client of a role, and nothing beyond it', async t => {
  const { mount, ask, create, recorded, traces } = await objectLab()
  const client = 'kmip/scope/finance/role/app/client'
  await mount.scopes.writeRole('finance', 'app', { operation_get: true, operation_locate: true })
  const id = await create('Backup key', 'AES', 256)
  const operation = (name: 'Get' | 'Locate' | 'Destroy'): Operation => ({
    operation: name,
    payload: name === 'Locate' ? [] : [text(TAG.UniqueIdentifier, id)],
  })
  const message = (...names: ('Get' | 'Locate' | 'Destroy')[]) => requestMessage(names.map(operation))
  const asJson = (...names: Parameters<typeof message>) => ({ request: JSON.parse(encodeJson(message(...names))) })
  const inJson = async (path: string, ...names: Parameters<typeof message>) => {
    const reply = await ask('POST', path, asJson(...names))
    return { status: reply.status, text: JSON.stringify(reply.body.data?.response ?? reply.body.errors) }
  }

  t.match(await inJson(client, 'Get'), { status: 200, text: /"ResultStatus","type":"Enumeration","value":"Success".*"KeyMaterial"/ })
  t.match(await inJson(`${client}/get`, 'Get'), { status: 200, text: /"KeyMaterial"/ })
  t.match(await inJson(`${client}/locate/get`, 'Locate', 'Get'), { status: 200, text: new RegExp(`${id}.*"KeyMaterial"`) })
  for (const [path, ...names] of [
    ['get', 'Locate'],
    ['get', 'Get', 'Get'],
    ['get/get', 'Get'],
    ['Get', 'Get'],
    ['GET', 'Get'],
  ] as const)
    t.match(await inJson(`${client}/${path}`, ...names), { status: 400, text: /the path names/ }, `${path}: ${names}`)
  await mount.scopes.trace('finance', START + 60_000)
  t.match(await inJson(client, 'Destroy'), { status: 200, text: /OperationFailed.*PermissionDenied/ }, 'the role does not allow it')
  await traces.settle()
  t.match((await ask('GET', 'kmip/scope/finance/trace')).body.data, { requests: [{ role: 'app', problems: [{ operation: 'Destroy' }] }] })

  const inXml = (await ask('POST', `${client}/get`, { request: encodeXml(message('Get')) })).body.data.response
  t.match(inXml, /^<ResponseMessage>.*<ResultStatus type="Enumeration" value="Success"\/>.*<KeyMaterial/s)
  for (const [body, errors] of [
    [{}, /request is required/],
    [{ request: 'Get' }, /^request: /],
    [{ request: { tag: 'RequestMessage', value: 'x' } }, /^request: /],
    [{ request: { tag: 'Nonsense', value: [] } }, /^request: /],
    [{ request: [] }, /^request: /],
  ] as const)
    t.match(await ask('POST', client, body), { status: 400, body: { errors: [errors] } }, JSON.stringify(body))
  t.match(await ask('POST', client, { request: { tag: 'Name', value: [] } }), { status: 200 }, 'what is no request gets a KMIP answer')
  const [missing, unknown] = ['kmip/scope/finance/role/none/client', 'kmip/scope/none/role/app/client']
  for (const path of [missing, unknown])
    t.match(await ask('POST', path, asJson('Get')), { status: 400, body: { errors: [/there is no|has no/] } })
  t.match(await ask('GET', client), { status: 405 })
  t.match(recorded[0], {
    acting: { scopeName: 'finance', role: 'app', serial: '-', address: '127.0.0.1' },
    entries: [{ operation: 'Get', object: id, status: 'Success' }],
  })
})

t.test('search of the audit log', async t => {
  const file = join(t.testdir(), 'audit.log')
  t.same(await searchAudit(file, { limit: 5 }), { entries: [] })
  const peer = { scope: 'abcde', scopeName: 'finance', role: 'app', serial: '1', may: () => true }
  const subject = auditSubject(peer, '10.0.0.1:4000', 1)
  const lines = Array.from({ length: 4000 }, (_, i) =>
    auditLine(new Date(START + i * 1000).toISOString(), subject, {
      ...{ operation: i % 2 === 0 ? 'Get' : 'Locate', object: `id-${i % 10}`, remark: 'é'.repeat(i % 60) },
      ...(i % 100 === 0 ? { status: 'OperationFailed', reason: 'PermissionDenied' } : { status: 'Success' }),
      latencyMs: 1,
    }),
  )
  const admin = {
    type: 'audit',
    time: new Date(START).toISOString(),
    door: 'admin',
    operation: 'update',
    path: 'kmip/scope/x',
    displayName: 'root',
  }
  writeFileSync(file, lines.join(''))
  appendFileSync(
    file,
    `${JSON.stringify({ ...admin, event: 'asked' })}\n${JSON.stringify({ ...admin, event: 'answered', status: 204 })}\n{"type":"aud`,
  )
  t.match((await searchAudit(file, { limit: 2 })).entries, [
    { operation: 'update', path: 'kmip/scope/x', status: '204', user: 'root' },
    {
      operation: 'Locate',
      time: '2026-01-01T01:06:39.000Z',
      scope: 'finance',
      role: 'app',
      id: 'id-9',
      status: 'Success',
      remote: '10.0.0.1:4000',
    },
  ])
  const count = async (query: Omit<HistoryQuery, 'limit'>) => (await searchAudit(file, { ...query, limit: 1e6 })).entries.length
  t.same(
    [
      await count({}),
      await count({ id: 'id-3' }),
      await count({ operation: 'Get' }),
      await count({ partition: 'abcde', id: 'id-0', status: 'OperationFailed' }),
    ],
    [4001, 400, 2000, 40],
  )
  const all = (await searchAudit(file, { limit: 1e6 })).entries
  for (const limit of [1, 7, 600, 4000]) {
    const found: unknown[] = []
    for (let after: string | undefined; ; ) {
      const { entries, next } = await searchAudit(file, { limit, ...(after && { after }) })
      found.push(...entries)
      after = next
      if (after === undefined || found.length > all.length || limit === 1) break
    }
    t.same(found, limit === 1 ? all.slice(0, 1) : all, `pages of ${limit}`)
  }
  const { next = '' } = await searchAudit(file, { limit: 1 })
  for (const after of ['x', '1-1', `${next}0000`, next.replace('-', '--')])
    await t.rejects(searchAudit(file, { limit: 1, after }), { name: 'AdminError', status: 400 }, after)
  t.same([await count({ scope: 'abcde' }), await count({ partition: 'finance' }), await count({ role: 'ap' })], [0, 0, 0])
})
