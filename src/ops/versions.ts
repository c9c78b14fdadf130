/** Protocol versions that kmipd speaks, preferred first. Spec: KMIP 1.4 section 4.26 */
export const SUPPORTED_VERSIONS: readonly (readonly [major: number, minor: number])[] = [
  [2, 1],
  [2, 0],
  [1, 4],
  [1, 3],
  [1, 2],
  [1, 1],
  [1, 0],
]

/** The draft that is spoken only where the operator asks for it: clients would pick it otherwise. */
const EXPERIMENTAL_VERSIONS: readonly (readonly [major: number, minor: number])[] = [[3, 0]]

/** @param experimental the operator asked for drafts too */
export const versionsSpoken = (experimental: boolean): readonly (readonly [major: number, minor: number])[] =>
  experimental ? [...SUPPORTED_VERSIONS, ...EXPERIMENTAL_VERSIONS] : SUPPORTED_VERSIONS
