/** A path as the router takes it (a `#` is part of it): decoded, or where the client should go instead, or nothing if it is none. */
export function readPath(target: string): { readonly path: string } | { readonly location: string } | undefined {
  const end = target.indexOf('?')
  const raw = end < 0 ? target : target.slice(0, end)
  const path = raw.includes('%') ? decoded(raw) : raw
  if (path === undefined) return undefined
  if (!path.includes('//') && !/\/\.{1,2}(?:\/|$)/.test(path)) return { path }
  const location = encodeURI(cleaned(path)).replace(/[?#]/g, encodeURIComponent)
  return { location: end < 0 ? location : location + target.slice(end) }
}

/** Bytes that are no UTF-8 become the sign for that. @returns nothing for a percent sign without two digits */
function decoded(raw: string): string | undefined {
  if (/%(?![0-9A-Fa-f]{2})/.test(raw)) return undefined
  const bytes = raw.replace(/%([0-9A-Fa-f]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)))
  return Buffer.from(bytes, 'latin1').toString('utf8')
}

/** Without empty parts, `.` and `..`; a slash at the end stays. */
function cleaned(path: string): string {
  const parts: string[] = []
  for (const part of path.split('/'))
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  const clean = `/${parts.join('/')}`
  return path.endsWith('/') && clean !== '/' ? `${clean}/` : clean
}
