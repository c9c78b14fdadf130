import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { Buttons, Confirm, Dialog, Form, Text, Trouble } from '../controls.tsx'
import { Shown, Table } from '../page.tsx'
import { useAction, useAnswer } from '../use-answer.ts'

interface Mount {
  readonly type: string
  readonly description: string
}

interface AskProps {
  readonly onDone: () => void
  readonly onClose: () => void
}

/** What is mounted where. */
export function Engines(): JSX.Element {
  const [asked, setAsked] = useState<{ readonly disabling?: string }>()
  const mounts = useAnswer('mounts', ({ api }) => api.read<Readonly<Record<string, Mount>>>('sys/mounts'))
  const ask: AskProps = { onDone: mounts.reload, onClose: () => setAsked(undefined) }
  return (
    <section>
      <div class="section-head">
        <h2>Engines</h2>
        <button type="button" onClick={() => setAsked({})}>
          New engine
        </button>
      </div>
      <Shown of={mounts}>
        {value => (
          <Table label="Engines" heads={['Path', 'Type', 'Description', 'Actions']}>
            {Object.entries(value).map(([at, { type, description }]) => (
              <tr key={at}>
                <th scope="row" class="mono">
                  {at}
                </th>
                <td>{type}</td>
                <td>{description || '–'}</td>
                <td>
                  {type === 'kmip' && (
                    <button type="button" aria-label={`Disable ${at}`} onClick={() => setAsked({ disabling: at })}>
                      Disable
                    </button>
                  )}
                </td>
              </tr>
            ))}
          </Table>
        )}
      </Shown>
      {asked?.disabling !== undefined && <Disable at={asked.disabling} {...ask} />}
      {asked !== undefined && asked.disabling === undefined && <NewEngine {...ask} />}
    </section>
  )
}

/** Each part of a mount's path encoded, its slashes kept. */
const mountPath = (at: string): string => `sys/mounts/${at.replace(/\/$/, '').split('/').map(encodeURIComponent).join('/')}`

function NewEngine({ onDone, onClose }: AskProps): JSX.Element {
  const [at, setAt] = useState('')
  const [description, setDescription] = useState('')
  const { isBusy, trouble, run } = useAction()
  const enable = (): void =>
    run(async ({ api, refresh }) => {
      await api.write(mountPath(at), { type: 'kmip', description })
      refresh()
      onDone()
      onClose()
    })
  return (
    <Dialog title="New engine" onClose={onClose}>
      <Form onSubmit={enable}>
        <p>Another KMIP engine has listeners, CAs, scopes and objects of its own.</p>
        <Text label="Path" value={at} onValue={setAt} required placeholder="kmip-branch" />
        <Text label="Description" value={description} onValue={setDescription} />
        <Trouble text={trouble} />
        <Buttons verb="Enable engine" isBusy={isBusy} onClose={onClose} />
      </Form>
    </Dialog>
  )
}

function Disable({ at, onDone, onClose }: AskProps & { readonly at: string }): JSX.Element {
  const { isBusy, trouble, run } = useAction()
  const disable = (): void =>
    run(async ({ api, refresh }) => {
      await api.remove(mountPath(at))
      refresh()
      onDone()
      onClose()
    })
  return (
    <Confirm title={`Disable ${at}`} verb="Disable and delete everything" phrase={at} {...{ isBusy, trouble, onClose }} onConfirm={disable}>
      <p class="notice bad">
        Its listeners are closed, and its scopes, credentials and objects are deleted. What its keys encrypted is lost.
      </p>
    </Confirm>
  )
}
