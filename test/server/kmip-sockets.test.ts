import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import t from 'tap'
import { Identities } from '../../src/admin/auth/identities.ts'
import { storeFields } from '../../src/cli/data.ts'
import { KmipClient } from '../../src/client/client.ts'
import { parseConfig } from '../../src/config/parse.ts'
import { makeAuthority } from '../../src/pki/authority.ts'
import { certificatePem } from '../../src/pki/certificate.ts'
import { authorityConstraints, extendedKeyUsage, keyUsage } from '../../src/pki/extensions.ts'
import { issueCertificate } from '../../src/pki/issue.ts'
import { generateKey, privateKeyPem, spkiOf } from '../../src/pki/keys.ts'
import { encodeName } from '../../src/pki/name.ts'
import { openMounts } from '../../src/scopes/mounts.ts'
import { localProvider, newLocalKey } from '../../src/seal/local-provider.ts'
import { openRecords } from '../../src/seal/sealed-records.ts'
import { Daemon } from '../../src/server/daemon.ts'
import { createLog } from '../../src/server/log.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { encode } from '../../src/ttlv/binary.ts'
import { ENUM } from '../../src/ttlv/enumerations.ts'
import { child, enumeration, type Item, integer, structure } from '../../src/ttlv/item.ts'
import { TAG } from '../../src/ttlv/tags.ts'
import { freePort, listening } from '../free-port.ts'

const EC = { type: 'ec', bits: 256 } as const
const QUERY = structure(TAG.RequestMessage, [
  structure(TAG.RequestHeader, [
    structure(TAG.ProtocolVersion, [integer(TAG.ProtocolVersionMajor, 1), integer(TAG.ProtocolVersionMinor, 4)]),
    integer(TAG.BatchCount, 1),
  ]),
  structure(TAG.BatchItem, [
    enumeration(TAG.Operation, ENUM.Operation.Query),
    structure(TAG.RequestPayload, [enumeration(TAG.QueryFunction, ENUM.QueryFunction.QueryOperations)]),
  ]),
])

interface Credential {
  readonly certificate: string
  readonly private_key: string
}

t.test('listeners follow what administrators write, and leave each other alone', async t => {
  const config = parseConfig(
    "store: { kind: memory }\nmetrics: { listen: off }\nadmin: { listen: '127.0.0.1:0' }\nkmip: { drain: 1s }",
    join(t.testdir({}), 'kmipd.yaml'),
    { env: {}, readFile: () => '' },
  )
  const records = await openRecords({ store: new MemoryStore(), providers: [localProvider(newLocalKey())] })
  const mounts = await openMounts({ records, now: Date.now })
  const token = await (await Identities.open({ records, now: Date.now })).createRoot()
  const log = createLog({ level: 'silent' })
  const daemon = await Daemon.start({ config, data: { records, mounts }, log, version: '0', kmip: [{ host: '127.0.0.1', port: 0 }] })
  t.teardown(async () => {
    await daemon.stop()
    await records.close()
  })

  async function api(method: string, path: string, body?: object, wanted = [200, 204]): Promise<Record<string, unknown>> {
    const answer = await fetch(`${daemon.addresses.admin}/v1/${path}`, {
      method,
      headers: { 'X-Vault-Token': token },
      ...(body && { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    t.ok(wanted.includes(answer.status), `${method} ${path}: ${answer.status} ${answer.status > 299 ? text : ''}`)
    return text === '' ? {} : (JSON.parse(text).data ?? JSON.parse(text))
  }
  async function credentialOf(mount: string, role: object): Promise<Credential> {
    await api('PUT', `${mount}/scope/app`, {})
    await api('PUT', `${mount}/scope/app/role/all`, { operation_all: true, ...role })
    return (await api('PUT', `${mount}/scope/app/role/all/credential/generate`, { format: 'pem' })) as unknown as Credential
  }
  const connect = (port: number, ca: string, { certificate: cert, private_key: key }: Credential): Promise<KmipClient> =>
    KmipClient.connect({ host: '127.0.0.1', port, ca, cert, key })
  const works = async (client: KmipClient): Promise<boolean> => {
    const answer: Item = await client.request(QUERY)
    return child(child(answer, TAG.BatchItem)!, TAG.ResultStatus)?.value === ENUM.ResultStatus.Success
  }
  /** TLS 1.3 lets a client believe that it is connected before the server has looked at its certificate: the first message tells. */
  const isRefused = async (port: number, ca: string, credential: Credential, name: string): Promise<void> => {
    let client: KmipClient | undefined
    await t.rejects(async () => {
      client = await connect(port, ca, credential)
      await works(client)
    }, name)
    client?.close()
  }

  await api('PUT', 'kmip/config', {})
  const first = await credentialOf('kmip', {})
  const { ca_pem: ca } = (await api('GET', 'kmip/ca')) as { ca_pem: string }
  const port = Number(daemon.addresses.kmip.split(':')[1])
  const kept = await connect(port, ca, first)
  t.ok(await works(kept))

  const teamPort = await freePort()
  await api('POST', 'sys/mounts/team', { type: 'kmip' })
  await api('PUT', 'team/config', { listen_addrs: [`127.0.0.1:${teamPort}`] })
  const theirs = await credentialOf('team', {})
  const { ca_pem: teamCa } = (await api('GET', 'team/ca')) as { ca_pem: string }
  const member = await connect(teamPort, teamCa, theirs)
  t.ok(await works(member), 'another engine listens as soon as its addresses are written')
  await isRefused(teamPort, teamCa, first, 'a client of one engine is nobody at another')
  await isRefused(port, ca, theirs, 'nor the other way round')

  const busy = await listening()
  await api('PUT', 'team/config', { listen_addrs: [`127.0.0.1:${teamPort}`, `127.0.0.1:${busy.port}`] }, [400])
  busy.server.close()
  t.match(await api('GET', 'team/config'), { listen_addrs: [`127.0.0.1:${teamPort}`] }, 'an address that is taken changes nothing')
  t.ok(await works(member))
  await api('PUT', 'team/config', { listen_addrs: [`127.0.0.1:${port}`] }, [400])
  t.ok(await works(member), "another engine's address is taken too")

  const ownPort = await freePort()
  const own = (await api('PUT', 'kmip/ca/own/generate', { key_type: 'ec', key_bits: 256 })) as { ca_pem: string }
  const corporate = await makeAuthority(EC, 'corporate', Date.now())
  const pem = certificatePem(corporate.intermediate.certificate)
  const chain = `${pem}\n${certificatePem(corporate.root.certificate)}`
  await api('PUT', 'kmip/ca/corp/import', { ca_pem: chain, scope_field: 'O', role_field: 'CN' })
  await api('PUT', 'kmip/listener/l', { ca: 'own', address: `127.0.0.1:${ownPort}`, additional_client_cas: 'corp' })
  await isRefused(ownPort, own.ca_pem, first, 'the CA of the configuration is not admitted')
  await api('PUT', 'kmip/listener/l', { also_use_legacy_ca: true })
  const legacy = await connect(ownPort, own.ca_pem, first)
  t.ok(await works(legacy), 'until it is')
  const signed = await credentialOf('kmip', { ca: 'own' })
  t.ok(new X509Certificate(signed.certificate).issuer.includes('kmipd-own'))
  const named = await connect(ownPort, own.ca_pem, signed)
  t.ok(await works(named))
  await isRefused(port, ca, signed, 'a client of a named CA is nobody at a listener without it')

  const key = await generateKey(EC)
  const subject = encodeName([
    ['O', 'app'],
    ['CN', 'all'],
  ])
  const validity = { notBefore: new Date(Date.now() - 60_000), notAfter: new Date(Date.now() + 3_600_000) }
  const issuer = { name: encodeName([['CN', 'corporate-intermediate']]), key: corporate.intermediate.key }
  const der = issueCertificate({ subject, spki: spkiOf(key), ...validity, extensions: [extendedKeyUsage('clientAuth')] }, issuer)
  const employee = { certificate: certificatePem(der), private_key: privateKeyPem(key) }
  const imported = await connect(ownPort, own.ca_pem, employee)
  t.ok(await works(imported), 'clients of an imported CA are let in')
  await isRefused(port, ca, employee, 'but not elsewhere')

  const alonePort = await freePort()
  const alone = { ca: 'own', address: `127.0.0.1:${alonePort}` }
  await api('PUT', 'kmip/ca/alone/import', { ca_pem: pem, scope_field: 'O', role_field: 'CN' })
  await api('PUT', 'kmip/listener/alone', alone)
  await isRefused(alonePort, own.ca_pem, employee, 'who is not admitted')
  await api('PUT', 'kmip/listener/alone', { ...alone, additional_client_cas: ['alone'] })
  const below = await connect(alonePort, own.ca_pem, employee)
  t.ok(await works(below), 'the CA that signs is enough, without its root')
  const whole = await connect(alonePort, own.ca_pem, { ...employee, certificate: `${employee.certificate}\n${chain}` })
  t.ok(await works(whole), 'also if the client shows the root')
  const asked = { host: '127.0.0.1', port: alonePort, ca: own.ca_pem, cert: employee.certificate, key: employee.private_key }
  const fresh = connectTls(asked)
  const [session] = await once(fresh, 'session')
  fresh.destroy()
  const resumed = connectTls({ ...asked, session })
  resumed.write(encode(QUERY))
  await once(resumed, 'data')
  t.ok(resumed.isSessionReused(), 'and if it resumes its session')
  resumed.destroy()
  const another = await connect(alonePort, own.ca_pem, signed)
  t.ok(await works(another), 'beside a CA that has one')
  const other = await makeAuthority(EC, 'corporate', Date.now())
  const sub = await generateKey(EC)
  const subName = encodeName([['CN', 'sub']])
  const subCa = issueCertificate(
    { subject: subName, spki: spkiOf(sub), ...validity, extensions: [authorityConstraints(0), keyUsage('keyCertSign')] },
    issuer,
  )
  const ended = { notBefore: new Date(Date.now() - 120_000), notAfter: new Date(Date.now() - 60_000) }
  const fields = { subject, spki: spkiOf(key), ...validity, extensions: [extendedKeyUsage('clientAuth')] }
  for (const [name, issued, more = ''] of [
    ['one that another CA of that name signed', issueCertificate(fields, { ...issuer, key: other.intermediate.key })],
    [
      'one that the root signed, which is not imported',
      issueCertificate(fields, { name: encodeName([['CN', 'corporate']]), key: corporate.root.key }),
    ],
    ['one of a CA below', issueCertificate(fields, { name: subName, key: sub }), certificatePem(subCa)],
    ['one that has ended', issueCertificate({ ...fields, ...ended }, issuer)],
    ['one for servers', issueCertificate({ ...fields, extensions: [extendedKeyUsage('serverAuth')] }, issuer)],
    ['one that the client signed itself', issueCertificate(fields, { name: subject, key })],
  ] as const)
    await isRefused(alonePort, own.ca_pem, { certificate: `${certificatePem(issued)}\n${more}`, private_key: privateKeyPem(key) }, name)
  for (const client of [below, whole, another]) client.close()
  await api('DELETE', 'kmip/listener/alone')
  await api('PUT', 'kmip/ca/corp', { role_name: 'nobody' })
  await t.rejects(works(imported), 'who is mapped to no role any more is cut off')

  await api('PUT', 'kmip/listener/l', { also_use_legacy_ca: false, server_hostnames: ['kms'] })
  t.ok(await works(named), 'a new certificate of a listener leaves its connections')
  await t.rejects(works(legacy), 'save those whose CA is not admitted any more')

  await api('DELETE', 'kmip/listener/l')
  await t.rejects(connect(ownPort, own.ca_pem, signed), { cause: { code: 'ECONNREFUSED' } }, 'a listener that is deleted takes nobody')
  await api('DELETE', 'sys/mounts/team')
  await t.rejects(works(member), 'the clients of an engine go with it')
  t.ok(await works(kept), 'and the first client never lost its connection')
  const moved = await freePort()
  await api('PUT', 'kmip/config', { listen_addrs: `127.0.0.1:${moved}` })
  const late = await connect(moved, ca, first)
  t.ok(await works(late), 'an address that is configured later is listened on beside the one of the command line')
  for (const client of [kept, member, legacy, named, imported, late]) client.close()

  const taken = await listening()
  const { scopes } = (await mounts.at('kmip/'))!
  // By a command beside the server, which cannot be refused.
  await scopes.writeConfiguration({ listen_addrs: `127.0.0.1:${moved},127.0.0.1:${taken.port}`, server_hostnames: 'renamed.example.com' })
  await daemon.reload()
  const shown = connectTls({ host: '127.0.0.1', port: moved, ca, checkServerIdentity: () => undefined })
  await once(shown, 'secureConnect')
  t.match(shown.getPeerCertificate().subjectaltname, /renamed/, 'an address that is taken holds up no certificate')
  shown.destroy()
  taken.server.close()
})

t.test('nodes that share a store listen each where its own file says', async t => {
  const records = await openRecords({ store: new MemoryStore(), providers: [localProvider(newLocalKey())] })
  const mounts = await openMounts({ records, now: Date.now })
  t.teardown(() => records.close())
  const first = (await mounts.list())[0]!
  const dir = t.testdir({})
  const log = createLog({ level: 'silent' })
  const node = async (port: number) => {
    const text = `store: { kind: vault, server: 'http://127.0.0.1:1', token: none }
kmip: { listen: '127.0.0.1:${port}', drain: 1s }
metrics: { listen: off }
admin: { listen: off }
audit: { file: audit-${port}.log }`
    const config = parseConfig(text, join(dir, 'kmipd.yaml'), { env: {}, readFile: () => '' })
    await storeFields(config, mounts)
    return { config, daemon: await Daemon.start({ config, data: { records, mounts }, log, version: '0' }) }
  }
  const [here, there, written, moved] = [await freePort(), await freePort(), await freePort(), await freePort()]
  const [a, b] = [await node(here), await node(there)]
  t.teardown(() => a.daemon.stop())
  await a.daemon.sockets.apply(first.row.id)
  t.equal(a.daemon.addresses.kmip, `127.0.0.1:${here}`)
  t.equal(b.daemon.addresses.kmip, `127.0.0.1:${there}`)
  await b.daemon.stop()
  await a.daemon.sockets.apply(first.row.id)
  t.equal(a.daemon.addresses.kmip, `127.0.0.1:${here}`, 'nobody takes the address of a node that is gone')

  await first.scopes.writeConfiguration({ listen_addrs: [`127.0.0.1:${written}`] })
  await a.daemon.sockets.apply(first.row.id)
  t.equal(a.daemon.addresses.kmip, `127.0.0.1:${written}`, 'what an administrator writes counts at once')
  await a.daemon.reload()
  t.equal(a.daemon.addresses.kmip, `127.0.0.1:${here}`, 'and the file again from the next reload on')
  await a.daemon.reload({ ...a.config, kmip: { ...a.config.kmip, listen: [{ host: '127.0.0.1', port: moved }] } })
  t.equal(a.daemon.addresses.kmip, `127.0.0.1:${moved}`)
})
