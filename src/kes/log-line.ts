import { isoTime } from '../http/iso-time.ts'

export type Level = 'DEBUG' | 'INFO' | 'WARN' | 'ERROR'
/** As Go's slog counts them; a threshold may lie between two. */
export const LEVELS: { readonly [level in Level]: number } = { DEBUG: -4, INFO: 0, WARN: 4, ERROR: 8 }

/** What was asked, for a line of a log. */
export interface Asked {
  readonly method: string
  /** Decoded. */
  readonly path: string
  readonly ip: string
  /** Empty: nobody. */
  readonly identity: string
}

/** A request that was answered, refused ones too. */
export interface KesEvent extends Asked {
  readonly timeMs: number
  /** What was done, in KES's words where it has some. */
  readonly message: string
  /** Of the route: `key/create`; empty where there is none. */
  readonly operation: string
  /** The key, policy or identity. */
  readonly object: string
  readonly status: number
  readonly latencyMs: number
}

/** A line of a log as KES writes them. */
export const logLine = (timeMs: number, level: Level, message: string, asked?: Asked, more = ''): string =>
  `time=${isoTime(timeMs)} level=${level} msg=${quoted(message)}${asked ? fieldsOf(asked) : ''}${more}\n`

export const eventLine = (event: KesEvent): string =>
  logLine(event.timeMs, 'INFO', event.message, event, ` res.code=${event.status} res.time=${duration(event.latencyMs)}`)

const fieldsOf = ({ method, path, ip, identity }: Asked): string =>
  ` req.method=${quoted(method)} req.path=${quoted(path)} req.ip=${quoted(ip)} req.identity=${quoted(identity)}`

/** An event of `/v1/log/audit`; clients take its time for nanoseconds. */
export const eventJson = ({ timeMs, ip, path, identity, status, latencyMs }: KesEvent): string =>
  escaped({
    time: isoTime(timeMs),
    request: { ip, path, ...(identity !== '' && { identity }) },
    response: { code: status, time: Math.round(latencyMs * 1e6) },
  })

/** Text that would not be one word, or could end its line, stands in quotation marks. */
const quoted = (text: string): string => (/^[!#-<>-~]+$/.test(text) ? text : escaped(text))
const escaped = (value: unknown): string => withoutControls(JSON.stringify(value))
/** Nothing that a terminal obeys, or that changes how a line reads: anybody may put it into a path. */
export const withoutControls = (text: string): string => text.replace(CONTROLS, char => char.split('').map(unitOf).join(''))
const unitOf = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
const CONTROLS = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

const duration = (ms: number): string => (ms >= 1000 ? `${ms / 1000}s` : ms >= 1 ? `${round(ms)}ms` : `${round(ms * 1000)}µs`)
const round = (value: number): number => Math.round(value * 1000) / 1000
