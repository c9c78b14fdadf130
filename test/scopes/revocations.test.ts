import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer } from 'node:tls'
import { Integer } from 'asn1js'
import t from 'tap'
import { decimalOf, parseCertificatePem } from '../../src/pki/certificate.ts'
import * as der from '../../src/pki/der.ts'
import { parsePublicKey } from '../../src/pki/keys.ts'
import { signatureHolds } from '../../src/pki/signatures.ts'
import type { Scopes } from '../../src/scopes/scopes.ts'
import { backupOf, restoreBackup } from '../../src/seal/backup.ts'
import { localProvider, newLocalKey } from '../../src/seal/local-provider.ts'
import { openRecords } from '../../src/seal/sealed-records.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import { SqliteContents } from '../../src/store/sqlite-contents.ts'
import { openScopes } from './opened.ts'

const START = Date.now()
const HOUR_MS = 3_600_000

/** A fresh administration with scope `finance` and its role `app`. */
async function furnished() {
  const clock = { ms: START }
  const records = await openRecords({ store: new MemoryStore(), providers: [localProvider(newLocalKey())] })
  const scopes = await openScopes({ records, now: () => clock.ms })
  await scopes.createScope('finance')
  await scopes.writeRole('finance', 'app', { operation_all: true })
  return { clock, records, scopes, generate: (role = 'app') => scopes.generateCredential('finance', role, { format: 'pem' }) }
}

/** What a list says, its signature checked with the certificate of its issuer. */
function parsed(list: Buffer, issuer: string) {
  const certificate = parseCertificatePem(issuer)
  const [toBeSigned, algorithm, signature] = der.inside(der.read(list, 'list'), 'list')
  if (!toBeSigned || !algorithm || !signature) throw new Error('a part of the list is missing')
  const holds = signatureHolds(
    der.raw(algorithm),
    der.raw(toBeSigned),
    der.content(signature).subarray(1),
    parsePublicKey(certificate.spki),
  )
  const fields = der.inside(toBeSigned, 'list')
  const entries = fields.length === 7 ? der.inside(fields[5], 'entries') : []
  const extensions = der.inside(der.inside(fields.at(-1), 'extensions')[0], 'extensions').map(one => der.inside(one, 'extension'))
  const value = (oid: string) => der.content(extensions.find(([id]) => der.dotted(id, 'type') === oid)!.at(-1)!)
  return {
    holds,
    issuer: der.raw(fields[2]!).equals(certificate.subject.der),
    number: Number(decimalOf(der.content(der.read(value('2.5.29.20'), 'number')))),
    authority: value('2.5.29.35').subarray(4),
    serials: entries.map(entry => decimalOf(der.content(der.inside(entry, 'entry').find(one => one instanceof Integer)!))).sort(),
  }
}

const now = async (scopes: Scopes, ca?: string) =>
  parsed(
    (await scopes.revocations.lists(ca)).der,
    (ca === undefined ? await scopes.caChain() : (await scopes.authorities.read(ca)).ca_chain)[0]!,
  )

t.test('whatever ends a credential puts it on the list of its CA', async t => {
  const { clock, records, scopes, generate } = await furnished()
  await t.rejects(scopes.revocations.lists(), { code: 'not-found' }, 'asking makes no CA')
  await scopes.authorities.generate('own', { key_type: 'rsa', key_bits: 2048 })
  await scopes.authorities.import('corp', { ca_pem: (await scopes.caChain())[1], scope_name: 'finance', role_field: 'CN' })
  await t.rejects(scopes.revocations.lists('none'), { code: 'not-found' })
  await t.rejects(scopes.revocations.lists('corp'), { code: 'invalid', message: /imported/ })
  t.match(await now(scopes), { holds: true, issuer: true, serials: [] })

  await scopes.writeRole('finance', 'going', { operation_all: true })
  await scopes.writeRole('finance', 'other', { ca: 'own' })
  const [kept, revoked, byRole, replaced] = [await generate(), await generate(), await generate('going'), await generate()]
  const [ofOther, withScope] = [await generate('other'), await generate('other')]
  await scopes.revokeCredential('finance', 'app', { serial_number: revoked.serial_number })
  await scopes.revokeCredential('finance', 'other', { serial_number: ofOther.serial_number })
  await scopes.deleteRole('finance', 'going')
  const { partition } = await scopes.readScope('finance')
  const plan = await scopes.planReplacement({ scope: partition, serial: replaced.serial_number }, {})
  await records.commit([...plan!.changes])
  const serials = [revoked, byRole, replaced].map(one => one.serial_number).sort()
  const list = await now(scopes)
  t.match(list, { holds: true, issuer: true, serials })
  const [intermediate] = await scopes.caChain()
  const identifier = parseCertificatePem(intermediate)
    .extensions.find(({ oid }) => oid === '2.5.29.14')!
    .value.subarray(2)
  t.same(list.authority, identifier)
  t.match(await now(scopes, 'own'), { holds: true, issuer: true, serials: [ofOther.serial_number] })

  t.equal((await scopes.revocations.lists()).der, (await scopes.revocations.lists()).der, 'it is made once while nothing changes')
  const other = await openScopes({ records, now: () => clock.ms })
  t.same((await now(other)).serials, serials, 'and every process says the same')
  clock.ms += HOUR_MS
  t.ok((await now(scopes)).number > list.number, 'it is made anew after a while')
  const { number } = await now(scopes)
  await scopes.deleteScope('finance')
  const after = await now(scopes)
  t.ok(after.number > number, 'each list has a higher number, within a millisecond too')
  t.ok([kept.serial_number, ...serials].every(serial => after.serials.includes(serial)))
  t.same((await now(scopes, 'own')).serials, [ofOther.serial_number, withScope.serial_number].sort())

  clock.ms += 15 * 24 * HOUR_MS
  t.not((await now(scopes)).serials.length, 0, 'just after the end a list still says it')
  await scopes.revocations.drop()
  t.not((await now(scopes)).serials.length, 0)
  clock.ms += 72 * HOUR_MS
  t.same((await now(scopes)).serials, [])
  const before = (await records.find('administration', [], { limit: 500 })).length
  await scopes.revocations.drop()
  t.equal((await records.find('administration', [], { limit: 500 })).length, before - 7, 'what was signed for two weeks is forgotten')
  t.same((await now(scopes, 'own')).serials, [])
})

t.test('OpenSSL refuses by the lists, and by nothing else', async t => {
  const { scopes, generate } = await furnished()
  const [good, bad] = [await generate(), await generate()]
  await scopes.revokeCredential('finance', 'app', { serial_number: bad.serial_number })
  const { certificate, key } = await scopes.serverCertificate()
  const ca = [...(await scopes.caChain())]
  // It wants a list of each CA in the chain.
  const crl = (await scopes.revocations.pem()).split(/\n(?=-----BEGIN)/)
  const server = createServer({ cert: certificate, key, ca, crl, requestCert: true, rejectUnauthorized: false })
  server.on('secureConnection', socket => socket.end(`${socket.authorizationError ?? 'good'}`))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  for (const [credential, expected] of [
    [good, 'good'],
    [bad, 'CERT_REVOKED'],
  ] as const) {
    const socket = connect({ host: '127.0.0.1', port, ca, cert: credential.certificate, key: credential.private_key! })
    t.equal(String((await once(socket, 'data'))[0]), expected)
    socket.destroy()
  }
})

t.test('a backup brings the list along', async t => {
  const path = `${t.testdir({})}/kmipd.db`
  const providers = [localProvider(newLocalKey())]
  const records = await openRecords({ store: await openSqlite({ path, directWriter: true }), providers })
  const scopes = await openScopes({ records, now: () => START })
  await scopes.createScope('finance')
  await scopes.writeRole('finance', 'app', {})
  const credential = await scopes.generateCredential('finance', 'app', { format: 'pem' })
  await scopes.revokeCredential('finance', 'app', { serial_number: credential.serial_number })
  const contents = SqliteContents.open(path, 'moment')
  const store = new MemoryStore()
  const backup = backupOf(contents, providers, { program: 'test', created: new Date(START).toISOString() })
  await restoreBackup(backup, { store, providers, termsOf: () => ({ terms: [], claims: [] }) })
  contents.close()
  await records.close()
  const restored = await openScopes({ records: await openRecords({ store, providers }), now: () => START })
  t.same((await now(restored)).serials, [credential.serial_number])
})
