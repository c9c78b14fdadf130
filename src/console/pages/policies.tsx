import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { FormDialog } from '../asking.tsx'
import { Area, Text } from '../controls.tsx'
import { Shown, Table } from '../page.tsx'
import { hrefOf } from '../router.ts'
import type { Session } from '../session.ts'
import { useAnswer } from '../use-answer.ts'
import { policyPath } from './policy.tsx'

/** Those that are there from the start. */
const BUILT_IN: Readonly<Record<string, string>> = { root: 'allows everything', default: 'lets each token look after itself' }

/** The policies by their names, and a new one. */
export function Policies(): JSX.Element {
  const [isAsking, setAsking] = useState(false)
  const policies = useAnswer('policies', ({ api }) => api.list('sys/policies/acl'))
  return (
    <section>
      <div class="section-head">
        <h2>Policies</h2>
        <button type="button" onClick={() => setAsking(true)}>
          New policy
        </button>
      </div>
      <Shown of={policies}>
        {({ keys }) => (
          <Table label="Policies" heads={['Name', 'Kind']}>
            {keys.map(name => (
              <tr key={name}>
                <th scope="row">{name === 'root' ? name : <a href={hrefOf('policy', { policy: name })}>{name}</a>}</th>
                <td>{BUILT_IN[name] ?? 'written by administrators'}</td>
              </tr>
            ))}
          </Table>
        )}
      </Shown>
      {isAsking && <NewPolicy onClose={() => setAsking(false)} />}
    </section>
  )
}

const EXAMPLE = `path "kmip/scope/finance/*" {
  capabilities = ["create", "read", "update", "delete", "list"]
}
`

function NewPolicy({ onClose }: { readonly onClose: () => void }): JSX.Element {
  const [name, setName] = useState('')
  const [policy, setPolicy] = useState(EXAMPLE)
  const create = async ({ api }: Session): Promise<void> => {
    await api.write(policyPath(name), { policy })
    location.hash = hrefOf('policy', { policy: name.toLowerCase() })
  }
  return (
    <FormDialog title="New policy" verb="Create policy" act={create} onClose={onClose}>
      <Text label="Name" value={name} onValue={setName} required pattern="[A-Za-z0-9_]([A-Za-z0-9_.\-]*[A-Za-z0-9_])?" />
      <Area label="Policy" value={policy} onValue={setPolicy} required hint="In HCL or JSON: paths, and what may be done there." />
    </FormDialog>
  )
}
