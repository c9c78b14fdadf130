import { PIPE_BUF } from '../server/audit.ts'
import { KesServer } from '../server/kes-door.ts'
import { KesHub } from '../server/kes-hub.ts'
import type { KesStateOptions } from '../server/kes-state.ts'
import { createLog } from '../server/log.ts'
import { orUndo } from '../server/or-undo.ts'
import { reloaded, WorkerLink } from '../server/worker-link.ts'
import { Workers } from '../server/workers.ts'
import type { Io } from './io.ts'
import type { OpenDoor } from './kes-server.ts'
import { kesSinks } from './kes-sinks.ts'
import { version } from './version.ts'

const DRAIN_MS = 1_000

/** Open the door in so many processes, which this one holds together. @throws what keeps it from starting */
export async function startWorkers(count: number, options: KesStateOptions): Promise<OpenDoor> {
  const workers = new Workers({ count, log: createLog() })
  const hub = await KesHub.open({ ...options, members: workers })
  await orUndo(
    () => hub.stop(),
    () => workers.start(hub),
  )
  return {
    address: workers.addresses.kes ?? '',
    get store() {
      return hub.store
    },
    get settings() {
      return hub.settings
    },
    async reload() {
      await hub.reload()
      await workers.reload()
    },
    async stop() {
      await workers.stop(DRAIN_MS)
      await hub.stop()
    },
  }
}

/** Be one of the processes, until the first one says that it is enough. */
export async function serveAsWorker(count: number, io: Io): Promise<void> {
  const link = new WorkerLink()
  const siblings = link.kes(await link.started, count)
  try {
    const server = await KesServer.start({
      read: () => siblings.settings(),
      readCredential: () => siblings.credential(),
      openKeyStore: async () => siblings.keyStore(),
      siblings,
      sinks: kesSinks(io, PIPE_BUF),
      version: version(),
    })
    try {
      await new Promise<void>(stop => {
        link.serve(
          { kmip: '', kes: server.address },
          {
            stop,
            answers: {
              metrics: () => [],
              unready: () => undefined,
              apply: () => undefined,
              reload: () => reloaded(() => server.reload(), createLog()),
            },
          },
        )
      })
    } finally {
      await server.stop()
    }
  } finally {
    link.close()
  }
}
