import { isIP } from 'node:net'
import { z } from 'zod'
import { readDuration, type Unit, writeDuration } from './duration.ts'

const UNITS: readonly Unit[] = ['ms', 's', 'm', 'h', 'd']
const DURATION = /^\d{1,9}(ms|s|m|h|d)$/
// setTimeout turns longer times into none at all.
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** `<integer>ms|s|m|h|d` in milliseconds. @throws RangeError on any other text */
export function parseDuration(text: string): number {
  const ms = DURATION.test(text) ? readDuration(text, UNITS) : undefined
  if (ms === undefined) throw new RangeError(`${text} is no duration; write one such as 30s, 10m or 336h`)
  return ms
}

/** Milliseconds in the largest unit that divides them: what `parseDuration` reads back. */
export const formatDuration = (ms: number): string => writeDuration(ms, UNITS)

const durationText = z
  .string()
  .regex(DURATION, { error: 'write a duration: a whole number and ms, s, m, h or d, such as 30s', abort: true })
  .meta({ type: 'string', format: 'duration' })

/** A duration; milliseconds in the configuration that was read. */
export const duration = durationText.transform(parseDuration)

/** A duration that a timer runs for, so longer than none and at most 24 days. */
export const timeout = durationText
  .refine(text => parseDuration(text) > 0, 'must be longer than nothing')
  .refine(text => parseDuration(text) <= LONGEST_TIMER_MS, 'must not be longer than 24d')
  .transform(parseDuration)

export interface Address {
  /** Without the brackets of an IPv6 address. */
  readonly host: string
  /** 0: any free one. */
  readonly port: number
}

/** `host:port` or `[ipv6]:port`. @throws RangeError on any other text */
export function parseAddress(text: string): Address {
  const [, six, name, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]]+)):(\d{1,5})$/.exec(text) ?? []
  const host = six ?? name
  const port = Number(digits)
  if (host === undefined || port > 65_535 || (six !== undefined && isIP(six) !== 6))
    throw new RangeError(`${text} is no address; write host:port, such as 127.0.0.1:5696 or [::]:5696`)
  return { host, port }
}

export const formatAddress = ({ host, port }: Address): string => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`)

const isAddress = (text: string): boolean => {
  try {
    parseAddress(text)
    return true
  } catch (error) {
    if (error instanceof RangeError) return false
    throw error
  }
}

/** An address to listen on. */
export const address = z
  .string()
  .refine(isAddress, 'write host:port, such as 127.0.0.1:5696 or [::]:5696')
  .meta({ format: 'host:port' })
  .transform(parseAddress)

/** An address to listen on, or `off`. */
export const addressOrOff = z
  .string()
  .refine(text => text === 'off' || isAddress(text), 'write host:port, such as 127.0.0.1:9696, or off')
  .meta({ format: 'host:port' })
  .transform(text => (text === 'off' ? undefined : parseAddress(text)))

export const hostname = z
  .string()
  .regex(
    /^(?=.{1,253}$)(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*$/,
    'write a host name',
  )

export const ipAddress = z.string().refine(text => isIP(text) !== 0, 'write an IP address')

/** Name of a file; relative ones stand in the data directory. */
export const file = z.string().min(1).meta({ format: 'path' })
