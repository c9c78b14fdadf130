import type { Row } from './rows.ts'

type TermsOf = { readonly [K in Row['kind']]?: (row: Extract<Row, { readonly kind: K }>) => readonly string[] }

const some = (prefix: string, value: string | undefined): string[] => (value === undefined ? [] : [`${prefix}/${value}`])

const TERMS: TermsOf = {
  token: ({ accessor, parent, mount }) => [`accessor/${accessor}`, ...some('parent', parent), ...some('from', mount)],
  approle: ({ mount, roleId }) => [`mount/${mount}`, `role-id/${mount}/${roleId}`],
  'secret-id': ({ mount, role, accessor }) => [`mount/${mount}`, `role/${mount}/${role}`, `accessor/${accessor}`],
  cert: ({ mount }) => [`mount/${mount}`],
  user: ({ mount }) => [`mount/${mount}`],
}

/** The words that a row can be found by. They follow from its content, so that an index can be checked and made anew. */
export function rowTerms<K extends Row['kind']>(row: Extract<Row, { readonly kind: K }>): readonly string[] {
  const terms = TERMS[row.kind as K] as ((row: Extract<Row, { readonly kind: K }>) => readonly string[]) | undefined
  return [...(terms?.(row) ?? []), `kind/${row.kind}`]
}
