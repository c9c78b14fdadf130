import { timingSafeEqual } from 'node:crypto'

/** Equality of two byte strings, in a time that depends on their lengths only. */
export const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && timingSafeEqual(a, b)
