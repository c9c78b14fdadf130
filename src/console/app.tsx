import type { JSX } from 'preact'
import { useCallback, useEffect, useMemo, useState } from 'preact/hooks'
import { ApiError, sentenceOf } from './api.ts'
import { Layout } from './layout.tsx'
import { ENDED, type Entry, enter, kept, type Session, SessionProvider } from './session.ts'
import { SignIn } from './sign-in.tsx'

type State =
  | { readonly step: 'entering' }
  | { readonly step: 'out'; readonly reason?: string }
  | { readonly step: 'in'; readonly entry: Entry; readonly mount: string }

/** The console: a form that asks for a token, and behind it everything else. */
export function App(): JSX.Element {
  const [state, setState] = useState<State>(() => (kept.token() === undefined ? { step: 'out' } : { step: 'entering' }))
  const signOut = useCallback((reason?: string) => {
    kept.forget()
    setState({ step: 'out', ...(reason !== undefined && { reason }) })
  }, [])
  const come = useCallback((entry: Entry) => setState({ step: 'in', entry, mount: chosen(entry.mounts) }), [])
  const again = useCallback(
    (token: string) => {
      enter(token).then(come, (err: unknown) => signOut(err instanceof ApiError && err.status === 403 ? ENDED : sentenceOf(err)))
    },
    [come, signOut],
  )
  useEffect(() => {
    const token = kept.token()
    if (token !== undefined) again(token)
  }, [again])
  const session = useMemo<Session | undefined>(() => {
    if (state.step !== 'in') return undefined
    const { entry, mount } = state
    return {
      ...entry,
      mount,
      choose(next) {
        kept.keepMount(next)
        setState({ ...state, mount: next })
      },
      signOut,
      refresh() {
        const token = kept.token()
        if (token !== undefined) again(token)
      },
      verify() {
        entry.api.read('auth/token/lookup-self').catch((err: unknown) => {
          if (err instanceof ApiError && err.status === 403) signOut(ENDED)
        })
      },
    }
  }, [state, signOut, again])
  if (state.step === 'entering') return <p class="loading alone">Signing in …</p>
  if (!session)
    return (
      <SignIn
        reason={state.step === 'out' ? state.reason : undefined}
        onEnter={(token, entry) => {
          kept.keep(token)
          come(entry)
        }}
      />
    )
  return (
    <SessionProvider value={session}>
      <Layout />
    </SessionProvider>
  )
}

function chosen(mounts: readonly string[]): string {
  const before = kept.mount()
  return mounts.find(mount => mount === before) ?? mounts.find(mount => mount === 'kmip') ?? mounts[0] ?? 'kmip'
}
