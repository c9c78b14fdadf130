import { createReadStream } from 'node:fs'
import type { Anchor } from './audit-anchors.ts'
import { type ChainHead, chainStart, type Link, linkHash, linkIn } from './audit-chain.ts'

/** Something that is not as it was written. */
export interface AuditProblem {
  readonly file: string
  /** Counts from 1; 0: the file as a whole. */
  readonly line: number
  readonly problem: string
}

export interface AuditVerdict {
  readonly lines: number
  readonly links: number
  readonly chains: number
  readonly problems: readonly AuditProblem[]
  /** Chains whose beginning is not in these files: it was in older ones. */
  readonly continued: readonly string[]
}

export interface VerifyOptions {
  /** Oldest first. */
  readonly files: readonly string[]
  readonly key: Buffer
  readonly anchors: readonly Anchor[]
  /** The last file is the one that is written now, so it must reach as far as the newest anchor. */
  readonly isCurrent: boolean
}

/** Verify audit logs: that each line stands as it was written, none is missing between them, and none at their end. */
export async function verifyAudit({ files, key, anchors, isCurrent }: VerifyOptions): Promise<AuditVerdict> {
  const reader = new ChainReader(key)
  for (const file of files) await reader.read(file)
  return reader.verdict(anchors, isCurrent)
}

class ChainReader {
  readonly #key: Buffer
  readonly #heads = new Map<string, ChainHead & { readonly file: string; readonly line: number }>()
  readonly #problems: AuditProblem[] = []
  readonly #continued: string[] = []
  /** Hashes by chain and link, of those that anchors may ask for. */
  readonly #hashes = new Map<string, string>()
  #file = ''
  #line = 0
  #lines = 0
  #links = 0
  /** Lines since the last link. */
  #open: string[] = []
  #times: { readonly first: number; last: number } | undefined

  constructor(key: Buffer) {
    this.#key = key
  }

  async read(file: string): Promise<void> {
    this.#file = file
    this.#line = 0
    let rest = ''
    // Bytes as they are: a hash must see what another encoding would mend.
    for await (const chunk of createReadStream(file, 'latin1')) {
      const pieces = `${rest}${chunk}`.split('\n')
      rest = pieces.pop() ?? ''
      for (const line of pieces) this.#take(line)
    }
    if (rest !== '') {
      this.#line++
      this.#lines++
      this.#note('the last line does not end: it was cut, or is being written')
    }
    this.#uncovered(this.#open.length, this.#line)
    this.#open = []
  }

  #take(line: string): void {
    this.#line++
    // What ends a line that was cut off stands alone where that line was ended already.
    if (line === '') return
    this.#lines++
    const time = /"time":"([^"]{20,30})"/.exec(line)?.[1]
    const timeMs = time === undefined ? Number.NaN : Date.parse(time)
    if (!Number.isNaN(timeMs)) this.#times = { first: this.#times?.first ?? timeMs, last: timeMs }
    const link = linkIn(line)
    if (!link) {
      this.#open.push(line)
      return
    }
    this.#links++
    const pending = this.#open
    this.#open = []
    this.#check(link, pending)
  }

  #check(link: Link, pending: readonly string[]): void {
    const { chain, before } = link
    const head = this.#heads.get(chain)
    const previous = head?.hash ?? (link.link === 0 ? chainStart : before)
    this.#heads.set(chain, { chain, link: link.link, hash: link.hash, file: this.#file, line: this.#line })
    this.#hashes.set(`${chain}.${link.link}`, link.hash)
    if (head && link.link !== head.link + 1) {
      const missing = link.link - head.link - 1
      this.#note(
        missing > 0 ? `${missing} links of chain ${chain} are missing before this line` : `chain ${chain} was at link ${head.link} already`,
      )
      return
    }
    if (previous === undefined) {
      this.#note(`chain ${chain} begins here with link ${link.link}: what stood before is missing`)
      return
    }
    if (!head && link.link > 0) this.#continued.push(chain)
    const fitting = this.#fitting(link, previous, pending)
    if (fitting === undefined)
      this.#note(`what is covered by link ${link.link} of chain ${chain} was changed, or lines of it are missing or moved`)
    else this.#uncovered(pending.length - fitting, this.#line - fitting - 1)
  }

  /** How many of the lines before a link belong to it: all, or fewer where others were put between. */
  #fitting(link: Link, previous: string, pending: readonly string[]): number | undefined {
    const MOST_TRIED = 200
    const fits = (count: number): boolean => {
      const body = [...pending.slice(pending.length - count), link.body].join('\n')
      return linkHash(this.#key, previous, link, body, 'latin1') === link.hash
    }
    if (fits(pending.length)) return pending.length
    for (let count = Math.min(pending.length - 1, MOST_TRIED); count >= 0; count--) if (fits(count)) return count
    return undefined
  }

  /** @param last number of the last line of them */
  #uncovered(count: number, last: number): void {
    if (count === 0) return
    const lines = count === 1 ? 'a line' : `${count} lines`
    this.#note(`${lines} that no link covers: put there, or cut off while they were written`, last - count + 1)
  }

  #note(problem: string, line = this.#line): void {
    this.#problems.push({ file: this.#file, line, problem })
  }

  verdict(anchors: readonly Anchor[], isCurrent: boolean): AuditVerdict {
    for (const anchor of anchors) {
      const problem = this.#against(anchor, isCurrent)
      if (problem !== undefined) this.#problems.push(problem)
    }
    const { size: chains } = this.#heads
    return { lines: this.#lines, links: this.#links, chains, problems: this.#problems, continued: this.#continued }
  }

  /** What the store remembers of a chain must be in the files, if it is of their time. */
  #against({ chain, link, hash, timeMs }: Anchor, isCurrent: boolean): AuditProblem | undefined {
    const head = this.#heads.get(chain)
    const { first = Number.POSITIVE_INFINITY, last = 0 } = this.#times ?? {}
    const time = new Date(timeMs).toISOString()
    if (!head) {
      const isOfTheirTime = timeMs >= first && (isCurrent || timeMs <= last)
      const isEmptied = isCurrent && this.#times === undefined
      if (!isOfTheirTime && !isEmptied) return undefined
      return { file: this.#file, line: 0, problem: `chain ${chain} is missing, which had ${link + 1} links at ${time}` }
    }
    if (head.link < link && (isCurrent || timeMs <= last))
      return { file: head.file, line: head.line, problem: `chain ${chain} ends here, but it had ${link - head.link} links more at ${time}` }
    const seen = this.#hashes.get(`${chain}.${link}`)
    if (seen !== undefined && seen !== hash)
      return { file: head.file, line: 0, problem: `link ${link} of chain ${chain} is not the one that the store remembers` }
    return undefined
  }
}
