import { type Sight, type Slot, type Slots, SlotsError, type SlotsErrorCode } from '../../src/store/slots.ts'

export type Call = 'create' | 'read' | 'replace' | 'remove' | 'list'

/** What shall go wrong with a call. */
export interface Fault {
  readonly call?: Call
  readonly path?: RegExp
  /** Do what was asked, and then fail. */
  readonly after?: boolean
  readonly code: SlotsErrorCode
  /** So many times; 1 unless said. */
  times?: number
}

/** What all nodes of a test share: Vault, in a map. */
export class SharedSlots {
  readonly texts = new Map<string, Slot>()
  readonly faults: Fault[] = []
  readonly calls: string[] = []
  /** Called before each call is done; it may wait, or throw. */
  before: ((call: Call, path: string) => Promise<void> | void) | undefined
  nowMs = 1_700_000_000_000
  /** What is written is to be deleted of itself, and refused for that. */
  areMortal = false

  open(): Slots {
    return {
      create: (path, text) =>
        this.#do('create', path, () => {
          if (this.texts.has(path)) return 'taken'
          this.#write(path, text, 1)
          return { writtenMs: this.nowMs }
        }),
      read: path => this.#do('read', path, (): Sight => ({ slot: this.texts.get(path), nowMs: this.nowMs })),
      replace: (path, text, version) =>
        this.#do('replace', path, () => {
          if (this.texts.get(path)?.version !== version) return 'taken'
          this.#write(path, text, version + 1)
          return { version: version + 1 }
        }),
      remove: path => this.#do('remove', path, () => void this.texts.delete(path)),
      list: folder =>
        this.#do('list', folder, () => {
          const names = [...this.texts.keys()].filter(path => path.startsWith(`${folder}/`)).map(path => path.slice(folder.length + 1))
          return [...new Set(names.map(name => (name.includes('/') ? name.slice(0, name.indexOf('/') + 1) : name)))]
        }),
      close: async () => undefined,
    }
  }

  paths(pattern: RegExp): string[] {
    return [...this.texts.keys()].filter(path => pattern.test(path))
  }

  #write(path: string, text: string, version: number): void {
    this.texts.set(path, { text, version, writtenMs: this.nowMs, ...(this.areMortal && { ends: true }) })
    if (this.areMortal) throw new SlotsError('refused', 'the engine deletes after a time what is written')
  }

  async #do<T>(call: Call, path: string, act: () => T): Promise<T> {
    await new Promise(resolve => setImmediate(resolve))
    this.calls.push(`${call} ${path}`)
    await this.before?.(call, path)
    const fault = this.faults.find(({ call: of = call, path: at = /./, times = 1 }) => of === call && at.test(path) && times > 0)
    if (fault) fault.times = (fault.times ?? 1) - 1
    if (fault && !fault.after) throw new SlotsError(fault.code, `${call} ${path} fails`)
    const result = act()
    if (fault) throw new SlotsError(fault.code, `${call} ${path} fails`)
    return result
  }
}
