import { createPrivateKey, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer } from 'node:tls'
import t from 'tap'
import { issueClient } from '../../src/pki/authority.ts'
import { certificatePem, parseCertificatePem } from '../../src/pki/certificate.ts'
import * as der from '../../src/pki/der.ts'
import { generateKey, type KeySpec, parsePrivateKey, specOf, spkiOf } from '../../src/pki/keys.ts'
import { encodeName } from '../../src/pki/name.ts'
import { parsePkcs12 } from '../../src/pki/pkcs12.ts'
import { signatureWith } from '../../src/pki/signatures.ts'
import type { Client, Identity, Refusal } from '../../src/scopes/access.ts'
import { listenAddress } from '../../src/scopes/configuration.ts'
import { FLAGS } from '../../src/scopes/permissions.ts'
import type { Scopes } from '../../src/scopes/scopes.ts'
import { secondsOf } from '../../src/scopes/values.ts'
import { localProvider, newLocalKey } from '../../src/seal/local-provider.ts'
import type { Records } from '../../src/seal/records.ts'
import { openRecords } from '../../src/seal/sealed-records.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { StoreError } from '../../src/store/store.ts'
import { ENUM } from '../../src/ttlv/enumerations.ts'
import { clientOf, openScopes } from './opened.ts'

const START = Date.now()
const DAY_MS = 86_400_000

const open = (): Promise<Records> => openRecords({ store: new MemoryStore(), providers: [localProvider(newLocalKey())] })

async function fresh(): Promise<{ records: Records; scopes: Scopes; clock: { ms: number } }> {
  const [records, clock] = [await open(), { ms: START }]
  return { records, clock, scopes: await openScopes({ records, now: () => clock.ms }) }
}

/** A fresh administration with scope `finance`, role `accounting` that may all, and one credential. */
async function furnished() {
  const all = await fresh()
  const scope = await all.scopes.createScope('finance')
  await all.scopes.writeRole('finance', 'accounting', { operation_all: true })
  const credential = await all.scopes.generateCredential('finance', 'accounting', { format: 'pem' })
  return { ...all, scope, credential, certificate: new X509Certificate(credential.certificate).raw }
}

async function identified(scopes: Scopes, certificate: Buffer): Promise<Identity> {
  const identity = await scopes.identify(certificate)
  if ('refused' in identity) throw new Error(identity.reason)
  return identity
}

/** Records with some of their functions replaced. */
const changed = (records: Records, changes: Partial<Records>): Records => ({
  get: (partition, id) => records.get(partition, id),
  revision: (partition, id) => records.revision(partition, id),
  find: (partition, terms, page) => records.find(partition, terms, page),
  commit: changes => records.commit(changes),
  version: () => records.version(),
  close: () => records.close(),
  ...changes,
})

const isClient = (answer: Client | Refusal): answer is Client => 'may' in answer

async function requestPem(spec: KeySpec): Promise<string> {
  const key = await generateKey(spec)
  const signature = signatureWith(key)
  const info = der.sequence(der.unsigned(Buffer.of(0)), encodeName([['CN', 'asked']]), spkiOf(key), der.item(0xa0))
  return der.toPem('CERTIFICATE REQUEST', der.sequence(info, signature.algorithm, signature.sign(info)))
}

t.test('configuration', async t => {
  const { scopes } = await fresh()
  t.equal(await scopes.isConfigured(), false)
  t.same(await scopes.configuration(), {
    listen_addrs: [],
    server_hostnames: ['localhost'],
    server_ips: ['127.0.0.1', '::1'],
    tls_ca_key_type: 'ec',
    tls_ca_key_bits: 256,
    tls_min_version: 'tls12',
    default_tls_client_key_type: 'ec',
    default_tls_client_key_bits: 256,
    default_tls_client_ttl: 1_209_600,
  })
  await scopes.writeConfiguration({})
  t.equal(await scopes.isConfigured(), true)
  await scopes.writeConfiguration({
    listen_addrs: '0.0.0.0:5696, [::1]:5697',
    server_hostnames: ['a.test'],
    default_tls_client_ttl: '1h30m',
  })
  await scopes.writeConfiguration({ default_tls_client_key_type: 'rsa', server_hostnames: null })
  t.match(await scopes.configuration(), {
    listen_addrs: ['0.0.0.0:5696', '[::1]:5697'],
    server_hostnames: ['a.test'],
    default_tls_client_ttl: 5400,
    default_tls_client_key_type: 'rsa',
    default_tls_client_key_bits: 2048,
  })
  t.same((await scopes.writeConfiguration({ listen_addrs: [] })).listen_addrs, [], 'an empty list empties')
  const REFUSED: [fields: object, message: RegExp][] = [
    [{ listen_addr: 'x' }, /"listen_addr" is not a setting/],
    [{ listen_addrs: 'a b' }, /listen_addrs: "a b" is not host:port/],
    [{ server_ips: ['localhost'] }, /server_ips: "localhost" is not an IP address/],
    [{ server_hostnames: ['a..b'] }, /is not a hostname/],
    [{ tls_ca_key_type: 'dsa' }, /must be "ec" or "rsa"/],
    [{ tls_ca_key_bits: 2048 }, /ec keys have 224, 256, 384, 521 bits, not 2048/],
    [{ default_tls_client_key_type: 'ec', default_tls_client_key_bits: '4096' }, /ec keys have/],
    [{ tls_min_version: 'ssl3' }, /one of tls10/],
    [{ default_tls_client_ttl: 'soon' }, /error converting input for field "default_tls_client_ttl"/],
    [{ default_tls_client_ttl: 0 }, /longer than 0/],
    [{ tls_ca_key_bits: [] }, /error converting input/],
  ]
  for (const [fields, message] of REFUSED)
    await t.rejects(scopes.writeConfiguration({ ...fields }), { name: 'ScopeError', code: 'invalid', message })

  const ADDRESSES: [text: string, address: ReturnType<typeof listenAddress>][] = [
    ['127.0.0.1', { host: '127.0.0.1', port: 5696 }],
    ['::1', { host: '::1', port: 5696 }],
    ['[::1]:1', { host: '::1', port: 1 }],
    ['kms.test:5700', { host: 'kms.test', port: 5700 }],
    [':5700', { host: '::', port: 5700 }],
    ['kms.test:70000', undefined],
    ['', undefined],
  ]
  for (const [text, address] of ADDRESSES) t.same(listenAddress(text), address, text)
  const DURATIONS: [text: unknown, seconds: number][] = [
    [300, 300],
    ['300', 300],
    ['5m', 300],
    ['1h30m', 5400],
    ['14d', 1_209_600],
    ['336h', 1_209_600],
    ['1500ms', 1],
    ['2w', 1_209_600],
  ]
  for (const [text, seconds] of DURATIONS) t.equal(secondsOf('f', text), seconds, String(text))
})

t.test('rules of roles', async t => {
  const { scopes } = await fresh()
  await scopes.createScope('s')
  type Fields = { readonly [field: string]: unknown }
  const CASES: [name: string, writes: Fields[], read: string[], may: string[], mayNot: string[]][] = [
    ['nothing at all', [{}], [], [], ['Get', 'Query', 'DiscoverVersions']],
    ['all', [{ operation_all: 'true' }], ['all'], ['Get', 'Check', 'DeriveKey', 'Query', 'Export'], ['NoSuchOperation']],
    ['none', [{ operation_none: true }], ['none'], [], ['Get', 'Query']],
    ['flags merge', [{ operation_get: true }, { operation_create: 'true' }], ['create', 'get'], ['Get', 'Create'], ['Locate']],
    ['false removes', [{ operation_get: true, operation_create: true }, { operation_get: false }], ['create'], ['Create'], ['Get']],
    ['an empty write changes nothing', [{ operation_get: true }, {}], ['get'], ['Get'], []],
    ['null is absent', [{ operation_get: true }, { operation_get: null }], ['get'], ['Get'], []],
    ['all replaces flags', [{ operation_get: true }, { operation_all: true }], ['all'], ['Locate'], []],
    ['none replaces flags', [{ operation_get: true }, { operation_none: true }], ['none'], [], ['Get']],
    ['flags replace all', [{ operation_all: true }, { operation_get: true }], ['get'], ['Get'], ['Create']],
    ['flags replace none', [{ operation_none: true }, { operation_get: true }], ['get'], ['Get'], ['Create']],
    ['all but', [{ operation_all: true, operation_destroy: false }], ['all'], ['Get'], ['Destroy']],
    ['all, later but', [{ operation_all: true }, { operation_destroy: false }], ['all'], ['Get'], ['Destroy']],
    ['all withdrawn', [{ operation_all: true }, { operation_all: false }], [], [], ['Get']],
    ['all exchanged', [{ operation_all: true }, { operation_all: false, operation_get: true }], ['get'], ['Get'], ['Create']],
    ['none with false', [{ operation_none: true, operation_get: false }], ['none'], [], ['Get']],
    [
      'both spellings',
      [{ operation_create_keypair: true, operation_rekey_keypair: true }],
      ['create_key_pair', 'rekey_key_pair'],
      ['CreateKeyPair', 'ReKeyKeyPair'],
      ['Create', 'ReKey'],
    ],
    ['own flags', [{ operation_check: true, operation_derive_key: true }], ['check', 'derive_key'], ['Check', 'DeriveKey'], ['Hash']],
  ]
  for (const [i, [name, writes, read, may, mayNot]] of CASES.entries()) {
    for (const fields of writes) await scopes.writeRole('s', `r${i}`, fields)
    const expected = Object.fromEntries(read.map(flag => [`operation_${flag}`, true]))
    t.same(await scopes.readRole('s', `r${i}`), { ...expected, tls_client_key_bits: 0, tls_client_key_type: '', tls_client_ttl: 0 }, name)
    const credential = await scopes.generateCredential('s', `r${i}`, { format: 'pem' })
    const peer = await scopes.peerOf(await identified(scopes, new X509Certificate(credential.certificate).raw))
    if (!isClient(peer)) throw new Error(peer.reason)
    for (const operation of may) t.equal(peer.may(operation), true, `${name}: may ${operation}`)
    for (const operation of mayNot) t.equal(peer.may(operation), false, `${name}: may not ${operation}`)
  }
  const REFUSED: [fields: Fields, message: RegExp][] = [
    [{ operation_all: true, operation_get: true }, /operation_all cannot be combined with operation_get/],
    [{ operation_none: true, operation_get: true }, /operation_none cannot be combined/],
    [{ operation_all: true, operation_none: true }, /exclude each other/],
    [{ operation_fly: true }, /"operation_fly" is not a field of a role/],
    [{ operation_get: 'maybe' }, /error converting input for field "operation_get"/],
    [{ operation_create_keypair: true, operation_create_key_pair: false }, /both true and false/],
    [{ tls_client_key_type: 'rsa', tls_client_key_bits: 256 }, /rsa keys have/],
  ]
  for (const [fields, message] of REFUSED)
    await t.rejects(scopes.writeRole('s', 'r0', fields), { name: 'ScopeError', code: 'invalid', message })
  t.same(Object.keys(await scopes.readRole('s', 'r0')).length, 3, 'a refused write changes nothing')

  await scopes.writeRole('s', 'tls', { tls_client_key_type: 'rsa', tls_client_key_bits: '3072', tls_client_ttl: '1h', operation_get: 1 })
  await scopes.writeRole('s', 'tls', {})
  t.same(await scopes.readRole('s', 'tls'), {
    operation_get: true,
    tls_client_key_bits: 3072,
    tls_client_key_type: 'rsa',
    tls_client_ttl: 3600,
  })

  const VAULT =
    'activate add_attribute create create_key_pair decrypt delete_attribute destroy discover_versions encrypt get get_attribute_list get_attributes import locate mac mac_verify modify_attribute query register rekey rekey_key_pair revoke rng_retrieve rng_seed sign signature_verify'
  for (const flag of ['all', 'none', ...VAULT.split(' ')]) t.ok(FLAGS.includes(`operation_${flag}`), flag)
  t.equal(FLAGS.length, Object.keys(ENUM.Operation).length + 2, 'one for each operation, and two')
  t.equal(new Set(FLAGS).size, FLAGS.length)
  for (const flag of FLAGS) t.match(flag, /^operation(_[a-z0-9]+)+$/)
})

t.test('names, lists and what is missing', async t => {
  const { scopes } = await fresh()
  t.same(await scopes.listScopes(), [])
  const { id } = await scopes.createScope('b')
  t.match(id, /^[0-9A-Za-z]{5}$/)
  await scopes.createScope('a.1-x_Y')
  t.same(await scopes.listScopes(), ['a.1-x_Y', 'b'])
  await scopes.writeRole('b', 'z', {})
  await scopes.writeRole('b', 'y', {})
  t.same(await scopes.listRoles('b'), ['y', 'z'])
  t.match(await scopes.readScope('b'), { id, name: 'b', createdMs: START, force: false, roles: 2, credentials: 0 })
  const missing = { name: 'ScopeError', code: 'not-found' }
  await t.rejects(scopes.createScope('b'), { name: 'ScopeError', code: 'exists' })
  for (const name of ['', 'a/b', '-a', 'a-', 'ä', 'x'.repeat(129)]) {
    await t.rejects(scopes.createScope(name), { name: 'ScopeError', code: 'invalid' })
    await t.rejects(scopes.writeRole('b', name, {}), { name: 'ScopeError', code: 'invalid' })
  }
  await t.rejects(scopes.listRoles('c'), missing)
  await t.rejects(scopes.writeRole('c', 'r', {}), missing)
  await t.rejects(scopes.readRole('b', 'r'), missing)
  await t.rejects(scopes.deleteRole('b', 'r'), missing)
  await t.rejects(scopes.deleteScope('c'), missing)
  await t.rejects(scopes.generateCredential('b', 'r'), missing)
  await t.rejects(scopes.lookupCredential('b', 'z', { serial_number: '1' }), missing)
  await t.rejects(scopes.revokeCredential('b', 'z', { serial_number: '1' }), missing)
  await t.rejects(scopes.revokeCredential('b', 'z', {}), { name: 'ScopeError', code: 'invalid' })
  await t.rejects(scopes.revokeCredential('b', 'z', { serial_number: '1', certificate: 'x' }), { name: 'ScopeError', code: 'invalid' })
  await t.rejects(scopes.revokeCredential('b', 'z', { certificate: 'x' }), { name: 'ScopeError', code: 'invalid' })

  const ids = ['aaaaa', 'aaaaa', 'bbbbb', 'bbbbb', 'ccccc']
  const again = await openScopes({ records: await open(), now: () => START, id: () => ids.shift()! })
  await again.createScope('one')
  await again.deleteScope('one')
  t.equal((await again.createScope('one')).id, 'bbbbb', 'the id of a deleted scope does not return')
  t.equal((await again.createScope('two')).id, 'ccccc')
})

t.test('credentials in their formats', async t => {
  const { scopes, credential } = await furnished()
  const [intermediate, root] = await scopes.caChain()
  t.same(credential.ca_chain, [intermediate, root])
  t.match(credential.private_key, /^-----BEGIN EC PRIVATE KEY-----\n[\s\S]*-----END EC PRIVATE KEY-----$/)
  t.match(credential.serial_number, /^\d{40,49}$/)
  const certificate = parseCertificatePem(credential.certificate)
  t.equal(certificate.serial, credential.serial_number)
  t.equal(certificate.notAfter.getTime(), Math.floor((START + 14 * DAY_MS) / 1000) * 1000)
  t.same(spkiOf(parsePrivateKey(credential.private_key!)), certificate.spki)
  const { id } = await scopes.readScope('finance')
  t.match(certificate.subject.text, new RegExp(`^CN=[0-9A-Za-z]{5},OU=${id}$`))

  const bundle = await scopes.generateCredential('finance', 'accounting')
  const inOrder = ['EC PRIVATE KEY', 'CERTIFICATE', 'CERTIFICATE', 'CERTIFICATE']
  t.same(
    [...bundle.certificate.matchAll(/BEGIN ([A-Z ]+)/g)].map(([, label]) => label),
    inOrder,
    'a bundle by default',
  )
  const binary = await scopes.generateCredential('finance', 'accounting', { format: 'der' })
  t.equal(new X509Certificate(Buffer.from(binary.certificate, 'base64')).subject, new X509Certificate(credential.certificate).subject)
  t.equal(binary.ca_chain.length, 2)
  await t.rejects(scopes.generateCredential('finance', 'accounting', { format: 'p12' }), { name: 'ScopeError', code: 'invalid' })

  t.same(
    (await scopes.listCredentials('finance', 'accounting')).map(row => row.serial_number).sort(),
    [credential, bundle, binary].map(({ serial_number }) => serial_number).sort(),
  )
  t.equal((await scopes.credentials()).length, 3)
  const { private_key: _, ...stored } = credential
  t.same(await scopes.lookupCredential('finance', 'accounting', { serial_number: credential.serial_number, format: 'pem' }), stored)
  await scopes.writeRole('finance', 'other', {})
  const elsewhere = scopes.lookupCredential('finance', 'other', { serial_number: credential.serial_number })
  await t.rejects(elsewhere, { name: 'ScopeError', code: 'not-found' }, 'only below its own role')

  const csr = await requestPem({ type: 'ec', bits: 256 })
  const signed = await scopes.signRequest('finance', 'accounting', { csr, format: 'pem' })
  t.equal(signed.private_key, undefined)
  t.equal(new X509Certificate(signed.certificate).subject, new X509Certificate(credential.certificate).subject, 'the subject is ours')
  const wrong = scopes.signRequest('finance', 'accounting', { csr: await requestPem({ type: 'rsa', bits: 2048 }) })
  await t.rejects(wrong, {
    name: 'ScopeError',
    code: 'invalid',
    message: /rsa with 2048 bits, and role accounting asks for ec with 256 bits/,
  })
  const larger = scopes.signRequest('finance', 'accounting', { csr: await requestPem({ type: 'ec', bits: 384 }) })
  await t.rejects(larger, { name: 'ScopeError', code: 'invalid' })
  await t.rejects(scopes.signRequest('finance', 'accounting', { csr: 'x' }), { name: 'ScopeError', code: 'invalid' })

  await scopes.revokeCredential('finance', 'accounting', { certificate: signed.certificate })
  await scopes.revokeCredential('finance', 'accounting', { serial_number: bundle.serial_number })
  await t.rejects(scopes.lookupCredential('finance', 'accounting', bundle), { name: 'ScopeError', code: 'not-found' })
  t.equal((await scopes.readScope('finance')).credentials, 2)

  await scopes.writeRole('finance', 'rsa', { tls_client_key_type: 'rsa', tls_client_ttl: '10w' })
  const rsa = await scopes.generateCredential('finance', 'rsa', { format: 'pem' })
  t.same(specOf(parsePrivateKey(rsa.private_key!)), { type: 'rsa', bits: 2048 })
})

t.test('who a certificate belongs to', async t => {
  const { scopes, records, scope, clock, credential, certificate } = await furnished()
  const identity = await identified(scopes, certificate)
  t.match(identity, { scope: scope.id, serial: credential.serial_number })
  const peer = await scopes.peerOf(identity)
  t.match(peer, { scope: scope.id, scopeName: 'finance', role: 'accounting', serial: credential.serial_number })

  const presented = { ou: identity.scope, cn: identity.role, serial: identity.serial, fingerprint: identity.fingerprint }
  t.same(await scopes.identify(presented), identity)
  const colons = identity.fingerprint.toUpperCase().match(/../g)!.join(':')
  t.same(await scopes.identify({ ...presented, fingerprint: colons }), identity, 'as tls prints it')
  for (const change of [{ serial: '1' }, { fingerprint: '00' }, { ou: 'aaaaa' }, { cn: 'aaaaa' }])
    t.match(await scopes.identify({ ...presented, ...change }), { refused: 'unknown' }, JSON.stringify(change))

  const { issuer } = await scopes.signer()
  const spki = spkiOf(await generateKey({ type: 'ec', bits: 256 }))
  const twin = issueClient(issuer, identity, { spki, nowMs: START, lifeMs: DAY_MS })
  t.match(await scopes.identify(twin), { refused: 'unknown', reason: /not among the credentials/ }, 'signed by our CA but not stored')
  t.match(await scopes.identify(issueClient(issuer, { scope: scope.id, role: 'x' }, { spki, nowMs: START, lifeMs: DAY_MS })), {
    reason: /its CN is no role/,
  })
  t.match(await scopes.identify(issueClient(issuer, { scope: 'x', role: 'x' }, { spki, nowMs: START, lifeMs: DAY_MS })), {
    reason: /its OU is no scope/,
  })
  t.match(await scopes.identify(Buffer.from('junk')), { refused: 'malformed' })

  t.match(await clientOf(scopes, certificate), { role: 'accounting' })
  t.match(await clientOf(scopes, twin), { refused: 'unknown' })
  const version = records.version()
  await scopes.writeRole('finance', 'accounting', { operation_get: true })
  t.not(records.version(), version, 'who keeps what `peerOf` said sees that it may have changed')

  clock.ms += 15 * DAY_MS
  t.match(await scopes.peerOf(identity), { refused: 'expired' }, 'an open connection does not outlive its certificate')
  t.match(await scopes.identify(certificate), { refused: 'expired' })
})

t.test('what one process commits, another sees at once', async t => {
  const { records, scopes, credential, certificate } = await furnished()
  const other = await openScopes({ records, now: () => START })
  const identity = await identified(other, certificate)
  const may = async (operation: string) => {
    const peer = await other.peerOf(identity)
    return isClient(peer) ? peer.may(operation) : peer.refused
  }
  t.equal(await may('Get'), true)
  await scopes.writeRole('finance', 'accounting', { operation_create: true })
  t.equal(await may('Get'), false)
  t.equal(await may('Create'), true)
  await scopes.revokeCredential('finance', 'accounting', { serial_number: credential.serial_number })
  t.equal(await may('Create'), 'revoked')
  t.match(await other.identify(certificate), { refused: 'unknown' })

  const next = await scopes.generateCredential('finance', 'accounting', { format: 'pem' })
  const again = await identified(other, new X509Certificate(next.certificate).raw)
  t.ok(isClient(await other.peerOf(again)))
  await scopes.deleteRole('finance', 'accounting')
  t.match(await other.peerOf(again), { refused: 'revoked' }, 'deleting a role revokes its credentials')
  t.same(await other.credentials(), [])
  await scopes.writeRole('finance', 'accounting', { operation_all: true })
  t.match(await other.peerOf(again), { refused: 'revoked' }, 'and a new role of that name does not revive them')

  // Both write without knowing of each other; each change builds on the newest one.
  const names = Array.from({ length: 20 }, (_, i) => `s${i}`)
  await Promise.all(names.map((name, i) => (i % 2 ? scopes : other).createScope(name)))
  t.same(await other.listScopes(), await scopes.listScopes())
  t.equal((await scopes.listScopes()).length, 21)
  const flags = FLAGS.slice(2, 22)
  await Promise.all(flags.map((flag, i) => (i % 2 ? scopes : other).writeRole('s1', 'r', { [flag]: true })))
  t.equal(Object.keys(await scopes.readRole('s1', 'r')).length, flags.length + 3, 'no flag was lost')
  t.same(await scopes.readRole('s1', 'r'), await other.readRole('s1', 'r'))
  const both = await Promise.allSettled([scopes.createScope('race'), other.createScope('race')])
  t.same(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])

  const third = await openScopes({ records, now: () => START })
  for (let i = 0; i < 200; i++) await scopes.writeRole('s2', `r${i % 3}`, {})
  t.same(await third.listRoles('s2'), ['r0', 'r1', 'r2'], 'one that is further behind than the journal goes reads everything')
  const chains = await Promise.all([scopes, other, third].map(one => one.caChain()))
  t.same(chains[0], chains[1])
  t.same(chains[0], chains[2])
})

t.test('first use from several processes makes one CA', async t => {
  const records = await open()
  const all = await Promise.all([1, 2, 3].map(() => openScopes({ records, now: () => START })))
  const chains = await Promise.all(all.map(one => one.caChain()))
  t.equal(new Set(chains.map(chain => chain.join())).size, 1)
  const servers = await Promise.all(all.map(one => one.serverCertificate()))
  t.equal(new Set(servers.map(server => server.certificate)).size, 1)
})

t.test('a store that fails lets nobody in', async t => {
  const { records, certificate } = await furnished()
  let fails = false
  const wrapped = changed(records, {
    revision(partition, id) {
      if (fails) return Promise.reject(new StoreError('unavailable', 'the store is gone'))
      return records.revision(partition, id)
    },
  })
  const scopes = await openScopes({ records: wrapped, now: () => START })
  const identity = await identified(scopes, certificate)
  fails = true
  await records.commit([{ partition: 'elsewhere', id: 'x', expect: 0, body: Buffer.of(1) }])
  await t.rejects(scopes.peerOf(identity), { name: 'StoreError', code: 'unavailable' })
  await t.rejects(scopes.peerOf(identity), { name: 'StoreError', code: 'unavailable' }, 'still')
  fails = false
  t.ok(isClient(await scopes.peerOf(identity)), 'and recovers')
})

t.test('a check of an open connection costs little', async t => {
  const { records, certificate } = await furnished()
  let looks = 0
  const counted = changed(records, {
    revision(partition, id) {
      looks++
      return records.revision(partition, id)
    },
  })
  const scopes = await openScopes({ records: counted, now: () => START })
  const identity = await identified(scopes, certificate)
  looks = 0
  for (let i = 0; i < 1000; i++) await scopes.peerOf(identity)
  t.equal(looks, 0, 'nothing is asked while nothing changes')
  await records.commit([{ partition: 'elsewhere', id: 'x', expect: 0, body: Buffer.of(1) }])
  await Promise.all(Array.from({ length: 100 }, () => scopes.peerOf(identity)))
  t.equal(looks, 1, 'and once for all who ask when something did')
})

t.test('deleting a scope', async t => {
  const { records, scopes, scope, certificate } = await furnished()
  const identity = await identified(scopes, certificate)
  const count = 450
  const changes = Array.from({ length: count }, (_, i) => ({ partition: scope.id, id: `o${i}`, expect: 0, body: Buffer.of(1) }))
  await records.commit(changes)
  await t.rejects(scopes.deleteScope('finance'), { name: 'ScopeError', code: 'not-empty', message: /scope finance has managed objects/ })
  t.ok(isClient(await scopes.peerOf(identity)), 'a refused deletion changes nothing')
  await scopes.deleteScope('finance', { force: true })
  t.match(await scopes.peerOf(identity), { refused: 'revoked' })
  t.same(await records.find(scope.id, [], { limit: 10 }), [])
  t.same(await scopes.listScopes(), [])
  t.not((await scopes.createScope('finance')).id, scope.id)
  t.same(await scopes.listRoles('finance'), [])

  const kept = await scopes.createScope('remembers', { force: true })
  await records.commit([{ partition: kept.id, id: 'o', expect: 0, body: Buffer.of(1) }])
  await scopes.deleteScope('remembers')
  t.same(await records.find(kept.id, [], { limit: 1 }), [], 'forced when it was made')
})

t.test('a deletion that was cut short is finished later', async t => {
  const { records, scopes, scope, certificate } = await furnished()
  const identity = await identified(scopes, certificate)
  await records.commit(Array.from({ length: 250 }, (_, i) => ({ partition: scope.id, id: `o${i}`, expect: 0, body: Buffer.of(1) })))
  let commits = 0
  const dying = changed(records, {
    async commit(changes) {
      if (++commits === 4) throw new StoreError('unavailable', 'killed')
      await records.commit(changes)
    },
  })
  const cut = await openScopes({ records: dying, now: () => START })
  await t.rejects(cut.deleteScope('finance', { force: true }), { name: 'StoreError', code: 'unavailable' })
  t.match(await scopes.peerOf(identity), { refused: 'revoked' }, 'its clients are out')
  t.equal((await records.find(scope.id, [], { limit: 500 })).length, 50)
  const later = await openScopes({ records, now: () => START })
  await later.resume()
  t.same(await records.find(scope.id, [], { limit: 1 }), [])
  await later.resume()

  const second = await furnished()
  let commitsOfRole = 0
  const dyingAgain = changed(second.records, {
    async commit(changes) {
      if (++commitsOfRole === 2) throw new StoreError('unavailable', 'killed')
      await second.records.commit(changes)
    },
  })
  const cutAgain = await openScopes({ records: dyingAgain, now: () => START })
  await t.rejects(cutAgain.deleteRole('finance', 'accounting'), { name: 'StoreError', code: 'unavailable' })
  t.match(await second.scopes.identify(second.certificate), { refused: 'revoked' }, 'clients of a half deleted role are out too')
  t.equal((await second.scopes.readScope('finance')).credentials, 1)
  await second.scopes.resume()
  t.equal((await second.scopes.readScope('finance')).credentials, 0)
})

t.test('an object that comes while an empty scope is deleted is kept', async t => {
  const { records, scope } = await furnished()
  let commits = 0
  const raced = changed(records, {
    async commit(changes) {
      await records.commit(changes)
      if (++commits === 1) await records.commit([{ partition: scope.id, id: 'late', expect: 0, body: Buffer.of(1) }])
    },
  })
  const scopes = await openScopes({ records: raced, now: () => START })
  await t.rejects(scopes.deleteScope('finance'), { name: 'ScopeError', code: 'not-empty' })
  t.same(await scopes.listScopes(), ['finance'])
  t.match(await scopes.readScope('finance'), { id: scope.id, roles: 1, credentials: 1 })
})

t.test('the server certificate', async t => {
  const { records, scopes, clock } = await fresh()
  const first = await scopes.serverCertificate()
  const certificate = parseCertificatePem(first.certificate)
  t.equal(certificate.subject.text, 'CN=localhost')
  t.same(
    certificate.subjectAlternativeNames.map(({ kind, text }) => `${kind} ${text}`),
    ['dns localhost', 'ip 127.0.0.1', 'ip ::1'],
  )
  t.equal(new X509Certificate(first.certificate).keyUsage?.[0], '1.3.6.1.5.5.7.3.1', 'serverAuth')
  t.ok(first.certificate.endsWith((await scopes.caChain())[0]), 'the intermediate follows')
  const restarted = await openScopes({ records, now: () => clock.ms })
  t.same(await restarted.serverCertificate(), first, 'kept over restarts')
  const serialAfter = async () => parseCertificatePem((await restarted.serverCertificate()).certificate).serial
  clock.ms += 59 * DAY_MS
  t.equal(await serialAfter(), certificate.serial)
  clock.ms += 2 * DAY_MS
  const renewed = await serialAfter()
  t.not(renewed, certificate.serial, 'renewed when a third of its life is left')
  t.equal(await serialAfter(), renewed)
  await scopes.writeConfiguration({ server_hostnames: 'kms.test,localhost' })
  const renamed = await restarted.serverCertificate()
  t.equal(parseCertificatePem(renamed.certificate).subject.text, 'CN=kms.test')
  await scopes.writeConfiguration({ default_tls_client_ttl: 60 })
  t.same(await restarted.serverCertificate(), renamed, 'other settings do not matter')
  await scopes.writeConfiguration({ server_hostnames: [], server_ips: '10.0.0.1' })
  t.equal(parseCertificatePem((await restarted.serverCertificate()).certificate).subject.text, 'CN=10.0.0.1')
  await scopes.writeConfiguration({ tls_ca_key_bits: 224 })
  t.same(specOf(parsePrivateKey((await restarted.serverCertificate()).key)), { type: 'ec', bits: 256 })
})

t.test('another kind of CA key: clients of the old CA and of the new one connect', async t => {
  const { scopes, credential } = await furnished()
  const before = await scopes.caChain()
  await scopes.writeConfiguration({ tls_ca_key_type: 'rsa' })
  const chain = await scopes.caChain()
  t.not(chain[1], before[1])
  const after = await scopes.generateCredential('finance', 'accounting', { format: 'pem' })
  t.same(after.ca_chain, chain)
  t.same(
    (await scopes.lookupCredential('finance', 'accounting', { serial_number: credential.serial_number, format: 'pem' })).ca_chain,
    chain,
  )

  const { certificate, key } = await scopes.serverCertificate()
  const server = createServer({ cert: certificate, key, ca: [...(await scopes.trusted())], requestCert: true, rejectUnauthorized: true })
  server.on('secureConnection', async socket => {
    const peer = await scopes.peerOf(await identified(scopes, socket.getPeerCertificate().raw))
    socket.end(isClient(peer) ? peer.serial : peer.reason)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  for (const { certificate: cert, private_key, serial_number } of [credential, after]) {
    const socket = connect({ host: '127.0.0.1', port, ca: chain[1], cert, key: private_key! })
    const [data] = await once(socket, 'data')
    t.equal(String(data), serial_number)
    socket.destroy()
  }
  server.close()
})

t.test('a credential as a PKCS#12 file under a password', async t => {
  const { scopes } = await furnished()
  for (const password of ['', undefined, 5])
    await t.rejects(scopes.generatePkcs12('finance', 'accounting', { password }), { code: 'invalid', message: /password/ })
  t.equal((await scopes.listCredentials('finance', 'accounting')).length, 1, 'nothing was made')
  const made = await scopes.generatePkcs12('finance', 'accounting', { password: 'pässword' })
  t.notOk('private_key' in made)
  const file = Buffer.from(made.pkcs12, 'base64')
  await t.rejects(parsePkcs12(file, 'other'), { code: 'password' })
  const { privateKeys, certificates } = await parsePkcs12(file, 'pässword')
  t.equal(privateKeys[0]?.friendlyName, 'finance/accounting')
  const key = createPrivateKey({ key: privateKeys[0]!.pkcs8, format: 'der', type: 'pkcs8' })
  t.ok(new X509Certificate(certificates[0]!.der).checkPrivateKey(key))
  t.same(
    certificates.map(one => certificatePem(one.der)),
    [made.certificate, ...made.ca_chain],
  )
  t.ok(isClient(await clientOf(scopes, certificates[0]!.der)))
})

t.test('no private key of a client is stored, and what is stored is sealed', async t => {
  const bodies: Buffer[] = []
  const store = new MemoryStore()
  const commit = store.commit.bind(store)
  store.commit = async changes => {
    bodies.push(...changes.flatMap(({ body }) => (body ? [body] : [])))
    await commit(changes)
  }
  const records = await openRecords({ store, providers: [localProvider(newLocalKey())] })
  const scopes = await openScopes({ records, now: () => START })
  await scopes.createScope('finance')
  await scopes.writeRole('finance', 'accounting', { operation_all: true })
  const { private_key } = await scopes.generateCredential('finance', 'accounting', { format: 'pem' })
  const all = Buffer.concat(bodies).toString('latin1')
  for (const text of ['finance', 'accounting', 'BEGIN', 'kmipd-default']) t.notOk(all.includes(text), text)
  const clear: string[] = []
  for (const { id } of await records.find('administration', [], { limit: 100 }))
    clear.push(String((await records.get('administration', id))?.body))
  const secret = private_key!.split('\n')[1]!
  t.notOk(clear.some(text => text.includes(secret)))
  t.ok(
    clear.some(text => text.includes('BEGIN EC PRIVATE KEY')),
    'the CA key is there',
  )
  t.equal(certificatePem(Buffer.of(0)), '-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----')
})
