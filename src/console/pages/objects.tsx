import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { ObjectInfo } from '../answers.ts'
import { path } from '../api.ts'
import { Choice, Empty, Form, Text } from '../controls.tsx'
import { STATES } from '../object-history.ts'
import { More, Page, Shown, search, Table, When } from '../page.tsx'
import { hrefOf } from '../router.ts'
import { useSession } from '../session.ts'
import { useAnswer } from '../use-answer.ts'

interface ObjectsPageProps {
  readonly scope: string
  /** The filters; they stand in the address so that one can come back to them. */
  readonly query: Readonly<Record<string, string>>
}

const LIMIT = 100
const TYPES = [
  'SymmetricKey',
  'PrivateKey',
  'PublicKey',
  'SecretData',
  'Certificate',
  'CertificateRequest',
  'OpaqueObject',
  'SplitKey',
  'PGPKey',
] as const

/** `SymmetricKey` as people write it. */
export const typeTitle = (type: string): string => type.replace(/([a-z])([A-Z])/g, '$1 $2')

const anyOr = (values: readonly string[], title: (value: string) => string = value => value): readonly (readonly [string, string])[] => [
  ['', 'any'],
  ...values.map(value => [value, title(value)] as const),
]

/** The objects of a scope, as far as the filters let through; never what they hold. */
export function ObjectsPage({ scope, query }: ObjectsPageProps): JSX.Element {
  const { mount } = useSession()
  const filters = { name: query.name ?? '', type: query.type ?? '', state: query.state ?? '', attribute: query.attribute ?? '' }
  const [name, setName] = useState(filters.name)
  const [attribute, setAttribute] = useState(filters.attribute)
  const at = path(mount, 'scope', scope, 'object')
  const objects = useAnswer(`${at} ${JSON.stringify(query)}`, ({ api }) =>
    api.list<ObjectInfo>(at, { ...filters, after: query.after, limit: String(LIMIT) }),
  )
  const go = (change: Readonly<Record<string, string>>): void => {
    search(hrefOf('objects', { scope }, { ...filters, ...change }), objects.reload)
  }
  const isFiltered = Object.values(filters).some(value => value !== '')
  return (
    <Page
      title="Objects"
      trail={[
        ['Scopes', hrefOf('scopes')],
        [scope, hrefOf('scope', { scope })],
      ]}
    >
      <Form class="filters" label="Filters" onSubmit={() => go({ name, attribute })}>
        <Text label="Name" type="search" value={name} onValue={setName} />
        <Text label="Attribute" type="search" value={attribute} onValue={setAttribute} placeholder="object_group=x" pattern="[^=]+=.+" />
        <Choice label="Type" value={filters.type} options={anyOr(TYPES, typeTitle)} onValue={type => go({ type })} />
        <Choice label="State" value={filters.state} options={anyOr(Object.keys(STATES))} onValue={state => go({ state })} />
        <button type="submit">Search</button>
      </Form>
      <Shown of={objects}>
        {({ keys, key_info = {}, next }) =>
          keys.length === 0 && next === undefined ? (
            <Empty title={isFiltered ? 'No object is like that' : 'No objects yet'}>
              {isFiltered ? <a href={hrefOf('objects', { scope })}>Show all</a> : <p>They appear when a client makes or registers them.</p>}
            </Empty>
          ) : (
            <>
              <Table label="Objects" heads={['Name', 'Type', 'State', 'Made', 'Identifier']}>
                {keys.map(id => (
                  <Row key={id} scope={scope} id={id} info={key_info[id]} />
                ))}
              </Table>
              {next !== undefined && <More href={hrefOf('objects', { scope }, { ...filters, after: next })}>More</More>}
            </>
          )
        }
      </Shown>
    </Page>
  )
}

interface RowProps {
  readonly scope: string
  readonly id: string
  readonly info: ObjectInfo | undefined
}

const Row = ({ scope, id, info }: RowProps): JSX.Element => (
  <tr>
    <th scope="row">
      <a href={hrefOf('object', { scope, object: id })}>{info?.names?.join(', ') || 'without a name'}</a>
    </th>
    <td class="nowrap">
      {typeTitle(info?.type ?? '–')}{' '}
      {info?.algorithm !== undefined && <span class="muted">{`${info.algorithm} ${info.length ?? ''}`}</span>}
    </td>
    <td>
      <State state={info?.state} />
    </td>
    <td class="nowrap">{info?.initial_date === undefined ? '–' : <When ms={Date.parse(info.initial_date)} />}</td>
    <td class="mono muted nowrap">{id}</td>
  </tr>
)

export const State = ({ state }: { readonly state: string | undefined }): JSX.Element =>
  state === undefined ? <>–</> : <span class={`tag ${STATES[state] ?? ''}`}>{state}</span>
