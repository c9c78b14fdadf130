/** An object of an answer, of which nothing is known yet. */
export type Row = { readonly [field: string]: unknown }

/** @returns an empty one for what is none */
export const rowOf = (value: unknown): Row => (typeof value === 'object' && value !== null ? (value as Row) : {})
