import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { ApiError } from '../api.ts'
import { Empty, Form, Text } from '../controls.tsx'
import { Page, Shown, Table, When } from '../page.tsx'
import { useAnswer } from '../use-answer.ts'

interface KesAnswer {
  /** Absent: no KES door is configured. */
  readonly store?: string
  readonly policies?: readonly Policy[]
}

interface Policy {
  readonly name: string
  readonly allow: readonly string[]
  readonly deny: readonly string[]
  readonly identities: readonly string[]
}

/** The keys and the policies of the KES door. */
export function KesPage(): JSX.Element {
  const kes = useAnswer('kes', async ({ api }): Promise<KesAnswer> => {
    try {
      return await api.read<KesAnswer>('sys/kmipd/kes')
    } catch (err) {
      if (err instanceof ApiError && err.status === 404) return {}
      throw err
    }
  })
  return (
    <Page title="KES">
      <p class="lead">MinIO and others ask for their keys by the KES API. Clients make and use these keys; here they are seen.</p>
      <Shown of={kes}>
        {({ store, policies = [] }) =>
          store === undefined ? (
            <Empty title="The KES door is closed">
              <p>It opens when the configuration has a section for it.</p>
            </Empty>
          ) : (
            <>
              <Keys store={store} />
              <Policies policies={policies} />
            </>
          )
        }
      </Shown>
    </Page>
  )
}

const LIMIT = 50

interface KeyInfo {
  /** Why nothing else is known of it. */
  readonly trouble?: string
  readonly algorithm?: string
  readonly created?: string
  readonly created_by?: string
}

function Keys({ store }: { readonly store: string }): JSX.Element {
  const [typed, setTyped] = useState('')
  const [page, setPage] = useState({ prefix: '', after: '' })
  const keys = useAnswer(`kes keys ${JSON.stringify(page)}`, ({ api }) =>
    api.list<KeyInfo>('sys/kmipd/kes/key', { ...page, limit: String(LIMIT) }),
  )
  return (
    <section>
      <h2>Keys</h2>
      <p class="muted">{store}</p>
      <Form
        class="filters"
        label="Filter"
        onSubmit={() => (typed === page.prefix && page.after === '' ? keys.reload() : setPage({ prefix: typed, after: '' }))}
      >
        <Text label="Name begins with" type="search" value={typed} onValue={setTyped} />
        <button type="submit">Search</button>
      </Form>
      <Shown of={keys}>
        {({ keys: names, key_info = {} }) =>
          names.length === 0 ? (
            <Empty title={page.prefix === '' ? 'No keys yet' : 'No key begins like that'} />
          ) : (
            <>
              <Table label="Keys" heads={['Name', 'Algorithm', 'Made', 'By']}>
                {names.map(name => (
                  <KeyRow key={name} name={name} info={key_info[name]} />
                ))}
              </Table>
              {names.length === LIMIT && (
                <button type="button" onClick={() => setPage({ ...page, after: names.at(-1)! })}>
                  Next {LIMIT}
                </button>
              )}
            </>
          )
        }
      </Shown>
    </section>
  )
}

const KeyRow = ({ name, info }: { readonly name: string; readonly info: KeyInfo | undefined }): JSX.Element => (
  <tr>
    <th scope="row" class="mono">
      {name}
    </th>
    <td>{info?.trouble === undefined ? (info?.algorithm ?? '–') : <span class="tag bad">{info.trouble}</span>}</td>
    <td>{info?.created === undefined ? '–' : <When ms={Date.parse(info.created)} />}</td>
    <td class="mono muted">{info?.created_by ?? '–'}</td>
  </tr>
)

const Policies = ({ policies }: { readonly policies: readonly Policy[] }): JSX.Element => (
  <section>
    <h2>Policies</h2>
    {policies.length === 0 ? (
      <Empty title="No policies: nobody but the administrator’s identity may do anything" />
    ) : (
      <Table label="Policies" heads={['Name', 'Allows', 'Denies', 'Identities']}>
        {policies.map(({ name, allow, deny, identities }) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td class="mono wrap">{allow.join('\n') || '–'}</td>
            <td class="mono wrap">{deny.join('\n') || '–'}</td>
            <td class="mono wrap">{identities.join('\n') || '–'}</td>
          </tr>
        ))}
      </Table>
    )}
  </section>
)
