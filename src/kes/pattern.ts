import { isKeyName } from '../keystore/names.ts'

/** Cannot stand in a name or a pattern, and stands for itself in a URL. */
const MARK = '~'

/** What a listing may be asked for: everything, a prefix, or a prefix and `*`. A hyphen may end a prefix, which KES refuses. */
export function isPattern(pattern: string): boolean {
  const prefix = pattern.endsWith('*') ? pattern.slice(0, -1) : pattern
  return prefix === '' || isKeyName(prefix) || (prefix.length <= 80 && isKeyName(prefix.replace(/-+$/, '')))
}

export const prefixOf = (pattern: string): string => (pattern.endsWith('*') ? pattern.slice(0, -1) : pattern)

/**
 * Where a page of a listing starts. Clients ask for the next page by giving `continue_at` back in the place of the pattern, so it says
 * both the prefix and the last name.
 */
export function pageStart(pattern: string): { readonly prefix: string; readonly after?: string } {
  const mark = pattern.indexOf(MARK)
  return mark < 0 ? { prefix: prefixOf(pattern) } : { prefix: prefixOf(pattern.slice(0, mark)), after: pattern.slice(mark + 1) }
}

export const tokenOf = (prefix: string, last: string): string => `${prefix}${MARK}${last}`
/** A pattern without where its page starts: what a policy is asked about. */
export const withoutMark = (pattern: string): string => {
  const mark = pattern.indexOf(MARK)
  return mark < 0 ? pattern : pattern.slice(0, mark)
}
