/** What a configuration may refer to. */
export interface Sources {
  /** Environment variables, for `${NAME}`. */
  readonly env: { readonly [name: string]: string | undefined }
  /** Text of a file by its absolute name, for `file:` in secret settings. @throws if it cannot be read */
  readFile(path: string): string
}

/** A reference that leads nowhere. */
export class UnresolvedError extends Error {
  override readonly name = 'UnresolvedError'
  readonly code = 'reference_unresolved'
}

const REFERENCE = /\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|\$\{/g

export const hasReference = (text: string): boolean => text.includes('$')

/**
 * Replace `${NAME}` by the environment variable, `${NAME:-text}` by it or the text, and `$$` by a dollar sign. What is put in is not
 * looked at again.
 * @throws UnresolvedError for a variable that is not set, or a `${` that is not closed
 */
export function expand(text: string, env: Sources['env']): string {
  return text.replace(REFERENCE, (match, name: string | undefined, fallback: string | undefined) => {
    if (match === '$$') return '$'
    // biome-ignore lint/suspicious/noTemplateCurlyInString: what the user is to write
    if (name === undefined) throw new UnresolvedError('write ${NAME} with a name of letters, digits and _, or $$ for a dollar sign')
    const value = env[name] ?? fallback
    if (value === undefined) throw new UnresolvedError(`the environment variable ${name} is not set`)
    return value
  })
}
