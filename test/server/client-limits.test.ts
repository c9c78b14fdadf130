import { randomBytes, randomUUID } from 'node:crypto'
import t from 'tap'
import { KMIP_ROUTES } from '../../src/admin/kmip/routes.ts'
import { bound } from '../../src/admin/route.ts'
import { type Operation, requestMessage, responseItems } from '../../src/client/message.ts'
import { attribute } from '../../src/client/operations.ts'
import { createEngine } from '../../src/ops/create-engine.ts'
import { openMounts } from '../../src/scopes/mounts.ts'
import { localProvider, newLocalKey } from '../../src/seal/local-provider.ts'
import { openRecords } from '../../src/seal/sealed-records.ts'
import { ClientLimiter } from '../../src/server/client-limits.ts'
import { Metrics } from '../../src/server/metrics.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { decode, encode } from '../../src/ttlv/binary.ts'
import { ENUM, MASK } from '../../src/ttlv/enumerations.ts'
import { enumeration, enumName, integer, structure } from '../../src/ttlv/item.ts'
import { TAG } from '../../src/ttlv/tags.ts'
import { doorLab } from '../admin/lab.ts'

const QUERY: Operation = { operation: 'Query', payload: [enumeration(TAG.QueryFunction, ENUM.QueryFunction.QueryOperations)] }
const CREATE: Operation = {
  operation: 'Create',
  payload: [
    enumeration(TAG.ObjectType, ENUM.ObjectType.SymmetricKey),
    structure(TAG.TemplateAttribute, [
      attribute(enumeration(TAG.CryptographicAlgorithm, ENUM.CryptographicAlgorithm.AES)),
      attribute(integer(TAG.CryptographicLength, 128)),
      attribute(integer(TAG.CryptographicUsageMask, MASK.CryptographicUsageMask.Encrypt)),
    ]),
  ],
}

t.test('rates and quotas of scopes and roles', async t => {
  const clock = { ms: 0 }
  const records = await openRecords({ store: new MemoryStore(), providers: [localProvider(newLocalKey())] })
  const mounts = await openMounts({ records, now: Date.now })
  const [mount] = await mounts.list()
  if (!mount) throw new Error('no mount')
  const door = doorLab(() => [
    { path: 'kmip/', type: 'kmip', routes: bound(KMIP_ROUTES, { mount, sockets: { apply: async () => undefined } }) },
  ])
  const admin = (method: string, path: string, body?: unknown) => door.ask(method, `/v1/kmip/${path}`, body)
  await admin('PUT', 'scope/a', {})
  for (const role of ['x', 'y']) await admin('PUT', `scope/a/role/${role}`, { operation_all: true })
  const identities = await Promise.all(
    ['x', 'y'].map(async role => {
      const { certificate } = await mount.scopes.generateCredential('a', role, { format: 'der' })
      const identity = await mount.scopes.identify(Buffer.from(certificate, 'base64'))
      if ('refused' in identity) throw new Error(identity.reason)
      return identity
    }),
  )
  const metrics = new Metrics({ version: '0.0.0' })
  const limiter = new ClientLimiter({ records, metrics, now: () => clock.ms })
  const engine = limiter.over(createEngine({ records, now: () => 1n, randomBytes, newId: randomUUID, quota: peer => limiter.quota(peer) }))
  const send = async (which: 0 | 1, operation = QUERY, version = 21) => {
    const peer = await mount.scopes.peerOf(identities[which]!)
    if ('refused' in peer) throw new Error(peer.reason)
    const bytes = encode(requestMessage([operation], { version }))
    const { bytes: answer } = engine.recall(bytes, peer) ?? (await engine.answer(bytes, peer))
    const [item] = responseItems(decode(answer))
    return item?.reason === undefined ? 'ok' : enumName('ResultReason', item.reason)
  }
  const many = async (which: 0 | 1, count: number) => {
    let done = 0
    for (let i = 0; i < count; i++) if ((await send(which)) === 'ok') done++
    return done
  }

  t.equal(await many(0, 50), 50, 'nothing is limited unless it is said')
  t.match(await admin('PUT', 'scope/a/limits', { requests_per_second: '10', max_objects: 3 }), { status: 204 })
  t.match((await admin('GET', 'scope/a/limits')).body.data, { requests_per_second: 10, burst: 0, max_objects: 3 })
  t.equal(await many(0, 50), 10)
  t.equal(await send(1), 'ServerLimitExceeded', 'the roles of a scope share its rate')
  t.equal(await send(1, QUERY, 14), 'GeneralFailure', 'older clients are told what they know')
  clock.ms += 500
  t.equal(await many(1, 50), 5)
  await admin('PUT', 'scope/a/role/x/limits', { requests_per_second: 2, burst: 4 })
  clock.ms += 60_000
  t.same([await many(0, 50), await many(1, 50)], [4, 6])
  t.match((await admin('GET', 'scope/a/role/x/limits')).body.data, { requests_per_second: 2, burst: 4 })
  t.equal(metrics.refused('rate_limit') > 0, true)
  await admin('PUT', 'scope/a/role/x', { operation_get: true })
  t.match((await admin('GET', 'scope/a/role/x/limits')).body.data, { requests_per_second: 2 }, 'a write of the role keeps them')

  await admin('DELETE', 'scope/a/role/x/limits')
  await admin('PUT', 'scope/a/limits', { requests_per_second: 0 })
  await admin('PUT', 'scope/a/role/x', { operation_all: true })
  t.same([await send(0, CREATE, 14), await send(1, CREATE, 14), await send(0, CREATE, 14)], ['ok', 'ok', 'ok'])
  t.same([await send(0, CREATE, 14), await send(0)], ['GeneralFailure', 'ok'], 'no fourth object')
  t.equal(metrics.refused('quota'), 1)
  t.equal((await admin('GET', 'scope/a')).body.data.objects, 3)
  await admin('PUT', 'scope/a/limits', { max_objects: 4 })
  t.same([await send(0, CREATE, 14), await send(0, CREATE, 14)], ['ok', 'GeneralFailure'])
  await admin('DELETE', 'scope/a/limits')
  t.equal(await send(0, CREATE, 14), 'ok')
  t.equal(await many(0, 50), 50)

  t.match(await admin('PUT', 'scope/none/limits', { max_objects: 4 }), { status: 400 })
  t.match(await admin('PUT', 'scope/a/limits', { max_objects: -1 }), { status: 400 })
  t.match(await admin('GET', 'scope/none/limits'), { status: 404 })
  const half = new ClientLimiter({ records, metrics, now: () => clock.ms, processes: 2 })
  const rate = { key: 'k', of: 'k', perSecond: 10, burst: 10 }
  const peer = { scope: 's', scopeName: 's', role: 'r', serial: '1', may: () => true, limits: { rates: [rate] } }
  t.equal(
    Array.from({ length: 20 }, () => half.refusal(peer)).filter(refused => refused === undefined).length,
    5,
    'the part of one of two processes',
  )
})
