/**
 * Command and arguments for Node as a user starts it, to be given to `spawn`. Tap puts a loader into `NODE_OPTIONS` of every process that a
 * test starts, however its environment is given; it would double the time until that is ready.
 */
export const nodeCommand = (...args: readonly string[]): [command: string, args: string[]] => [
  'env',
  ['-u', 'NODE_OPTIONS', process.execPath, ...args],
]
