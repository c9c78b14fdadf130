import { Registry } from 'prom-client'
import t from 'tap'
import type { Ending } from '../../src/admin/live.ts'
import { Expiry } from '../../src/server/expiry.ts'
import { createLog } from '../../src/server/log.ts'

const DAY_MS = 86_400_000

t.test('certificates that will end are measured and warned of', async t => {
  const lines: string[] = []
  const log = createLog({ pretty: false, destination: { write: line => lines.push(line) } })
  const registry = new Registry()
  const expiry = new Expiry(registry, log)
  const at = (days: number) => new Date(days * DAY_MS).toISOString()
  const credential = (serial_number: string, days: number): Ending => ({
    ...{ kind: 'credential', name: 'kmip/scope/a', scope: 'a', role: 'r', serial_number },
    expiration: at(days),
  })
  const endings: Ending[] = [{ kind: 'ca', name: 'kmip/', expiration: at(400) }, credential('1', 12), credential('2', 9)]
  expiry.see(endings, 7 * DAY_MS)
  t.match(
    lines.map(line => JSON.parse(line)),
    [{ level: 'warn', kind: 'credential', name: 'kmip/scope/a', role: 'r', serial: '2', expiration: at(9), msg: /credential\/renew/ }],
  )
  t.match(
    await registry.metrics(),
    `kmipd_issued_certificate_end_timestamp_seconds{kind="credential",name="kmip/scope/a",role="r",serial="1"} ${12 * 86_400}`,
  )
  expiry.see(endings, 7 * DAY_MS + 3_600_000)
  t.equal(lines.length, 1, 'not each time')
  expiry.see(endings, 8 * DAY_MS)
  t.equal(lines.length, 2, 'but each day')
  expiry.see(endings.slice(0, 2), 9.5 * DAY_MS)
  t.equal(lines.length, 3, 'the other one now')
  t.notMatch(await registry.metrics(), 'serial="2"', 'a revoked one is forgotten')
  expiry.see(endings, 20 * DAY_MS)
  t.equal(lines.length, 3, 'what has ended is not news')
})
