import type { JSX } from 'preact'
import { path } from '../api.ts'
import { Copyable, Empty, Trouble } from '../controls.tsx'
import { Page, Shown, When } from '../page.tsx'
import { hrefOf } from '../router.ts'
import { useSession } from '../session.ts'
import { useAction, useAnswer } from '../use-answer.ts'

interface Trace {
  /** ISO 8601; absent while it is off. */
  readonly until?: string
  readonly requests: readonly Refused[]
}

interface Refused {
  readonly time: string
  readonly role: string
  readonly serial_number: string
  readonly problems: readonly { readonly operation: string; readonly reason: string; readonly message: string }[]
  /** As an indented tree; what is or may be secret is hidden. */
  readonly request: string
}

const EVERY_MS = 5000

/** Why requests of a scope are refused: switched on for an hour, off, and what came meanwhile. */
export function TracePage({ scope }: { readonly scope: string }): JSX.Element {
  const { mount } = useSession()
  const at = path(mount, 'scope', scope, 'trace')
  const trace = useAnswer(at, ({ api }) => api.read<Trace>(at), EVERY_MS)
  const { isBusy, trouble, run } = useAction()
  const start = (): void =>
    run(async ({ api }) => {
      await api.write(at, { duration: '1h' })
      trace.reload()
    })
  const stop = (): void =>
    run(async ({ api }) => {
      await api.remove(at)
      trace.reload()
    })
  return (
    <Page
      title="Refused requests"
      trail={[
        ['Scopes', hrefOf('scopes')],
        [scope, hrefOf('scope', { scope })],
      ]}
      actions={
        <>
          <button type="button" disabled={isBusy} onClick={stop}>
            Stop and forget
          </button>
          <button type="button" class="primary" disabled={isBusy} onClick={start}>
            Trace for an hour
          </button>
        </>
      }
    >
      <p class="lead">While it is on, the last fifty refused requests are kept, with secrets hidden by their length.</p>
      <Trouble text={trouble} />
      <Shown of={trace}>
        {({ until, requests }) => (
          <section>
            <p>
              <span role="status">{until === undefined ? 'The trace is off.' : 'The trace is on.'}</span>{' '}
              {until !== undefined && (
                <>
                  It ends <When ms={Date.parse(until)} />.
                </>
              )}
            </p>
            {requests.length === 0 ? (
              <Empty title="No refused request is kept" />
            ) : (
              <ol class="traces">
                {requests.map(one => (
                  <Request key={`${one.time} ${one.serial_number}`} {...one} />
                ))}
              </ol>
            )}
          </section>
        )}
      </Shown>
    </Page>
  )
}

const Request = ({ time, role, serial_number, problems, request }: Refused): JSX.Element => (
  <li>
    <p>
      <When ms={Date.parse(time)} />, role <strong>{role}</strong>, <span class="mono muted wrap">{serial_number}</span>
    </p>
    <ul>
      {problems.map(({ operation, reason, message }, i) => (
        <li key={i} class="wrap">
          <span class="tag bad">{reason}</span> {operation}: {message}
        </li>
      ))}
    </ul>
    <details>
      <summary>Request</summary>
      <Copyable label="Request" text={request} />
    </details>
  </li>
)
