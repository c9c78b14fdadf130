import { once } from 'node:events'
import { createConnection } from 'node:net'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import t from 'tap'
import { LIMITS, type Limits } from '../../src/server/limits.ts'
import type { Refusal } from '../../src/server/metrics.ts'
import { encode } from '../../src/ttlv/binary.ts'
import { closed, type Lab, message, Pki, portOf, receive, startLab, UNREADABLE, until } from './lab.ts'

const pki = await Pki.make()
const client = await pki.client()
const credential = await pki.server()
const base = { pki, client, credential }

t.test('client 1: a message is answered, with one TLS record for each answer', async t => {
  for (const size of [8, 1000, 16_376]) {
    const lab = await startLab(t, base)
    const socket = await lab.connect()
    const records: number[] = []
    socket.on('data', chunk => records.push(chunk.length))
    socket.write(message(1, size))
    await receive(socket, 8 + size)
    t.same(records, [8 + size])
    socket.destroy()
  }
})

t.test('pipelined messages are answered in order, each in a record of its own', async t => {
  const order: number[] = []
  const lab = await startLab(t, {
    ...base,
    // Later messages would be ready sooner.
    answer: async request => {
      const number = request.readUInt32BE(8)
      if (number % 3 === 0) await new Promise(resolve => setImmediate(resolve))
      order.push(number)
      return request
    },
  })
  const socket = await lab.connect()
  const records: number[] = []
  socket.on('data', chunk => records.push(chunk.length))
  const many = Array.from({ length: 100 }, (_, i) => message(i, 800))
  socket.write(Buffer.concat(many))
  const answer = await receive(socket, 100 * 808)
  t.ok(answer.equals(Buffer.concat(many)))
  t.same(
    order,
    [...order].sort((a, b) => a - b),
  )
  t.same(new Set(records), new Set([808]))
  t.equal(lab.audited.length, 100)
  socket.destroy()
})

t.test('a message may come in any pieces', async t => {
  const lab = await startLab(t, base)
  const socket = await lab.connect()
  const whole = Buffer.concat([message(1, 24), message(2, 8), message(3, 64)])
  for (const piece of [1, 3, 7, 8, 9, 30]) {
    const back = receive(socket, whole.length)
    for (let i = 0; i < whole.length; i += piece) {
      socket.write(whole.subarray(i, i + piece))
      await new Promise(resolve => setImmediate(resolve))
    }
    t.ok((await back).equals(whole), `pieces of ${piece}`)
  }
  socket.destroy()
})

t.test('a client that sends and does not read is not read further, and gets all answers in the end', async t => {
  let answered = 0
  const lab = await startLab(t, {
    ...base,
    answer: () => {
      answered++
      return message(answered, 100_000)
    },
  })
  const socket = await lab.connect()
  socket.pause()
  const requests = Array.from({ length: 400 }, (_, i) => message(i, 1000))
  socket.write(Buffer.concat(requests))
  let before = -1
  await until(() => {
    const stalled = answered > 0 && answered === before
    before = answered
    return stalled
  }, 50)
  t.ok(answered < 300, `${answered} answered while nobody reads`)
  const reading = receive(socket, 400 * 100_008)
  socket.resume()
  const all = await reading
  t.equal(all.length, 400 * 100_008)
  socket.destroy()
})

t.test('a client that asks for much and does not read is not worked for', async t => {
  let answered = 0
  const size = 2 ** 22
  const lab = await startLab(t, { ...base, answer: () => message(++answered, size) })
  const socket = await lab.connect()
  socket.pause()
  socket.write(Buffer.concat(Array.from({ length: 20 }, (_, i) => message(i, 8))))
  let before = -1
  await until(() => {
    const stalled = answered > 0 && answered === before
    before = answered
    return stalled
  }, 100)
  // The system itself takes some for the socket.
  t.ok(answered < 10, `${answered} answered while nobody reads`)
  const reading = receive(socket, 20 * (size + 8))
  socket.resume()
  t.equal((await reading).length, 20 * (size + 8))
  socket.destroy()
})

t.test('a client that ends its side still gets its answers, and a close_notify', async t => {
  const lab = await startLab(t, {
    ...base,
    answer: async request => {
      await new Promise(resolve => setTimeout(resolve, 20))
      return request
    },
  })
  const socket = await lab.connect(client, { allowHalfOpen: true } as ConnectionOptions)
  const sent = Buffer.concat([message(7), message(8), message(9)])
  socket.end(sent)
  let ended = false
  socket.on('end', () => {
    ended = true
  })
  t.ok((await receive(socket, sent.length)).equals(sent))
  await closed(socket)
  t.ok(ended, 'the end came as a close_notify, not as a reset')
})

t.test('the engine may ask to close after its answer', async t => {
  const lab = await startLab(t, { ...base, answer: request => ({ bytes: request, close: true }) })
  const socket = await lab.connect()
  socket.write(Buffer.concat([message(1), message(2)]))
  const all: Buffer[] = []
  socket.on('data', chunk => all.push(chunk))
  await closed(socket)
  t.ok(Buffer.concat(all).equals(message(1)), 'the second message is not answered')
})

t.test('what reaches a limit is refused and counted', async t => {
  const cases: [name: string, limits: Partial<Limits>, kind: Refusal, act: (lab: Lab) => Promise<unknown>][] = [
    ['slow handshake', { handshakeMs: 50 }, 'handshake_timeout', lab => tcp(lab, '')],
    ['no TLS', {}, 'handshake', lab => tcp(lab, 'GET / HTTP/1.1\r\n\r\n')],
    ['no client certificate', {}, 'certificate', lab => closedAfter(lab, connect({ port: portOf(lab), host: '127.0.0.1', ca: pki.ca }))],
    ['partial message', { partialMs: 60 }, 'partial_message', lab => trickle(lab)],
    ['idle', { idleMs: 60 }, 'idle', async lab => closed(await lab.connect())],
    ['first byte not TTLV', {}, 'not_kmip', async lab => sendAndClose(lab, Buffer.from('G'))],
    ['second byte not TTLV', {}, 'not_kmip', async lab => sendAndClose(lab, Buffer.from('4201', 'hex'))],
    ['a response message', {}, 'not_kmip', async lab => sendAndClose(lab, Buffer.from('42007b01', 'hex'))],
    ['oversized length', { messageBytes: 1000 }, 'message_size', async lab => sendAndClose(lab, message(1, 1000).subarray(0, 8))],
    ['length of 4 GiB', {}, 'message_size', async lab => sendAndClose(lab, Buffer.from('42007801ffffffff', 'hex'))],
    [
      'connections',
      { connections: 2 },
      'connections',
      async lab => {
        const sockets = [await lab.connect(), await lab.connect()]
        await tcp(lab, '')
        for (const socket of sockets) socket.destroy()
      },
    ],
    [
      'connections of one identity',
      { connectionsPerIdentity: 2 },
      'connections_per_identity',
      async lab => {
        const sockets = [await lab.connect(), await lab.connect()]
        await closed(await lab.connect())
        const other = await lab.connect(await pki.client())
        other.write(message(1))
        t.equal((await receive(other, 16)).length, 16, 'another client is not held up')
        for (const socket of [...sockets, other]) socket.destroy()
      },
    ],
  ]
  for (const [name, limits, kind, act] of cases) {
    const lab = await startLab(t, { ...base, limits })
    await act(lab)
    await until(() => lab.metrics.refused(kind) > 0)
    t.equal(lab.metrics.refused(kind), 1, name)
    t.ok(
      lab.logged.some(line => line.includes(`"refusal":"${kind}"`)),
      `${name} is logged`,
    )
    await lab.listener.stop(0)
  }
})

t.test('the time of day may be set: what takes long is cut off all the same, and nobody else', async t => {
  let aheadMs = 0
  const now = (): number => Date.now() + aheadMs
  const lab = await startLab(t, { ...base, limits: { partialMs: 100, idleMs: 60_000 }, now })
  const [slow, idle] = [await lab.connect(), await lab.connect()]
  slow.write(message(1).subarray(0, 4))
  aheadMs = -3_600_000
  await closed(slow)
  t.equal(lab.metrics.refused('partial_message'), 1)
  aheadMs = 3_600_000
  await new Promise(resolve => setTimeout(resolve, 100))
  idle.write(message(2))
  t.ok((await receive(idle, 16)).equals(message(2)))
  idle.destroy()
})

t.test('an oversized length is answered behind what came before it', async t => {
  const lab = await startLab(t, { ...base, limits: { messageBytes: 1000 }, answer: () => message(1) })
  const socket = await lab.connect()
  socket.write(Buffer.concat([message(1, 992), message(2, 1000)]).subarray(0, 1000 + 8))
  t.ok((await receive(socket, 24)).equals(Buffer.concat([message(1), encode(UNREADABLE.message)])))
  await closed(socket)
})

t.test('client 16: client certificates', async t => {
  const stranger = await (await Pki.make()).client()
  const cases: [name: string, credential: { cert: string; key: string }, options: ConnectionOptions, answered: boolean][] = [
    ['without extended key usage', await pki.clientWithoutExtendedKeyUsage(), {}, true],
    ['without SNI', client, { servername: '' }, true],
    ['with SNI', client, { servername: 'localhost' }, true],
    ['over TLS 1.2', client, { maxVersion: 'TLSv1.2' }, true],
    ['over TLS 1.3', client, { minVersion: 'TLSv1.3' }, true],
    ['of another CA', stranger, {}, false],
    ['that ended', await pki.client(-1000), {}, false],
  ]
  const lab = await startLab(t, base)
  for (const [name, who, options, answered] of cases) {
    const socket = await lab.connect(who, options)
    socket.write(message(1))
    t.equal((await receive(socket, 16)).length, answered ? 16 : 0, name)
    socket.destroy()
  }
})

t.test('client 17: a resumed session works, and is no way round a revocation', async t => {
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const who = await pki.client()
    const lab = await startLab(t, base)
    const first = await lab.connect(who, { minVersion: version, maxVersion: version })
    const session = version === 'TLSv1.3' ? once(first, 'session').then(([s]) => s) : undefined
    first.write(message(1))
    await receive(first, 16)
    const ticket = (await session) ?? first.getSession()
    const again = await lab.connect(who, { minVersion: version, maxVersion: version, session: ticket })
    t.ok(again.isSessionReused(), `${version}: resumption works`)
    again.write(message(2))
    t.ok((await receive(again, 16)).equals(message(2)), `${version}: and is answered`)
    await lab.listener.renew(await pki.server())
    const renewed = await lab.connect(who, { minVersion: version, maxVersion: version, session: ticket })
    t.ok(renewed.isSessionReused(), `${version}: also after the server's certificate was renewed`)
    for (const socket of [first, again, renewed]) socket.destroy()
    lab.identities.revoke([...lab.identities.seen].at(-1) as string)
    const after = await lab.connect(who, { minVersion: version, maxVersion: version, session: ticket })
    t.ok(after.isSessionReused(), `${version}: TLS knows nothing of it`)
    after.write(message(3))
    t.equal((await receive(after, 16)).length, 0, `${version}: but it is refused`)
    t.equal(lab.metrics.refused('unknown_identity'), 1)
  }
})

t.test('client 18: connections may be idle for minutes, and end with a close_notify', async t => {
  t.ok(LIMITS.idleMs >= 5 * 60_000)
  // Long enough that the message is sent before, however slow the machine is.
  const lab = await startLab(t, { ...base, limits: { idleMs: 1000 } })
  const socket = await lab.connect()
  socket.write(message(1))
  await receive(socket, 16)
  const ended = once(socket, 'end')
  socket.resume()
  await ended
  t.equal(lab.metrics.refused('idle'), 1)
  await closed(socket)
})

t.test('revocation', async t => {
  const lab = await startLab(t, base)
  const [idle, other] = [await lab.connect(), await lab.connect(await pki.client())]
  for (const socket of [idle, other]) {
    socket.write(message(1))
    await receive(socket, 16)
  }
  const revoked = lab.identities.seen[0] as string
  lab.identities.revoke(revoked)
  await closed(idle)
  t.equal(lab.metrics.refused('revoked'), 1, 'an idle connection is cut')
  other.write(message(2))
  t.equal((await receive(other, 16)).length, 16, 'another stays')
  lab.identities.revoke(lab.identities.seen[1] as string)
  other.write(message(3))
  t.equal((await receive(other, 16)).length, 0, 'the very next message of a revoked client is not answered')
})

t.test('who waits to be let in, until what was committed elsewhere is seen, is not cut off by a change meanwhile', async t => {
  const lab = await startLab(t, base)
  const idle = await lab.connect()
  idle.write(message(1))
  await receive(idle, 16)
  let settle = (): void => undefined
  lab.identities.settling = new Promise(resolve => {
    settle = resolve
  })
  const waiting = await lab.connect(await pki.client())
  waiting.write(message(2))
  while (lab.metrics.connectionsOpen < 2) await new Promise(resolve => setImmediate(resolve))
  lab.identities.revoke(lab.identities.seen[0] as string)
  await closed(idle)
  lab.identities.settling = undefined
  settle()
  t.equal((await receive(waiting, 16)).length, 16)
  waiting.destroy()
})

t.test('a client is looked up once for each change, not for each message', async t => {
  const lab = await startLab(t, base)
  const sockets = [await lab.connect(), await lab.connect(), await lab.connect()]
  const round = async (): Promise<void> => {
    for (const socket of sockets) {
      socket.write(message(1))
      await receive(socket, 16)
    }
  }
  await round()
  await round()
  t.equal(lab.identities.lookUps, 1)
  lab.identities.touch()
  await round()
  await round()
  t.equal(lab.identities.lookUps, 2)
  for (const socket of sockets) socket.destroy()
})

t.test('renewal of the server certificate keeps open connections', async t => {
  const lab = await startLab(t, base)
  const old = await lab.connect()
  const renewed = await pki.server()
  lab.listener.renew(renewed)
  const fresh = await lab.connect()
  t.not(fresh.getPeerX509Certificate()?.serialNumber, old.getPeerX509Certificate()?.serialNumber)
  for (const socket of [old, fresh]) {
    socket.write(message(1))
    t.equal((await receive(socket, 16)).length, 16)
    socket.destroy()
  }
})

t.test('stopping answers what is in flight', async t => {
  let release = (): void => {}
  const held = new Promise<void>(resolve => {
    release = resolve
  })
  let asked = (): void => {}
  const busy = new Promise<void>(resolve => {
    asked = resolve
  })
  const lab = await startLab(t, {
    ...base,
    answer: async request => {
      asked()
      await held
      return request
    },
  })
  const [working, idle] = [await lab.connect(), await lab.connect()]
  working.write(message(1))
  await busy
  const stopped = lab.listener.stop(5000)
  await closed(idle)
  release()
  t.equal((await receive(working, 16)).length, 16)
  await stopped
  await t.rejects(lab.connect(), { name: 'Error', code: 'ECONNREFUSED' })
})

t.test('stopping does not wait for ever', async t => {
  const lab = await startLab(t, { ...base, answer: () => new Promise(() => {}) })
  const socket = await lab.connect()
  const raw = createConnection(portOf(lab), '127.0.0.1')
  await once(raw, 'connect')
  socket.write(message(1))
  await lab.listener.stop(50)
  await closed(socket)
  raw.destroy()
})

t.test('no answer leaves before its audit record', async t => {
  const events: string[] = []
  const lab = await startLab(t, {
    ...base,
    audit: {
      write(lines) {
        // A slow disk.
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 30)
        events.push(...[...lines.matchAll(/"object":"(m\d+)"/g)].map(m => m[1]!))
      },
      reopen() {},
      close() {},
    },
  })
  const sockets = await Promise.all(Array.from({ length: 4 }, () => lab.connect()))
  await Promise.all(
    sockets.map(async (socket, i) => {
      socket.write(message(i))
      const answer = await receive(socket, 16)
      t.ok(events.includes(`m${answer.readUInt32BE(8)}`), `record ${i} was there`)
      socket.destroy()
    }),
  )
})

t.test('what cannot be audited is not answered', async t => {
  let broken = true
  const lab = await startLab(t, {
    ...base,
    limits: { lingerMs: 40 },
    audit: {
      write() {
        if (broken) throw new Error('disk full')
      },
      reopen() {},
      close() {},
    },
  })
  const socket = await lab.connect()
  socket.write(message(1))
  t.equal((await receive(socket, 16)).length, 0)
  t.equal(lab.metrics.auditFailures, 1)
  const second = await lab.connect()
  second.write(message(2))
  t.equal((await receive(second, 16)).length, 0, 'and the next is not even begun')
  t.equal(lab.metrics.refused('audit'), 1)
  broken = false
  await until(() => !lab.listener.outbox.blocked)
  const third = await lab.connect()
  third.write(message(3))
  t.equal((await receive(third, 16)).length, 16, 'until it can be written again')
  third.destroy()
})

async function tcp(lab: Lab, bytes: string): Promise<void> {
  const socket = createConnection(portOf(lab), '127.0.0.1')
  socket.on('error', () => {})
  if (bytes !== '') socket.write(bytes)
  await once(socket.resume(), 'close')
}

async function closedAfter(_lab: Lab, socket: TLSSocket): Promise<void> {
  socket.on('error', () => {})
  await closed(socket)
}

async function sendAndClose(lab: Lab, bytes: Buffer): Promise<void> {
  const socket = await lab.connect()
  socket.write(bytes)
  await closed(socket)
}

/** Bytes of a message that keep coming, and are too slow. */
async function trickle(lab: Lab): Promise<void> {
  const socket = await lab.connect()
  const bytes = message(1, 8000)
  let sent = 0
  const timer = setInterval(() => socket.write(bytes.subarray(sent, ++sent)), 10)
  await closed(socket)
  clearInterval(timer)
}
