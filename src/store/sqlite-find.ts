// A limit that is a bare parameter makes SQLite prepare the statement again for each value that is bound to it, which takes as long as
// the search; hence the `+ 0`.

/** Records of a partition, newest first. Parameters: mark and partition for each mark, partition, before, limit. */
export const findAllStatement = (marks: number): string => `
  select first.sequence, first.id${markOf(marks)} from record as first
  where first.partition = ? and first.sequence < ? order by first.sequence desc limit ? + 0`

/** So many terms after the first have a condition each; those beyond, which no sane request has, share one: SQLite limits an expression's depth. */
const MAX_SINGLE = 16

/** Parameters: term, partition. */
const CARRIES = 'exists (select 1 from term where term = ? and partition = ? and sequence = first.sequence)'
const CARRIES_EACH = `not exists (select 1 from json_each(?) as other where not ${CARRIES.replace('?', 'unhex(other.value)')})`

/** A column with the place of the first mark that the record carries. */
const markOf = (marks: number): string =>
  marks === 0 ? '' : `, case ${Array.from({ length: marks }, (_, i) => `when ${CARRIES} then ${i}`).join(' ')} end as mark`

/** One value for each condition of the statement: a term, or a JSON text of all terms that have no condition of their own. */
export function conditionValues(others: readonly Buffer[]): (Buffer | string)[] {
  const single = others.slice(0, MAX_SINGLE)
  if (others.length <= MAX_SINGLE) return single
  return [...single, JSON.stringify(others.slice(MAX_SINGLE).map(term => term.toString('hex')))]
}

/**
 * The first term leads, newest record first; the others are looked up for each of its entries. All of that happens in the key of
 * `term`, and only records that are found are read, for their identifier.
 * Parameters: mark and partition for each mark, partition, first term, before, then condition value and partition for each condition, limit.
 */
export function findStatement(conditions: number, marks: number): string {
  const others = Array.from({ length: conditions }, (_, i) => `and ${i < MAX_SINGLE ? CARRIES : CARRIES_EACH}`)
  return `
    select first.sequence, record.id${markOf(marks)} from term as first cross join record on record.sequence = first.sequence
    where first.partition = ? and first.term = ? and first.sequence < ? ${others.join(' ')}
    order by first.sequence desc limit ? + 0`
}
