import type { AddressInfo, Server } from 'node:net'

/** `host:port` of a server that listens, as it is bound: with its own port where any free one was asked for. */
export function boundAddress(server: Server): string {
  const { address, port, family } = server.address() as AddressInfo
  return family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`
}
