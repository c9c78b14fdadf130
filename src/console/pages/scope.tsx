import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { RoleInfo } from '../answers.ts'
import { path } from '../api.ts'
import { Sure } from '../asking.tsx'
import { Check, Empty } from '../controls.tsx'
import { count, counted, duration } from '../format.ts'
import { Fact, Page, Shown, Table, When } from '../page.tsx'
import { flagsOf } from '../role-flags.ts'
import { hrefOf } from '../router.ts'
import { useSession } from '../session.ts'
import { useAnswer } from '../use-answer.ts'
import { Limits, SCOPE_LIMITS } from './limits.tsx'
import { NewRole } from './role-editor.tsx'
import { type ScopeInfo, scopeInfo } from './scope-info.ts'

/** One scope: what it holds, its roles, and its end. */
export function ScopePage({ scope }: { readonly scope: string }): JSX.Element {
  const { mount } = useSession()
  const [asked, setAsked] = useState<'role' | 'delete'>()
  const info = useAnswer(`scope ${mount} ${scope}`, ({ api }) => scopeInfo(api, mount, scope))
  const roles = useAnswer(`roles ${mount} ${scope}`, async ({ api }) => {
    const { keys } = await api.list(path(mount, 'scope', scope, 'role'))
    return Promise.all(keys.map(async name => ({ name, role: await api.read<RoleInfo>(path(mount, 'scope', scope, 'role', name)) })))
  })
  return (
    <Page
      title={scope}
      trail={[['Scopes', hrefOf('scopes')]]}
      actions={
        <>
          <a class="button" href={hrefOf('objects', { scope })}>
            Objects
          </a>
          <a class="button" href={hrefOf('trace', { scope })}>
            Refused requests
          </a>
          <button type="button" onClick={() => setAsked('delete')}>
            Delete scope
          </button>
        </>
      }
    >
      {info.value && <Facts info={info.value} />}
      <section>
        <div class="section-head">
          <h2>Roles</h2>
          <button type="button" class="primary" onClick={() => setAsked('role')}>
            New role
          </button>
        </div>
        <Shown of={roles}>
          {list =>
            list.length === 0 ? (
              <Empty title="No roles yet">
                <p>A role says which operations its credentials may use.</p>
              </Empty>
            ) : (
              <Table label="Roles" heads={['Name', 'May', 'Key of its certificates', 'They last']}>
                {list.map(({ name, role }) => (
                  <tr key={name}>
                    <th scope="row">
                      <a href={hrefOf('role', { scope, role: name })}>{name}</a>
                    </th>
                    <td>{grantText(role)}</td>
                    <td>
                      {role.tls_client_key_type === '' ? 'as configured' : `${role.tls_client_key_type} ${role.tls_client_key_bits || ''}`}
                    </td>
                    <td>{role.tls_client_ttl === 0 ? 'as configured' : duration(role.tls_client_ttl)}</td>
                  </tr>
                ))}
              </Table>
            )
          }
        </Shown>
      </section>
      <Limits at={path(mount, 'scope', scope, 'limits')} fields={SCOPE_LIMITS} />
      {asked === 'role' && <NewRole scope={scope} onClose={() => setAsked(undefined)} />}
      {asked === 'delete' && <DeleteScope scope={scope} info={info.value} onClose={() => setAsked(undefined)} />}
    </Page>
  )
}

function grantText(role: RoleInfo): string {
  const { grant, chosen } = flagsOf(role)
  if (grant === 'all') return 'everything'
  return grant === 'none' ? 'nothing' : counted(chosen.size, 'operation')
}

const Facts = ({ info: { objects, credentials, createdMs, force } }: { readonly info: ScopeInfo }): JSX.Element => (
  <dl class="facts">
    {objects !== undefined && <Fact name="Objects">{count(objects)}</Fact>}
    {credentials !== undefined && <Fact name="Credentials">{count(credentials)}</Fact>}
    {createdMs !== undefined && (
      <Fact name="Created">
        <When ms={createdMs} />
      </Fact>
    )}
    {force && <Fact name="Deletion">takes its objects along</Fact>}
  </dl>
)

interface DeleteScopeProps {
  readonly scope: string
  readonly info: ScopeInfo | undefined
  readonly onClose: () => void
}

function DeleteScope({ scope, info, onClose }: DeleteScopeProps): JSX.Element {
  const { mount } = useSession()
  const [force, setForce] = useState(false)
  const takesObjects = force || info?.force === true
  return (
    <Sure
      title={`Delete scope ${scope}`}
      verb={takesObjects ? 'Delete with all objects' : 'Delete scope'}
      {...(takesObjects && { phrase: scope })}
      act={({ api }) => api.remove(path(mount, 'scope', scope), force ? { force: 'true' } : {})}
      onDone={() => {
        location.hash = hrefOf('scopes')
      }}
      onClose={onClose}
    >
      <p>Its roles and credentials go at once, and clients that use them are cut off. This cannot be undone.</p>
      {info?.force === true ? (
        <p class="notice warn">This scope was made so that its objects go with it. What was encrypted with its keys is lost.</p>
      ) : (
        <Check label="Delete its objects too: what was encrypted with its keys is lost" checked={force} onChecked={setForce} />
      )}
    </Sure>
  )
}
