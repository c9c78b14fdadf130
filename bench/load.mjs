// The client's process: does what the parent says, against kmipd and against echo with the same code.
import { createSecureContext } from 'node:tls'
import { Connection } from './connection.mjs'
import { Histogram } from './histogram.mjs'
import { ANSWER, messages, nameOf } from './messages.mjs'
import { requests } from './requests.mjs'

const targets = new Map()
/** Identifiers of the objects that were created, by server. */
const stored = new Map()
const idle = []
let templates
let opened = []

const commands = {
  async prepare({ dist }) {
    templates = await messages(dist)
  },

  target({ name, port, ca, cert, key }) {
    targets.set(name, { port, secureContext: createSecureContext({ ca, cert, key }) })
  },

  /**
   * Create objects called `nameOf(0)` and on, and get each once: a first Get may cost more, as the object is not Fresh after it.
   * @returns the identifier of the first
   */
  async populate({ target, count }) {
    const ids = Array(count)
    const { create, get } = templates
    let made = 0
    stored.set(target, ids)
    const connections = await openAll(target, Math.min(64, count))
    await run(connections, () => {
      const [creation, getting] = [create.copy(), get.copy()]
      let index = 0
      let id
      return {
        next() {
          if (id !== undefined) {
            getting.latin1Write(id, get.at)
            return getting
          }
          if (made === count) return undefined
          index = made++
          creation.latin1Write(nameOf(index), create.at)
          return creation
        },
        done({ head }) {
          if (id === undefined) {
            id = head.latin1Slice(ANSWER.createdId, ANSWER.createdId + 36)
            ids[index] = id
          } else id = undefined
        },
      }
    })
    for (const connection of connections) connection.close()
    return ids[0]
  },

  /** Open groups of connections for `load`. */
  async open({ target, groups }) {
    opened = await Promise.all(groups.map(({ connections }) => openAll(target, connections)))
  },

  /** Each group does one operation, all at once. What is answered in the first `warmMs` is not counted. */
  async load({ objects, groups, warmMs, ms }) {
    const ids = stored.get(objects)
    const histograms = groups.map(() => new Histogram())
    let answers = 0
    const cpu = process.cpuUsage()
    const from = performance.now() + warmMs
    const until = from + ms
    await Promise.all(
      groups.map(({ operation }, i) =>
        run(opened[i], () => {
          const { next, learn } = source(operation, ids)
          return {
            next: () => (performance.now() < until ? next() : undefined),
            done({ startedAt, head }) {
              answers++
              learn?.(head)
              const now = performance.now()
              if (now >= from && now < until) histograms[i].record((now - startedAt) * 1000)
            },
          }
        }),
      ),
    )
    const { user, system } = process.cpuUsage(cpu)
    return { counts: histograms.map(({ counts }) => Array.from(counts)), answers, cpuUs: user + system }
  },

  close() {
    for (const connection of opened.flat()) connection.close()
    opened = []
  },

  /** Full handshakes, each with one Get, one after the other in each of `lanes`. @returns how many in `ms` */
  async handshakes({ target, objects, lanes, ms }) {
    const next = requests(templates, 'get', stored.get(objects))
    const until = performance.now() + ms
    let count = 0
    await Promise.all(
      Array.from({ length: lanes }, async () => {
        while (performance.now() < until) {
          const connection = await open(target)
          await answered(connection, next())
          connection.close()
          if (performance.now() < until) count++
        }
      }),
    )
    return count
  },

  /** Open connections that stay, each after one Get. */
  async idle({ target, objects, count }) {
    const next = requests(templates, 'get', stored.get(objects))
    await Promise.all(
      Array.from({ length: 16 }, async (_, lane) => {
        for (let i = lane; i < count; i += 16) {
          const connection = await open(target, 2048)
          idle.push(connection)
          await answered(connection, next())
        }
      }),
    )
  },

  closeIdle() {
    for (const connection of idle.splice(0)) connection.close()
  },
}

/** A connection past its handshake. */
function open(target, bufferBytes) {
  const connection = new Connection(targets.get(target), bufferBytes)
  return new Promise((resolve, reject) => {
    connection.onOpen = () => resolve(connection)
    connection.onError = reject
  })
}

function answered(connection, bytes) {
  return new Promise((resolve, reject) => {
    connection.onAnswer = resolve
    connection.onError = reject
    connection.send(bytes)
  })
}

const openAll = (target, count) => Promise.all(Array.from({ length: count }, () => open(target)))

/** Where a connection gets its requests; `learn` is told each answer. */
const source = (operation, ids) => (operation === 'fresh' ? fresh() : { next: requests(templates, operation, ids) })

/** Create and the first Get of what was created, in turns. */
function fresh() {
  const create = requests(templates, 'create', [])
  const getting = templates.get.copy()
  let id
  return {
    next() {
      if (id === undefined) return create()
      getting.latin1Write(id, templates.get.at)
      return getting
    },
    learn(head) {
      id = id === undefined ? head.latin1Slice(ANSWER.createdId, ANSWER.createdId + 36) : undefined
    },
  }
}

/** Keep one request under way on each connection while its work has one. */
async function run(connections, work) {
  await Promise.all(
    connections.map(
      connection =>
        new Promise((resolve, reject) => {
          const { next, done } = work()
          connection.onError = reject
          connection.onAnswer = () => {
            done(connection)
            send()
          }
          send()
          function send() {
            const bytes = next()
            if (bytes === undefined) resolve()
            else connection.send(bytes)
          }
        }),
    ),
  )
}

process.on('message', async ({ id, command, ...rest }) => {
  try {
    process.send({ id, result: await commands[command](rest) })
  } catch (error) {
    process.send({ id, error: `${command}: ${error.message}` })
  }
})
process.on('disconnect', () => process.exit())
