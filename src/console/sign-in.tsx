import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { ApiError, sentenceOf } from './api.ts'
import { Form, Text, Trouble } from './controls.tsx'
import { type Entry, enter } from './session.ts'

interface SignInProps {
  /** Why one is here again. */
  readonly reason: string | undefined
  readonly onEnter: (token: string, entry: Entry) => void
}

/** Asks for a token. It is sent in a header and never stands in an address. */
export function SignIn({ reason, onEnter }: SignInProps): JSX.Element {
  const [token, setToken] = useState('')
  const [trouble, setTrouble] = useState<string>()
  const [isBusy, setBusy] = useState(false)
  const card = useRef<HTMLDivElement>(null)
  useEffect(() => {
    document.title = 'Sign in · kmipd'
    card.current?.querySelector('input')?.focus()
  }, [])
  const submit = async (): Promise<void> => {
    setBusy(true)
    setTrouble(undefined)
    try {
      const given = token.trim()
      onEnter(given, await enter(given))
    } catch (err) {
      setTrouble(err instanceof ApiError && err.status === 403 ? 'The server does not know this token, or it has ended.' : sentenceOf(err))
    } finally {
      setBusy(false)
    }
  }
  return (
    <main class="sign-in">
      <div class="card" ref={card}>
        <h1>
          <Logo /> Sign in to kmipd
        </h1>
        {reason !== undefined && trouble === undefined && (
          <p class="notice warn" role="status">
            {reason}
          </p>
        )}
        <Form onSubmit={() => void submit()}>
          <Text
            label="Token"
            type="password"
            autocomplete="current-password"
            required
            value={token}
            onValue={setToken}
            hint="The root token that the first start gave, or one that was made for you."
          />
          <Trouble text={trouble} />
          <button type="submit" class="primary wide" disabled={isBusy}>
            {isBusy ? 'Signing in …' : 'Sign in'}
          </button>
        </Form>
        <p class="hint">The token is kept in this tab until you sign out or close it.</p>
      </div>
    </main>
  )
}

export const Logo = (): JSX.Element => (
  <svg class="logo" viewBox="0 0 32 32" aria-hidden="true">
    <rect width="32" height="32" rx="7" />
    <circle cx="12" cy="16" r="5" />
    <path d="M17 16h10M23 16v5" />
  </svg>
)
