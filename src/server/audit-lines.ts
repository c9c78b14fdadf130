import type { Audit } from './audit.ts'

/** Writes the lines of all requests that are answered in one turn of the event loop at once. */
export class AuditLines {
  readonly #audit: Audit
  #lines: string[] = []
  #written: Promise<void> | undefined

  constructor(audit: Audit) {
    this.#audit = audit
  }

  /** @returns kept when the line is written. @throws AuditError */
  add(line: string): Promise<void> {
    this.#lines.push(line)
    this.#written ??= new Promise((resolve, reject) => {
      setImmediate(() => {
        const lines = this.#lines.join('')
        this.#lines = []
        this.#written = undefined
        try {
          this.#audit.write(lines)
          resolve()
        } catch (error) {
          reject(error)
        }
      })
    })
    return this.#written
  }
}
