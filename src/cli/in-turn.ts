/** The same, begun when the one before is over: where files are read anew, what was read last has to count in the end. */
export function inTurn(act: () => Promise<void>): () => Promise<void> {
  let last = Promise.resolve()
  return () => {
    const next = last.then(act)
    // Who asked for it is told when it failed; the next one is begun all the same.
    last = next.then(undefined, () => undefined)
    return next
  }
}
