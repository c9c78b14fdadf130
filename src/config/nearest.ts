/** Edits (insert, delete, replace, swap of neighbours) that turn one text into the other, case aside. */
function distance(left: string, right: string): number {
  const a = left.toLowerCase()
  const b = right.toLowerCase()
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const swap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? before[j - 2]! + 1 : Number.POSITIVE_INFINITY
      row.push(Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1), swap))
    }
    before = last
    last = row
  }
  return last[b.length]!
}

const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('.')))
const keyOf = (path: string): string => path.slice(path.lastIndexOf('.') + 1)

/**
 * The known path that is most like an unknown one: by the key first, wherever it stands, and beside it rather than elsewhere.
 * @param known must not be empty
 */
export function nearest(path: string, known: readonly string[]): string {
  const score = (candidate: string): number =>
    distance(keyOf(path), keyOf(candidate)) + (parentOf(path) === parentOf(candidate) ? 0 : 1.5 + distance(path, candidate) / 100)
  return known.reduce((best, candidate) => (score(candidate) < score(best) ? candidate : best))
}
