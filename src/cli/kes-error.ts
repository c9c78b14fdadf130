/** A command of `kmipd kes` that failed, with the text and the exit status that KES's own command has. */
export class KesCommandError extends Error {
  override readonly name = 'KesCommandError'
  readonly code = 'kes_command'
}
