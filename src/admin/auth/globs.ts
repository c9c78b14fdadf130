/** Whether a name fits one of some patterns, in which `*` stands for any letters. */
export const fitsGlob = (patterns: readonly string[], name: string): boolean => patterns.some(pattern => globMatches(pattern, name))

function globMatches(pattern: string, name: string): boolean {
  const [first = '', ...rest] = pattern.split('*')
  if (rest.length === 0) return pattern === name
  const last = rest.pop() ?? ''
  if (!name.startsWith(first)) return false
  let at = first.length
  for (const part of rest) {
    const found = name.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  return name.length - at >= last.length && name.endsWith(last)
}
