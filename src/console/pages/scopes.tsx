import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { path } from '../api.ts'
import { FormDialog } from '../asking.tsx'
import { Check, Empty, Text } from '../controls.tsx'
import { count } from '../format.ts'
import { Page, Shown, Table, When } from '../page.tsx'
import { hrefOf } from '../router.ts'
import { type Session, useSession } from '../session.ts'
import { useAnswer } from '../use-answer.ts'
import { type ScopeInfo, scopeInfo } from './scope-info.ts'

/** All scopes, and a new one. */
export function ScopesPage(): JSX.Element {
  const { mount } = useSession()
  const [isAsking, setAsking] = useState(false)
  const scopes = useAnswer(`scopes ${mount}`, async ({ api }) => {
    const { keys } = await api.list(path(mount, 'scope'))
    return Promise.all(keys.map(async name => ({ name, info: await scopeInfo(api, mount, name) })))
  })
  return (
    <Page
      title="Scopes"
      actions={
        <button type="button" class="primary" onClick={() => setAsking(true)}>
          New scope
        </button>
      }
    >
      <p class="lead">Objects of one scope do not exist for the clients of another. Give each application its own.</p>
      <Shown of={scopes}>
        {list =>
          list.length === 0 ? (
            <Empty title="No scopes yet">
              <p>A scope holds roles; a role’s credentials let a client in.</p>
            </Empty>
          ) : (
            <Table label="Scopes" heads={['Name', 'Roles', 'Credentials', 'Objects', 'Created']}>
              {list.map(({ name, info }) => (
                <Row key={name} name={name} info={info} />
              ))}
            </Table>
          )
        }
      </Shown>
      {isAsking && <NewScope onClose={() => setAsking(false)} />}
    </Page>
  )
}

const number = (n: number | undefined): string => (n === undefined ? '–' : count(n))

const Row = ({ name, info }: { readonly name: string; readonly info: ScopeInfo }): JSX.Element => (
  <tr>
    <th scope="row">
      <a href={hrefOf('scope', { scope: name })}>{name}</a>
    </th>
    <td class="number">{number(info.roles)}</td>
    <td class="number">{number(info.credentials)}</td>
    <td class="number">{number(info.objects)}</td>
    <td>{info.createdMs === undefined ? '–' : <When ms={info.createdMs} />}</td>
  </tr>
)

function NewScope({ onClose }: { readonly onClose: () => void }): JSX.Element {
  const { mount } = useSession()
  const [name, setName] = useState('')
  const [force, setForce] = useState(false)
  const create = async ({ api }: Session): Promise<void> => {
    await api.write(path(mount, 'scope', name), force ? { force } : {})
    location.hash = hrefOf('scope', { scope: name })
  }
  return (
    <FormDialog title="New scope" verb="Create scope" act={create} onClose={onClose}>
      <Text
        label="Name"
        value={name}
        onValue={setName}
        required
        maxLength={128}
        pattern="[A-Za-z0-9_]([A-Za-z0-9_.\-]*[A-Za-z0-9_])?"
        hint="Letters, digits, underscores; dots and dashes within."
      />
      <Check label="Let it be deleted with its objects without being asked again (for Terraform)" checked={force} onChecked={setForce} />
    </FormDialog>
  )
}
