import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { RoleInfo } from '../answers.ts'
import { path } from '../api.ts'
import { FormDialog, SavedForm } from '../asking.tsx'
import { Choice, Text } from '../controls.tsx'
import { KEY_KINDS, withKnown } from '../key-kinds.ts'
import { changeOf, type Flags, flagsOf, USUAL } from '../role-flags.ts'
import { hrefOf } from '../router.ts'
import { type Session, useSession } from '../session.ts'
import { useAnswer } from '../use-answer.ts'
import { useDraft } from '../use-draft.ts'
import { FlagGrid } from './flag-grid.tsx'

interface TlsFields {
  readonly type: string
  readonly bits: string
  readonly ttl: string
  /** Name of the CA that signs; empty: the engine's own. */
  readonly ca: string
}

const KINDS = [['', 'As configured'], ...KEY_KINDS] as const

interface KeyFieldsProps {
  readonly tls: TlsFields
  readonly onTls: (tls: TlsFields) => void
}

/** What the certificates of a role are like. */
function KeyFields({ tls, onTls }: KeyFieldsProps): JSX.Element {
  const { mount } = useSession()
  const kind = `${tls.type} ${tls.bits}`.trim()
  // Who may not list CAs has no choice of them.
  const names = useAnswer(`ca names ${mount}`, ({ api }) => api.list(path(mount, 'ca'))).value?.keys ?? []
  return (
    <div class="columns">
      <Choice
        label="Key"
        value={kind}
        options={withKnown(KINDS, kind)}
        onValue={next => {
          const [type = '', bits = ''] = next.split(' ')
          onTls({ ...tls, type, bits })
        }}
        hint="Of the certificates it gets from now on."
      />
      <Text
        label="Lifetime"
        value={tls.ttl}
        onValue={ttl => onTls({ ...tls, ttl })}
        placeholder="as configured"
        pattern="(\d+(s|m|h|d)?)+"
        hint="Such as 90d or 336h."
      />
      {names.length > 0 && (
        <Choice
          label="Signed by"
          value={tls.ca}
          options={withKnown([['', 'The engine’s own CA'], ...names.map(name => [name, name] as const)], tls.ca)}
          onValue={ca => onTls({ ...tls, ca })}
        />
      )}
    </div>
  )
}

const NO_TLS: TlsFields = { type: '', bits: '', ttl: '', ca: '' }

const tlsOf = ({ tls_client_key_type, tls_client_key_bits, tls_client_ttl, ca = '' }: RoleInfo): TlsFields => ({
  type: tls_client_key_type,
  bits: tls_client_key_bits === 0 ? '' : String(tls_client_key_bits),
  ttl: tls_client_ttl === 0 ? '' : hours(tls_client_ttl),
  ca,
})

const hours = (seconds: number): string => (seconds % 3600 === 0 ? `${seconds / 3600}h` : `${seconds}s`)

/** The fields to write so that what was `before` becomes `after`. */
function tlsChange(before: TlsFields, after: TlsFields): Record<string, unknown> {
  return {
    ...(before.type !== after.type && { tls_client_key_type: after.type }),
    ...((before.type !== after.type || before.bits !== after.bits) && { tls_client_key_bits: Number(after.bits) }),
    ...(before.ttl !== after.ttl && { tls_client_ttl: after.ttl === '' ? 0 : after.ttl }),
    ...(before.ca !== after.ca && { ca: after.ca }),
  }
}

interface EditorProps {
  readonly scope: string
  readonly name: string
  readonly role: RoleInfo
  readonly onSaved: () => void
}

const rightsOf = (role: RoleInfo) => ({ flags: flagsOf(role), tls: tlsOf(role) })

/** The rights and the key of a role that is there. */
export function RoleEditor({ scope, name, role, onSaved }: EditorProps): JSX.Element {
  const { mount } = useSession()
  const { value: after, put, reset } = useDraft(role, rightsOf)
  const before = rightsOf(role)
  const change = { ...changeOf(before.flags, after.flags), ...tlsChange(before.tls, after.tls) }
  return (
    <SavedForm
      label="Role"
      verb="Save role"
      isChanged={Object.keys(change).length > 0}
      note="Changes count at once, on open connections too."
      act={async ({ api }) => {
        await api.write(path(mount, 'scope', scope, 'role', name), change)
      }}
      onSaved={onSaved}
      onReset={reset}
    >
      <FlagGrid flags={after.flags} onFlags={flags => put({ ...after, flags })} />
      <KeyFields tls={after.tls} onTls={tls => put({ ...after, tls })} />
    </SavedForm>
  )
}

export function NewRole({ scope, onClose }: { readonly scope: string; readonly onClose: () => void }): JSX.Element {
  const { mount } = useSession()
  const [name, setName] = useState('')
  const [flags, setFlags] = useState<Flags>({ grant: 'chosen', chosen: new Set(USUAL) })
  const [tls, setTls] = useState(NO_TLS)
  const create = async ({ api }: Session): Promise<void> => {
    const fields = { ...changeOf({ grant: 'none', chosen: new Set() }, flags), ...tlsChange(NO_TLS, tls) }
    await api.write(path(mount, 'scope', scope, 'role', name), fields)
    location.hash = hrefOf('role', { scope, role: name })
  }
  return (
    <FormDialog title={`New role in ${scope}`} verb="Create role" act={create} onClose={onClose}>
      <Text label="Name" value={name} onValue={setName} required maxLength={128} pattern="[A-Za-z0-9_]([A-Za-z0-9_.\-]*[A-Za-z0-9_])?" />
      <FlagGrid flags={flags} onFlags={setFlags} />
      <KeyFields tls={tls} onTls={setTls} />
    </FormDialog>
  )
}
