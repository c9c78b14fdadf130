import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { path } from '../api.ts'
import { type AskProps, FormDialog, Sure } from '../asking.tsx'
import { Check, Choice, Empty, Text } from '../controls.tsx'
import { VERSIONS, withKnown } from '../key-kinds.ts'
import { Shown, Table } from '../page.tsx'
import { type Session, useSession } from '../session.ts'
import { useAnswer } from '../use-answer.ts'

interface Listener {
  readonly name: string
  readonly ca: string
  readonly address: string
  readonly tls_min_version: string
  readonly additional_client_cas: readonly string[]
  readonly server_hostnames: readonly string[]
  readonly server_ips: readonly string[]
  readonly also_use_legacy_ca: boolean
}

const NEW: Listener = {
  name: '',
  ca: '',
  address: '',
  tls_min_version: 'tls12',
  additional_client_cas: [],
  server_hostnames: [],
  server_ips: ['127.0.0.1', '::1'],
  also_use_legacy_ca: false,
}
const LISTS = [
  ['additional_client_cas', 'More client CAs', 'Names, with commas between.'],
  ['server_hostnames', 'Names in its certificate', ''],
  ['server_ips', 'Addresses in its certificate', ''],
] as const

const textsOf = ({ ca, address, tls_min_version, additional_client_cas, server_hostnames, server_ips }: Listener) => ({
  ...{ ca, address, tls_min_version },
  additional_client_cas: additional_client_cas.join(', '),
  server_hostnames: server_hostnames.join(', '),
  server_ips: server_ips.join(', '),
})

/** The listeners besides the one of the configuration, each with an address, a CA and clients of its own. */
export function Listeners(): JSX.Element {
  const { mount } = useSession()
  const [asked, setAsked] = useState<{ readonly deleting?: string; readonly editing?: Listener }>()
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
              {list.map(listener => (
                <tr key={listener.name}>
                  <th scope="row">{listener.name}</th>
                  <td class="mono">{listener.address}</td>
                  <td>{listener.ca}</td>
                  <td>{listener.tls_min_version === 'tls13' ? '1.3' : '1.2 and later'}</td>
                  <td>{listener.additional_client_cas.join(', ') || 'none'}</td>
                  <td class="actions">
                    <button type="button" aria-label={`Edit listener ${listener.name}`} onClick={() => setAsked({ editing: listener })}>
                      Edit
                    </button>
                    <button
                      type="button"
                      aria-label={`Delete listener ${listener.name}`}
                      onClick={() => setAsked({ deleting: listener.name })}
                    >
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
      {asked !== undefined && asked.deleting === undefined && <ListenerForm {...(asked.editing && { listener: asked.editing })} {...ask} />}
    </section>
  )
}

/** A new listener, or one that is there. */
function ListenerForm({ listener, ...ask }: AskProps & { readonly listener?: Listener }): JSX.Element {
  const { mount } = useSession()
  const authorities = useAnswer(`ca names ${mount}`, ({ api }) => api.list(path(mount, 'ca')))
  const [name, setName] = useState(listener?.name ?? '')
  const [texts, setTexts] = useState(() => textsOf(listener ?? NEW))
  const [isLegacy, setLegacy] = useState(listener?.also_use_legacy_ca ?? false)
  const put = (change: Partial<typeof texts>): void => setTexts({ ...texts, ...change })
  const write = async ({ api }: Session): Promise<void> => {
    await api.write(path(mount, 'listener', name), { ...texts, also_use_legacy_ca: isLegacy })
  }
  const keys = authorities.value?.keys ?? []
  return (
    <FormDialog
      title={listener ? `Listener ${name}` : 'New listener'}
      verb={listener ? 'Save listener' : 'Open listener'}
      act={write}
      {...ask}
    >
      {authorities.value && keys.length === 0 && <p class="notice warn">A listener needs a named CA of its own; make one first.</p>}
      <div class="columns">
        {!listener && <Text label="Name" value={name} onValue={setName} required />}
        <Text label="Address" value={texts.address} onValue={address => put({ address })} required hint="host:port" />
        <Choice
          label="CA"
          value={texts.ca}
          options={withKnown([['', 'choose'], ...keys.map(key => [key, key] as const)], texts.ca)}
          onValue={ca => put({ ca })}
          hint="Signs its certificate, and its clients are let in."
        />
        <Choice label="TLS" value={texts.tls_min_version} options={VERSIONS} onValue={tls_min_version => put({ tls_min_version })} />
        {LISTS.map(([field, label, hint]) => (
          <Text key={field} label={label} value={texts[field]} onValue={text => put({ [field]: text })} {...(hint && { hint })} />
        ))}
      </div>
      <Check label="Let in the clients of the engine’s own CA too" checked={isLegacy} onChecked={setLegacy} />
    </FormDialog>
  )
}

function Delete({ name, ...ask }: AskProps & { readonly name: string }): JSX.Element {
  const { mount } = useSession()
  return (
    <Sure title={`Delete listener ${name}`} verb="Delete listener" act={({ api }) => api.remove(path(mount, 'listener', name))} {...ask}>
      <p>Its connections are closed. Those of other listeners go on.</p>
    </Sure>
  )
}
