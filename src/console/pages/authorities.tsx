import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { path } from '../api.ts'
import { Area, Buttons, Choice, Confirm, Copyable, Dialog, Empty, Form, Text, Trouble } from '../controls.tsx'
import { download } from '../download.ts'
import { KEY_KINDS } from '../key-kinds.ts'
import { Shown, Table } from '../page.tsx'
import { useSession } from '../session.ts'
import { useAction, useAnswer } from '../use-answer.ts'

interface AuthorityAnswer {
  readonly ca_pem?: string
  readonly certificate?: string
  readonly key_type?: string
  readonly key_bits?: number
  readonly imported?: boolean
  readonly scope_name?: string
  readonly scope_field?: string
  readonly role_name?: string
  readonly role_field?: string
}

interface Authority extends AuthorityAnswer {
  readonly name: string
}

type Asked = { readonly what: 'generate' | 'import' } | { readonly what: 'show' | 'delete'; readonly authority: Authority }

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
          </button>
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
      {asked?.what === 'generate' && <Generate onDone={named.reload} onClose={close} />}
      {asked?.what === 'import' && <Import onDone={named.reload} onClose={close} />}
      {asked?.what === 'show' && (
        <Dialog title={`CA ${asked.authority.name}`} onClose={close}>
          <Copyable label="Certificates" text={asked.authority.ca_pem ?? asked.authority.certificate ?? ''} />
        </Dialog>
      )}
      {asked?.what === 'delete' && <Delete name={asked.authority.name} onDone={named.reload} onClose={close} />}
    </section>
  )
}

function mappingOf({ scope_name, scope_field, role_name, role_field }: AuthorityAnswer): string {
  return `scope ${scope_name || `by ${scope_field}`}, role ${role_name || `by ${role_field}`}`
}

interface AskProps {
  readonly onDone: () => void
  readonly onClose: () => void
}

function Generate({ onDone, onClose }: AskProps): JSX.Element {
  const { mount } = useSession()
  const [name, setName] = useState('')
  const [key, setKey] = useState('ec 256')
  const [ttl, setTtl] = useState('3650d')
  const { isBusy, trouble, run } = useAction()
  const generate = (): void =>
    run(async ({ api }) => {
      const [key_type, key_bits] = key.split(' ')
      await api.write(path(mount, 'ca', name, 'generate'), { key_type, key_bits: Number(key_bits), ttl })
      onDone()
      onClose()
    })
  return (
    <Dialog title="New CA" onClose={onClose}>
      <Form onSubmit={generate}>
        <Text label="Name" value={name} onValue={setName} required />
        <Choice label="Key" value={key} options={KEY_KINDS} onValue={setKey} />
        <Text label="Lifetime" value={ttl} onValue={setTtl} required hint="Such as 3650d." />
        <Trouble text={trouble} />
        <Buttons verb="Create CA" isBusy={isBusy} onClose={onClose} />
      </Form>
    </Dialog>
  )
}

const FIELDS = ['CN', 'O', 'OU', 'UID'] as const
const SOURCES: readonly (readonly [source: string, title: string])[] = [
  ...FIELDS.map(field => [field, `${field} of the certificate’s subject`] as const),
  ['', 'always the same'],
]

function Import({ onDone, onClose }: AskProps): JSX.Element {
  const { mount } = useSession()
  const [name, setName] = useState('')
  const [pem, setPem] = useState('')
  const [scope, setScope] = useState<Source>({ field: 'OU', fixed: '' })
  const [role, setRole] = useState<Source>({ field: 'CN', fixed: '' })
  const { isBusy, trouble, run } = useAction()
  const take = (): void =>
    run(async ({ api }) => {
      const mapping = { ...mapped('scope', scope), ...mapped('role', role) }
      await api.write(path(mount, 'ca', name, 'import'), { ca_pem: pem, ...mapping })
      onDone()
      onClose()
    })
  return (
    <Dialog title="Import a CA" onClose={onClose}>
      <Form onSubmit={take}>
        <p>Clients with certificates of this CA are let in; kmipd never signs with it.</p>
        <Text label="Name" value={name} onValue={setName} required />
        <Area label="Certificate" value={pem} onValue={setPem} required placeholder="-----BEGIN CERTIFICATE-----" />
        <SourceFields label="Scope" source={scope} onSource={setScope} />
        <SourceFields label="Role" source={role} onSource={setRole} />
        <Trouble text={trouble} />
        <Buttons verb="Import" isBusy={isBusy} onClose={onClose} />
      </Form>
    </Dialog>
  )
}

interface Source {
  readonly field: string
  readonly fixed: string
}

const mapped = (what: 'scope' | 'role', { field, fixed }: Source): Record<string, string> =>
  field === '' ? { [`${what}_name`]: fixed } : { [`${what}_field`]: field }

interface SourceFieldsProps {
  readonly label: string
  readonly source: Source
  readonly onSource: (source: Source) => void
}

const SourceFields = ({ label, source, onSource }: SourceFieldsProps): JSX.Element => (
  <div class="columns">
    <Choice label={label} value={source.field} options={SOURCES} onValue={field => onSource({ ...source, field })} />
    {source.field === '' && (
      <Text label={`Name of the ${label.toLowerCase()}`} required value={source.fixed} onValue={fixed => onSource({ ...source, fixed })} />
    )}
  </div>
)

function Delete({ name, onDone, onClose }: AskProps & { readonly name: string }): JSX.Element {
  const { mount } = useSession()
  const { isBusy, trouble, run } = useAction()
  const remove = (): void =>
    run(async ({ api }) => {
      await api.remove(path(mount, 'ca', name))
      onDone()
      onClose()
    })
  return (
    <Confirm title={`Delete CA ${name}`} verb="Delete CA" {...{ isBusy, trouble, onClose }} onConfirm={remove}>
      <p>Clients with certificates of it are not let in any more. It is refused while a listener or a role uses the CA.</p>
    </Confirm>
  )
}
