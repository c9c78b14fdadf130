import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { RoleInfo } from '../answers.ts'
import { path } from '../api.ts'
import { Sure } from '../asking.tsx'
import { Page, Shown } from '../page.tsx'
import { hrefOf } from '../router.ts'
import { useSession } from '../session.ts'
import { useAnswer } from '../use-answer.ts'
import { Credentials } from './credentials.tsx'
import { Limits, RATES } from './limits.tsx'
import { RoleEditor } from './role-editor.tsx'

interface RolePageProps {
  readonly scope: string
  readonly role: string
}

/** One role: its credentials and its rights. */
export function RolePage({ scope, role }: RolePageProps): JSX.Element {
  const { mount } = useSession()
  const [isDeleting, setDeleting] = useState(false)
  const at = path(mount, 'scope', scope, 'role', role)
  const info = useAnswer(at, ({ api }) => api.read<RoleInfo>(at))
  return (
    <Page
      title={role}
      trail={[
        ['Scopes', hrefOf('scopes')],
        [scope, hrefOf('scope', { scope })],
      ]}
      actions={
        <button type="button" onClick={() => setDeleting(true)}>
          Delete role
        </button>
      }
    >
      <Credentials scope={scope} role={role} />
      <section>
        <h2>Rights</h2>
        <Shown of={info}>{value => <RoleEditor scope={scope} name={role} role={value} onSaved={info.reload} />}</Shown>
      </section>
      <Limits at={`${at}/limits`} fields={RATES} />
      {isDeleting && <DeleteRole scope={scope} role={role} onClose={() => setDeleting(false)} />}
    </Page>
  )
}

function DeleteRole({ scope, role, onClose }: RolePageProps & { readonly onClose: () => void }): JSX.Element {
  const { mount } = useSession()
  return (
    <Sure
      title={`Delete role ${role}`}
      verb="Delete role"
      act={({ api }) => api.remove(path(mount, 'scope', scope, 'role', role))}
      onDone={() => {
        location.hash = hrefOf('scope', { scope })
      }}
      onClose={onClose}
    >
      <p>Its credentials go with it, and clients that use them are cut off at once. The objects of the scope stay.</p>
    </Sure>
  )
}
