import { createHmac } from 'node:crypto'
import { AddressError, type Sockets } from '../admin/kmip/engine.ts'
import { type Address, formatAddress } from '../config/value-types.ts'
import { listenAddress } from '../scopes/configuration.ts'
import { FIRST_PATH, type Mount, type Mounts } from '../scopes/mounts.ts'
import type { Records } from '../seal/records.ts'
import { httpSessions } from './http-session.ts'
import { identitiesOf } from './identities-of.ts'
import { Listener, type ListenerOptions, type ServerCredential } from './listener.ts'

export interface KmipSocketsOptions {
  readonly mounts: Mounts
  readonly records: Records
  /** What all listeners share. */
  readonly shared: Omit<ListenerOptions, 'host' | 'port' | 'credential' | 'identities' | 'open' | 'turned'>
  /** Where the engine at `kmip/` listens instead of where its configuration says at the start; what is configured later comes to it. */
  readonly kmip?: readonly Address[] | undefined
  /** Where that engine listens on this node alone, until its configuration says something else than at the start. */
  readonly own?: readonly Address[] | undefined
  readonly https?: Address | undefined
  /** Where several processes share the listeners: the secret of which each listener's keys of TLS session tickets are made. */
  readonly ticketKeys?: Buffer | undefined
  /** Only for clients of the engine at `kmip/`. */
  readonly turned?: ListenerOptions['turned']
  readonly drainMs: number
}

/** A listener as the rows want it. */
interface Wanted {
  /** The same while it is the same listener. */
  readonly key: string
  readonly address: Address
  readonly credential: ServerCredential
  /** Names of the CAs whose clients are let in. */
  readonly admits: ReadonlySet<string>
  readonly isHttps?: boolean
}

interface Open {
  wanted: Wanted
  readonly listener: Listener
}

const USUAL: readonly Address[] = [{ host: '127.0.0.1', port: 5696 }]
const LEGACY: ReadonlySet<string> = new Set([''])
const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'address already in use',
  EACCES: 'permission denied',
  EADDRNOTAVAIL: 'cannot assign requested address',
  ENOTFOUND: 'no such host',
}

/** The KMIP listeners of all engines, kept equal to what their rows say. */
export class KmipSockets implements Sockets {
  readonly #options: KmipSocketsOptions
  /** By mount, then by key. */
  readonly #open = new Map<string, Map<string, Open>>()
  readonly #closing = new Set<Promise<void>>()
  #own: readonly Address[] | undefined
  /** `listen_addrs` of `kmip/` when other addresses began to stand in for it. */
  #replaced: string | undefined
  /** What the rows said at the last look of `isChanged`. */
  #seen: string | undefined
  #queue: Promise<unknown> = Promise.resolve()
  #stopping = false

  constructor(options: KmipSocketsOptions) {
    this.#options = options
    this.#own = options.own
  }

  /**
   * Open the listeners of all engines. What another engine than that at `kmip/` cannot have is logged, and tried again.
   * @throws the system's error when an address of `kmip/` cannot be had
   */
  async start(): Promise<void> {
    const { mounts, shared } = this.#options
    await this.isChanged()
    await this.standIn(this.#own)
    for (const { row } of await mounts.list()) {
      try {
        await this.apply(row.id)
      } catch (err) {
        if (!(err instanceof AddressError)) throw err
        if (row.path === FIRST_PATH) throw err.cause
        shared.log.error({ err, mount: row.path }, 'an address cannot be listened on; it is tried again in a minute')
      }
    }
  }

  get listeners(): readonly Listener[] {
    return [...this.#open.values()].flatMap(open => [...open.values()].map(({ listener }) => listener))
  }

  /** Address of the first listener of the engine at `kmip/`, and of that for HTTPS, as they are bound. */
  get addresses(): { readonly kmip?: string; readonly https?: string } {
    const all = [...this.#open.values()].flatMap(open => [...open.values()])
    const [first, https] = [all.find(({ wanted }) => !wanted.isHttps), all.find(({ wanted }) => wanted.isHttps)]
    return { ...(first && { kmip: first.listener.address }), ...(https && { https: https.listener.address }) }
  }

  /** Whether the engines are configured in another way than at the last look: other processes, commands among them, write that too. */
  async isChanged(): Promise<boolean> {
    const mounts = await this.#options.mounts.list()
    const now = JSON.stringify(await Promise.all(mounts.map(async ({ row, scopes }) => [row.id, await scopes.configuration()])))
    const before = this.#seen
    this.#seen = now
    return before !== undefined && before !== now
  }

  /** The engine at `kmip/` listens here from the next look on, or where its configuration says. */
  async standIn(own: readonly Address[] | undefined): Promise<void> {
    const first = await this.#options.mounts.at(FIRST_PATH)
    this.#own = own
    this.#replaced = first && JSON.stringify((await first.scopes.configuration()).listen_addrs)
  }

  /** Look at all rows anew: other processes write them too, and certificates end. */
  async refresh(): Promise<void> {
    const { mounts, shared } = this.#options
    const ids = new Set([...(await mounts.list()).map(({ row }) => row.id), ...this.#open.keys()])
    for (const id of ids)
      try {
        await this.apply(id)
      } catch (err) {
        shared.log.error({ err }, 'listeners cannot be made what they shall be; it is tried again in a minute')
      }
  }

  apply(mountId: string): Promise<void> {
    const done = this.#queue.then(() => this.#apply(mountId))
    this.#queue = done.catch(() => undefined)
    return done
  }

  async stop(): Promise<void> {
    this.#stopping = true
    await this.#queue
    for (const open of this.#open.values()) for (const one of open.values()) this.#close(one.listener)
    await Promise.all(this.#closing)
  }

  async #apply(mountId: string): Promise<void> {
    if (this.#stopping) return
    const mount = (await this.#options.mounts.list()).find(({ row }) => row.id === mountId)
    const wanted = new Map((mount ? await this.#wantedOf(mount) : []).map(one => [one.key, one]))
    const open = this.#open.get(mountId) ?? new Map<string, Open>()
    const leaving = [...open.values()].filter(({ wanted: { key } }) => !wanted.has(key))
    const coming = [...wanted.values()].filter(({ key }) => !open.has(key))
    // An address that goes can stand in the way of one that comes.
    const inTheWay = leaving.filter(one => coming.some(({ address }) => address.port === one.wanted.address.port))
    for (const one of inTheWay) this.#close(one.listener)
    // First: an address that cannot be had holds up no certificate.
    for (const one of open.values()) this.#renew(one, wanted.get(one.wanted.key))
    const opened: Open[] = []
    try {
      if (mount) for (const one of coming) opened.push(await this.#listen(one, mount))
    } catch (error) {
      for (const { listener } of opened) this.#close(listener)
      if (mount) for (const one of inTheWay) open.set(one.wanted.key, await this.#listen(one.wanted, mount))
      throw error
    }
    for (const one of leaving) {
      open.delete(one.wanted.key)
      if (!inTheWay.includes(one)) this.#close(one.listener)
    }
    for (const one of opened) open.set(one.wanted.key, one)
    if (open.size > 0) this.#open.set(mountId, open)
    else this.#open.delete(mountId)
  }

  #renew(open: Open, wanted: Wanted | undefined): void {
    if (!wanted) return
    const isSame = JSON.stringify(wanted.credential) === JSON.stringify(open.wanted.credential)
    const { admits } = open.wanted
    // Another set makes the listener look up all its clients anew.
    open.wanted = [...admits].join('\0') === [...wanted.admits].join('\0') ? { ...wanted, admits } : wanted
    if (isSame) return
    open.listener.renew(wanted.credential)
    this.#options.shared.log.info({ address: open.listener.address }, 'the listener shows another certificate')
  }

  async #listen(wanted: Wanted, { row, scopes }: Mount): Promise<Open> {
    const { shared, records, turned, ticketKeys } = this.#options
    const open: { wanted: Wanted; listener?: Listener } = { wanted }
    try {
      const listener = await Listener.listen({
        ...shared,
        ...wanted.address,
        credential: wanted.credential,
        ...(ticketKeys && { ticketKeys: ticketKeysOf(ticketKeys, row.id, wanted.key) }),
        identities: identitiesOf({ records, scopes }, shared.turn, () => open.wanted.admits),
        ...(row.path === FIRST_PATH && { turned }),
        ...(wanted.isHttps && { open: httpSessions() }),
      })
      return Object.assign(open, { listener })
    } catch (cause) {
      const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
      if (!(code in REASONS)) throw cause
      throw new AddressError(`listen tcp ${formatAddress(wanted.address)}: bind: ${REASONS[code]}`, { cause })
    }
  }

  /** It takes no more connections from now on; those that are open end in their time. */
  #close(listener: Listener): void {
    const done = listener.stop(this.#options.drainMs).finally(() => this.#closing.delete(done))
    this.#closing.add(done)
  }

  async #wantedOf(mount: Mount): Promise<readonly Wanted[]> {
    const { scopes } = mount
    const { https } = this.#options
    const isFirst = mount.row.path === FIRST_PATH
    const addresses = await this.#legacyAddresses(mount)
    const wanted: Wanted[] = []
    if (addresses.length > 0 || (isFirst && https)) {
      const credential = await legacyCredential(mount)
      const fixed = { credential, admits: LEGACY }
      wanted.push(...addresses.map(([key, address]) => ({ ...fixed, key, address })))
      if (isFirst && https) wanted.push({ ...fixed, key: 'https', address: https, isHttps: true })
    }
    for (const name of await scopes.listeners.list()) {
      const {
        address,
        admits,
        certificate: shown,
        authorities,
        endsAnywhere,
        minVersion,
        maxVersion,
        ciphers,
      } = await scopes.listeners.plan(name)
      const { certificate, key } = shown
      const versions = { minVersion, maxVersion, ...(ciphers !== undefined && { ciphers }) }
      const credential = { certificate, key, authorities, endsAnywhere, ...versions }
      // Whether chains may end anywhere is the same for the life of a listener.
      wanted.push({ key: `${name} ${formatAddress(address)} ${endsAnywhere}`, address, credential, admits })
    }
    return wanted
  }

  async #legacyAddresses({ row, scopes }: Mount): Promise<readonly (readonly [key: string, Address])[]> {
    const { listen_addrs } = await scopes.configuration()
    const written = listen_addrs.flatMap(text => listenAddress(text) ?? []).map(address => [formatAddress(address), address] as const)
    if (row.path !== FIRST_PATH) return written
    const { kmip } = this.#options
    const isAsAtStart = JSON.stringify(listen_addrs) === this.#replaced
    if (kmip) return [...kmip.map((address, i) => [`instead ${i}`, address] as const), ...(isAsAtStart ? [] : written)]
    const own = isAsAtStart ? this.#own : undefined
    if (!own && written.length > 0) return written
    return (own ?? USUAL).map(address => [formatAddress(address), address] as const)
  }
}

/** 48 bytes for one listener: a session of one is none of another, which may let in others. */
const ticketKeysOf = (secret: Buffer, mount: string, key: string): Buffer =>
  createHmac('sha384', secret)
    .update(JSON.stringify([mount, key]))
    .digest()

async function legacyCredential({ scopes }: Mount): Promise<ServerCredential> {
  const { certificate, key } = await scopes.serverCertificate()
  const { tls_min_version } = await scopes.configuration()
  return { certificate, key, authorities: await scopes.trusted(), minVersion: tls_min_version === 'tls13' ? 'TLSv1.3' : 'TLSv1.2' }
}
