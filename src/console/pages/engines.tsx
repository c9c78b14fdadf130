import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { type AskProps, FormDialog, Sure } from '../asking.tsx'
import { Text } from '../controls.tsx'
import { Shown, Table } from '../page.tsx'
import type { Session } from '../session.ts'
import { useAnswer } from '../use-answer.ts'

interface Mount {
  readonly type: string
  readonly description: string
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

function NewEngine(ask: AskProps): JSX.Element {
  const [at, setAt] = useState('')
  const [description, setDescription] = useState('')
  const enable = async ({ api, refresh }: Session): Promise<void> => {
    await api.write(mountPath(at), { type: 'kmip', description })
    refresh()
  }
  return (
    <FormDialog title="New engine" verb="Enable engine" act={enable} {...ask}>
      <p>Another KMIP engine has listeners, CAs, scopes and objects of its own.</p>
      <Text label="Path" value={at} onValue={setAt} required placeholder="kmip-branch" />
      <Text label="Description" value={description} onValue={setDescription} />
    </FormDialog>
  )
}

function Disable({ at, ...ask }: AskProps & { readonly at: string }): JSX.Element {
  const disable = async ({ api, refresh }: Session): Promise<void> => {
    await api.remove(mountPath(at))
    refresh()
  }
  return (
    <Sure title={`Disable ${at}`} verb="Disable and delete everything" phrase={at} act={disable} {...ask}>
      <p class="notice bad">
        Its listeners are closed, and its scopes, credentials and objects are deleted. What its keys encrypted is lost.
      </p>
    </Sure>
  )
}
