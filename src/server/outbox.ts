import { isoTime } from '../http/iso-time.ts'
import type { Answer } from '../ops/engine.ts'
import type { Audit } from './audit.ts'
import { auditLine } from './audit-record.ts'
import type { ClientUse } from './client-uses.ts'
import type { Logger } from './log.ts'
import type { Metrics } from './metrics.ts'
import type { Turn } from './turn.ts'

/** Who gets an answer. */
export interface Recipient {
  /** Start of its audit records, made by `auditSubject`. */
  readonly subject: string
  readonly use: ClientUse | undefined
  deliver(bytes: Buffer, close: boolean): void
  /** The answer may not leave. */
  withhold(): void
}

export interface OutboxOptions {
  readonly audit: Audit
  readonly metrics: Metrics
  readonly log: Logger
  readonly turn: Turn
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/**
 * Answers of one turn of the event loop leave together: first their audit records in one write, then each answer. So no answer leaves
 * without its record, at the price of one write for each turn.
 */
export class Outbox {
  /** The last write to the audit log failed. */
  blocked = false
  readonly #options: OutboxOptions
  #recipients: Recipient[] = []
  #answers: Answer[] = []

  constructor(options: OutboxOptions) {
    this.#options = options
  }

  add(recipient: Recipient, answer: Answer): void {
    if (this.#recipients.push(recipient) === 1) this.#options.turn.atEnd(this.#flush)
    this.#answers.push(answer)
  }

  /** Try whether the audit log can be written again, where it could not. */
  probe(): void {
    if (
      this.blocked &&
      this.#write(`{"type":"audit","time":"${isoTime(this.#options.now())}","event":"the audit log can be written again"}\n`)
    )
      this.#options.log.info('the audit log can be written again')
  }

  readonly #flush = (): void => {
    const recipients = this.#recipients
    const answers = this.#answers
    this.#recipients = []
    this.#answers = []
    const { metrics, log, now } = this.#options
    const nowMs = now()
    const time = isoTime(nowMs)
    let lines = ''
    for (let i = 0; i < answers.length; i++) {
      const { entries } = answers[i]!
      const { subject, use } = recipients[i]!
      for (let j = 0; j < entries.length; j++) {
        const entry = entries[j]!
        lines += auditLine(time, subject, entry)
        metrics.request(entry.operation, entry.status, entry.latencyMs)
        if (use !== undefined && entry.status === 'Success') use.lastSuccessMs = nowMs
        if (entry.cause !== undefined)
          log.error({ operation: entry.operation, object: entry.object, err: entry.cause }, 'an operation failed')
      }
    }
    const written = lines === '' || this.#write(lines)
    if (!written) metrics.auditFailures++
    for (let i = 0; i < answers.length; i++) {
      const { bytes, close } = answers[i]!
      if (written) recipients[i]!.deliver(bytes, close)
      else recipients[i]!.withhold()
    }
  }

  #write(lines: string): boolean {
    const { audit, log } = this.#options
    try {
      audit.write(lines)
      this.blocked = false
      return true
    } catch (err) {
      if (!this.blocked) log.error({ err }, 'the audit log cannot be written: no answer leaves until it can; check its file and disk')
      this.blocked = true
      return false
    }
  }
}
