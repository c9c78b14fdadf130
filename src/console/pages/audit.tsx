import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { Empty, Form, Text } from '../controls.tsx'
import { dateTime } from '../format.ts'
import { More, Page, Shown, search, Table } from '../page.tsx'
import { hrefOf } from '../router.ts'
import { useAnswer } from '../use-answer.ts'

interface AuditEntry {
  readonly time: string
  readonly operation: string
  readonly scope?: string
  readonly role?: string
  readonly id?: string
  readonly status: string
  readonly reason?: string
  readonly remote?: string
  /** What an administrator asked for. */
  readonly path?: string
  readonly user?: string
}

const FILTERS = ['scope', 'role', 'operation', 'id'] as const
const TITLES = { scope: 'Scope', role: 'Role', operation: 'Operation', id: 'Object' } as const

/** What was asked and what came of it, newest first. */
export function AuditPage({ query }: { readonly query: Readonly<Record<string, string>> }): JSX.Element {
  const [texts, setTexts] = useState(() => Object.fromEntries(FILTERS.map(name => [name, query[name] ?? ''])))
  const audit = useAnswer(`audit ${JSON.stringify(query)}`, ({ api }) =>
    api.read<{ readonly entries: readonly AuditEntry[]; readonly next?: string }>('sys/kmipd/audit', { ...query, limit: '100' }),
  )
  return (
    <Page title="Audit">
      <Form class="filters" label="Filters" onSubmit={() => search(hrefOf('audit', {}, texts), audit.reload)}>
        {FILTERS.map(name => (
          <Text
            key={name}
            label={TITLES[name]}
            type="search"
            value={texts[name] ?? ''}
            onValue={text => setTexts({ ...texts, [name]: text })}
          />
        ))}
        <button type="submit">Search</button>
      </Form>
      <Shown of={audit}>
        {({ entries, next }) =>
          entries.length === 0 && next === undefined ? (
            <Empty title="Nothing is recorded like that" />
          ) : (
            <>
              <Table label="Audit" heads={['When', 'Operation', 'Scope', 'Who', 'What', 'Outcome']}>
                {entries.map((entry, i) => (
                  <tr key={i}>
                    <td class="nowrap">{dateTime(Date.parse(entry.time))}</td>
                    <th scope="row">{entry.operation}</th>
                    <td>{entry.scope ?? '–'}</td>
                    <td>{entry.role ?? entry.user ?? '–'}</td>
                    <td class="mono wrap">{entry.id ?? entry.path ?? '–'}</td>
                    <td>{entry.reason ?? entry.status}</td>
                  </tr>
                ))}
              </Table>
              {next !== undefined && <More href={hrefOf('audit', {}, { ...query, after: next })}>Older</More>}
            </>
          )
        }
      </Shown>
    </Page>
  )
}
