import type { JSX } from 'preact'
import { path } from '../api.ts'
import { Empty } from '../controls.tsx'
import { Page, Shown, Table } from '../page.tsx'
import { useSession } from '../session.ts'
import { useAnswer } from '../use-answer.ts'
import { Authorities } from './authorities.tsx'
import { ConfigurationForm } from './configuration-form.tsx'

/** How the engine is set up: listener, certificates, CAs, and the engines beside it. */
export function SettingsPage(): JSX.Element {
  return (
    <Page title="Settings">
      <ConfigurationForm />
      <Listeners />
      <Authorities />
      <Mounts />
    </Page>
  )
}

interface ListenerAnswer {
  readonly ca: string
  readonly address: string
  readonly tls_min_version: string
  readonly additional_client_cas: readonly string[]
}

function Listeners(): JSX.Element {
  const { mount } = useSession()
  const listeners = useAnswer(`listeners ${mount}`, async ({ api }) => {
    const { keys } = await api.list(path(mount, 'listener'))
    return Promise.all(keys.map(async name => ({ name, ...(await api.read<ListenerAnswer>(path(mount, 'listener', name))) })))
  })
  return (
    <section>
      <h2>Listeners</h2>
      <Shown of={listeners}>
        {list =>
          list.length === 0 ? (
            <Empty title="No listeners besides the one above" />
          ) : (
            <Table label="Listeners" heads={['Name', 'Address', 'CA', 'TLS', 'More client CAs']}>
              {list.map(({ name, address, ca, tls_min_version, additional_client_cas }) => (
                <tr key={name}>
                  <th scope="row">{name}</th>
                  <td class="mono">{address}</td>
                  <td>{ca}</td>
                  <td>{tls_min_version === 'tls13' ? '1.3' : '1.2 and later'}</td>
                  <td>{additional_client_cas.join(', ') || 'none'}</td>
                </tr>
              ))}
            </Table>
          )
        }
      </Shown>
    </section>
  )
}

interface MountAnswer {
  readonly type: string
  readonly description: string
  readonly accessor: string
}

function Mounts(): JSX.Element {
  const mounts = useAnswer('mounts', ({ api }) => api.read<Readonly<Record<string, MountAnswer>>>('sys/mounts'))
  return (
    <section>
      <h2>Engines</h2>
      <Shown of={mounts}>
        {value => (
          <Table label="Engines" heads={['Path', 'Type', 'Description']}>
            {Object.entries(value)
              .filter(([, { type }]) => typeof type === 'string')
              .map(([at, { type, description }]) => (
                <tr key={at}>
                  <th scope="row" class="mono">
                    {at}
                  </th>
                  <td>{type}</td>
                  <td>{description || '–'}</td>
                </tr>
              ))}
          </Table>
        )}
      </Shown>
    </section>
  )
}
