#!/usr/bin/env node
// The console in a real Chromium, from the sign-in to a client that is cut off, against a `kmipd dev` of its own:
//   node test/interop/console.mjs [FOLDER for screenshots]
// Needs Chromium, openssl, and what `npm ci --prefix test/interop` installs.
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { openBrowser, openPage, overflow, shoot, violations } from './browser.mjs'
import { freePort } from './vault-server.mjs'

const KMIPD = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const HOSTILE = `<img src=x onerror="document.title='broken'">`
const work = mkdtempSync(join(tmpdir(), 'kmipd-console-'))
const data = join(work, 'data')
const shots = resolve(process.argv[2] ?? join(work, 'screenshots'))
const counts = { passed: 0, failed: 0 }

async function check(name, act) {
  try {
    await act()
    counts.passed++
    console.log(`ok      ${name}`)
  } catch (error) {
    counts.failed++
    console.log(`FAILED  ${name}: ${error.stack ?? error}`)
  }
}

async function startServer() {
  const args = [
    'dev',
    '--data-dir',
    data,
    '--kmip-address',
    '127.0.0.1:0',
    '--admin-address',
    '127.0.0.1:0',
    '--kes-address',
    '127.0.0.1:0',
  ]
  const server = spawn(process.execPath, [KMIPD, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  server.stdout.on('data', chunk => {
    said += chunk
  })
  const file = join(data, 'listeners.json')
  for (let tries = 0; tries < 300 && !existsSync(file); tries++) {
    if (server.exitCode !== null) throw new Error(`the server does not start:\n${said}`)
    await sleep(100)
  }
  const { kmip, admin, kes } = JSON.parse(readFileSync(file, 'utf8'))
  return { server, kmip, kes, origin: admin, token: readFileSync(join(data, 'root-token'), 'utf8').trim() }
}

const { server, kmip, kes, origin, token } = await startServer()
process.on('exit', () => server.kill())
const browser = await openBrowser()

/** The API as root, for what is easier made so. */
async function api(method, path, body, asked = token) {
  const init = { method, headers: { 'X-Vault-Token': asked }, ...(body && { body: JSON.stringify(body) }) }
  const response = await fetch(`${origin}/v1/${path}`, init)
  const text = await response.text()
  return { status: response.status, ...(text.startsWith('{') ? JSON.parse(text) : {}) }
}

const client = (folder, ...args) =>
  JSON.parse(
    execFileSync(process.execPath, [KMIPD, 'client', ...args, '--client', folder, '--server', kmip, '--json'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  )

/** A PEM bundle as the console saves it, taken apart for `kmipd client`. */
function clientFolder(name, bundle) {
  const folder = join(work, name)
  const [key, certificate, ...chain] = bundle.match(/-----BEGIN [A-Z ]+-----[^-]+-----END [A-Z ]+-----\n/g)
  mkdirSync(folder)
  for (const [file, text] of [
    ['key.pem', key],
    ['cert.pem', certificate],
    ['ca.pem', chain.join('')],
  ])
    writeFileSync(join(folder, file), text)
  return folder
}

async function signIn(page, given = token) {
  await page.goto(`${origin}/ui/`)
  await page.getByLabel('Token').fill(given)
  await page.getByRole('button', { name: 'Sign in' }).click()
}

async function goto(page, place, heading) {
  await page.goto(`${origin}/ui/#/${place}`)
  await page.getByRole('heading', { level: 1, name: heading }).waitFor()
}

const dialog = page => page.getByRole('dialog')
const visible = locator => locator.waitFor({ timeout: 10_000 })

/** What is downloaded while something is done. */
async function downloaded(page, act) {
  const [file] = await Promise.all([page.waitForEvent('download'), act()])
  const path = join(work, file.suggestedFilename())
  await file.saveAs(path)
  return { name: file.suggestedFilename(), path }
}

const { page, context, trouble } = await openPage(browser, origin)
let folder
let serial

await check('a token that nobody knows is refused in a sentence', async () => {
  await signIn(page, 'nobody')
  await visible(page.getByText('The server does not know this token, or it has ended.'))
})

await check('signing in by keyboard alone; the token is in this tab and in no address', async () => {
  await page.goto(`${origin}/ui/`)
  await visible(page.locator('input:focus'))
  await page.keyboard.type(token)
  await page.keyboard.press('Enter')
  await visible(page.getByRole('heading', { name: 'Overview' }))
  const kept = await page.evaluate(() => ({
    ...localStorage,
    cookie: document.cookie,
    href: location.href,
    session: Object.values(sessionStorage),
  }))
  assert.deepEqual(kept, { cookie: '', href: `${origin}/ui/`, session: [token] })
})

await check('a scope is made', async () => {
  await page.getByRole('link', { name: 'Scopes' }).click()
  await page.getByRole('button', { name: 'New scope' }).click()
  await page.getByLabel('Name').fill('finance')
  await page.keyboard.press('Enter')
  await visible(page.getByRole('heading', { level: 1, name: 'finance' }))
  assert.deepEqual((await api('LIST', 'kmip/scope')).data.keys.includes('finance'), true)
})

await check('a role is made with the operations that were chosen', async () => {
  await page.getByRole('button', { name: 'New role' }).click()
  await dialog(page).getByLabel('Name').fill('accounting')
  await dialog(page).getByLabel('Encrypt').check()
  await dialog(page).getByLabel('Register').uncheck()
  await dialog(page).getByLabel('Key', { exact: true }).selectOption('ec 384')
  await dialog(page).getByLabel('Lifetime').fill('2d')
  await dialog(page).getByRole('button', { name: 'Create role' }).click()
  await visible(page.getByRole('heading', { level: 1, name: 'accounting' }))
  const { data: role } = await api('GET', 'kmip/scope/finance/role/accounting')
  assert.equal(role.operation_encrypt, true)
  assert.equal(role.operation_create, true)
  assert.equal('operation_register' in role, false)
  assert.deepEqual([role.tls_client_key_type, role.tls_client_key_bits, role.tls_client_ttl], ['ec', 384, 172_800])
})

await check('a credential is downloaded once, and ends soon', async () => {
  await page.getByRole('button', { name: 'New credential' }).click()
  const { name, path } = await downloaded(page, () => dialog(page).getByRole('button', { name: 'Generate and download' }).click())
  assert.match(name, /^finance-accounting-\d{8}\.pem$/)
  folder = clientFolder('accounting', readFileSync(path, 'utf8'))
  await visible(dialog(page).getByText('only copy of the private key'))
  await dialog(page).getByRole('button', { name: 'Done' }).click()
  await visible(page.getByText('ends soon'))
  const { data: list } = await api('LIST', 'kmip/scope/finance/role/accounting/credential')
  serial = list.keys[0]
  assert.equal(await page.getByText(serial).count(), 1)
})

await check('a KMIP client uses it', async () => {
  const made = client(folder, 'create', '--name', HOSTILE, '--activate')
  client(folder, 'get', made.id)
})

await check('the object appears, its name is text and nothing else', async () => {
  await goto(page, 'scopes/finance', 'finance')
  await page.getByRole('link', { name: 'Objects' }).click()
  await page.getByRole('link', { name: HOSTILE }).click()
  await visible(page.getByRole('heading', { level: 1, name: HOSTILE }))
  await visible(page.getByText('Activated'))
  assert.match(await page.title(), /^<img/)
  assert.equal(await page.locator('main img').count(), 0)
})

await check('filters find it and do not find it', async () => {
  await goto(page, 'scopes/finance/objects', 'Objects')
  await page.getByLabel('State').selectOption('Active')
  await visible(page.getByRole('link', { name: HOSTILE }))
  await page.getByLabel('State').focus()
  await page.getByLabel('State').selectOption('Destroyed')
  await visible(page.getByText('No object is like that'))
  assert.equal(await page.locator('select:focus').count(), 1, 'the focus stays on the filter')
  await page.getByRole('link', { name: 'Show all' }).click()
  await visible(page.getByRole('link', { name: HOSTILE }))
})

await check('the overview and the audit log know of it', async () => {
  await goto(page, '', 'Overview')
  await visible(page.getByRole('region', { name: 'Operations' }).getByText('Create'))
  await goto(page, 'audit', 'Audit')
  await page.getByLabel('Scope').fill('finance')
  await page.keyboard.press('Enter')
  await visible(page.getByRole('region', { name: 'Audit' }).getByText('Create').first())
})

await check('a key of the KES door appears', async () => {
  await goto(page, 'kes', 'KES')
  await visible(page.getByText('No keys yet'))
  const env = { ...process.env, KES_SERVER: `https://${kes}`, KES_API_KEY: readFileSync(join(data, 'kes-api-key'), 'utf8').trim() }
  execFileSync(process.execPath, [KMIPD, 'kes', 'key', 'create', 'minio-bucket', '--insecure'], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  await page.getByRole('button', { name: 'Search' }).click()
  await visible(page.getByRole('region', { name: 'Keys' }).getByText('minio-bucket'))
})

await check('a role is changed: what is sent is merged, and counts at once', async () => {
  await goto(page, 'scopes/finance/roles/accounting', 'accounting')
  await page.getByLabel('Create', { exact: true }).uncheck()
  await page.getByRole('button', { name: 'Save role' }).click()
  await visible(page.getByText('Saved.'))
  assert.throws(() => client(folder, 'create', '--name', 'x'), /PermissionDenied|Permission Denied|may not|permission/i)
  await page.getByLabel('Everything').check()
  await page.getByRole('button', { name: 'Save role' }).click()
  await visible(page.getByText('Saved.'))
  client(folder, 'create', '--name', 'second')
})

await check('a PKCS#12 file opens with its password alone', async () => {
  await page.getByRole('button', { name: 'New credential' }).click()
  await dialog(page).getByLabel('File').selectOption('pkcs12')
  await dialog(page).getByLabel('Password of the file').fill('a password')
  const { name, path } = await downloaded(page, () => dialog(page).getByRole('button', { name: 'Generate and download' }).click())
  assert.match(name, /\.p12$/)
  const open = password =>
    execFileSync('openssl', ['pkcs12', '-in', path, '-passin', `pass:${password}`, '-nodes'], { stdio: ['ignore', 'pipe', 'pipe'] })
  assert.match(String(open('a password')), /PRIVATE KEY/)
  assert.throws(() => open('another'))
  await page.keyboard.press('Escape')
  await dialog(page).waitFor({ state: 'detached' })
})

await check('a request is signed, and the key never left', async () => {
  const key = join(work, 'own.key')
  execFileSync('openssl', ['ecparam', '-name', 'secp384r1', '-genkey', '-noout', '-out', key])
  const csr = String(execFileSync('openssl', ['req', '-new', '-key', key, '-subj', '/CN=whoever'], { stdio: ['ignore', 'pipe', 'pipe'] }))
  await page.getByRole('button', { name: 'Sign a request' }).click()
  await dialog(page).getByLabel('Certificate request').fill('no request')
  await dialog(page).getByRole('button', { name: 'Sign' }).click()
  await visible(dialog(page).getByRole('alert').getByText('csr'))
  await dialog(page).getByLabel('Certificate request').fill(csr)
  await dialog(page).getByRole('button', { name: 'Sign' }).click()
  const { path } = await downloaded(page, () => dialog(page).getByRole('button', { name: 'Download' }).click())
  const own = clientFolder('own', `${readFileSync(key, 'utf8')}${readFileSync(path, 'utf8')}`)
  client(own, 'locate')
  await dialog(page).getByRole('button', { name: 'Done' }).click()
})

await check('a credential is renewed, and the old one stays good', async () => {
  await page.getByRole('button', { name: `Renew ${serial}` }).click()
  const { path } = await downloaded(page, () => dialog(page).getByRole('button', { name: 'Generate and download' }).click())
  await dialog(page).getByRole('button', { name: 'Done' }).click()
  client(clientFolder('renewed', readFileSync(path, 'utf8')), 'locate')
  client(folder, 'locate')
})

await check('a credential is revoked, and its client cut off', async () => {
  await page.getByRole('button', { name: `Revoke ${serial}` }).click()
  await dialog(page).getByRole('button', { name: 'Revoke', exact: true }).click()
  await dialog(page).waitFor({ state: 'detached' })
  await page.getByText(serial).waitFor({ state: 'detached' })
  assert.throws(() => client(folder, 'locate'))
})

await check('the configuration is written', async () => {
  await goto(page, 'settings', 'Settings')
  const begin = page.getByRole('button', { name: 'Write the defaults down' })
  await page.getByLabel('Names in the listener’s certificate').or(begin).waitFor()
  if (await begin.isVisible()) await begin.click()
  await page.getByLabel('Lifetime of client certificates').fill('10d')
  await page.getByRole('button', { name: 'Save configuration' }).click()
  await visible(page.getByText('Saved.'))
  assert.equal((await api('GET', 'kmip/config')).data.default_tls_client_ttl, 864_000)
  await page.getByLabel('Lifetime of client certificates').fill('soon')
  await page.getByRole('button', { name: 'Save configuration' }).click()
  await visible(page.getByRole('alert').getByText('default_tls_client_ttl'))
})

await check('a CA is made, shown and deleted', async () => {
  await page.getByRole('button', { name: 'New CA' }).click()
  await dialog(page).getByLabel('Name').fill('branch')
  await dialog(page).getByRole('button', { name: 'Create CA' }).click()
  await page.getByRole('button', { name: 'Show branch' }).click()
  await visible(dialog(page).getByText('BEGIN CERTIFICATE').first())
  await page.keyboard.press('Escape')
  await page.getByRole('button', { name: 'Delete branch' }).click()
  await dialog(page).getByRole('button', { name: 'Delete CA' }).click()
  await visible(page.getByText('No named CAs'))
})

await check('the revocation list is downloaded', async () => {
  const { path } = await downloaded(page, () => page.getByRole('link', { name: 'Download revocation list' }).click())
  const text = String(execFileSync('openssl', ['crl', '-in', path, '-noout', '-text'], { stdio: ['ignore', 'pipe', 'pipe'] }))
  assert.ok(text.includes(BigInt(serial).toString(16).toUpperCase()))
})

await check('a listener is opened, edited and closed', async () => {
  await api('POST', 'kmip/ca/branch/generate', { key_type: 'ec', key_bits: 256 })
  const port = await freePort()
  await page.reload()
  await page.getByRole('button', { name: 'New listener' }).click()
  await dialog(page).getByLabel('Name', { exact: true }).fill('branch')
  await dialog(page).getByLabel('Address', { exact: true }).fill('nowhere')
  await dialog(page).getByLabel('CA', { exact: true }).selectOption('branch')
  await dialog(page).getByRole('button', { name: 'Open listener' }).click()
  await visible(dialog(page).getByRole('alert').getByText('host:port'))
  await dialog(page).getByLabel('Address', { exact: true }).fill(`127.0.0.1:${port}`)
  await dialog(page).getByRole('button', { name: 'Open listener' }).click()
  await page.getByRole('button', { name: 'Edit listener branch' }).click()
  await dialog(page).getByLabel('Names in its certificate').fill('kms.example.com')
  await dialog(page).getByLabel('TLS').selectOption('tls13')
  await dialog(page).getByRole('button', { name: 'Save listener' }).click()
  await dialog(page).waitFor({ state: 'detached' })
  const { data } = await api('GET', 'kmip/listener/branch')
  assert.deepEqual(
    [data.server_hostnames, data.tls_min_version, data.address, data.ca],
    [['kms.example.com'], 'tls13', `127.0.0.1:${port}`, 'branch'],
  )
  await page.getByRole('button', { name: 'Delete listener branch' }).click()
  await dialog(page).getByRole('button', { name: 'Delete listener' }).click()
  await visible(page.getByText('No listeners besides that of the configuration'))
})

await check('a CA is imported, and whose its clients are is said anew', async () => {
  const { data } = await api('GET', 'kmip/ca/branch')
  await page.getByRole('button', { name: 'Import a CA' }).click()
  await dialog(page).getByLabel('Name', { exact: true }).fill('corporate')
  await dialog(page).getByLabel('Certificate', { exact: true }).fill(data.ca_chain[0])
  await dialog(page).getByRole('button', { name: 'Import', exact: true }).click()
  await page.getByRole('button', { name: 'Edit corporate' }).click()
  await dialog(page).getByLabel('Scope', { exact: true }).selectOption({ label: 'always the same' })
  await dialog(page).getByLabel('Name of the scope').fill('finance')
  await dialog(page).getByRole('button', { name: 'Save mapping' }).click()
  await visible(page.getByText('scope finance, role by CN'))
  const { scope_name, scope_field, role_field } = (await api('GET', 'kmip/ca/corporate')).data
  assert.deepEqual([scope_name, scope_field, role_field], ['finance', undefined, 'CN'])
  for (const name of ['corporate', 'branch']) await api('DELETE', `kmip/ca/${name}`)
})

await check('limits of a scope and of a role are written', async () => {
  for (const [place, heading, path] of [
    ['scopes/finance', 'finance', 'kmip/scope/finance/limits'],
    ['scopes/finance/roles/accounting', 'accounting', 'kmip/scope/finance/role/accounting/limits'],
  ]) {
    await goto(page, place, heading)
    await page.getByLabel('Requests a second').fill('500')
    await page.getByRole('button', { name: 'Save limits' }).click()
    await visible(page.getByText('Saved.'))
    assert.equal((await api('GET', path)).data.requests_per_second, 500)
  }
})

await check('a refused request is traced while that is on', async () => {
  const own = join(work, 'own')
  await goto(page, 'scopes/finance', 'finance')
  await page.getByRole('link', { name: 'Refused requests' }).click()
  await visible(page.getByText('The trace is off.'))
  await page.getByRole('button', { name: 'Trace for an hour' }).click()
  await visible(page.getByText('The trace is on'))
  assert.throws(() => client(own, 'get', 'nothing-is-named-so'))
  await visible(page.getByText('ItemNotFound').or(page.getByText('ObjectNotFound')))
  await page.getByText('Request', { exact: true }).click()
  await visible(page.getByText('nothing-is-named-so').first())
})

await check('a policy is written as text, with what the server says of it', async () => {
  await goto(page, 'access', 'Access')
  await page.getByRole('button', { name: 'New policy' }).click()
  await dialog(page).getByLabel('Name').fill('auditors')
  await dialog(page).getByLabel('Policy', { exact: true }).fill('path "kmip/scope" { capabilities = ["raed"] }')
  await dialog(page).getByRole('button', { name: 'Create policy' }).click()
  await visible(dialog(page).getByRole('alert').getByText('invalid capability "raed"'))
  await dialog(page).getByLabel('Policy', { exact: true }).fill('path "kmip/scope" { capabilities = ["read"] }')
  await dialog(page).getByRole('button', { name: 'Create policy' }).click()
  await visible(page.getByRole('heading', { level: 1, name: 'auditors' }))
  await page.getByRole('textbox', { name: 'Policy' }).fill('path "kmip/scope" { capabilities = ["list"] }')
  await page.getByRole('button', { name: 'Save policy' }).click()
  await visible(page.getByText('Saved.'))
  assert.match((await api('GET', 'sys/policies/acl/auditors')).data.policy, /"list"/)
})

await check('a token is made, shown once, and revoked', async () => {
  await page.getByRole('link', { name: 'Access', exact: true }).first().click()
  await visible(page.getByText('yours'))
  await page.getByRole('button', { name: 'New token' }).click()
  await dialog(page).getByLabel('Name').fill('audit-tool')
  await dialog(page).getByLabel('Policies').fill('auditors, root')
  await dialog(page).getByLabel('Lifetime').fill('soon')
  await dialog(page).getByRole('button', { name: 'Create token' }).click()
  await visible(dialog(page).getByRole('alert').getByText('ttl'))
  await dialog(page).getByLabel('Policies').fill('auditors')
  await dialog(page).getByLabel('Lifetime').fill('1h')
  await dialog(page).getByRole('button', { name: 'Create token' }).click()
  const made = (await dialog(page).getByLabel('Token').textContent()).trim()
  await dialog(page).getByRole('button', { name: 'Done' }).click()
  assert.deepEqual((await api('GET', 'auth/token/lookup-self', undefined, made)).data.policies, ['auditors', 'default'])
  assert.equal((await page.content()).includes(made), false)
  await page.getByRole('button', { name: 'Revoke token-audit-tool' }).click()
  await dialog(page).getByRole('button', { name: 'Revoke', exact: true }).click()
  await page.getByRole('rowheader', { name: 'token-audit-tool' }).waitFor({ state: 'detached' })
  assert.equal((await api('GET', 'auth/token/lookup-self', undefined, made)).status, 403)
})

await check('the audit log goes on for pages', async () => {
  for (let i = 0; i < 110; i++) await api('GET', 'kmip/config')
  await goto(page, 'audit', 'Audit')
  await page.getByLabel('Operation').fill('read')
  await page.keyboard.press('Enter')
  await page.waitForURL(/operation=read/)
  await page.getByRole('link', { name: 'Older' }).click()
  await page.waitForURL(/after=/)
  await visible(page.getByRole('region', { name: 'Audit' }))
  assert.equal(await page.locator('.notice.bad').count(), 0)
})

await check('another engine is enabled, chosen and disabled', async () => {
  await goto(page, 'settings', 'Settings')
  await page.getByRole('button', { name: 'New engine' }).click()
  await dialog(page).getByLabel('Path').fill('kmip-branch')
  await dialog(page).getByRole('button', { name: 'Enable engine' }).click()
  await page.getByLabel('Engine', { exact: true }).selectOption('kmip-branch')
  await page.getByRole('link', { name: 'Scopes' }).click()
  await visible(page.getByText('No scopes yet'))
  await goto(page, 'settings', 'Settings')
  await page.getByRole('button', { name: 'Disable kmip-branch/' }).click()
  await dialog(page).getByLabel('to go on').fill('kmip-branch/')
  await dialog(page).getByRole('button', { name: 'Disable and delete everything' }).click()
  await page.getByLabel('Engine', { exact: true }).waitFor({ state: 'detached' })
})

await check('a scope with objects goes by force alone, and that must be typed', async () => {
  await api('POST', 'kmip/scope/doomed')
  await api('POST', 'kmip/scope/doomed/role/all', { operation_all: true })
  const { data: made } = await api('POST', 'kmip/scope/doomed/role/all/credential/generate', { format: 'pem' })
  const bundle = [made.private_key, made.certificate, ...made.ca_chain].map(pem => `${pem}\n`).join('')
  client(clientFolder('doomed', bundle), 'create', '--name', 'lost')
  await goto(page, 'scopes/doomed', 'doomed')
  await page.getByRole('button', { name: 'Delete scope' }).click()
  await dialog(page).getByRole('button', { name: 'Delete scope' }).click()
  await visible(dialog(page).getByRole('alert').getByText('object'))
  await dialog(page).getByLabel('Delete its objects too').check()
  const remove = dialog(page).getByRole('button', { name: 'Delete with all objects' })
  assert.equal(await remove.isDisabled(), true)
  await dialog(page).getByLabel('to go on').fill('doomed')
  await remove.click()
  await visible(page.getByRole('heading', { level: 1, name: 'Scopes' }))
  assert.equal((await api('LIST', 'kmip/scope')).data.keys.includes('doomed'), false)
})

await check('an object is revoked and destroyed, each after a question', async () => {
  await goto(page, 'scopes/finance/objects', 'Objects')
  await page.getByRole('link', { name: HOSTILE }).click()
  await page.getByRole('button', { name: 'Revoke' }).click()
  await dialog(page).getByRole('button', { name: 'Revoke', exact: true }).click()
  await visible(page.locator('.facts').getByText('Deactivated'))
  await page.getByRole('button', { name: 'Destroy' }).click()
  await dialog(page).getByLabel('to go on').fill('destroy')
  await dialog(page).getByRole('button', { name: 'Destroy for ever' }).click()
  await visible(page.locator('.facts').getByText('Destroyed'))
})

/** The policy that the documentation of the console shows. */
const POLICY = /```hcl\n([^`]+)```/.exec(readFileSync(new URL('../../docs/console.md', import.meta.url), 'utf8'))[1]

await check('a token for one scope does what it may, and is told in a sentence what it may not', async () => {
  await api('POST', 'sys/policies/acl/finance', { policy: POLICY })
  const { auth } = await api('POST', 'auth/token/create', { policies: ['finance'], ttl: '10m' })
  const other = await openPage(browser, origin)
  await signIn(other.page, auth.client_token)
  await visible(other.page.getByText('Ready'))
  await other.page.getByRole('link', { name: 'Scopes' }).click()
  await other.page.getByRole('link', { name: 'finance', exact: true }).click()
  await other.page.getByRole('link', { name: 'accounting', exact: true }).click()
  await other.page.getByRole('button', { name: 'New credential' }).click()
  await downloaded(other.page, () => dialog(other.page).getByRole('button', { name: 'Generate and download' }).click())
  await dialog(other.page).getByRole('button', { name: 'Done' }).click()
  for (const [place, heading] of [
    ['scopes/default', 'default'],
    ['settings', 'Settings'],
    ['audit', 'Audit'],
  ]) {
    await goto(other.page, place, heading)
    await visible(other.page.getByText('The policies of your token do not allow this.').first())
  }
  assert.deepEqual(other.trouble, [])
  await other.context.close()
})

await check('a token that is revoked or ends brings one back to the sign-in with a sentence', async () => {
  const ends = [
    [
      '10m',
      async (auth, page) => {
        await api('POST', 'auth/token/revoke', { token: auth.client_token })
        await page.getByRole('link', { name: 'Scopes' }).click()
      },
    ],
    ['12s', () => sleep(12_000)],
  ]
  for (const [ttl, end] of ends) {
    const { auth } = await api('POST', 'auth/token/create', { policies: ['root'], ttl })
    const other = await openPage(browser, origin)
    await signIn(other.page, auth.client_token)
    await visible(other.page.getByRole('heading', { name: 'Overview' }))
    await end(auth, other.page)
    await visible(other.page.getByText('Your token has ended or was revoked. Sign in again.'))
    assert.deepEqual(await other.page.evaluate(() => Object.values(sessionStorage).filter(text => text.length > 8)), [])
    await other.context.close()
  }
})

const SCREENS = [
  ['', 'Overview', 'overview'],
  ['scopes', 'Scopes', 'scopes'],
  ['scopes/finance', 'finance', 'scope'],
  ['scopes/finance/roles/accounting', 'accounting', 'role'],
  ['scopes/finance/objects', 'Objects', 'objects'],
  ['scopes/finance/refused', 'Refused requests', 'refused'],
  ['access', 'Access', 'access'],
  ['access/policies/auditors', 'auditors', 'policy'],
  ['kes', 'KES', 'kes'],
  ['audit', 'Audit', 'audit'],
  ['settings', 'Settings', 'settings'],
  ['nowhere', 'Not found', 'not-found'],
]
const DIALOGS = [
  ['scopes', 'Scopes', 'New scope'],
  ['scopes/finance', 'finance', 'New role'],
  ['scopes/finance', 'finance', 'Delete scope'],
  ['scopes/finance/roles/accounting', 'accounting', 'New credential'],
  ['scopes/finance/roles/accounting', 'accounting', 'Sign a request'],
  ['access', 'Access', 'New policy'],
  ['access', 'Access', 'New token'],
  ['settings', 'Settings', 'New listener'],
  ['settings', 'Settings', 'New CA'],
  ['settings', 'Settings', 'Import a CA'],
]

/** The page as it stands: no rule of accessibility broken, not wider than the window. */
async function sound(place, name) {
  await shoot(place.page, shots, name)
  assert.deepEqual(await violations(place.context, place.page), [])
  assert.ok((await overflow(place.page)) <= 0, 'it is wider than the window')
}

for (const colorScheme of ['light', 'dark'])
  for (const width of [1280, 360]) {
    const place = await openPage(browser, origin, { colorScheme, width })
    const suffix = `${colorScheme}-${width}`
    await check(`sign-in is sound, ${suffix}`, async () => {
      await place.page.goto(`${origin}/ui/`)
      await visible(place.page.getByLabel('Token'))
      await sound(place, `sign-in-${suffix}`)
    })
    await signIn(place.page)
    await visible(place.page.getByRole('heading', { name: 'Overview' }))
    for (const [at, heading, name] of SCREENS)
      await check(`${heading} is sound, ${suffix}`, async () => {
        await goto(place.page, at, heading)
        await place.page.locator('.loading').first().waitFor({ state: 'detached' })
        await sound(place, `${name}-${suffix}`)
      })
    await check(`an object is sound, ${suffix}`, async () => {
      await goto(place.page, 'scopes/finance/objects', 'Objects')
      await place.page.getByRole('link', { name: 'second', exact: true }).click()
      await visible(place.page.getByRole('heading', { name: 'Life' }))
      await sound(place, `object-${suffix}`)
    })
    for (const [at, heading, button] of DIALOGS)
      await check(`${button} is sound, ${suffix}`, async () => {
        await goto(place.page, at, heading)
        await place.page.getByRole('button', { name: button }).click()
        await visible(dialog(place.page))
        await sound(place, `${button.toLowerCase().replaceAll(' ', '-')}-${suffix}`)
        await place.page.keyboard.press('Escape')
        await dialog(place.page).waitFor({ state: 'detached' })
      })
    await check(`no errors and no requests elsewhere, ${suffix}`, async () => assert.deepEqual(place.trouble, []))
    await place.context.close()
  }

await check('signing out forgets the token', async () => {
  await page.getByRole('button', { name: 'Sign out' }).click()
  await visible(page.getByLabel('Token'))
  await page.reload()
  await visible(page.getByLabel('Token'))
  await signIn(page)
  await visible(page.getByRole('heading', { level: 1, name: 'Overview' }))
})

await check('a server that is gone is told of, and nothing breaks', async () => {
  await goto(page, 'scopes', 'Scopes')
  await visible(page.getByRole('link', { name: 'finance', exact: true }))
  const gone = new Promise(done => server.once('exit', done))
  server.kill()
  await gone
  await page.getByRole('link', { name: 'finance', exact: true }).click()
  await visible(page.getByRole('alert').getByText('The server does not answer.').first())
})

await check('no errors and no requests elsewhere', async () => assert.deepEqual(trouble, []))

await context.close()
await browser.close()
server.kill()
rmSync(work, { recursive: true, force: true })
console.log(`${counts.passed} passed, ${counts.failed} failed`)
process.exitCode = counts.failed > 0 ? 1 : 0
