/** Kinds of keys that certificates have, as `type bits`, with what people call them. */
export const KEY_KINDS: readonly (readonly [kind: string, title: string])[] = [
  ['ec 256', 'EC P-256'],
  ['ec 384', 'EC P-384'],
  ['ec 521', 'EC P-521'],
  ['rsa 2048', 'RSA 2048'],
  ['rsa 3072', 'RSA 3072'],
  ['rsa 4096', 'RSA 4096'],
]

/** Versions of TLS that a listener takes. */
export const VERSIONS: readonly (readonly [version: string, title: string])[] = [
  ['tls12', 'TLS 1.2 and 1.3'],
  ['tls13', 'TLS 1.3 alone'],
]

/** Options with one more for a value that is set but not among them, so that a form never changes what it only shows. */
export const withKnown = (options: readonly (readonly [string, string])[], value: string): readonly (readonly [string, string])[] =>
  options.some(([known]) => known === value) ? options : [...options, [value, value]]
