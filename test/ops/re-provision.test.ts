import { createPrivateKey, generateKeyPairSync, randomBytes, randomUUID, X509Certificate } from 'node:crypto'
import t from 'tap'
import { requestMessage, responseItems } from '../../src/client/message.ts'
import { createEngine } from '../../src/ops/create-engine.ts'
import { localProvider, newLocalKey } from '../../src/seal/local-provider.ts'
import { openRecords } from '../../src/seal/sealed-records.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { ENUM } from '../../src/ttlv/enumerations.ts'
import { bytes, child, enumeration, type Item, structure } from '../../src/ttlv/item.ts'
import { TAG } from '../../src/ttlv/tags.ts'
import { requestFor } from '../pki/request-for.ts'
import { clientOf, openScopes } from '../scopes/opened.ts'

const { ResultStatus, ResultReason, CertificateRequestType, CertificateType } = ENUM

const csrOf = (key: Parameters<typeof requestFor>[0]): Item =>
  structure(TAG.CertificateRequest, [
    enumeration(TAG.CertificateRequestType, CertificateRequestType.PKCS_10),
    bytes(TAG.CertificateRequestValue, requestFor(key)),
  ])
const certificateOf = (pem: string): Item =>
  structure(TAG.Certificate, [
    enumeration(TAG.CertificateType, CertificateType.X_509),
    bytes(TAG.CertificateValue, new X509Certificate(pem).raw),
  ])

async function lab() {
  const records = await openRecords({ store: new MemoryStore(), providers: [localProvider(newLocalKey())] })
  const scopes = await openScopes({ records, now: Date.now })
  await scopes.createScope('app')
  await scopes.writeRole('app', 'all', { operation_all: true })
  await scopes.writeRole('app', 'other', { operation_all: true })
  const engine = createEngine({
    records,
    now: () => BigInt(Math.floor(Date.now() / 1000)),
    randomBytes,
    newId: randomUUID,
    replace: (holder, wish) => scopes.planReplacement(holder, wish),
  })
  const issue = async (role = 'all'): Promise<string> => (await scopes.generateCredential('app', role, { format: 'pem' })).certificate
  const isGood = async (pem: string): Promise<boolean> => !('refused' in (await clientOf(scopes, new X509Certificate(pem).raw)))
  /** One operation, asked by the holder of a certificate. */
  const ask = async (pem: string, operation: 'ReProvision' | 'Get' | 'GetAttributes' | 'Locate', ...payload: Item[]) => {
    const peer = await clientOf(scopes, new X509Certificate(pem).raw)
    if ('refused' in peer) throw new Error(peer.reason)
    const { message } = await engine.answerItem(requestMessage([{ operation, payload }], { version: 21 }), peer)
    const [item] = responseItems(message)
    if (!item) throw new Error('no answer')
    return item
  }
  const serials = async (): Promise<string[]> => (await scopes.listCredentials('app', 'all')).map(one => one.serial_number)
  const found = async (role: string, serial: string): Promise<X509Certificate> =>
    new X509Certificate((await scopes.lookupCredential('app', role, { serial_number: serial, format: 'pem' })).certificate)
  return { scopes, issue, isGood, ask, serials, found }
}

/** Bytes at a path of tags below a payload. */
function bytesAt(payload: Item | undefined, ...path: number[]): Buffer {
  let item = payload
  for (const tag of path) item = item && child(item, tag)
  if (!Buffer.isBuffer(item?.value)) throw new Error('there are no bytes')
  return item.value
}
const idIn = (payload: Item | undefined): Item => (payload && child(payload, TAG.UniqueIdentifier)) ?? structure(TAG.UniqueIdentifier, [])

t.test('by a certificate request', async t => {
  const { issue, isGood, ask, serials, found } = await lab()
  const [old, watcher] = [await issue(), await issue('other')]
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const made = await ask(old, 'ReProvision', csrOf(privateKey))
  t.equal(made.status, ResultStatus.Success)
  t.notOk(await isGood(old), 'the old certificate is good no more')
  const [serial = ''] = await serials()
  const next = await found('all', serial)
  t.ok(next.checkPrivateKey(privateKey))
  t.ok(await isGood(next.toString()))
  const { payload } = await ask(watcher, 'Get', idIn(made.payload))
  t.same(bytesAt(payload, TAG.Certificate, TAG.CertificateValue), next.raw, 'the certificate is an object of the scope')
})

t.test('by a key that is made here', async t => {
  const { issue, isGood, ask, serials, found } = await lab()
  const [old, watcher] = [await issue(), await issue('other')]
  const made = await ask(old, 'ReProvision')
  t.equal(made.status, ResultStatus.Success)
  t.notOk(await isGood(old))
  const [serial = ''] = await serials()
  const format = enumeration(TAG.KeyFormatType, ENUM.KeyFormatType.ECPrivateKey)
  const { payload } = await ask(watcher, 'Get', idIn(made.payload), format)
  const key = bytesAt(payload, TAG.PrivateKey, TAG.KeyBlock, TAG.KeyValue, TAG.KeyMaterial)
  const next = await found('all', serial)
  t.ok(next.checkPrivateKey(createPrivateKey({ key, format: 'der', type: 'sec1' })))
})

t.test('by a certificate of the same role', async t => {
  const { issue, isGood, ask } = await lab()
  const [old, spare, foreign] = [await issue(), await issue(), await issue('other')]
  t.match(
    await ask(old, 'ReProvision', certificateOf(foreign)),
    { reason: ResultReason.InvalidField },
    'another role would be another client',
  )
  t.match(await ask(old, 'ReProvision', certificateOf(old)), { reason: ResultReason.InvalidField })
  t.ok(await isGood(old), 'a refusal ends nothing')
  t.equal((await ask(old, 'ReProvision', certificateOf(spare))).status, ResultStatus.Success)
  t.notOk(await isGood(old))
  t.ok(await isGood(spare))
})

t.test('what is refused', async t => {
  const { issue, isGood, ask, scopes } = await lab()
  const old = await issue()
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' })
  const both = await ask(old, 'ReProvision', csrOf(privateKey), certificateOf(old))
  t.equal(both.reason, ResultReason.InvalidMessage)
  t.equal((await ask(old, 'ReProvision', csrOf(privateKey))).reason, ResultReason.InvalidField, 'a key of another size than the role says')
  await scopes.writeRole('app', 'some', { operation_get: true })
  t.equal((await ask(await issue('some'), 'ReProvision')).reason, ResultReason.PermissionDenied)
  t.ok(await isGood(old))
})
