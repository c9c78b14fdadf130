import { UsageError } from './usage-error.ts'

/** Options of the command that runs, by their types. */
interface Declared {
  readonly array: readonly string[]
  readonly number: readonly string[]
}

interface Given {
  [option: string]: unknown
}

/**
 * What yargs lets through: an option that takes one value given twice is a list, and what is no number is NaN, which would become whatever an
 * absent one means. KES's commands obey the last of several.
 * @param y yargs itself, which its types leave out
 * @throws UsageError
 */
export function checkGiven(given: Given, y?: unknown): void {
  const { array, number } = (y as { getOptions(): Declared }).getOptions()
  const isKes = Array.isArray(given._) && given._[0] === 'kes'
  for (const [option, value] of Object.entries(given)) {
    if (Array.isArray(value) && option !== '_' && option !== '--' && !array.includes(option)) {
      if (!isKes) throw new UsageError(`--${option} is given more than once`)
      given[option] = value.at(-1)
    }
    if (number.includes(option) && Number.isNaN(given[option])) throw new UsageError(`--${option}: write a number`)
  }
}
