import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { path } from '../api.ts'
import { Copyable, Dialog, Empty } from '../controls.tsx'
import { download } from '../download.ts'
import { Shown, Table } from '../page.tsx'
import { useSession } from '../session.ts'
import { useAnswer } from '../use-answer.ts'
import { DeleteAuthority, EditMapping, Generate, Import, type Mapping } from './authority-dialogs.tsx'

interface AuthorityAnswer extends Mapping {
  readonly ca_pem?: string
  readonly certificate?: string
  readonly key_type?: string
  readonly key_bits?: number
  readonly imported?: boolean
}

interface Authority extends AuthorityAnswer {
  readonly name: string
}

type Asked = { readonly what: 'generate' | 'import' } | { readonly what: 'show' | 'map' | 'delete'; readonly authority: Authority }

/** The engine's own CA, and the named ones. */
export function Authorities(): JSX.Element {
  const { mount } = useSession()
  const [asked, setAsked] = useState<Asked>()
  const own = useAnswer(`ca ${mount}`, ({ api }) => api.read<{ readonly ca_pem: string }>(path(mount, 'ca')))
  const named = useAnswer(`cas ${mount}`, async ({ api }) => {
    const { keys } = await api.list(path(mount, 'ca'))
    return Promise.all(keys.map(async name => ({ name, ...(await api.read<AuthorityAnswer>(path(mount, 'ca', name))) })))
  })
  const close = (): void => setAsked(undefined)
  const ask = { onDone: named.reload, onClose: close }
  return (
    <section>
      <div class="section-head">
        <h2>Certificate authorities</h2>
        <div class="actions">
          <button type="button" onClick={() => setAsked({ what: 'import' })}>
            Import a CA
          </button>
          <button type="button" onClick={() => setAsked({ what: 'generate' })}>
            New CA
          </button>
        </div>
      </div>
      {own.value && (
        <p>
          Clients that check the listener need the engine’s own CA:{' '}
          <button
            type="button"
            onClick={() => download(`${mount.replace(/\W/g, '_')}-ca.pem`, 'application/x-pem-file', `${own.value?.ca_pem}\n`)}
          >
            Download CA certificates
          </button>{' '}
          <a class="button" href={`/v1/${path(mount, 'crl', 'pem')}`} download={`${mount.replace(/\W/g, '_')}.crl`}>
            Download revocation list
          </a>
        </p>
      )}
      <Shown of={named}>
        {list =>
          list.length === 0 ? (
            <Empty title="No named CAs" />
          ) : (
            <Table label="Named CAs" heads={['Name', 'Kind', 'Clients', 'Actions']}>
              {list.map(authority => (
                <tr key={authority.name}>
                  <th scope="row">{authority.name}</th>
                  <td>{authority.imported ? 'imported' : `${authority.key_type ?? ''} ${authority.key_bits ?? ''}`}</td>
                  <td>{authority.imported ? mappingOf(authority) : 'with credentials of roles that name it'}</td>
                  <td class="actions">
                    <button type="button" aria-label={`Show ${authority.name}`} onClick={() => setAsked({ what: 'show', authority })}>
                      Show
                    </button>
                    {authority.imported && (
                      <button type="button" aria-label={`Edit ${authority.name}`} onClick={() => setAsked({ what: 'map', authority })}>
                        Edit
                      </button>
                    )}
                    <button type="button" aria-label={`Delete ${authority.name}`} onClick={() => setAsked({ what: 'delete', authority })}>
                      Delete
                    </button>
                  </td>
                </tr>
              ))}
            </Table>
          )
        }
      </Shown>
      {asked?.what === 'generate' && <Generate {...ask} />}
      {asked?.what === 'import' && <Import {...ask} />}
      {asked?.what === 'show' && (
        <Dialog title={`CA ${asked.authority.name}`} onClose={close}>
          <Copyable label="Certificates" text={asked.authority.ca_pem ?? asked.authority.certificate ?? ''} />
        </Dialog>
      )}
      {asked?.what === 'map' && <EditMapping name={asked.authority.name} stored={asked.authority} {...ask} />}
      {asked?.what === 'delete' && <DeleteAuthority name={asked.authority.name} {...ask} />}
    </section>
  )
}

function mappingOf({ scope_name, scope_field, role_name, role_field }: AuthorityAnswer): string {
  return `scope ${scope_name || `by ${scope_field}`}, role ${role_name || `by ${role_field}`}`
}
