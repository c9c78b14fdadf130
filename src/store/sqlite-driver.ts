import type Driver from 'better-sqlite3'

/** First Node whose driver is the newer one. */
const NODE_API = 22

const [major = 0] = process.versions.node.split('.').map(Number)
const { default: driver } = (await import(major >= NODE_API ? 'better-sqlite3-13' : 'better-sqlite3')) as {
  readonly default: typeof Driver
}

/**
 * The SQLite driver for this Node. Version 12 of better-sqlite3 ends the process when Node 24.19 or a newer one collects its objects as
 * garbage; version 13 is built on Node-API and does not, but Node 20 cannot load it.
 */
export const Database: typeof Driver = driver
