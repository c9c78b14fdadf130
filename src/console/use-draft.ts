import { useState } from 'preact/hooks'

export interface Draft<T> {
  readonly value: T
  put(value: T): void
  /** Forget what was changed. */
  reset(): void
}

/**
 * What a form shows of `stored`, with what the user changed of it. A change belongs to the answer that it was made to: when
 * another one comes, the form shows that (what was written comes back as the server reads it, 10d as 240h).
 */
export function useDraft<S extends object, T>(stored: S, shown: (stored: S) => T): Draft<T> {
  const [draft, setDraft] = useState<{ readonly of: S; readonly value: T }>()
  return {
    value: draft?.of === stored ? draft.value : shown(stored),
    put: value => setDraft({ of: stored, value }),
    reset: () => setDraft(undefined),
  }
}
