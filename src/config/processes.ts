import type { Config } from './schema.ts'

/** Why several processes cannot be a server, and what they would need. */
const OBSTACLES: readonly (readonly [isThere: (config: Config) => boolean, need: string])[] = [
  [({ store }) => store.kind === 'memory', 'the store sqlite or vault'],
  [({ notifications }) => notifications.length > 0, 'no notifications, which one process alone can send'],
  [
    ({ store, seal }) => [...(store.kind === 'vault' && store.transit ? [store] : []), ...seal].some(opensOnce),
    'a secret id that is not wrapped, since each process logs in to Vault',
  ],
]

const opensOnce = (section: Config['seal'][number] | Config['store']): boolean =>
  section.kind === 'vault' && section.approle?.wrapped === true

/** What the configuration lacks for several processes: `the store sqlite or vault`. Nothing: they can be. */
export const neededForProcesses = (config: Config): string | undefined => OBSTACLES.find(([isThere]) => isThere(config))?.[1]
