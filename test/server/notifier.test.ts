import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import t from 'tap'
import { KmipClient } from '../../src/client/client.ts'
import { Framer } from '../../src/client/framer.ts'
import { payloadOf, requestMessage, responseItems } from '../../src/client/message.ts'
import { parseConfig } from '../../src/config/parse.ts'
import { type Asked, Endpoint } from '../../src/conformance/endpoint.ts'
import { openMounts } from '../../src/scopes/mounts.ts'
import { localProvider, newLocalKey } from '../../src/seal/local-provider.ts'
import { openRecords } from '../../src/seal/sealed-records.ts'
import { Daemon } from '../../src/server/daemon.ts'
import { createLog } from '../../src/server/log.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { decode, encode } from '../../src/ttlv/binary.ts'
import { ENUM } from '../../src/ttlv/enumerations.ts'
import { boolean, child, enumeration, enumName, type Item, integer, structure, TYPE, text } from '../../src/ttlv/item.ts'
import { TAG } from '../../src/ttlv/tags.ts'

const { Operation, ObjectType, CryptographicAlgorithm } = ENUM
type Test = Pick<typeof t, 'testdir' | 'teardown'>

interface Place {
  readonly host: string
  readonly port: number
  readonly ca: string
  readonly cert: string
  readonly key: string
}
interface Setting {
  readonly listener?: { readonly scope: string; readonly role: string }
  readonly entry: string
  readonly address?: boolean
}

/** A server that tells the scope `app` of its changes, a client of it that listens, and one that works. */
async function start(t: Test, { listener = { scope: 'app', role: 'all' }, entry, address = true }: Setting) {
  const records = await openRecords({ store: new MemoryStore(), providers: [localProvider(newLocalKey())] })
  const mounts = await openMounts({ records, now: Date.now })
  const scopes = await mounts.scopesAt('kmip/')
  for (const scope of ['app', 'other']) {
    await scopes.createScope(scope)
    await scopes.writeRole(scope, 'all', { operation_all: true })
    await scopes.writeRole(scope, 'watcher', { operation_get_attributes: true })
  }
  const own = await scopes.generateCredential('app', 'all', { format: 'pem' })
  const theirs = await scopes.generateCredential(listener.scope, listener.role, { format: 'pem' })
  const ca = own.ca_chain.join('\n')
  const endpoint = await Endpoint.listen({ host: '127.0.0.1', port: 0, cert: theirs.certificate, key: theirs.private_key!, ca }, Date.now)
  const dir = t.testdir({})
  const at = address ? `, address: '127.0.0.1:${endpoint.port}'` : ''
  const text = `store: { kind: memory }\nmetrics: { listen: '127.0.0.1:0' }\nadmin: { listen: off }\nnotifications: [{ scope: app, put: true${at}, ${entry} }]`
  const config = parseConfig(text, join(dir, 'kmipd.yaml'), { env: {}, readFile: () => '' })
  const logged: string[] = []
  const log = createLog({ pretty: false, destination: { write: line => logged.push(line) } })
  const daemon = await Daemon.start({ config, data: { records, mounts }, log, version: '0.0.0', kmip: [{ host: '127.0.0.1', port: 0 }] })
  const [host, port] = daemon.addresses.kmip.split(':') as [string, string]
  const place = { host, port: Number(port), ca, cert: own.certificate, key: own.private_key! }
  const client = await KmipClient.connect(place)
  t.teardown(async () => {
    client.close()
    endpoint.close()
    await daemon.stop()
    await records.close()
  })
  const metrics = async () => (await fetch(`http://${daemon.addresses.metrics}/metrics`)).text()
  const audit = () => readFileSync(join(dir, 'audit.log'), 'utf8')
  return { daemon, scopes, theirs, audit, endpoint, client, place, logged, metrics }
}

async function ask(client: KmipClient, operation: keyof typeof Operation, payload: readonly Item[], version: number) {
  return payloadOf(responseItems(await client.request(requestMessage([{ operation, payload }], { version })))[0]!)
}

const v1 = (name: string, value: Item): Item =>
  structure(TAG.Attribute, [text(TAG.AttributeName, name), { ...value, tag: TAG.AttributeValue } as Item])
const key = (version: number, ...more: readonly Item[]): Item[] => {
  const items = [
    enumeration(TAG.CryptographicAlgorithm, CryptographicAlgorithm.AES),
    integer(TAG.CryptographicLength, 128),
    integer(TAG.CryptographicUsageMask, 12),
  ]
  const titles = ['Cryptographic Algorithm', 'Cryptographic Length', 'Cryptographic Usage Mask']
  const attributes =
    version < 20
      ? structure(
          TAG.TemplateAttribute,
          items.map((item, at) => v1(titles[at]!, item)),
        )
      : structure(TAG.Attributes, [...items, ...more])
  return [enumeration(TAG.ObjectType, ObjectType.SymmetricKey), attributes]
}
const idIn = (payload: Item): Item => child(payload, TAG.UniqueIdentifier)!
const create = async (client: KmipClient, version = 14) => idIn(await ask(client, 'Create', key(version), version))

/** What the server asks next about objects; questions about what the client can do are answered on the way. */
async function nextAbout(endpoint: Endpoint): Promise<{ asked: Asked; operation: string; payload: Item }> {
  for (;;) {
    const asked = await endpoint.next(20_000)
    if (asked === undefined) throw new Error('the server asked nothing')
    const item = child(asked.message, TAG.BatchItem)!
    const operation = enumName('Operation', Number(child(item, TAG.Operation)!.value))
    if (operation === 'Put' || operation === 'Notify') return { asked, operation, payload: child(item, TAG.RequestPayload)! }
    asked.answer(endpoint.usualAnswer(asked.message))
  }
}
const took = async (endpoint: Endpoint) => {
  const { asked, operation, payload } = await nextAbout(endpoint)
  asked.answer(endpoint.usualAnswer(asked.message))
  return { operation, payload, names: namesIn(payload) }
}
const namesIn = (payload: Item): string[] =>
  payload.type === TYPE.Structure
    ? payload.value.flatMap(item => (item.tag === TAG.Attribute ? [String(child(item, TAG.AttributeName)?.value)] : []))
    : []

t.test('Put and Notify in the order of the commits, as 1.4 writes them', async t => {
  const { endpoint, client, metrics, audit } = await start(t, { entry: 'version: "1.4"' })
  endpoint.watch(14)
  const id = await create(client)
  const put = await took(endpoint)
  t.equal(put.operation, 'Put')
  t.same(
    (put.payload.value as Item[]).slice(0, 3).map(({ tag }) => tag),
    [TAG.UniqueIdentifier, TAG.PutFunction, TAG.SymmetricKey],
  )
  t.equal(idIn(put.payload).value, id.value)
  t.equal(child(put.payload, TAG.PutFunction)?.value, ENUM.PutFunction.New)
  t.ok(put.names.includes('State') && put.names.includes('Cryptographic Length'))

  await ask(client, 'AddAttribute', [id, v1('x-place', text(TAG.AttributeValue, 'here'))], 14)
  const added = await took(endpoint)
  t.match(added, { operation: 'Notify', names: ['x-place', 'Last Change Date'] })
  await ask(client, 'DeleteAttribute', [id, text(TAG.AttributeName, 'x-place')], 14)
  const deleted = await took(endpoint)
  t.same(
    deleted.names,
    ['Last Change Date', 'x-place'].filter(name => deleted.names.includes(name)),
  )
  const gone = (deleted.payload.value as Item[]).find(item => child(item, TAG.AttributeName)?.value === 'x-place')!
  t.equal(child(gone, TAG.AttributeValue), undefined, 'what was deleted has no value')

  const replaced = idIn(await ask(client, 'ReKey', [id], 14))
  const both = [await took(endpoint), await took(endpoint)]
  const second = both.find(({ operation }) => operation === 'Put')!
  t.equal(idIn(second.payload).value, replaced.value)
  t.equal(child(second.payload, TAG.PutFunction)?.value, ENUM.PutFunction.Replace)
  t.equal(child(second.payload, TAG.ReplacedUniqueIdentifier)?.value, id.value)
  t.ok(both.find(({ operation }) => operation === 'Notify')!.names.includes('Link'))

  await ask(client, 'Destroy', [id], 14)
  t.match((await took(endpoint)).names.sort(), ['Last Change Date', 'State'])
  t.match(audit(), new RegExp(`"scopeName":"app","role":"all",.*"operation":"Put","object":"${id.value}","status":"Sent"`))
  t.match(await metrics(), /kmipd_notifications_total\{target="app@127\.0\.0\.1:\d+ 1\.4",operation="Put",status="success"\} 2/)
})

t.test('2.1 has Attributes, and references to what is gone', async t => {
  const { endpoint, client } = await start(t, { entry: 'version: "2.1"' })
  endpoint.watch(21)
  const id = idIn(await ask(client, 'Create', key(21, text(TAG.Comment, 'one')), 21))
  const put = await took(endpoint)
  t.equal(child(child(put.payload, TAG.Attributes)!, TAG.Comment)?.value, 'one')
  await ask(client, 'DeleteAttribute', [id, enumeration(TAG.AttributeReference, TAG.Comment)], 21)
  const { payload } = await took(endpoint)
  t.ok(child(child(payload, TAG.Attributes)!, TAG.LastChangeDate))
  t.equal(child(payload, TAG.AttributeReference)?.value, TAG.Comment)
})

t.test('sensitive keys stay; what is told of them is told', async t => {
  const { endpoint, client } = await start(t, { entry: 'version: "2.1"' })
  endpoint.watch(21)
  const id = idIn(await ask(client, 'Create', key(21, boolean(TAG.Sensitive, true)), 21))
  await ask(client, 'Activate', [id], 21)
  t.equal((await took(endpoint)).operation, 'Notify', 'no Put before it')
})

t.test('no operation waits for a target; a key that was destroyed meanwhile does not leave', async t => {
  const { endpoint, client } = await start(t, { entry: 'version: "1.4"' })
  endpoint.watch(14)
  const first = await create(client)
  const held = await nextAbout(endpoint)
  t.equal(idIn(held.payload).value, first.value)
  const second = await create(client)
  await ask(client, 'Destroy', [second], 14)
  held.asked.answer(endpoint.usualAnswer(held.asked.message))
  const next = await took(endpoint)
  t.equal(next.operation, 'Notify')
  t.equal(idIn(next.payload).value, second.value)
})

t.test('a message whose answer was lost is sent again', async t => {
  const { endpoint, client } = await start(t, { entry: 'version: "1.4"' })
  endpoint.watch(14)
  const id = await create(client)
  t.equal((await nextAbout(endpoint)).operation, 'Put')
  endpoint.hangUp()
  const again = await took(endpoint)
  t.equal(again.operation, 'Put')
  t.equal(idIn(again.payload).value, id.value)
})

t.test('a role that may not Get is not Put anything', async t => {
  const { endpoint, client } = await start(t, { entry: 'version: "1.4"', listener: { scope: 'app', role: 'watcher' } })
  endpoint.watch(14)
  const id = await create(client)
  await ask(client, 'Activate', [id], 14)
  t.equal((await took(endpoint)).operation, 'Notify')
})

t.test('who is not meant is told nothing', async t => {
  const table: readonly [string, Setting][] = [
    ['a client of another scope', { entry: 'version: "1.0"', listener: { scope: 'other', role: 'all' } }],
    ['a client of another role', { entry: 'version: "1.0", role: watcher' }],
  ]
  for (const [name, setting] of table) {
    const { endpoint, client, logged } = await start(t, setting)
    endpoint.watch(10)
    await create(client, 10)
    t.equal(await endpoint.next(300), undefined, name)
    t.ok(logged.some(line => line.includes('certificate is one of another scope or role')))
  }
})

t.test('whose credential is revoked is told nothing more', async t => {
  const { endpoint, client, scopes, theirs, logged } = await start(t, { entry: 'version: "1.0"' })
  endpoint.watch(10)
  await create(client, 10)
  t.equal((await took(endpoint)).operation, 'Put')
  await scopes.revokeCredential('app', 'all', { serial_number: theirs.serial_number })
  await create(client, 10)
  t.equal(await endpoint.next(300), undefined)
  t.ok(logged.some(line => line.includes('none of a credential that stands')))
})

/** A client that may have its connection swapped: what it gets is read, message by message, whoever asks. */
async function rawClient(t: Test, { host, port, ca, cert, key }: Place) {
  const socket = connectTls({ host, port, ca, cert, key })
  const framer = new Framer(1 << 20)
  const arrived: Item[] = []
  let wake: (() => void) | undefined
  let closed = false
  socket.on('data', chunk => {
    arrived.push(...framer.push(chunk).map(decode))
    wake?.()
  })
  socket.on('error', () => {})
  socket.on('close', () => {
    closed = true
    wake?.()
  })
  socket.on('end', () => socket.end())
  t.teardown(() => void socket.destroy())
  await new Promise<void>(resolve => socket.once('secureConnect', () => resolve()))
  return {
    send: (...messages: readonly Item[]) => void socket.write(Buffer.concat(messages.map(encode))),
    /** The next message, or nothing when the connection was closed. */
    async next(): Promise<Item | undefined> {
      while (arrived.length === 0 && !closed)
        await new Promise<void>(resolve => {
          wake = resolve
        })
      return arrived.shift()
    },
  }
}
const operationOf = (message: Item | undefined): string =>
  enumName('Operation', Number(message && child(child(message, TAG.BatchItem)!, TAG.Operation)?.value))
const roleRequest = (role: number) =>
  requestMessage([{ operation: 'SetEndpointRole', payload: [enumeration(TAG.EndpointRole, role)] }], { version: 21 })
const queryRequest = requestMessage([{ operation: 'Query', payload: [enumeration(TAG.QueryFunction, 1)] }], { version: 21 })
const { Client, Server } = ENUM.EndpointRole

t.test('a client that swaps the roles is told over the same connection', async t => {
  const { endpoint, client, place } = await start(t, { entry: 'version: "2.1"', address: false })
  const turned = await rawClient(t, place)
  turned.send(roleRequest(Server))
  t.equal(responseItems((await turned.next())!)[0]!.payload?.value[0]?.value, Server, 'the server stays what it is')
  turned.send(roleRequest(Client))
  t.equal(responseItems((await turned.next())!)[0]!.payload?.value[0]?.value, Client)
  for (const operation of ['DiscoverVersions', 'Query']) {
    const asked = (await turned.next())!
    t.equal(operationOf(asked), operation)
    turned.send(endpoint.usualAnswer(asked))
  }
  const id = await create(client, 21)
  const put = (await turned.next())!
  t.equal(operationOf(put), 'Put')
  await ask(client, 'Activate', [id], 21)
  turned.send(endpoint.usualAnswer(put))
  t.equal(operationOf(await turned.next()), 'Notify')
  turned.send(queryRequest)
  t.equal(await turned.next(), undefined, 'a request is no answer')
})

t.test('a client that takes neither Put nor Notify is the client again', async t => {
  const { endpoint, place } = await start(t, { entry: 'version: "2.1"', address: false })
  const turned = await rawClient(t, place)
  turned.send(roleRequest(Client))
  await turned.next()
  const versions = (await turned.next())!
  turned.send(endpoint.usualAnswer(versions))
  const query = (await turned.next())!
  t.equal(operationOf(query), 'Query')
  const answer = endpoint.usualAnswer(query)
  const strip = (item: Item): Item =>
    item.type === TYPE.Structure
      ? { ...item, value: item.value.filter(one => one.tag !== TAG.Operation || one.value === Operation.Query).map(strip) }
      : item
  turned.send(strip(answer))
  const back = (await turned.next())!
  t.equal(operationOf(back), 'SetEndpointRole')
  turned.send(endpoint.usualAnswer(back), queryRequest)
  t.equal(responseItems((await turned.next())!)[0]!.status, ENUM.ResultStatus.Success)
})

t.test('requests behind the one that swaps the roles are not done', async t => {
  const { place, audit } = await start(t, { entry: 'version: "2.1"', address: false })
  const turned = await rawClient(t, place)
  turned.send(roleRequest(Client), queryRequest)
  t.equal(operationOf(await turned.next()), 'SetEndpointRole')
  t.equal(await turned.next(), undefined)
  t.notMatch(audit(), '"operation":"Query"')
})

t.test('the roles stay where nothing is configured for the client', async t => {
  const { place } = await start(t, { entry: 'version: "2.1", role: watcher', address: false })
  const turned = await rawClient(t, place)
  turned.send(roleRequest(Client), queryRequest)
  const [refused] = responseItems((await turned.next())!)
  t.equal(refused!.reason, ENUM.ResultReason.FeatureNotSupported)
  t.equal(operationOf(await turned.next()), 'Query')
})

t.test('a client that ends cuts off who is about to connect, too', async t => {
  const { endpoint } = await start(t, { entry: 'version: "1.4"' })
  const connecting = connect(endpoint.port, '127.0.0.1').on('error', () => undefined)
  await once(connecting, 'connect')
  // Accepted by the other side, which now waits for a handshake.
  await new Promise(resolve => setTimeout(resolve, 20))
  endpoint.close()
  connecting.resume()
  await once(connecting, 'close')
  t.pass('it is closed')
})
