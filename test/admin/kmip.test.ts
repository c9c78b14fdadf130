import { X509Certificate } from 'node:crypto'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { apiMounts } from '../../src/admin/api.ts'
import { Identities } from '../../src/admin/auth/identities.ts'
import { AddressError, type Sockets } from '../../src/admin/kmip/engine.ts'
import { makeAuthority } from '../../src/pki/authority.ts'
import { certificatePem } from '../../src/pki/certificate.ts'
import { openMounts } from '../../src/scopes/mounts.ts'
import { localProvider, newLocalKey } from '../../src/seal/local-provider.ts'
import { openRecords } from '../../src/seal/sealed-records.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { doorLab } from './lab.ts'

const VERBS: Readonly<Record<string, string>> = { write: 'post', read: 'get', list: 'get', delete: 'delete', patch: 'patch' }

/** The whole API on a store in memory. Nothing listens: addresses with port 1 are taken. */
async function apiLab() {
  const records = await openRecords({ store: new MemoryStore(), providers: [localProvider(newLocalKey())] })
  const mounts = await openMounts({ records, now: Date.now })
  const applied: string[] = []
  const sockets: Sockets = {
    async apply(id) {
      applied.push(id)
      for (const { row, scopes } of await mounts.list()) {
        if (row.id !== id) continue
        const named = await Promise.all((await scopes.listeners.list()).map(name => scopes.listeners.plan(name)))
        const { listen_addrs } = await scopes.configuration()
        const taken =
          listen_addrs.find(text => text.endsWith(':1')) ?? (named.some(({ address }) => address.port === 1) ? 'x:1' : undefined)
        if (taken) throw new AddressError(`listen tcp ${taken}: bind: address already in use`)
      }
    },
  }
  const identities = await Identities.open({ records, now: Date.now })
  const ids = (function* () {
    for (let i = 1; ; i++) yield `00000000-0000-4000-8000-${String(i).padStart(12, '0')}`
  })()
  const mounted = apiMounts({
    mounts,
    sockets,
    identities,
    version: '0',
    now: Date.now,
    newId: () => ids.next().value,
    unready: () => undefined,
  })
  return { mounts, mounted, applied, ...{ lab: doorLab(mounted) } }
}

type Lab = Awaited<ReturnType<typeof apiLab>>['lab']
const expecting =
  ({ ask }: Lab, t: Test) =>
  async (method: string, path: string, body: unknown, status: number, answer: unknown = {}): Promise<Readonly<Record<string, unknown>>> => {
    const reply = await ask(method, `/v1/${path}`, body)
    t.equal(reply.status, status, `${method} ${path} ${JSON.stringify(reply.body.errors ?? '')}`)
    t.match(reply.body, answer)
    return reply.body.data
  }

t.test('an engine from its configuration to a revoked credential', async t => {
  const { lab } = await apiLab()
  const ask = expecting(lab, t)
  await ask('GET', 'kmip/config', undefined, 404, { errors: [] })
  await ask('GET', 'kmip/ca', undefined, 400, { errors: [/write kmip\/config first/] })
  await ask('GET', 'kmip/crl', undefined, 404, { errors: [] })
  await ask('PUT', 'kmip/config', {}, 204)
  const config = await ask('GET', 'kmip/config', undefined, 200, { mount_type: 'kmip' })
  t.same(config, {
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
  await ask('PUT', 'kmip/config', { listen_addrs: '127.0.0.1:5697, [::1]:5698', default_tls_client_ttl: '1h' }, 204)
  await ask('PUT', 'kmip/config', { listen_addrs: '127.0.0.1:1', default_tls_client_ttl: '2h' }, 400, { errors: [/already in use/] })
  await ask('PUT', 'kmip/config', { listen_addrs: [], tls_ca_key_bits: '257' }, 400, { errors: [/tls_ca_key/] })
  await ask('GET', 'kmip/config', undefined, 200, {
    data: { listen_addrs: ['127.0.0.1:5697', '[::1]:5698'], default_tls_client_ttl: 3600 },
  })
  const { ca_pem } = await ask('GET', 'kmip/ca', undefined, 200)
  t.match(ca_pem, /^-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----/)

  await ask('GET', 'kmip/scope?list=true', undefined, 404, { errors: [] })
  await ask('PUT', 'kmip/scope/finance', null, 204)
  await ask('PUT', 'kmip/scope/finance', { force: true, scope: 'finance' }, 204)
  await ask('GET', 'kmip/scope/finance', undefined, 200, { data: { force: true, roles: 0 } })
  await ask('LIST', 'kmip/scope', undefined, 200, { data: { keys: ['finance'] } })
  const role = 'kmip/scope/finance/role/accounting'
  await ask('GET', role, undefined, 404, { errors: [] })
  await ask('PUT', 'kmip/scope/none/role/a', {}, 400, { errors: ['there is no scope none'] })
  await ask('PUT', role, { operation_all: 'true' }, 204)
  t.same(await ask('GET', role, undefined, 200), {
    operation_all: true,
    tls_client_key_bits: 0,
    tls_client_key_type: '',
    tls_client_ttl: 0,
  })
  await ask('PUT', role, { operation_all: true, operation_get: true }, 400)
  await ask('PUT', role, { operation_get: true, operation_create_keypair: true, tls_client_ttl: '30m' }, 204)
  await ask('PUT', role, {}, 204)
  const merged = {
    operation_create_key_pair: true,
    operation_get: true,
    tls_client_key_bits: 0,
    tls_client_key_type: '',
    tls_client_ttl: 1800,
  }
  t.same(await ask('GET', role, undefined, 200), merged)

  const made = await ask('PUT', `${role}/credential/generate`, { format: 'pem', role: 'x', why: 1 }, 200, {
    warnings: ['Endpoint ignored these unrecognized parameters: [why]', /captured from the endpoint's path: \[role\]/],
  })
  t.match(made, { private_key: /^-----BEGIN EC PRIVATE KEY-----/, ca_chain: [/CERTIFICATE/, /CERTIFICATE/] })
  const serial = String(made.serial_number)
  t.equal(BigInt(`0x${new X509Certificate(String(made.certificate)).serialNumber}`).toString(), serial)
  t.match(await ask('GET', `${role}/credential?list=true`, undefined, 200), {
    keys: [serial],
    key_info: { [serial]: { expiration: /^20/ } },
  })
  const found = await ask('GET', `${role}/credential/lookup?serial_number=${serial}&format=pem`, undefined, 200)
  t.same(Object.keys(found).sort(), ['ca_chain', 'certificate', 'serial_number'])
  await ask('GET', `${role}/credential/lookup`, undefined, 400)
  const renewed = await ask('PUT', `${role}/credential/renew`, { serial_number: serial, format: 'pem' }, 200)
  t.match(renewed, { replaces: serial, private_key: /PRIVATE KEY/, certificate: /BEGIN CERTIFICATE/ })
  await ask('GET', `${role}/credential/lookup?serial_number=${serial}`, undefined, 200)
  const again = await ask('PUT', `${role}/credential/renew`, { serial_number: renewed.serial_number, revoke: true }, 200)
  await ask('GET', `${role}/credential/lookup?serial_number=${renewed.serial_number}`, undefined, 404)
  await ask('PUT', `${role}/credential/renew`, { serial_number: renewed.serial_number }, 400)
  await ask('PUT', `${role}/credential/renew`, { serial_number: serial, format: 'pkcs12' }, 400, { errors: [/password/] })
  t.match(await ask('PUT', `${role}/credential/renew`, { serial_number: serial, format: 'pkcs12', password: 'a password' }, 200), {
    replaces: serial,
    pkcs12: /^[A-Za-z0-9+/]+=*$/,
  })
  await ask('PUT', `${role}/credential/revoke`, { serial_number: again.serial_number }, 204)
  await ask('PUT', `${role}/credential/revoke`, { serial_number: serial, certificate: 'x' }, 400, { errors: [/exactly one/] })
  await ask('PUT', `${role}/credential/revoke`, { serial_number: serial }, 204)
  await ask('GET', `${role}/credential/lookup?serial_number=${serial}`, undefined, 404, { errors: [] })
  const stranger = { 'x-vault-token': '' }
  t.match(await lab.ask('GET', '/v1/kmip/crl/pem', undefined, stranger), {
    status: 200,
    headers: { 'Content-Type': 'application/x-pem-file' },
    body: { text: /^-----BEGIN X509 CRL-----[^-]+-----END X509 CRL-----\n-----BEGIN X509 CRL-----[^-]+-----END X509 CRL-----\n$/ },
  })
  t.match(await lab.ask('GET', '/v1/kmip/crl', undefined, stranger), { status: 200, headers: { 'Content-Type': 'application/pkix-crl' } })
  await ask('PUT', `${role}/credential/sign`, { csr: 'nonsense' }, 400)
  await ask('DELETE', role, undefined, 204)
  await ask('DELETE', role, undefined, 204)
  await ask('DELETE', 'kmip/scope/finance', undefined, 204)
  await ask('DELETE', 'kmip/scope/finance?force=true', undefined, 204)
})

t.test('CAs and listeners with names', async t => {
  const { lab } = await apiLab()
  const ask = expecting(lab, t)
  await ask('GET', 'kmip/ca?list=true', undefined, 404, { errors: [] })
  await ask('PUT', 'kmip/ca/own/generate', { key_type: 'ec', key_bits: '256', ttl: 31_536_000 }, 200, {
    data: { ca_pem: /CERTIFICATE/, key_bits: 256, key_type: 'ec', ttl: 31_536_000, imported: false },
  })
  const { root } = await makeAuthority({ type: 'ec', bits: 256 }, 'corporate', Date.now())
  const pem = certificatePem(root.certificate)
  await ask('PUT', 'kmip/ca/corp/import', { ca_pem: `${pem}\n`, scope_name: 'a', role_field: 'CN' }, 200, {
    data: { ca_pem: pem, scope_name: 'a', role_field: 'CN' },
  })
  await ask('PUT', 'kmip/ca/corp', { role_name: 'b' }, 200, { data: { scope_name: 'a', role_name: 'b' } })
  await ask('PUT', 'kmip/ca/own', { role_name: 'b', scope_name: 'a' }, 400)
  for (const form of ['crl', 'crl/pem']) {
    t.equal((await lab.ask('GET', `/v1/kmip/ca/own/${form}`, undefined, { 'x-vault-token': '' })).status, 200)
    await ask('GET', `kmip/ca/corp/${form}`, undefined, 400, { errors: [/imported/] })
    await ask('GET', `kmip/ca/none/${form}`, undefined, 404, { errors: [] })
  }
  await ask('PUT', 'kmip/ca/none', { role_name: 'b', scope_name: 'a' }, 400)
  await ask('GET', 'kmip/ca/none', undefined, 404, { errors: [] })
  await ask('LIST', 'kmip/ca', undefined, 200, { data: { keys: ['corp', 'own'] } })
  const fields = { ca: 'own', address: '127.0.0.1:5699', additional_client_cas: ['corp'], server_hostnames: ['localhost'] }
  await ask('PUT', 'kmip/listener/l', fields, 200, { data: { ...fields, tls_min_version: 'tls12', tls_max_version: '' } })
  await ask('PUT', 'kmip/listener/l', { address: '127.0.0.1:1' }, 400, { errors: [/already in use/] })
  await ask('PUT', 'kmip/listener/m', { ca: 'own', address: '127.0.0.1:1' }, 400, { errors: [/already in use/] })
  await ask('GET', 'kmip/listener/l', undefined, 200, { data: { address: '127.0.0.1:5699' } })
  await ask('LIST', 'kmip/listener', undefined, 200, { data: { keys: ['l'] } })
  await ask('PUT', 'kmip/listener/m', { address: '127.0.0.1:5700' }, 400, { errors: ['ca is required'] })
  await ask('PUT', 'kmip/listener/m', { address: '127.0.0.1:5700', ca: 'corp' }, 400, { errors: [/cannot sign/] })
  await ask('DELETE', 'kmip/ca/corp', undefined, 400, { errors: ['CA corp is in use by listener l'] })
  await ask('DELETE', 'kmip/listener/l', undefined, 204)
  await ask('DELETE', 'kmip/ca/corp', undefined, 204)
  await ask('DELETE', 'kmip/ca/corp', undefined, 204)
})

t.test('engines come, move and go', async t => {
  const { lab, applied } = await apiLab()
  const ask = expecting(lab, t)
  const mount = {
    type: 'kmip',
    description: 'd',
    config: { options: null, default_lease_ttl: '0s', max_lease_ttl: '', force_no_cache: false },
    options: null,
  }
  await ask('POST', 'sys/mounts/kmip', mount, 204)
  await ask('POST', 'sys/mounts/kmip', mount, 400, { errors: ['path is already in use at kmip/'] })
  await ask('POST', 'sys/mounts/kmip/sub', mount, 400, { errors: ['path is already in use at kmip/'] })
  await ask('POST', 'sys/mounts/sys', mount, 400, { errors: ['path is already in use at sys/'] })
  await ask('POST', 'sys/mounts/a%20b', mount, 400, { errors: [/cannot mount at/] })
  await ask('POST', 'sys/mounts/ssh', { type: 'ssh' }, 400, { errors: ['plugin not found in the catalog: ssh'] })
  await ask('POST', 'sys/mounts/team/a', mount, 204)
  const info = await ask('GET', 'sys/mounts/team/a', undefined, 200, { type: 'kmip', mount_type: 'system' })
  t.match(info, { accessor: /^kmip_[0-9a-f]{8}$/, config: { default_lease_ttl: 0, max_lease_ttl: 0 }, description: 'd', type: 'kmip' })
  t.match(await ask('GET', 'sys/mounts', undefined, 200, { 'kmip/': { type: 'kmip' } }), { 'team/a/': info, 'sys/': { type: 'system' } })
  await ask('GET', 'sys/mounts/nope', undefined, 400, { errors: ['No secret engine mount at nope/'] })
  await ask('POST', 'sys/mounts/nope/tune', {}, 400, { errors: ['tune of path "nope/" failed: no mount entry found'] })
  await ask('POST', 'sys/mounts/team/a/tune', { default_lease_ttl: '2h' }, 204)
  await ask('POST', 'sys/mounts/team/a/tune', { default_lease_ttl: '', description: 'e', max_lease_ttl: '1h' }, 204)
  await ask('GET', 'sys/mounts/team/a/tune', undefined, 200, {
    data: { description: 'e', max_lease_ttl: 3600, default_lease_ttl: 7200 },
  })
  await ask('PUT', 'team/a/scope/x', {}, 204)
  await ask('GET', 'sys/internal/ui/mounts/team/a/scope/x', undefined, 200, { data: { path: 'team/a/', type: 'kmip' } })
  await ask('GET', 'sys/internal/ui/mounts/nope/x', undefined, 403, { errors: [/access to path "nope\/x\/"$/] })
  await ask('GET', 'sys/internal/ui/mounts', undefined, 200, { data: { secret: { 'team/a/': {} }, auth: { 'token/': { type: 'token' } } } })
  const { migration_id } = await ask('POST', 'sys/remount', { from: 'team/a', to: 'b' }, 200)
  await ask('GET', `sys/remount/status/${migration_id}`, undefined, 200, {
    data: { migration_info: { source_mount: 'team/a/', status: 'success' } },
  })
  await ask('GET', 'sys/remount/status/abc', undefined, 404, { errors: [] })
  await ask('POST', 'sys/remount', { from: 'nope', to: 'c' }, 400, { errors: ['no matching mount at "nope/"'] })
  await ask('GET', 'b/scope?list=true', undefined, 200, { data: { keys: ['x'] } })
  await ask('GET', 'team/a/scope?list=true', undefined, 404, { errors: [/no handler for route/] })
  await ask('DELETE', 'sys/mounts/b', undefined, 204)
  await ask('DELETE', 'sys/mounts/b', undefined, 204)
  await ask('DELETE', 'sys/mounts/sys', undefined, 400, { errors: ['cannot unmount "sys/"'] })
  t.equal(applied.length, 3, 'listeners follow what is enabled and disabled')
})

t.test('what clients ask of the server itself', async t => {
  const { lab } = await apiLab()
  const ask = expecting(lab, t)
  for (const path of ['health', 'seal-status', 'leader', 'init'])
    t.equal((await lab.ask('GET', `/v1/sys/${path}`, undefined, { 'x-vault-token': '' })).status, 200, path)
  t.equal((await lab.ask('HEAD', '/v1/sys/health')).status, 200)
  t.equal((await lab.ask('HEAD', '/v1/sys/leader')).status, 405)
  await ask('GET', 'sys/seal-status', undefined, 200, { version: '2.0.0+ent', sealed: false, initialized: true })
  await ask('GET', 'sys/license/status', undefined, 200, { data: { autoloaded: { features: ['KMIP'] } } })
  t.match(await lab.ask('GET', '/v1/sys/license/status', undefined, { 'x-vault-token': '' }), { status: 403 })
})

t.test('the OpenAPI document says what is served, and nothing else', async t => {
  const { lab, mounted } = await apiLab()
  const { paths } = (await lab.ask('GET', '/v1/sys/internal/specs/openapi')).body as unknown as {
    paths: Record<string, Record<string, { operationId: string }>>
  }
  const documented = Object.entries(paths).flatMap(([path, item]) =>
    Object.keys(item).flatMap(method =>
      method === 'parameters' || method === 'description' ? [] : [`${method} ${path.replace(/\/$/, '')}`],
    ),
  )
  const served = (await mounted()).flatMap(({ path, routes }) =>
    routes.flatMap(({ path: pattern, actions }) =>
      Object.keys(actions).map(verb => `${VERBS[verb]} /${path}${pattern.replaceAll(/:(\w+)\+?/g, '{$1}')}`),
    ),
  )
  t.same(documented.sort(), served.sort())
  const ids = Object.values(paths).flatMap(item => Object.values(item).flatMap(({ operationId }) => operationId ?? []))
  t.equal(new Set(ids).size, ids.length, 'each operation has a name of its own')
  for (const { routes } of await mounted())
    for (const route of routes)
      for (const name of route.path.matchAll(/:(\w+)/g)) t.ok(route.params[name[1]!], `${route.path} says what ${name[1]} is`)
})

t.test('whatever is sent, nothing breaks', async t => {
  const { lab, mounted } = await apiLab()
  await lab.ask('PUT', '/v1/kmip/config', {})
  await lab.ask('PUT', '/v1/kmip/scope/a', {})
  await lab.ask('PUT', '/v1/kmip/scope/a/role/a', { operation_all: true })
  const rows = (await mounted()).flatMap(({ path, routes }) => routes.map(route => ({ route, path: `${path}${route.path}` })))
  const names = fc.constantFrom('a', 'kmip', 'finance', 'a.b', '%2e', '__proto__', 'constructor', 'x'.repeat(200), '%00', 'ü', 'a b')
  const values = fc.oneof(
    fc.constantFrom<unknown>(
      '',
      'a',
      'true',
      '5m',
      '-1',
      '1e9',
      'ec',
      'rsa',
      '127.0.0.1:0',
      '::1',
      null,
      true,
      -1,
      0.5,
      2 ** 53,
      [],
      {},
      ['a', 1],
      { a: [] },
    ),
    fc.jsonValue({ maxDepth: 2 }),
  )
  const asked = fc.record({
    row: fc.constantFrom(...rows.filter(({ path }) => !path.startsWith('sys/mounts') && !path.includes('remount'))),
    method: fc.constantFrom('GET', 'LIST', 'PUT', 'POST', 'DELETE', 'PATCH', 'HEAD', 'TRACE'),
    names: fc.array(names, { minLength: 3, maxLength: 3 }),
    body: fc.oneof(
      fc.jsonValue({ maxDepth: 3 }).map(value => JSON.stringify(value)),
      fc.string({ maxLength: 20 }),
    ),
    values: fc.array(values, { minLength: 4, maxLength: 4 }),
    useFields: fc.boolean(),
    query: fc.constantFrom('', '?list=true', '?help=1', '?force=maybe', '?list=&list=1', '?format=x&serial_number=1', '?%ff'),
  })
  await fc.assert(
    fc.asyncProperty(asked, async ({ row, method, names, body, values, useFields, query }) => {
      let i = 0
      const path = row.path.replaceAll(/:\w+\+?/g, () => names[i++ % names.length]!)
      const fields = Object.keys(row.route.fields)
      const sent = useFields ? JSON.stringify(Object.fromEntries(fields.map((name, at) => [name, values[at % values.length]]))) : body
      const type: Record<string, string> = method === 'PATCH' ? { 'content-type': 'application/merge-patch+json' } : {}
      const { status } = await lab.ask(method, `/v1/${path}${query}`, method === 'GET' || method === 'DELETE' ? undefined : sent, type)
      if (status >= 500) throw new Error(`${status} for ${method} ${path}${query} ${sent}: ${String(lab.errors.at(-1))}`)
    }),
    { numRuns: Number(process.env.KMIPD_FUZZ_RUNS ?? 200) },
  )
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 40 }), async path => {
      const { status } = await lab.ask('PUT', `/v1/${encodeURI(Buffer.from(path, 'utf8').toString('utf8'))}`, '{}')
      if (status >= 500) throw new Error(`${status} for ${path}`)
    }),
    { numRuns: 200 },
  )
  t.same(lab.errors, [])
})
