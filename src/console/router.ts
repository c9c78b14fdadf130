/** The screens, each with the pattern of its address behind `#/`. */
const PATTERNS = {
  overview: '',
  scopes: 'scopes',
  scope: 'scopes/:scope',
  role: 'scopes/:scope/roles/:role',
  objects: 'scopes/:scope/objects',
  object: 'scopes/:scope/objects/:object',
  kes: 'kes',
  trace: 'scopes/:scope/refused',
  access: 'access',
  policy: 'access/policies/:policy',
  audit: 'audit',
  settings: 'settings',
} as const

export type PageName = keyof typeof PATTERNS

/** A place in the console: a screen, the names in its address, and what stands behind the question mark. */
export interface Place {
  readonly page: PageName
  readonly names: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, string>>
}

/** The place that an address names; nothing if no screen has it. @param hash as `location.hash` has it: `#/scopes/a%20b?x=1` */
export function placeOf(hash: string): Place | undefined {
  const [path = '', search = ''] = hash.replace(/^#?\/?/, '').split('?')
  const parts = path.split('/').filter(part => part !== '')
  for (const [page, pattern] of Object.entries(PATTERNS)) {
    const names = matched(pattern.split('/').filter(Boolean), parts)
    if (names) return { page: page as PageName, names, query: Object.fromEntries(new URLSearchParams(search)) }
  }
  return undefined
}

function matched(pattern: readonly string[], parts: readonly string[]): Record<string, string> | undefined {
  if (pattern.length !== parts.length) return undefined
  const names: Record<string, string> = {}
  for (const [i, wanted] of pattern.entries()) {
    const part = decoded(parts[i]!)
    if (part === undefined) return undefined
    if (wanted.startsWith(':')) names[wanted.slice(1)] = part
    else if (wanted !== part) return undefined
  }
  return names
}

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part)
  } catch {
    return undefined
  }
}

/** The address of a place, for a link. Empty values of the query are left out. */
export function hrefOf(page: PageName, names: Readonly<Record<string, string>> = {}, query: Readonly<Record<string, string>> = {}): string {
  const path = PATTERNS[page].replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(names[name] ?? ''))
  const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== '')).toString()
  return `#/${path}${search === '' ? '' : `?${search}`}`
}
