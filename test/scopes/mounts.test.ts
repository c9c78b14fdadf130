import { X509Certificate } from 'node:crypto'
import t from 'tap'
import { issueClient, makeAuthority } from '../../src/pki/authority.ts'
import { certificatePem } from '../../src/pki/certificate.ts'
import { issueCertificate } from '../../src/pki/issue.ts'
import { generateKey, spkiOf } from '../../src/pki/keys.ts'
import { encodeName } from '../../src/pki/name.ts'
import { openMounts } from '../../src/scopes/mounts.ts'
import { localProvider, newLocalKey } from '../../src/seal/local-provider.ts'
import { openRecords } from '../../src/seal/sealed-records.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { clientOf } from './opened.ts'

const EC = { type: 'ec', bits: 256 } as const
const NOW = Date.now()
const DAY_MS = 86_400_000

async function fresh() {
  const records = await openRecords({ store: new MemoryStore(), providers: [localProvider(newLocalKey())] })
  return { records, mounts: await openMounts({ records, now: () => NOW }) }
}
const derOf = (pem: string): Buffer => new X509Certificate(pem).raw

t.test('mounts hold administrations of their own', async t => {
  const { records, mounts } = await fresh()
  t.same(
    (await mounts.list()).map(({ row }) => [row.path, row.implicit]),
    [['kmip/', true]],
  )
  const first = await mounts.scopesAt('kmip/')
  await first.createScope('finance')
  await mounts.enable('kmip/', { description: 'mine' })
  await t.rejects(mounts.enable('kmip/', {}), { code: 'exists', message: 'path is already in use at kmip/' })
  await t.rejects(mounts.enable('kmip/sub/', {}), { code: 'exists', message: 'path is already in use at kmip/' })
  await mounts.enable('team/a/', {})
  const second = await mounts.scopesAt('team/a/')
  t.same([await first.listScopes(), await second.listScopes()], [['finance'], []])
  await second.createScope('finance')
  await second.writeRole('finance', 'app', { operation_all: true })
  const { certificate } = await second.generateCredential('finance', 'app', { format: 'pem' })
  t.match(await clientOf(first, derOf(certificate)), { refused: 'unknown' })
  const client = await clientOf(second, derOf(certificate))
  if ('refused' in client) throw new Error(client.reason)
  const { id } = await second.readScope('finance')
  t.match(client.scope, new RegExp(`^[0-9a-f]{8}\\.${id}$`), 'a partition that no scope of another mount can have')
  await records.commit([{ partition: client.scope, id: 'object', expect: 0, body: Buffer.from('x') }])

  const other = await openMounts({ records, now: () => NOW })
  await mounts.move('team/a/', 'team-b/')
  t.same(await (await other.scopesAt('team-b/')).listScopes(), ['finance'], 'another process sees it, with all that it holds')
  await t.rejects(mounts.move('team/a/', 'x/'), { code: 'not-found' })
  await t.rejects(mounts.move('team-b/', 'kmip/y/'), { code: 'exists' })

  await mounts.disable('team-b/')
  t.equal(await records.revision(client.scope, 'object'), 0, 'its objects are gone')
  t.match(await clientOf(second, derOf(certificate)), { refused: 'unknown' })
  await mounts.disable('kmip/')
  t.same(await other.list(), [])
  await mounts.enable('kmip/', {})
  t.same(await (await other.scopesAt('kmip/')).listScopes(), [], 'a new engine in the old place is empty')
})

t.test('named CAs sign for roles, and are kept while they are used', async t => {
  const { mounts } = await fresh()
  const scopes = await mounts.scopesAt('kmip/')
  const { authorities, listeners } = scopes
  const made = await authorities.generate('own', { key_type: 'ec', key_bits: 256, ttl: 86_400 * 400 })
  t.match(made, { imported: false, key_type: 'ec', key_bits: 256, ttl: 86_400 * 400, serial_number: /^\d+$/ })
  t.equal(made.ca_pem, made.ca_chain.join('\n'))
  t.ok(Math.abs(Date.parse(new X509Certificate(made.certificate).validTo) - NOW - 400 * DAY_MS) < 2000)
  await t.rejects(authorities.generate('own', { key_type: 'ec', key_bits: 256 }), { code: 'exists' })
  await t.rejects(authorities.generate('odd', { key_type: 'ec', key_bits: 255 }), { code: 'invalid' })
  await t.rejects(authorities.map('own', { scope_name: 'a', role_name: 'b' }), /only imported CAs/)
  await scopes.createScope('finance')
  t.match(await scopes.writeRole('finance', 'app', { operation_all: true, ca: 'own' }), { ca: 'own' })
  await t.rejects(scopes.writeRole('finance', 'app', { ca: 'none' }), { code: 'invalid' })
  const credential = await scopes.generateCredential('finance', 'app', { format: 'pem' })
  t.same(credential.ca_chain, made.ca_chain)
  t.ok(new X509Certificate(credential.certificate).checkIssued(new X509Certificate(made.certificate)))
  t.match(await scopes.identify(derOf(credential.certificate), new Set([''])), { refused: 'unknown' }, 'not on a listener of another CA')
  t.match(await scopes.identify(derOf(credential.certificate), new Set(['own'])), { ca: 'own' })
  await t.rejects(authorities.delete('own'), /in use by role app/)

  const listener = { ca: 'own', address: '127.0.0.1:5697', server_hostnames: 'localhost', also_use_legacy_ca: 'true' }
  t.same(await listeners.write('l', listener), {
    ca: 'own',
    address: '127.0.0.1:5697',
    server_hostnames: ['localhost'],
    server_ips: ['127.0.0.1', '::1'],
    additional_client_cas: [],
    also_use_legacy_ca: true,
    tls_min_version: 'tls12',
    tls_max_version: '',
    tls_cipher_suites: '',
  })
  for (const [fields, text] of [
    [{ ca: 'none' }, /no CA none/],
    [{ address: 'nowhere' }, /not host:port/],
    [{ tls_min_version: 'tls11' }, /must be one of/],
    [{ tls_min_version: 'tls13', tls_max_version: 'tls12' }, /older/],
    [{ tls_cipher_suites: 'TLS_RSA_WITH_RC4_128_SHA' }, /not served/],
    [{ additional_client_cas: 'gone' }, /no CA gone/],
    [{ what: 1 }, /"what" is not a field of a listener; the fields are .*server_hostnames/],
  ] as const)
    await t.rejects(listeners.write('l', fields), text)
  await listeners.write('l', { tls_cipher_suites: 'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384', tls_max_version: 'tls12' })
  const plan = await listeners.plan('l')
  t.match(plan, { address: { port: 5697 }, maxVersion: 'TLSv1.2', ciphers: /ECDHE-ECDSA-AES256-GCM-SHA384$/ })
  t.same(plan.admits, new Set(['own', '']))
  t.ok(new X509Certificate(plan.certificate.certificate).checkIssued(new X509Certificate(made.certificate)))
  t.equal((await listeners.plan('l')).certificate.certificate, plan.certificate.certificate, 'the same until it must change')
  await scopes.deleteRole('finance', 'app')
  await t.rejects(authorities.delete('own'), /in use by listener l/)
  await listeners.delete('l')
  await listeners.delete('l')
  await authorities.delete('own')
  t.same([await authorities.list(), await listeners.list()], [[], []])
})

t.test('imported CAs say whose their certificates are', async t => {
  const { mounts } = await fresh()
  const scopes = await mounts.scopesAt('kmip/')
  const { authorities } = scopes
  const corporate = await makeAuthority(EC, 'corporate', NOW)
  const root = certificatePem(corporate.root.certificate)
  const key = await generateKey(EC)
  const certified = (subject: Parameters<typeof encodeName>[0], lengthMs = DAY_MS, by = corporate.root): Buffer =>
    issueCertificate(
      {
        subject: encodeName(subject),
        spki: spkiOf(key),
        notBefore: new Date(NOW - DAY_MS),
        notAfter: new Date(NOW + lengthMs),
        extensions: [],
      },
      { name: encodeName([['CN', 'corporate']]), key: by.key },
    )
  await scopes.createScope('finance')
  await scopes.writeRole('finance', 'app', { operation_get: true })
  const app = certified([
    ['OU', 'finance'],
    ['UID', 'app'],
  ])
  t.match(await clientOf(scopes, app), { refused: 'unknown' })
  for (const [fields, text] of [
    [{ ca_pem: root, scope_name: 'a', scope_field: 'CN', role_name: 'b' }, /exactly one of scope_name and scope_field/],
    [{ ca_pem: root, scope_name: 'a' }, /exactly one of role_name and role_field/],
    [{ ca_pem: root, scope_name: 'a', role_field: 'DC' }, /one of CN, O, OU, UID/],
    [{ ca_pem: 'x', scope_name: 'a', role_name: 'b' }, /no certificate/],
    [{ ca_pem: certificatePem(app), scope_name: 'a', role_name: 'b' }, /is not a CA/],
  ] as const)
    await t.rejects(authorities.import('corp', fields), text)
  const answer = await authorities.import('corp', { ca_pem: `\n${root}\n`, scope_field: 'OU', role_field: 'UID' })
  t.match(answer, { imported: true, scope_field: 'OU', role_field: 'UID', ca_chain: [root] })
  const client = await clientOf(scopes, app)
  if ('refused' in client) throw new Error(client.reason)
  t.same([client.scopeName, client.role, client.may('Get'), client.may('Create')], ['finance', 'app', true, false])
  t.match(await scopes.identify(app, new Set(['', 'other'])), { refused: 'unknown' }, 'not where that CA is not admitted')

  t.match(
    await clientOf(
      scopes,
      certified([
        ['OU', 'none'],
        ['UID', 'app'],
      ]),
    ),
    { refused: 'unknown' },
  )
  const twice = certified([
    ['OU', 'finance'],
    ['OU', 'other'],
    ['UID', 'app'],
  ])
  t.match(await clientOf(scopes, twice), { refused: 'unknown' }, 'two units: nobody can say which')
  const forged = certified(
    [
      ['OU', 'finance'],
      ['UID', 'app'],
    ],
    DAY_MS,
    corporate.intermediate,
  )
  t.match(await clientOf(scopes, forged), { refused: 'unknown' }, 'signed with another key')
  const ended = certified(
    [
      ['OU', 'finance'],
      ['UID', 'app'],
    ],
    -1000,
  )
  t.match(await clientOf(scopes, ended), { refused: 'unknown' })
  const copied = issueClient(
    { name: encodeName([['CN', 'corporate']]), key: corporate.root.key },
    { scope: 'x', role: 'y' },
    {
      spki: spkiOf(key),
      nowMs: NOW,
      lifeMs: DAY_MS,
    },
  )
  t.match(await clientOf(scopes, copied), { refused: 'unknown' })

  const identity = await scopes.identify(app)
  if ('refused' in identity) throw new Error(identity.reason)
  await authorities.map('corp', { role_name: 'other' })
  t.match(await authorities.read('corp'), { scope_field: 'OU', role_name: 'other', role_field: undefined })
  t.match(await scopes.peerOf(identity), { refused: 'revoked' }, 'another mapping counts at once')
  await authorities.map('corp', { role_name: 'app' })
  t.match(await scopes.peerOf(identity), { role: 'app' })
  await authorities.delete('corp')
  t.match(await scopes.peerOf(identity), { refused: 'revoked' })
})
