import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { type Case, readCase } from './case.ts'

/**
 * Read every case below a folder, by version and then by name with its numbers in order.
 * @throws EncodingError for a file that is no case
 */
export function readCases(folder: string): Case[] {
  const order = new Intl.Collator('en', { numeric: true })
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(file => file.endsWith('.xml'))
    .map(file => readCase(basename(file, '.xml'), readFileSync(join(folder, file), 'utf8')))
    .sort((one, other) => one.version - other.version || order.compare(one.name, other.name))
}
