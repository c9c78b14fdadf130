import type { Io } from './io.ts'

/** Whether people read what is printed. */
export const isTerminal = (io: Io): boolean => io.stdout.isTTY === true

/** Names and values, one a line, the values below each other. */
export function columns(rows: readonly (readonly [name: string, value: string])[], gap: number): string[] {
  const width = Math.max(...rows.map(([name]) => name.length)) + gap
  return rows.map(([name, value]) => `${name.padEnd(width)}${value}`)
}

/** A moment as KES prints it: in UTC, without a fraction. */
export const momentOf = (time: unknown): string => (typeof time === 'string' ? time.replace('T', ' ').slice(0, 19) : '')

/** A list under its header; nothing for an empty one. */
export const listLines = (header: string, names: readonly string[]): string[] => (names.length === 0 ? [] : [header, ...names])

/** What is made for programs where they read it, in JSON without a line end, and for people otherwise. */
export function printFields(io: Io, fields: readonly (readonly [name: string, value: string])[]): void {
  if (!isTerminal(io) && io.stderr.isTTY !== true) io.stdout.write(JSON.stringify(Object.fromEntries(fields)))
  else
    io.stdout.write(
      `\n${columns(
        fields.map(([name, value]) => [`${name}:`, value]),
        1,
      ).join('\n')}\n`,
    )
}
