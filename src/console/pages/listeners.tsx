import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { path } from '../api.ts'
import { Buttons, Check, Choice, Confirm, Dialog, Empty, Form, Text, Trouble } from '../controls.tsx'
import { Shown, Table } from '../page.tsx'
import { useSession } from '../session.ts'
import { useAction, useAnswer } from '../use-answer.ts'

interface Listener {
  readonly name: string
  readonly ca: string
  readonly address: string
  readonly tls_min_version: string
  readonly additional_client_cas: readonly string[]
}

interface AskProps {
  readonly onDone: () => void
  readonly onClose: () => void
}

/** The listeners besides the one of the configuration, each with an address, a CA and clients of its own. */
export function Listeners(): JSX.Element {
  const { mount } = useSession()
  const [asked, setAsked] = useState<{ readonly deleting?: string }>()
  const listeners = useAnswer(`listeners ${mount}`, async ({ api }) => {
    const { keys } = await api.list(path(mount, 'listener'))
    return Promise.all(keys.map(async name => ({ ...(await api.read<Listener>(path(mount, 'listener', name))), name })))
  })
  const ask: AskProps = { onDone: listeners.reload, onClose: () => setAsked(undefined) }
  return (
    <section>
      <div class="section-head">
        <h2>Listeners</h2>
        <button type="button" onClick={() => setAsked({})}>
          New listener
        </button>
      </div>
      <Shown of={listeners}>
        {list =>
          list.length === 0 ? (
            <Empty title="No listeners besides that of the configuration" />
          ) : (
            <Table label="Listeners" heads={['Name', 'Address', 'CA', 'TLS', 'More client CAs', 'Actions']}>
              {list.map(({ name, address, ca, tls_min_version, additional_client_cas }) => (
                <tr key={name}>
                  <th scope="row">{name}</th>
                  <td class="mono">{address}</td>
                  <td>{ca}</td>
                  <td>{tls_min_version === 'tls13' ? '1.3' : '1.2 and later'}</td>
                  <td>{additional_client_cas.join(', ') || 'none'}</td>
                  <td>
                    <button type="button" aria-label={`Delete listener ${name}`} onClick={() => setAsked({ deleting: name })}>
                      Delete
                    </button>
                  </td>
                </tr>
              ))}
            </Table>
          )
        }
      </Shown>
      {asked?.deleting !== undefined && <Delete name={asked.deleting} {...ask} />}
      {asked !== undefined && asked.deleting === undefined && <NewListener {...ask} />}
    </section>
  )
}

function NewListener({ onDone, onClose }: AskProps): JSX.Element {
  const { mount } = useSession()
  const authorities = useAnswer(`ca names ${mount}`, ({ api }) => api.list(path(mount, 'ca')))
  const [texts, setTexts] = useState({ name: '', address: '', ca: '', server_hostnames: '', server_ips: '127.0.0.1, ::1' })
  const [more, setMore] = useState('')
  const [isLegacy, setLegacy] = useState(false)
  const { isBusy, trouble, run } = useAction()
  const put = (change: Partial<typeof texts>): void => setTexts({ ...texts, ...change })
  const create = (): void =>
    run(async ({ api }) => {
      const { name, ...fields } = texts
      await api.write(path(mount, 'listener', name), { ...fields, additional_client_cas: more, also_use_legacy_ca: isLegacy })
      onDone()
      onClose()
    })
  return (
    <Dialog title="New listener" onClose={onClose}>
      <Shown of={authorities}>
        {({ keys }) =>
          keys.length === 0 ? (
            <p>A listener needs a named CA of its own; make one first.</p>
          ) : (
            <Form onSubmit={create}>
              <div class="columns">
                <Text label="Name" value={texts.name} onValue={name => put({ name })} required />
                <Text label="Address" value={texts.address} onValue={address => put({ address })} required hint="host:port" />
                <Choice
                  label="CA"
                  value={texts.ca}
                  options={[['', 'choose'], ...keys.map(name => [name, name] as const)]}
                  onValue={ca => put({ ca })}
                  hint="Signs its certificate, and its clients are let in."
                />
                <Text label="More client CAs" value={more} onValue={setMore} hint="Names, with commas between." />
                <Text
                  label="Names in its certificate"
                  value={texts.server_hostnames}
                  onValue={server_hostnames => put({ server_hostnames })}
                />
                <Text label="Addresses in its certificate" value={texts.server_ips} onValue={server_ips => put({ server_ips })} />
              </div>
              <Check label="Let in the clients of the engine’s own CA too" checked={isLegacy} onChecked={setLegacy} />
              <Trouble text={trouble} />
              <Buttons verb="Open listener" isBusy={isBusy} onClose={onClose} />
            </Form>
          )
        }
      </Shown>
    </Dialog>
  )
}

function Delete({ name, onDone, onClose }: AskProps & { readonly name: string }): JSX.Element {
  const { mount } = useSession()
  const { isBusy, trouble, run } = useAction()
  const remove = (): void =>
    run(async ({ api }) => {
      await api.remove(path(mount, 'listener', name))
      onDone()
      onClose()
    })
  return (
    <Confirm title={`Delete listener ${name}`} verb="Delete listener" {...{ isBusy, trouble, onClose }} onConfirm={remove}>
      <p>Its connections are closed. Those of other listeners go on.</p>
    </Confirm>
  )
}
