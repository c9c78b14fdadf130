import { UsageError } from './usage-error.ts'

/** A value of an enumeration by its name. @throws UsageError with the nearest name */
export async function named<T extends string>(table: { readonly [name in T]: number }, name: string, what: string): Promise<T> {
  if (Object.hasOwn(table, name)) return name as T
  const { nearest } = await import('../config/nearest.ts')
  throw new UsageError(`${name} is no ${what}; the nearest is ${nearest(name, Object.keys(table))}`)
}
