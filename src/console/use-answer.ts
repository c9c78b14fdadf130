import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import { ApiError, sentenceOf } from './api.ts'
import { type Session, useSession } from './session.ts'

export interface Loaded<T> {
  readonly value?: T
  /** A sentence, when the last attempt failed; the value before it stays. */
  readonly trouble?: string
  readonly isLoading: boolean
  reload(): void
}

/**
 * What the server says, asked anew whenever `key` changes, `reload` is called, or `everyMs` have passed (while the page is looked at).
 * A token that has ended signs out.
 */
export function useAnswer<T>(key: string, ask: (session: Session) => Promise<T>, everyMs?: number): Loaded<T> {
  const session = useSession()
  const [state, setState] = useState<{ key: string; value?: T; trouble?: string; isLoading: boolean }>({
    key,
    isLoading: true,
  })
  const asking = useRef(ask)
  asking.current = ask
  const newest = useRef(0)
  const load = useCallback(async () => {
    newest.current += 1
    const mine = newest.current
    setState(now => (now.key === key ? { ...now, isLoading: true } : { key, isLoading: true }))
    try {
      const value = await asking.current(session)
      if (mine === newest.current) setState({ key, value, isLoading: false })
    } catch (err) {
      if (mine !== newest.current) return
      refused(err, session)
      setState(now => ({
        key,
        ...(now.key === key && now.value !== undefined && { value: now.value }),
        trouble: sentenceOf(err),
        isLoading: false,
      }))
    }
  }, [key, session])
  useEffect(() => {
    void load()
    if (everyMs === undefined) return undefined
    const timer = setInterval(() => {
      if (!document.hidden) void load()
    }, everyMs)
    return () => clearInterval(timer)
  }, [load, everyMs])
  useEffect(
    () => () => {
      newest.current += 1
    },
    [],
  )
  const current = state.key === key ? state : { isLoading: true }
  return { ...current, reload: () => void load() }
}

export interface Action {
  readonly isBusy: boolean
  readonly trouble?: string
  /** Do it; nothing happens while one is under way. */
  run(act: (session: Session) => Promise<void>): void
  clear(): void
}

/** Something that the user does and that the server may refuse. */
export function useAction(): Action {
  const session = useSession()
  const [state, setState] = useState<{ isBusy: boolean; trouble?: string }>({ isBusy: false })
  const busy = useRef(false)
  const run = async (act: (session: Session) => Promise<void>): Promise<void> => {
    if (busy.current) return
    busy.current = true
    setState({ isBusy: true })
    try {
      await act(session)
      setState({ isBusy: false })
    } catch (err) {
      refused(err, session)
      setState({ isBusy: false, trouble: sentenceOf(err) })
    } finally {
      busy.current = false
    }
  }
  return { ...state, run: act => void run(act), clear: () => setState({ isBusy: false }) }
}

function refused(err: unknown, session: Session): void {
  if (err instanceof ApiError && err.status === 403) session.verify()
  else if (!(err instanceof ApiError)) console.error(err)
}
