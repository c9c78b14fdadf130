import type { Addresses } from '../server/daemon.ts'

const LOOK_MS = 500

/** Tell of addresses once they are others than they were: the listener is configured while the server runs. @returns what ends that */
export function followAddresses(current: () => Addresses, tell: (addresses: Addresses) => void): () => void {
  let told = JSON.stringify(current())
  const timer = setInterval(() => {
    const addresses = current()
    const now = JSON.stringify(addresses)
    if (now === told) return
    told = now
    tell(addresses)
  }, LOOK_MS).unref()
  return () => clearInterval(timer)
}
