// Key stores of the KES door on a real Vault (KV v1 and v2, with and without transit, its key rotated, sealed under load), and on an
// emulator of Entrust KeyControl.
// Usage: node test/interop/keystores.mjs TOOLS VAULT_BINARY
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { EntrustKeyStore } from '../../dist/keystore/entrust.js'
import { FsKeyStore } from '../../dist/keystore/fs.js'
import { migrateKeys } from '../../dist/keystore/migrate.js'
import { readStoredKey, writeStoredKey } from '../../dist/keystore/stored-key.js'
import { VaultKeyStore } from '../../dist/keystore/vault.js'
import { Checks, startLab } from './vault.mjs'

const [tools, bin] = process.argv.slice(2)
if (!tools || !bin) throw new Error('usage: node test/interop/keystores.mjs TOOLS VAULT_BINARY')
const checks = new Checks()
const dir = mkdtempSync(join(tmpdir(), 'kmipd-keystores-'))

const newKey = () => ({
  algorithm: 'AES256',
  key: randomBytes(32),
  hmacKey: randomBytes(32),
  createdAtNs: 1_700_000_000_000_000_005n,
  createdBy: 'c75b08bb0e6cff4e58c1597d0d663ec7608d2b3871a5d2d82fd9f2113a0d766a',
})
const text = key => writeStoredKey(key)
const isKey = (found, key) => text(found) === text(key)
const codeOf = act =>
  act.then(
    () => 'done',
    error => (error.name === 'KeyStoreError' ? error.code : String(error.stack)),
  )
async function namesOf(store, prefix = '', limit = 1000) {
  const names = []
  let after
  do {
    const page = await store.list(prefix, { limit, ...(after !== undefined && { after }) })
    names.push(...page.names)
    after = page.after
  } while (after !== undefined)
  return names
}

/** What every key store promises, as far as one can see it on a real one. */
async function contract(open, { deletesBlindly = false } = {}) {
  const [one, two] = [await open(), await open()]
  try {
    checks.equal(await one.list('', { limit: 10 }), { names: [] }, 'an empty store is empty')
    checks.equal(await codeOf(one.get('nothing')), 'not-found', 'a key that is not there')
    checks.equal(await codeOf(one.delete('nothing')), deletesBlindly ? 'done' : 'not-found', 'deletion of a key that is not there')
    const keys = new Map(Array.from({ length: 30 }, (_, i) => [`${i % 3 === 0 ? 'a' : 'b'}-${i}`, newKey()]))
    await Promise.all([...keys].map(([name, key], i) => (i % 2 ? one : two).create(name, key)))
    for (const [name, key] of keys) if (!isKey(await two.get(name), key)) checks.ok(false, `${name} comes back as another key`)
    const sorted = [...keys.keys()].sort()
    checks.equal(await namesOf(one, '', 7), sorted, 'all names in pages')
    checks.equal(
      await namesOf(two, 'a'),
      sorted.filter(name => name.startsWith('a')),
      'names of a prefix',
    )
    checks.equal(await codeOf(two.create('a-0', newKey())), 'exists', 'a key is not overwritten')
    checks.equal(await codeOf(one.create('a-0', keys.get('a-0'))), 'exists', 'not even by itself')
    checks.ok(isKey(await one.get('a-0'), keys.get('a-0')), 'and stays as it was')
    await one.delete('a-0')
    checks.equal(await codeOf(two.get('a-0')), 'not-found', 'a deleted key')
    await two.create('a-0', newKey())
    const tries = await Promise.all(Array.from({ length: 10 }, (_, i) => codeOf([one, two][i % 2].create('race', newKey()))))
    checks.equal(tries.sort(), ['done', ...Array(9).fill('exists')].sort(), 'one of ten who create a name at once')
    checks.ok((await one.status()) >= 0, 'its status')
  } finally {
    await one.close()
    await two.close()
  }
}

async function onVault(lab) {
  const { role_id: id, secret_id: secret } = lab.approle.kes
  const open = over =>
    VaultKeyStore.open({
      settings: {
        ...{ kind: 'vault', endpoint: lab.addresses[0], engine: 'kv', version: 'v2', pingMs: 1000 },
        approle: { engine: 'approle', id, secret },
        ...over,
      },
    })
  const transit = { engine: 'transit', key: 'kmipd' }
  const PLACES = [
    ['KV v1', { engine: 'kv1', version: 'v1', prefix: 'v1' }, name => ['kv1/v1/', name]],
    ['KV v1 with transit', { engine: 'kv1', version: 'v1', prefix: 'tenant/one', transit }, name => ['kv1/tenant/one/', name]],
    ['KV v2', { prefix: 'v2' }, name => ['kv/data/v2/', name]],
    ['KV v2 with transit', { prefix: 'v2t', transit }, name => ['kv/data/v2t/', name]],
    ['KV v2 without a prefix', {}, name => ['kv/data/', name]],
  ]
  for (const [title, over, placeOf] of PLACES)
    await checks.section(title, async () => {
      // An engine without a prefix shows the folders of the others, which are no keys.
      await contract(() => open(over), { deletesBlindly: true })
      const store = await open(over)
      const key = newKey()
      await store.create('placed', key)
      const [folder, name] = placeOf('placed')
      const { body } = await lab.call('GET', `${folder}${name}`)
      const data = over.version === 'v1' ? body.data : body.data.data
      checks.equal(Object.keys(data), ['placed'], 'the one field has the name of the key')
      if (over.transit) {
        checks.ok(/^vault:v1:/.test(data.placed), 'its value is encrypted by transit')
        const opened = await lab.call('POST', 'transit/decrypt/kmipd', { ciphertext: data.placed })
        const value = Buffer.from(opened.body.data.plaintext, 'base64').toString()
        checks.equal(value, text(key), 'and inside is what KES writes')
      } else checks.equal(data.placed, text(key), 'its value is what KES writes')
      await store.close()
    })

  await checks.section('keys that KES wrote', async () => {
    const old = { algorithm: 'AES256', key: Buffer.alloc(32, 9) }
    const json = JSON.stringify({ bytes: old.key.toString('base64') })
    await lab.call('PUT', 'kv1/v1/of-2019', { 'of-2019': json })
    await lab.call('PUT', 'kv/data/v2/of-2019', { options: { cas: 0 }, data: { 'of-2019': json } })
    await lab.call('PUT', 'kv/data/v2/of-2019', { data: { 'of-2019': 'overwritten by hand' } })
    for (const over of [PLACES[0][1], PLACES[2][1]]) {
      const store = await open(over)
      checks.equal(text(await store.get('of-2019')), text(old), `a key of 2019 on ${over.version ?? 'v2, whose first version counts'}`)
      await store.close()
    }
  })

  await checks.section('the transit key is rotated', async () => {
    const store = await open({ prefix: 'rotated', transit })
    const keys = new Map()
    for (let version = 1; version <= 3; version++) {
      keys.set(`k${version}`, newKey())
      await store.create(`k${version}`, keys.get(`k${version}`))
      const { body } = await lab.call('GET', `kv/data/rotated/k${version}`)
      checks.ok(body.data.data[`k${version}`].startsWith(`vault:v${version}:`), `written with version ${version}`)
      await lab.call('POST', 'transit/keys/kmipd/rotate', {})
    }
    for (const [name, key] of keys) checks.ok(isKey(await store.get(name), key), `${name} is read after the rotations`)
    const plain = await open({ prefix: 'rotated' })
    checks.equal(await codeOf(plain.get('k1')), 'unavailable', 'without transit in the configuration')
    await plain.close()
    await store.close()
  })

  await checks.section('wrong configurations', async () => {
    checks.equal(await codeOf(open({ engine: 'kv1' })), 'unavailable', 'v1 that is said to be v2')
    checks.equal(await codeOf(open({ version: 'v1' })), 'unavailable', 'v2 that is said to be v1')
    checks.equal(await codeOf(open({ engine: 'nothing' })), 'unavailable', 'no such engine')
    checks.equal(await codeOf(open({ approle: { engine: 'approle', id, secret: 'wrong' } })), 'unavailable', 'a wrong secret')
  })

  await checks.section('the policy of the documentation is enough', async () => {
    const [, hcl] = /```hcl\n([^`]+)```/.exec(readFileSync(new URL('../../docs/kes-keystores.md', import.meta.url), 'utf8'))
    const policy = hcl.replaceAll('"kv/minio', '"kv1/minio').replace(/(transit\/(?:en|de)crypt)\/kes/g, '$1/kmipd')
    await lab.call('PUT', 'sys/policies/acl/documented', { policy })
    await lab.call('PUT', 'auth/approle/role/documented', { token_policies: ['documented'], token_period: '5m', token_num_uses: 0 })
    const role = (await lab.call('GET', 'auth/approle/role/documented/role-id')).body.data.role_id
    const made = (await lab.call('PUT', 'auth/approle/role/documented/secret-id', {})).body.data.secret_id
    const approle = { engine: 'approle', id: role, secret: made }
    for (const over of [{ engine: 'kv1', version: 'v1' }, { transit }])
      await contract(() => open({ prefix: 'minio', approle, ...over }), { deletesBlindly: true })
    const elsewhere = await open({ approle, prefix: 'other' })
    checks.equal(await codeOf(elsewhere.get('k')), 'unavailable', 'what it does not allow is no missing key')
    await elsewhere.close()
  })

  await checks.section('1,100 keys move between a directory and KV v2', async () => {
    const source = await FsKeyStore.open(join(dir, 'source'))
    for (let i = 0; i < 1100; i++) writeFileSync(join(dir, 'source', `many-${i}`), text(newKey()), { mode: 0o600 })
    const v2 = await open({ prefix: 'moved', transit })
    const back = await FsKeyStore.open(join(dir, 'back'))
    for (const [from, to] of [
      [source, v2],
      [v2, back],
    ]) {
      const { migrated, present, failed } = await migrateKeys(from, to, { existing: 'refuse' })
      checks.equal([migrated, present, failed.length], [1100, 0, 0], `${from.description} to ${to.description}`)
    }
    const same = (await namesOf(source)).every(name =>
      readFileSync(join(dir, 'source', name)).equals(readFileSync(join(dir, 'back', name))),
    )
    checks.ok(same, 'the files are the same in the end')
    await v2.close()
  })

  await checks.section('sealed under load', async () => {
    const store = await open({ prefix: 'sealed' })
    const key = newKey()
    await store.create('k', key)
    const made = new Map()
    const seen = new Set()
    let isEnding = false
    const reader = async () => {
      while (!isEnding)
        seen.add(
          await store.get('k').then(
            found => (isKey(found, key) ? 'right' : 'wrong'),
            error => error.code,
          ),
        )
    }
    const writer = async of => {
      for (let i = 0; !isEnding; i++) {
        const mine = newKey()
        const code = await codeOf(store.create(`w${of}-${i}`, mine))
        if (code === 'done') made.set(`w${of}-${i}`, mine)
        else seen.add(code)
      }
    }
    const load = Promise.all([...[1, 2, 3].map(reader), ...[1, 2].map(writer)])
    await wait(500)
    await lab.call('PUT', 'sys/seal')
    await wait(6000)
    checks.equal(await codeOf(store.status()), 'unreachable', 'the status while it is sealed')
    const late = await open({ prefix: 'sealed' })
    checks.equal(await codeOf(late.get('k')), 'unreachable', 'a store that is opened meanwhile')
    await lab.call('PUT', 'sys/unseal', { key: lab.unseal_key })
    for (let tries = 0; tries < 60 && (await codeOf(store.get('k'))) !== 'done'; tries++) await wait(250)
    checks.ok(isKey(await late.get('k'), key), 'it finds its way')
    await wait(500)
    isEnding = true
    await load
    checks.ok(seen.has('right') && seen.has('unreachable'), `seen: ${[...seen].join(', ')}`)
    checks.ok(
      !seen.has('wrong') && !seen.has('not-found') && !seen.has('exists') && !seen.has('damaged'),
      `nothing that is not true: ${[...seen].join(', ')}`,
    )
    let lost = 0
    for (const [name, mine] of made) if (!isKey(await store.get(name), mine)) lost++
    checks.equal(lost, 0, `keys of ${made.size} that were created and are not there`)
    await store.close()
    await late.close()
  })
}

/** The login of a pod, whose token Kubernetes changes in its file now and then. */
async function byKubernetes(lab, host, ca) {
  await checks.section('the login of Kubernetes', async () => {
    const file = join(dir, 'jwt')
    const mint = async () => writeFileSync(file, await answerOf(`${host}/_emulator/token?namespace=default&name=kmipd&ttl=600`, ca))
    await mint()
    const settings = {
      ...{ kind: 'vault', endpoint: lab.addresses[0], engine: 'kv', version: 'v2', prefix: 'kmipd', pingMs: 1000 },
      kubernetes: { engine: 'kubernetes', role: 'kmipd', jwt: file },
    }
    const store = await VaultKeyStore.open({ settings })
    const key = newKey()
    await store.create('pod', key)
    const { body } = await lab.call('LIST', 'auth/token/accessors')
    for (const accessor of body.data.keys) {
      const found = await lab.call('POST', 'auth/token/lookup-accessor', { accessor })
      if (found.body?.data?.path === 'auth/kubernetes/login') await lab.call('POST', 'auth/token/revoke-accessor', { accessor })
    }
    await answerOf(`${host}/_emulator/token`, ca, 'DELETE')
    await mint()
    checks.ok(isKey(await store.get('pod'), key), 'a revoked token is replaced by a login with the token that the file has now')
    await store.close()
    writeFileSync(file, 'no token')
    checks.equal(await codeOf(VaultKeyStore.open({ settings })), 'unavailable', 'a token that Kubernetes does not know')
  })
}

const answerOf = (url, ca, method = 'GET') =>
  new Promise((resolve, reject) => {
    const sent = request(url, { method, ca }, answer => {
      let text = ''
      answer.on('data', part => (text += part)).on('end', () => resolve(text))
    })
    sent.on('error', reject).end()
  })

/** A program of the reference material that says in one line of JSON where it listens. */
async function started(program, args) {
  const child = spawn(process.execPath, [join(tools, program), ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  return { child, facts: JSON.parse(await new Promise(resolve => child.stdout.once('data', data => resolve(String(data))))) }
}

async function onEntrust() {
  const ca = join(dir, 'entrust-ca.pem')
  const { child, facts } = await started('entrust-emulator.mjs', ['--ca-out', ca, '--token-ttl', '4'])
  try {
    const control = body =>
      new Promise((resolve, reject) => {
        const sent = request(`${facts.endpoint}/_emulator/`, { method: 'POST', ca: readFileSync(ca) }, answer => {
          let got = ''
          answer.on('data', part => (got += part)).on('end', () => resolve(JSON.parse(got)))
        })
        sent.on('error', reject).end(JSON.stringify(body))
      })
    const settings = {
      ...{ kind: 'entrust', endpoint: facts.endpoint, vaultId: facts.vault_id, boxId: facts.box },
      ...{ username: facts.username, password: facts.password, tls: { ca } },
    }
    const open = over => EntrustKeyStore.open({ settings: { ...settings, ...over } })
    await checks.section('Entrust: the contract', async () => {
      await contract(open)
      await control({ reset: true })
    })
    await checks.section('Entrust: sessions', async () => {
      const store = await open()
      const key = newKey()
      await store.create('k', key)
      for (let i = 0; i < 24; i++) {
        await store.status()
        await wait(250)
      }
      const { calls } = await control({})
      const count = name => Object.entries(calls).find(([path]) => path.includes(`/${name}/`))?.[1] ?? 0
      checks.ok(count('Renew') >= 2, `renewed ${count('Renew')} times in 6 s of a life of 4 s`)
      checks.equal(count('Login'), 1, 'one login')
      await control({ expire_tokens: true })
      checks.ok(
        (await Promise.all(Array.from({ length: 8 }, () => store.get('k')))).every(found => isKey(found, key)),
        'an expired session',
      )
      await wait(4500)
      checks.ok(isKey(await store.get('k'), key), 'a silence longer than the session')
      checks.equal(await codeOf(open({ password: 'wrong' })), 'unavailable', 'a wrong password')
      checks.equal(
        await codeOf(open({ boxId: 'other' }).then(other => other.get('k'))),
        'unavailable',
        'a box that is not there is no missing key',
      )
      await control({ fault: { path: 'CreateSecret', status: 503, count: 2 } })
      await store.create('retried', newKey())
      await control({ fault: { path: 'CheckoutSecret', reset: true } })
      checks.ok(isKey(await store.get('k'), key), 'a connection that breaks')
      await store.close()
    })
    await checks.section('Entrust: 700 keys in pages, and one that has expired', async () => {
      await control({ reset: true })
      const store = await open()
      const names = Array.from({ length: 700 }, (_, i) => `k-${String(i).padStart(3, '0')}`)
      for (let i = 0; i < names.length; i += 20) await Promise.all(names.slice(i, i + 20).map(name => store.create(name, newKey())))
      checks.equal(await namesOf(store, '', 100), names, 'all names')
      checks.equal((await namesOf(store, 'k-1')).length, 100, 'names of a prefix')
      await control({ expire_secret: 'k-005' })
      checks.ok(!(await namesOf(store)).includes('k-005'), 'an expired secret is not listed')
      await store.close()
    })
  } finally {
    child.kill('SIGTERM')
  }
}

const podCa = join(dir, 'kubernetes-ca.pem')
const pods = await started('k8s-tokenreview-emulator.mjs', ['--ca-out', podCa])
const lab = await startLab({ tools, bin, args: ['--kubernetes', pods.facts.kubernetes_host, '--kubernetes-ca', podCa] })
try {
  console.log(`${bin.includes('bao') ? 'OpenBao' : 'Vault'} ${lab.version}`)
  checks.equal(readStoredKey(text(newKey()), 'x').algorithm, 'AES256', 'stored keys')
  await byKubernetes(lab, pods.facts.kubernetes_host, readFileSync(podCa))
  await onVault(lab)
  await onEntrust()
} finally {
  lab.child.kill('SIGTERM')
  pods.child.kill('SIGTERM')
  rmSync(dir, { recursive: true, force: true })
}
checks.end()
