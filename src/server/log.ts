import pino, { type DestinationStream, type Logger } from 'pino'
import { writeAll } from './write-all.ts'

export type { Logger } from 'pino'
export type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent'

export interface LogOptions {
  readonly level?: LogLevel
  /** Lines for people; absent: when standard error is a terminal. */
  readonly pretty?: boolean
  /** Absent: standard error. */
  readonly destination?: DestinationStream
}

/** The program's log: JSON lines, or short ones for people. Callers never pass it key material, attribute values or credentials. */
export function createLog(options: LogOptions = {}): Logger {
  const destination = options.destination ?? output(2)
  const pretty = options.pretty ?? (options.destination === undefined && process.stderr.isTTY === true)
  return pino(
    {
      level: options.level ?? 'info',
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: label => ({ level: label }) },
      serializers: { err: pino.stdSerializers.err },
    },
    goingOn(pretty ? prettyTo(destination) : destination),
  )
}

/** Each line is handed to the system before `write` returns. It throws the system's error. */
export function output(fd: number): DestinationStream {
  let isTorn = false
  return {
    write(line) {
      const bytes = Buffer.from(isTorn ? `\n${line}` : line)
      const progress = { bytes: 0 }
      try {
        writeAll(fd, bytes, progress)
      } finally {
        if (progress.bytes > 0) isTorn = progress.bytes < bytes.length
      }
    },
  }
}

/** A server goes on without its log, whose disk is full or whose reader is gone. How much of it is lost is said as soon as that can be. */
function goingOn(destination: DestinationStream): DestinationStream {
  let lost = 0
  return {
    write(line) {
      try {
        if (lost > 0) destination.write(lostLine(lost))
        lost = 0
        destination.write(line)
      } catch {
        lost++
      }
    },
  }
}

const lostLine = (lines: number): string =>
  `${JSON.stringify({ level: 'error', time: new Date().toISOString(), lines, msg: 'lines of this log are lost: it could not be written' })}\n`

const COLOURS: Record<string, string> = { fatal: '\x1b[31m', error: '\x1b[31m', warn: '\x1b[33m', debug: '\x1b[2m', trace: '\x1b[2m' }

function prettyTo(destination: DestinationStream): DestinationStream {
  return { write: line => destination.write(prettyLine(line)) }
}

/** One line of the JSON log for people: time, level if it is not `info`, message, the rest as `key=value`. */
export function prettyLine(line: string): string {
  const { level, time, msg, err, ...rest } = JSON.parse(line) as Record<string, unknown>
  const name = String(level)
  const colour = COLOURS[name] ?? ''
  const fields = Object.entries(rest).map(
    ([key, value]) => `\x1b[2m${key}=\x1b[0m${typeof value === 'string' ? value : JSON.stringify(value)}`,
  )
  const head = [`\x1b[2m${String(time).slice(11, 19)}\x1b[0m`, name === 'info' ? '' : `${colour}${name}\x1b[0m`, String(msg ?? '')]
  const error = isError(err) ? `\n  ${err.stack ?? err.message ?? ''}` : ''
  return `${[...head, ...fields].filter(part => part !== '').join(' ')}${error}\n`
}

const isError = (value: unknown): value is { stack?: string; message?: string } => typeof value === 'object' && value !== null
