import type { KeyPage } from './keystore.ts'

/** Whether KES would take it as the name of a key: 1 to 80 of `0-9 A-Z a-z - _`, not `_` alone, no hyphen first or last. */
export const isKeyName = (name: string): boolean => name !== '_' && /^(?!-)[0-9A-Za-z_-]{1,80}(?<!-)$/.test(name)

/** The part of all names of a store that `list` was asked for. Names that no client could ask for are left out. */
export function pageOf(
  names: Iterable<string>,
  prefix: string,
  { after, limit }: { readonly after?: string; readonly limit: number },
): KeyPage {
  const wanted = new Set<string>()
  for (const name of names) if (name.startsWith(prefix) && (after === undefined || name > after) && isKeyName(name)) wanted.add(name)
  const sorted = [...wanted].sort()
  const page = sorted.slice(0, limit)
  const last = page.at(-1)
  return last !== undefined && sorted.length > page.length ? { names: page, after: last } : { names: page }
}
