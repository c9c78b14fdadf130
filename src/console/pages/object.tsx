import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { ObjectDetail } from '../answers.ts'
import { path } from '../api.ts'
import { type AskProps, Sure } from '../asking.tsx'
import { Choice, Empty } from '../controls.tsx'
import { dateTime } from '../format.ts'
import { eventsOf } from '../object-history.ts'
import { Fact, Page, Shown, Table, useNow, When } from '../page.tsx'
import { hrefOf } from '../router.ts'
import { type Session, useSession } from '../session.ts'
import { useAnswer } from '../use-answer.ts'
import { State, typeTitle } from './objects.tsx'

interface ObjectPageProps {
  readonly scope: string
  readonly id: string
}

/** One object: what it is, its life so far, who used it, and its end. What it holds is never shown. */
export function ObjectPage({ scope, id }: ObjectPageProps): JSX.Element {
  const { mount } = useSession()
  const [asked, setAsked] = useState<'revoke' | 'destroy'>()
  const at = path(mount, 'scope', scope, 'object', id)
  const object = useAnswer(at, ({ api }) => api.read<ObjectDetail>(at))
  const state = object.value?.state
  const close = (): void => setAsked(undefined)
  return (
    <Page
      title={object.value?.names?.[0] ?? 'Object'}
      trail={[
        ['Scopes', hrefOf('scopes')],
        [scope, hrefOf('scope', { scope })],
        ['Objects', hrefOf('objects', { scope })],
      ]}
      actions={
        <>
          {(state === 'Active' || state === 'Pre-Active') && (
            <button type="button" onClick={() => setAsked('revoke')}>
              Revoke
            </button>
          )}
          {state !== undefined && !state.startsWith('Destroyed') && (
            <button type="button" onClick={() => setAsked('destroy')}>
              Destroy
            </button>
          )}
        </>
      }
    >
      <Shown of={object}>
        {value => (
          <>
            <Facts id={id} object={value} />
            <Timeline object={value} />
            <Attributes object={value} />
            <History at={at} />
          </>
        )}
      </Shown>
      {asked === 'revoke' && <Revoke at={at} onDone={object.reload} onClose={close} />}
      {asked === 'destroy' && <Destroy at={at} id={id} onDone={object.reload} onClose={close} />}
    </Page>
  )
}

const Facts = ({ id, object }: { readonly id: string; readonly object: ObjectDetail }): JSX.Element => (
  <dl class="facts">
    <Fact name="Type">{typeTitle(object.type)}</Fact>
    <Fact name="State">
      <State state={object.state} />
    </Fact>
    {object.algorithm !== undefined && (
      <Fact name="Algorithm">
        {object.algorithm} {object.length ?? ''}
      </Fact>
    )}
    <Fact name="Identifier">
      <span class="mono wrap">{id}</span>
    </Fact>
  </dl>
)

function Timeline({ object }: { readonly object: ObjectDetail }): JSX.Element {
  const events = eventsOf(object.attributes, useNow())
  return (
    <section>
      <h2>Life</h2>
      {events.length === 0 ? (
        <Empty title="No dates are known" />
      ) : (
        <ol class="timeline">
          {events.map(({ title, atMs, isPast }) => (
            <li key={title} class={isPast ? '' : 'future'}>
              <strong>{title}</strong> <When ms={atMs} /> <span class="muted">{dateTime(atMs)}</span>
            </li>
          ))}
        </ol>
      )}
    </section>
  )
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  return Array.isArray(value) ? value.map(textOf).join(', ') : JSON.stringify(value)
}

const Attributes = ({ object }: { readonly object: ObjectDetail }): JSX.Element => (
  <section>
    <h2>Attributes</h2>
    <Table label="Attributes" heads={['Name', 'Value']}>
      {Object.entries(object.attributes).map(([name, value]) => (
        <tr key={name}>
          <th scope="row">{name.replaceAll('_', ' ')}</th>
          <td class="wrap">{textOf(value)}</td>
        </tr>
      ))}
    </Table>
  </section>
)

interface HistoryEntry {
  readonly time: string
  readonly operation: string
  readonly role?: string
  readonly status: string
}

function History({ at }: { readonly at: string }): JSX.Element {
  const history = useAnswer(`${at}/history`, ({ api }) => api.read<{ readonly entries: readonly HistoryEntry[] }>(`${at}/history`))
  return (
    <section>
      <h2>Use</h2>
      <Shown of={history}>
        {({ entries }) =>
          entries.length === 0 ? (
            <Empty title="The audit log has nothing of it" />
          ) : (
            <Table label="Use" heads={['When', 'Operation', 'Role', 'Outcome']}>
              {entries.map(({ time, operation, role, status }) => (
                <tr key={`${time} ${operation}`}>
                  <td>{dateTime(Date.parse(time))}</td>
                  <th scope="row">{operation}</th>
                  <td>{role ?? '–'}</td>
                  <td>{status}</td>
                </tr>
              ))}
            </Table>
          )
        }
      </Shown>
    </section>
  )
}

const REASONS: readonly (readonly [reason: string, title: string])[] = [
  ['CessationOfOperation', 'No longer used'],
  ['Superseded', 'Replaced by another'],
  ['KeyCompromise', 'Somebody else may know it'],
  ['AffiliationChanged', 'Its owner changed'],
  ['PrivilegeWithdrawn', 'Its owner may not use it any more'],
  ['Unspecified', 'Other'],
]

function Revoke({ at, ...ask }: AskProps & { readonly at: string }): JSX.Element {
  const [reason, setReason] = useState('CessationOfOperation')
  const revoke = async ({ api }: Session): Promise<void> => {
    await api.write(`${at}/revoke`, { reason })
  }
  return (
    <Sure title="Revoke object" verb="Revoke" act={revoke} {...ask}>
      <p>Clients can still read with it what it protected, and protect nothing new. It cannot be taken back.</p>
      <Choice label="Why" value={reason} options={REASONS} onValue={setReason} />
    </Sure>
  )
}

const Destroy = ({ at, id, ...ask }: AskProps & { readonly at: string; readonly id: string }): JSX.Element => (
  <Sure title="Destroy object" verb="Destroy for ever" phrase="destroy" act={({ api }) => api.remove(at, { confirm: id })} {...ask}>
    <p class="notice bad">What was encrypted with it is lost, unless the key is kept elsewhere. An active object must be revoked first.</p>
  </Sure>
)
