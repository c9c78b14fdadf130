import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { path } from '../api.ts'
import { type AskProps, FormDialog, Sure } from '../asking.tsx'
import { Area, Choice, Text } from '../controls.tsx'
import { KEY_KINDS } from '../key-kinds.ts'
import { type Session, useSession } from '../session.ts'

/** How an imported CA says who its clients are. */
export interface Mapping {
  readonly scope_name?: string
  readonly scope_field?: string
  readonly role_name?: string
  readonly role_field?: string
}

export function Generate(ask: AskProps): JSX.Element {
  const { mount } = useSession()
  const [name, setName] = useState('')
  const [key, setKey] = useState('ec 256')
  const [ttl, setTtl] = useState('3650d')
  const generate = async ({ api }: Session): Promise<void> => {
    const [key_type, key_bits] = key.split(' ')
    await api.write(path(mount, 'ca', name, 'generate'), { key_type, key_bits: Number(key_bits), ttl })
  }
  return (
    <FormDialog title="New CA" verb="Create CA" act={generate} {...ask}>
      <Text label="Name" value={name} onValue={setName} required />
      <Choice label="Key" value={key} options={KEY_KINDS} onValue={setKey} />
      <Text label="Lifetime" value={ttl} onValue={setTtl} required hint="Such as 3650d." />
    </FormDialog>
  )
}

const FIELDS = ['CN', 'O', 'OU', 'UID'] as const
const SOURCES: readonly (readonly [source: string, title: string])[] = [
  ...FIELDS.map(field => [field, `${field} of the certificate’s subject`] as const),
  ['', 'always the same'],
]

/** Where scope and role of a client come from: an attribute of its subject, or a name that is the same for all. */
interface Sources {
  readonly scope: Source
  readonly role: Source
}
interface Source {
  readonly field: string
  readonly fixed: string
}

const sourcesOf = ({ scope_name = '', scope_field = '', role_name = '', role_field = '' }: Mapping): Sources => ({
  scope: { field: scope_field, fixed: scope_name },
  role: { field: role_field, fixed: role_name },
})

/** Of each pair one is sent. */
const mappingOf = ({ scope, role }: Sources): Readonly<Record<string, string>> => ({
  ...(scope.field === '' ? { scope_name: scope.fixed } : { scope_field: scope.field }),
  ...(role.field === '' ? { role_name: role.fixed } : { role_field: role.field }),
})

export function Import(ask: AskProps): JSX.Element {
  const { mount } = useSession()
  const [name, setName] = useState('')
  const [pem, setPem] = useState('')
  const [sources, setSources] = useState(() => sourcesOf({ scope_field: 'OU', role_field: 'CN' }))
  const take = async ({ api }: Session): Promise<void> => {
    await api.write(path(mount, 'ca', name, 'import'), { ca_pem: pem, ...mappingOf(sources) })
  }
  return (
    <FormDialog title="Import a CA" verb="Import" act={take} {...ask}>
      <p>Clients with certificates of this CA are let in; kmipd never signs with it.</p>
      <Text label="Name" value={name} onValue={setName} required />
      <Area label="Certificate" value={pem} onValue={setPem} required placeholder="-----BEGIN CERTIFICATE-----" />
      <SourceFields sources={sources} onSources={setSources} />
    </FormDialog>
  )
}

/** Say anew whose the clients of an imported CA are. */
export function EditMapping({ name, stored, ...ask }: AskProps & { readonly name: string; readonly stored: Mapping }): JSX.Element {
  const { mount } = useSession()
  const [sources, setSources] = useState(() => sourcesOf(stored))
  const write = async ({ api }: Session): Promise<void> => {
    await api.write(path(mount, 'ca', name), mappingOf(sources))
  }
  return (
    <FormDialog title={`Clients of ${name}`} verb="Save mapping" act={write} {...ask}>
      <p>It counts at once, on open connections too.</p>
      <SourceFields sources={sources} onSources={setSources} />
    </FormDialog>
  )
}

const PARTS = [
  ['scope', 'Scope', 'Name of the scope'],
  ['role', 'Role', 'Name of the role'],
] as const

interface SourceFieldsProps {
  readonly sources: Sources
  readonly onSources: (sources: Sources) => void
}

const SourceFields = ({ sources, onSources }: SourceFieldsProps): JSX.Element => (
  <>
    {PARTS.map(([what, label, nameLabel]) => {
      const source = sources[what]
      const put = (change: Partial<Source>): void => onSources({ ...sources, [what]: { ...source, ...change } })
      return (
        <div class="columns" key={what}>
          <Choice label={label} value={source.field} options={SOURCES} onValue={field => put({ field })} />
          {source.field === '' && <Text label={nameLabel} required value={source.fixed} onValue={fixed => put({ fixed })} />}
        </div>
      )
    })}
  </>
)

export function DeleteAuthority({ name, ...ask }: AskProps & { readonly name: string }): JSX.Element {
  const { mount } = useSession()
  return (
    <Sure title={`Delete CA ${name}`} verb="Delete CA" act={({ api }) => api.remove(path(mount, 'ca', name))} {...ask}>
      <p>Clients with certificates of it are not let in any more. It is refused while a listener or a role uses the CA.</p>
    </Sure>
  )
}
