import { X509Certificate } from 'node:crypto'
import type { Counts, Figures } from '../kes/figures.ts'
import type { KesSettings } from '../kes/settings.ts'
import type { Stream } from '../kes/telemetry.ts'
import type { KeyStore } from '../keystore/keystore.ts'
import { RemoteKeyStore, type StoreAnswer, type StoreCall } from '../keystore/remote.ts'
import type { KesCredential } from './kes-credential.ts'

// Several processes serve one KES door: what each of them says to the process that holds it together, and is asked by it.

/** To which streams somebody listens, in whatever process. */
export type Heard = { readonly [stream in Stream]: boolean }

export type KesCall =
  | { readonly do: 'settings' | 'credential' | 'figures' | 'join' }
  | { readonly do: 'store'; readonly call: StoreCall }
  | { readonly do: 'listen'; readonly stream: Stream; readonly isHeard: boolean }
  | { readonly do: 'pass'; readonly stream: Stream; readonly lines: string }

export type KesQuestion =
  | { readonly do: 'figures' }
  | { readonly do: 'forget'; readonly name: string }
  | { readonly do: 'listen'; readonly heard: Heard }
  | { readonly do: 'pass'; readonly stream: Stream; readonly lines: string }

/** What comes back of each call. */
export interface KesReturns {
  settings: { readonly settings: KesSettings; readonly store: string }
  credential: SentCredential
  figures: Figures
  join: Heard
  store: StoreAnswer
  listen: undefined
  pass: undefined
}

/** A credential whose certificates are bytes. */
export type SentCredential = Omit<KesCredential, 'trusted'> & { readonly trusted: readonly Uint8Array[] }

export const sentCredential = (credential: KesCredential): SentCredential => ({
  ...credential,
  trusted: credential.trusted.map(({ raw }) => raw),
})

/** The door of one process, as the others reach it. */
export interface Member {
  readonly counts: Counts
  figures(): Figures
  /** A key was made or deleted by another process. */
  forget(name: string): void
  listen(heard: Heard): void
  hear(stream: Stream, lines: string): void
}

/** The other processes that serve the same door, for one of them. */
export class Siblings {
  readonly ticketKeys: Buffer
  /** How many processes serve the door. */
  readonly count: number
  readonly #call: (call: KesCall) => Promise<unknown>
  #member: Member | undefined
  #store = ''

  constructor({ ticketKeys, count, call }: { ticketKeys: Buffer; count: number; call(call: KesCall): Promise<unknown> }) {
    this.ticketKeys = ticketKeys
    this.count = count
    this.#call = call
  }

  /** Be reachable for the others, before the first request can come. */
  async join(member: Member): Promise<void> {
    this.#member = member
    member.listen(await this.#ask({ do: 'join' }))
  }

  async settings(): Promise<KesSettings> {
    const { settings, store } = await this.#ask({ do: 'settings' })
    this.#store = store
    return settings
  }

  async credential(): Promise<KesCredential> {
    const sent = await this.#ask({ do: 'credential' })
    return { ...sent, trusted: sent.trusted.map(der => new X509Certificate(der)) }
  }

  /** The store that the settings name, as it was when they were asked for. */
  keyStore(): KeyStore {
    return new RemoteKeyStore(this.#store, call => this.#ask({ do: 'store', call }))
  }

  /** Of all processes together. */
  figures(): Promise<Figures> {
    return this.#ask({ do: 'figures' })
  }

  listening(stream: Stream, isHeard: boolean): Promise<void> {
    return this.#ask({ do: 'listen', stream, isHeard })
  }

  pass(stream: Stream, lines: string): Promise<void> {
    return this.#ask({ do: 'pass', stream, lines })
  }

  answer(question: KesQuestion): unknown {
    const member = this.#member
    // Nothing is in memory yet, and nobody was served.
    if (member === undefined) return undefined
    switch (question.do) {
      case 'figures':
        return member.figures()
      case 'forget':
        return member.forget(question.name)
      case 'listen':
        return member.listen(question.heard)
      case 'pass':
        return member.hear(question.stream, question.lines)
    }
  }

  #ask<C extends KesCall>(call: C): Promise<KesReturns[C['do']]> {
    // What the hub gives back is what `KesReturns` says.
    return this.#call(call) as Promise<KesReturns[C['do']]>
  }
}
