import type { JSX } from 'preact'
import type { Overview } from '../answers.ts'
import { Chart } from '../chart.tsx'
import { Empty } from '../controls.tsx'
import { amount, bytes, count, dateTime, duration, latency } from '../format.ts'
import { Ending, Page, Shown, Table } from '../page.tsx'
import { ratesOf } from '../rates.ts'
import { hrefOf } from '../router.ts'
import { useAnswer } from '../use-answer.ts'

// Each look is a line in the audit log.
const EVERY_MS = 10_000

/** What the server does now and did in the last minutes. */
export function OverviewPage(): JSX.Element {
  const overview = useAnswer('overview', ({ api }) => api.read<Overview>('sys/kmipd/overview'), EVERY_MS)
  return (
    <Page title="Overview">
      <Shown of={overview}>
        {value => (
          <>
            <Health overview={value} />
            <Plots overview={value} />
            <Certificates overview={value} />
            <Operations overview={value} />
            <Refusals overview={value} />
          </>
        )}
      </Shown>
    </Page>
  )
}

interface Part {
  readonly overview: Overview
}

interface TileProps {
  readonly name: string
  readonly value: string
  readonly note?: string
  readonly tone?: 'good' | 'bad' | 'warn'
}

const Tile = ({ name, value, note, tone }: TileProps): JSX.Element => (
  <div class={`tile ${tone ?? ''}`}>
    <dt>{name}</dt>
    <dd>
      <strong>{value}</strong>
      {note !== undefined && <span class="muted">{note}</span>}
    </dd>
  </div>
)

function Health({ overview }: Part): JSX.Element {
  const { requests, connections, store, seal, unready, version } = overview
  const rates = ratesOf(overview.samples)
  const now = rates.requests.at(-1)
  const p99 = rates.p99.findLast(value => value !== undefined)
  const median = rates.median.findLast(value => value !== undefined)
  const uptime = (Date.parse(overview.now) - Date.parse(overview.started)) / 1000
  return (
    <dl class="tiles">
      <Tile
        name="Server"
        value={unready === undefined ? 'Ready' : 'Not ready'}
        note={unready ?? `${version}, up ${duration(uptime)}`}
        tone={unready === undefined ? 'good' : 'bad'}
      />
      <Tile name="Requests" value={now === undefined ? '–' : `${amount(now)}/s`} note={`${count(requests.total)} since the start`} />
      <Tile
        name="Latency, 99 %"
        value={p99 === undefined ? '–' : latency(p99)}
        note={median === undefined ? 'no requests lately' : `median ${latency(median)}`}
      />
      <Tile
        name="Failures"
        value={count(requests.failed)}
        note={requests.total === 0 ? 'no requests yet' : `${amount((100 * requests.failed) / requests.total)} % of all`}
      />
      <Tile name="Connections" value={count(connections.open)} note={`${count(connections.total)} since the start`} />
      <Tile name="Store" value={store.healthy ? 'Writable' : 'Trouble'} note={store.description} tone={store.healthy ? 'good' : 'bad'} />
      <Tile name="Seal" value={seal.healthy ? 'Open' : 'Trouble'} note={seal.description} tone={seal.healthy ? 'good' : 'bad'} />
      <Tile name="Traffic" value={bytes(overview.sent_bytes)} note={`sent, ${bytes(overview.received_bytes)} received`} />
    </dl>
  )
}

function Plots({ overview: { samples } }: Part): JSX.Element {
  const { times, requests, failed, refused, connections, median, p99, commit } = ratesOf(samples)
  const perSecond = (n: number): string => `${amount(n)}/s`
  return (
    <section class="plots" aria-label="The last minutes">
      <Chart title="Requests" times={times} write={perSecond} series={[{ name: 'answered', values: requests }]} />
      <Chart
        title="Latency"
        times={times}
        write={latency}
        series={[
          { name: 'median', values: median },
          { name: '99 %', values: p99 },
          { name: 'commit', values: commit },
        ]}
      />
      <Chart
        title="Errors"
        times={times}
        write={perSecond}
        series={[
          { name: 'failed requests', values: failed },
          { name: 'refused connections', values: refused },
        ]}
      />
      <Chart title="Connections" times={times} write={amount} series={[{ name: 'open', values: connections }]} />
    </section>
  )
}

const KINDS = { server: 'Listener', ca: 'CA', credential: 'Client' } as const

function Certificates({ overview: { certificates } }: Part): JSX.Element {
  return (
    <section>
      <h2>Certificates that end first</h2>
      {certificates.length === 0 ? (
        <Empty title="No certificates yet" />
      ) : (
        <Table label="Certificates that end first" heads={['Kind', 'Whose', 'Ends']}>
          {certificates.map(({ kind, scope, role, name, serial_number, expiration }) => (
            <tr key={`${kind} ${serial_number ?? name}`}>
              <td>{KINDS[kind]}</td>
              <td>
                {scope !== undefined && role !== undefined ? (
                  <a href={hrefOf('role', { scope, role })}>
                    {scope} / {role}
                  </a>
                ) : (
                  name
                )}
                {serial_number !== undefined && <span class="mono muted"> {serial_number.slice(0, 8)}…</span>}
              </td>
              <td>
                <Ending ms={Date.parse(expiration)} />
              </td>
            </tr>
          ))}
        </Table>
      )}
    </section>
  )
}

function Operations({ overview: { operations, started } }: Part): JSX.Element {
  return (
    <section>
      <h2>Operations since {dateTime(Date.parse(started))}</h2>
      {operations.length === 0 ? (
        <Empty title="No client has asked for anything yet" />
      ) : (
        <Table label="Operations" heads={['Operation', 'Requests', 'Failed', 'Median', '99 %']}>
          {operations.map(({ operation, requests, failed, median, p99 }) => (
            <tr key={operation}>
              <th scope="row">{operation}</th>
              <td class="number">{count(requests)}</td>
              <td class="number">{failed === 0 ? '0' : <span class="tag bad">{count(failed)}</span>}</td>
              <td class="number">{median === null ? '–' : latency(median)}</td>
              <td class="number">{p99 === null ? '–' : latency(p99)}</td>
            </tr>
          ))}
        </Table>
      )}
    </section>
  )
}

function Refusals({ overview: { refusals } }: Part): JSX.Element | null {
  const some = Object.entries(refusals).filter(([, n]) => n > 0)
  if (some.length === 0) return null
  return (
    <section>
      <h2>Refused by the listeners</h2>
      <Table label="Refusals" heads={['Why', 'How often']}>
        {some.map(([kind, n]) => (
          <tr key={kind}>
            <th scope="row">{kind.replaceAll('_', ' ')}</th>
            <td class="number">{count(n)}</td>
          </tr>
        ))}
      </Table>
    </section>
  )
}
