import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { SealError, type SealErrorCode } from '../../src/seal/error.ts'
import { createLog } from '../../src/server/log.ts'
import { refusalOf, unseal } from '../../src/server/unseal.ts'
import { StoreError } from '../../src/store/store.ts'
import { VaultError } from '../../src/vault/errors.ts'

const lines: { readonly msg: string; readonly clients?: string[]; readonly metrics?: string }[] = []
const log = createLog({ level: 'debug', pretty: false, destination: { write: line => lines.push(JSON.parse(line)) } })
const free = { host: '127.0.0.1', port: 0 }
const place = { clients: [free], metrics: free, version: '1', log }
const away = (message = 'nobody answers'): SealError => new SealError('away', message)

async function listening() {
  for (let tries = 0; tries < 200; tries++) {
    const found = lines.find(({ msg }) => msg === 'sealed')
    if (found) return { client: Number(found.clients?.[0]?.split(':')[1]), metrics: `http://${found.metrics}` }
    await sleep(10)
  }
  throw new Error('it does not listen')
}

const health = async (url: string): Promise<string> => {
  const response = await fetch(url)
  return `${response.status} ${(await response.text()).trim()}`
}

t.test('what opens at once listens nowhere', async t => {
  lines.length = 0
  t.equal(await unseal(async () => 'data', new AbortController().signal, place), 'data')
  t.same(lines, [])
})

t.test('while it cannot be opened, health says why and clients are cut off', async t => {
  lines.length = 0
  let error: SealError | undefined = away()
  const open = async (): Promise<string> => {
    if (error) throw error
    return 'data'
  }
  const data = unseal(open, new AbortController().signal, place)
  const { client, metrics } = await listening()
  t.equal(await health(`${metrics}/readyz`), '503 sealed: nobody answers')
  t.equal(await health(`${metrics}/healthz`), '503 sealed: nobody answers')
  t.match(await health(`${metrics}/healthz?sealedok=true`), /^200 /)
  t.match(await health(`${metrics}/metrics`), /^200 /)
  const socket = connect(client, '127.0.0.1')
  socket.on('error', () => {})
  await new Promise(resolve => socket.once('close', resolve))
  t.ok(lines.some(({ msg }) => msg === 'a client is refused, since the data is sealed: nobody answers'))
  error = new SealError('refused', 'no permission')
  while (!lines.some(({ msg }) => msg === 'still sealed: no permission')) await sleep(20)
  error = undefined
  t.equal(await data, 'data')
  await t.rejects(health(`${metrics}/readyz`), 'it listens no more')
})

t.test('what it waits for, and what it does not', async t => {
  const stopped = AbortSignal.abort()
  const WAITS = [
    away(),
    new SealError('refused', ''),
    new VaultError('unreachable', ''),
    new VaultError('sealed', ''),
    new VaultError('login-refused', ''),
    new StoreError('unavailable', '', { cause: new VaultError('not-active', '') }),
  ]
  for (const error of WAITS) t.equal(await unseal(() => Promise.reject(error), stopped, place), undefined, `${error.name} ${error.code}`)
  const FAILS = [
    new SealError('wrong-key', ''),
    new SealError('damaged', ''),
    new SealError('sealed', ''),
    new VaultError('configuration', ''),
    new StoreError('damaged', ''),
    new RangeError('a fault'),
  ]
  for (const error of FAILS)
    await t.rejects(
      unseal(() => Promise.reject(error), stopped, place),
      error,
      error.name,
    )
})

t.test('told to stop while sealed', async t => {
  lines.length = 0
  const stop = new AbortController()
  const data = unseal(() => Promise.reject(away()), stop.signal, place)
  const { metrics } = await listening()
  stop.abort()
  t.equal(await data, undefined)
  await t.rejects(health(`${metrics}/readyz`))
})

t.test('a seal that is proved again and again', async t => {
  const stop = new AbortController()
  t.teardown(() => stop.abort())
  for (const code of ['refused', 'wrong-key', 'damaged'] as const) {
    const codes: (SealErrorCode | undefined)[] = [undefined, 'away', 'sealed', undefined, code]
    const prove = async (): Promise<void> => {
      const next = codes.shift()
      if (next !== undefined) throw new SealError(next, 'no')
    }
    t.equal((await refusalOf({ everyMs: 1, prove }, stop.signal)).code, code)
    t.same(codes, [], 'that its server is away says nothing')
  }
})
