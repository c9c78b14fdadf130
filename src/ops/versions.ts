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
