import { createHmac } from 'node:crypto'
import t from 'tap'
import type { Caller, LogicalRequest } from '../../src/admin/route.ts'
import { adminTrail } from '../../src/server/admin-trail.ts'

const hash = (text: string): string => createHmac('sha256', 'key').update(text).digest('hex')
const hidden = (text: string): string => `hmac-sha256:${hash(text)}`
const request: LogicalRequest = {
  ...{ id: 'r1', operation: 'update', path: 'kmip/scope/finance', mount: 'kmip/', mountType: 'kmip', token: 'hvs.secret-token' },
  ...{ namespace: undefined, wrapTtl: 60, remoteAddress: '127.0.0.1', certificates: [], headers: {}, signal: new AbortController().signal },
  data: { csr: 'secret-csr', force: true, count: 3, nested: { list: ['secret-a', 1, null] } },
}
const caller: Caller = { displayName: 'token-ci', accessor: 'secret-accessor', policies: ['app'], isRoot: false }

t.test('what administrators ask and get is on record, and nothing secret', async t => {
  const lines: string[] = []
  const audit = { write: (line: string) => void lines.push(line), reopen() {}, close() {} }
  const trail = adminTrail({ audit, hash, now: () => 0 })
  await trail.asked(request, caller, undefined)
  await trail.asked(request, undefined, 'permission denied')
  const auth = {
    client_token: 'hvs.secret-child',
    accessor: 'secret-a2',
    policies: ['app'],
    metadata: { a: 'secret-b' },
    lease_duration: 60,
  }
  const wrapInfo = { token: 'hvs.secret-wrap', accessor: 'secret-a3', ttl: 60, wrapped_accessor: 'secret-a4' }
  await trail.answered(
    request,
    caller,
    { data: { private_key: 'secret-key', bits: 256 }, auth, wrapInfo, warnings: ['w'] },
    { status: 200, errors: [] },
  )
  await trail.answered(request, caller, undefined, { status: 400, errors: ['no'] })
  const who = {
    type: 'audit',
    time: '1970-01-01T00:00:00.000Z',
    door: 'admin',
    request: 'r1',
    operation: 'update',
    path: 'kmip/scope/finance',
  }
  const known = { displayName: 'token-ci', policies: ['app'], accessor: hidden('secret-accessor') }
  const data = { csr: hidden('secret-csr'), force: true, count: 3, nested: { list: [hidden('secret-a'), 1, null] } }
  t.strictSame(
    lines.map(line => JSON.parse(line)),
    [
      { ...who, address: '127.0.0.1', ...known, data, wrapTtl: 60, event: 'asked' },
      {
        ...who,
        address: '127.0.0.1',
        token: hidden('hvs.secret-token'),
        data,
        wrapTtl: 60,
        event: 'refused',
        problem: 'permission denied',
      },
      {
        ...who,
        address: '127.0.0.1',
        ...known,
        event: 'answered',
        status: 200,
        data: { private_key: hidden('secret-key'), bits: 256 },
        auth: { ...auth, client_token: hidden('hvs.secret-child'), accessor: hidden('secret-a2'), metadata: { a: hidden('secret-b') } },
        wrapInfo: { ...wrapInfo, token: hidden('hvs.secret-wrap'), accessor: hidden('secret-a3'), wrapped_accessor: hidden('secret-a4') },
        warnings: ['w'],
      },
      { ...who, address: '127.0.0.1', ...known, event: 'answered', status: 400, errors: ['no'] },
    ],
  )
  t.notMatch(lines.join(''), /secret-/)
})
