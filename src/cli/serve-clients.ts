import cluster from 'node:cluster'
import type { Config } from '../config/schema.ts'
import { Daemon } from '../server/daemon.ts'
import type { Logger } from '../server/log.ts'
import { applied, reloaded, WorkerLink } from '../server/worker-link.ts'
import { openData } from './data.ts'
import { followAddresses } from './follow-addresses.ts'
import type { ServeOptions } from './serve.ts'
import { version } from './version.ts'

/**
 * Be one of the processes that answer clients, until the primary process says that it is enough. What the configuration says of the store was
 * done by the primary process.
 * @throws whatever keeps it from starting
 */
export async function serveClients({ config, reload, kmip, settings }: ServeOptions, count: number, log: Logger): Promise<void> {
  const own = log.child({ worker: cluster.worker?.id })
  const link = new WorkerLink()
  const start = await link.started
  const data = await openData(config, start.store)
  try {
    const part = { does: 'clients', count, ticketKeys: start.ticketKeys } as const
    const server = await Daemon.start({
      config,
      data,
      log: own,
      version: version(),
      part,
      ...(start.hasKes && { kes: link.kes(start, count) }),
      ...(kmip && { kmip }),
      ...(settings && { settings }),
    })
    const unfollow = followAddresses(
      () => server.addresses,
      addresses => link.moved(addresses),
    )
    try {
      await new Promise<void>(stop => {
        link.serve(server.addresses, {
          stop,
          answers: {
            metrics: () => server.metrics.registry.getMetricsAsJSON(),
            unready: () => server.unready(),
            reload: () => reloaded(() => refresh(reload, server, own), own),
            apply: ({ mount }) => applied(server.sockets, mount, own),
          },
        })
      })
    } finally {
      unfollow()
      await server.stop()
    }
  } finally {
    await data.close()
    link.close()
  }
}

async function refresh(reload: () => Promise<Config>, server: Daemon, log: Logger): Promise<void> {
  const next = await reload()
  await server.reload(next)
  log.level = next.log.level
}
