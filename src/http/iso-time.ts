let lastMs = Number.NaN
let lastText = ''

/** A moment in ISO 8601, as logs have it: many of their lines are of the same millisecond. @param ms since 1970 */
export function isoTime(ms: number): string {
  if (ms !== lastMs) {
    lastMs = ms
    lastText = new Date(ms).toISOString()
  }
  return lastText
}
