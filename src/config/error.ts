/** One thing that is wrong with a configuration, and where. `line` and `column` count from 1; 0 where the place is unknown. */
export interface Problem {
  /** The setting, such as `kmip.listen` or `seal[0].keyFile`; empty for the whole file. */
  readonly path: string
  readonly line: number
  readonly column: number
  readonly message: string
}

/** A configuration that cannot be used. The message has a line for each problem, each beginning with `file:line:column`. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly code = 'config_invalid'
  readonly problems: readonly Problem[]
  constructor(file: string, problems: readonly Problem[], options?: ErrorOptions) {
    super(problems.map(problem => line(file, problem)).join('\n'), options)
    this.problems = problems
  }
}

function line(file: string, { line, column, path, message }: Problem): string {
  const place = line === 0 ? file : `${file}:${line}:${column}`
  return path === '' ? `${place}: ${message}` : `${place}: ${path}: ${message}`
}
