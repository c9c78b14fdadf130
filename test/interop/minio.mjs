// A real MinIO server whose keys come from the KES door, on each key store: encryption by default, SSE-S3, SSE-KMS, multipart, copy and listing;
// kmipd restarted under it, its key store sealed under it, the transit key rotated under it; root access off.
// node test/interop/minio.mjs FOLDER-WITH-minio-AND-mc TOOLS VAULT-BINARY
import { execFile, execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { promisify } from 'node:util'
import { apiKey, MAIN, Processes, tlsFiles, until } from './kes-server.mjs'
import { Checks, startLab } from './vault.mjs'
import { freePort } from './vault-server.mjs'

const [built, tools, bin] = process.argv.slice(2)
if (!built || !tools || !bin) throw new Error('say where MinIO, the lab of Vault and the vault program are')
const dir = mkdtempSync(join(tmpdir(), 'kmipd-minio-'))
const run = promisify(execFile)
const processes = new Processes(dir)
const checks = new Checks()
const check = (what, isRight, seen = '') => checks.ok(isRight, seen === '' ? what : `${what}: ${seen}`)

const tls = tlsFiles(dir)
const user = apiKey()

/** What MinIO's own guide grants it, and describing and status, which newer releases ask for. */
const config = (address, keystore) => `
address: ${address}
admin: { identity: disabled }
tls: { key: ${tls.key}, cert: ${tls.cert} }
policy:
  minio:
    allow: [ /v1/key/create/*, /v1/key/generate/*, /v1/key/decrypt/*, /v1/key/describe/*, /v1/key/list/*, /v1/key/hmac/*, /v1/key/bulk/decrypt/*, /v1/status, /v1/metrics, /v1/log/audit, /v1/log/error ]
    identities: [ ${user.identity} ]
cache: { expiry: { any: 5s, unused: 2s, offline: 0s } }
log: { error: on, audit: on }
keystore: ${keystore}
`

/** @returns starts the door, on the same port each time */
async function door(name, keystore) {
  const port = await freePort()
  const file = join(dir, `${name}.yml`)
  writeFileSync(file, config(`127.0.0.1:${port}`, keystore))
  let args = ['kes', 'server', '--config', file]
  if (keystore === '{ native: {} }') {
    const home = join(dir, `${name}-data`)
    mkdirSync(home)
    writeFileSync(
      join(home, 'kmipd.yaml'),
      `dataDir: .\nkmip: { listen: '127.0.0.1:0' }\nmetrics: { listen: 'off' }\nadmin: { listen: 'off' }\nkes: { config: ${file} }\n`,
    )
    execFileSync(process.execPath, [MAIN, 'init', '--config', join(home, 'kmipd.yaml')], { stdio: 'ignore' })
    args = ['server', '--config', join(home, 'kmipd.yaml')]
  }
  const begin = async () => {
    const process_ = processes.start(`kes-${name}`, process.execPath, [MAIN, ...args])
    await processes.answering(process_, port)
    return process_
  }
  return { port, begin }
}

const kesEnv = port => ({
  MINIO_KMS_KES_ENDPOINT: `https://127.0.0.1:${port}`,
  MINIO_KMS_KES_API_KEY: user.key,
  MINIO_KMS_KES_KEY_NAME: 'minio-default',
  MINIO_KMS_KES_CAPATH: tls.cert,
})

async function minio(name, kesPort, env) {
  const port = await freePort()
  const data = join(dir, `${name}-objects`)
  mkdirSync(data, { recursive: true })
  const args = ['server', data, '--address', `127.0.0.1:${port}`, '--console-address', `127.0.0.1:${await freePort()}`]
  const process_ = processes.start(`minio-${name}`, join(built, 'minio'), args, {
    HOME: dir,
    MINIO_UPDATE: 'off',
    ...kesEnv(kesPort),
    ...env,
  })
  await until(`MinIO on ${name}`, 90, async () => {
    if (!process_.alive()) throw new Error(`MinIO on ${name} has ended:\n${readFileSync(process_.log, 'utf8')}`)
    return (await fetch(`http://127.0.0.1:${port}/minio/health/ready`).catch(() => undefined))?.ok
  })
  return { ...process_, url: `http://127.0.0.1:${port}` }
}

async function mc(...args) {
  const { stdout } = await run(join(built, 'mc'), ['--config-dir', join(dir, 'mc'), '--json', ...args], {
    maxBuffer: 1 << 26,
    timeout: 60_000,
  }).catch(error => {
    throw new Error(`mc ${args.join(' ')}: ${error.stdout}${error.stderr}`)
  })
  return stdout
    .trim()
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line))
}
const tryMc = (...args) =>
  mc(...args).then(
    () => true,
    () => false,
  )

const small = randomBytes(1000)
const large = randomBytes(18 * 2 ** 20)
writeFileSync(join(dir, 'small'), small)
writeFileSync(join(dir, 'large'), large)

async function read(object) {
  const file = join(dir, 'read')
  rmSync(file, { force: true })
  await mc('cp', object, file)
  return readFileSync(file)
}
const isReadable = object =>
  read(object).then(
    () => true,
    () => false,
  )

/** @param beneath  what happens to the key store while objects are there: it is told when to break and when to mend */
async function objects(name, keystore, beneath) {
  const kes = await door(name, keystore)
  let kmipd = await kes.begin()
  let server
  try {
    server = await minio(name, kes.port, {
      MINIO_ROOT_USER: 'operator',
      MINIO_ROOT_PASSWORD: 'operator-secret',
      MINIO_KMS_AUTO_ENCRYPTION: 'on',
    })
    const at = (path = '') => `${name}${path}`
    await mc('alias', 'set', name, server.url, 'operator', 'operator-secret')
    await mc('mb', at('/first'), at('/second'))
    await mc('admin', 'kms', 'key', 'create', name, 'tenant')
    await mc('cp', join(dir, 'small'), at('/first/auto'))
    await mc('cp', '--enc-s3', at('/first'), join(dir, 'small'), at('/first/s3'))
    await mc('cp', '--enc-kms', `${at('/first')}=tenant`, join(dir, 'small'), at('/first/kms'))
    await mc('cp', join(dir, 'large'), at('/first/large'))
    await mc('cp', at('/first/kms'), at('/second/copy'))
    for (const [object, content] of [
      ['/first/auto', small],
      ['/first/s3', small],
      ['/first/kms', small],
      ['/first/large', large],
      ['/second/copy', small],
    ]) {
      check(`${name}: ${object} comes back`, (await read(at(object))).equals(content))
      const [stat] = await mc('stat', at(object))
      check(`${name}: ${object} is encrypted`, /kms|AES256|SSE/i.test(JSON.stringify(stat)), JSON.stringify(stat))
    }
    check(`${name}: all are listed`, (await mc('ls', '--recursive', at('/first'))).length === 4)
    const [status] = await mc('admin', 'kms', 'key', 'status', name, 'tenant')
    check(
      `${name}: MinIO says that the key is well`,
      status.status !== 'error' && !status.encryptionError && !status.decryptionError,
      JSON.stringify(status),
    )

    await processes.stop(kmipd)
    check(`${name}: without kmipd nothing is read`, !(await isReadable(at('/first/s3'))))
    kmipd = await kes.begin()
    await until(`${name}: objects after a restart`, 60, () => isReadable(at('/first/s3')))
    check(`${name}: after a restart of kmipd`, (await read(at('/first/large'))).equals(large))

    if (beneath) {
      await beneath.break()
      // What is cached may be served for as long as the configuration says.
      await wait(8_000)
      check(`${name}: with its key store away nothing new is written`, !(await tryMc('cp', join(dir, 'small'), at('/first/away'))))
      await beneath.mend()
      await until(`${name}: objects after the key store is back`, 90, () => isReadable(at('/first/kms')))
      check(`${name}: when it is back`, (await read(at('/first/kms'))).equals(small))
      await mc('admin', 'kms', 'key', 'create', name, 'after')
      await mc('cp', '--enc-kms', `${at('/first')}=after`, join(dir, 'small'), at('/first/after'))
      check(`${name}: a key that was made after that`, (await read(at('/first/after'))).equals(small))
    }
    await processes.stop(server)

    const rootless = await minio(name, kes.port, { MINIO_API_ROOT_ACCESS: 'off' })
    check(`${name}: MinIO starts with root access off, its root credentials made by the key's HMAC`, rootless.alive())
    await processes.stop(rootless)
  } finally {
    if (server) await processes.stop(server)
    await processes.stop(kmipd)
  }
  console.log(`${name}: done`)
}

async function onVault(lab) {
  const { role_id: id, secret_id: secret } = lab.approle.kes
  const vault = more =>
    `{ vault: { endpoint: '${lab.addresses[0]}', approle: { id: '${id}', secret: '${secret}' }, status: { ping: 1s }, ${more} } }`
  await objects('vault-v1', vault('engine: kv1, version: v1'), { break: lab.seal, mend: lab.unseal })
  await objects('vault-v2', vault('engine: kv, version: v2'), { break: lab.seal, mend: lab.unseal })
  await lab.call('POST', 'sys/policies/acl/minio-transit', {
    policy: 'path "transit/encrypt/kmipd" { capabilities = ["update"] }\npath "transit/decrypt/kmipd" { capabilities = ["update"] }',
  })
  const role = (await lab.call('GET', 'auth/approle/role/kes')).body.data
  await lab.call('POST', 'auth/approle/role/kes', { token_policies: [...role.token_policies, 'minio-transit'] })
  await objects('vault-transit', vault('engine: kv, version: v2, prefix: rotated, transit: { engine: transit, key: kmipd }'), {
    async break() {
      await lab.rotate('kmipd')
      await lab.seal()
    },
    mend: lab.unseal,
  })
}

let lab
try {
  await objects('fs', `{ fs: { path: ${join(dir, 'fs-keys')} } }`, undefined)
  await objects('native', '{ native: {} }', undefined)
  lab = await startLab({ tools, bin })
  await onVault(lab)
} catch (error) {
  checks.ok(false, error.stack)
} finally {
  await processes.stopAll()
  await lab?.stop()
  rmSync(dir, { recursive: true, force: true })
}
checks.end()
