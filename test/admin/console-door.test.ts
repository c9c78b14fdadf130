import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { consoleDoor } from '../../src/admin/console-door.ts'
import type { HttpRequest, HttpResponse } from '../../src/http/exchange.ts'

const SCRIPT = `console.log(${JSON.stringify('x'.repeat(500))})\n`

function served(t: Test): (target: string, more?: Partial<HttpRequest>) => Promise<HttpResponse> {
  const dir = t.testdir({ 'index.html': '<!doctype html>', 'main-ABCDEFGH.js': SCRIPT, 'license.txt': 'MIT' })
  writeFileSync(join(dir, '..', 'outside.txt'), 'not for everybody')
  const door = consoleDoor(dir)
  return async (target, more = {}) =>
    door({
      method: 'GET',
      headers: {},
      body: Buffer.alloc(0),
      remoteAddress: '127.0.0.1',
      certificates: [],
      signal: new AbortController().signal,
      target,
      ...more,
    })
}

t.test('the page stands at /ui/, and the ways to it lead there', async t => {
  const ask = served(t)
  for (const target of ['/', '/ui', '/ui?x=1']) {
    const { status, headers } = await ask(target)
    t.equal(status, 307, target)
    t.equal(headers?.Location, '/ui/')
  }
  const page = await ask('/ui/')
  t.equal(page.status, 200)
  t.equal(String(page.body), '<!doctype html>')
  t.equal(page.headers?.['Content-Type'], 'text/html; charset=utf-8')
  t.equal((await ask('/ui/?a=b')).status, 200)
})

t.test('every answer forbids what the console does not need', async t => {
  const ask = served(t)
  for (const [target, method] of [
    ['/ui/', 'GET'],
    ['/ui', 'GET'],
    ['/ui/main-ABCDEFGH.js', 'GET'],
    ['/ui/nothing', 'GET'],
    ['/ui/', 'POST'],
  ] as const) {
    const { headers = {} } = await ask(target, { method })
    const policy = headers['Content-Security-Policy'] ?? ''
    t.match(policy, /^default-src 'none'; /, `${method} ${target}`)
    t.match(policy, "frame-ancestors 'none'")
    t.notMatch(policy, /unsafe|\*|https?:|data:/)
    t.match(headers, { 'X-Content-Type-Options': 'nosniff', 'X-Frame-Options': 'DENY', 'Referrer-Policy': 'no-referrer' })
  }
})

t.test('no path leads out of the directory', async t => {
  const ask = served(t)
  for (const target of [
    '/ui/../outside.txt',
    '/ui/%2e%2e/outside.txt',
    '/ui/..%2foutside.txt',
    '/ui/..%5coutside.txt',
    '/ui//etc/passwd',
    '/ui/./index.html',
    '/ui/index.html/',
    '/ui/index.html%00',
    '/ui/constructor',
    '/ui/__proto__',
  ])
    t.equal((await ask(target)).status, 404, target)
  for (const target of ['/elsewhere', '/uix', '/../ui/']) t.equal((await ask(target)).status, 404, target)
})

t.test('only reading', async t => {
  const ask = served(t)
  for (const method of ['POST', 'PUT', 'DELETE', 'LIST', 'PATCH']) {
    const { status, headers } = await ask('/ui/', { method })
    t.equal(status, 405)
    t.equal(headers?.Allow, 'GET, HEAD')
  }
  const head = await ask('/ui/', { method: 'HEAD' })
  t.equal(head.status, 200)
  t.equal(head.body, undefined)
  t.equal(head.headers?.['Content-Length'], '15')
})

t.test('what has a hash in its name is kept for ever, and the page is asked for anew', async t => {
  const ask = served(t)
  const script = await ask('/ui/main-ABCDEFGH.js')
  t.match(script.headers?.['Cache-Control'], 'immutable')
  t.match((await ask('/ui/license.txt')).headers, { 'Cache-Control': 'no-cache', 'Content-Type': 'text/plain; charset=utf-8' })
  const page = await ask('/ui/')
  t.equal(page.headers?.['Cache-Control'], 'no-cache')
  const etag = page.headers?.ETag ?? ''
  t.not(etag, script.headers?.ETag)
  for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
    const again = await ask('/ui/', { headers: { 'if-none-match': known } })
    t.equal(again.status, 304, known)
    t.equal(again.body, undefined)
    t.equal(again.headers?.ETag, etag)
  }
  t.equal((await ask('/ui/', { headers: { 'if-none-match': '"other"' } })).status, 200)
})

t.test('it is packed for those who take that', async t => {
  const ask = served(t)
  for (const accepted of ['gzip', 'br, GZIP;q=0.5', 'deflate,gzip']) {
    const { headers, body } = await ask('/ui/main-ABCDEFGH.js', { headers: { 'accept-encoding': accepted } })
    t.match(headers, { 'Content-Encoding': 'gzip', Vary: 'Accept-Encoding', 'Content-Length': String((body as Buffer).length) }, accepted)
    t.equal(gunzipSync(body as Buffer).toString(), SCRIPT)
  }
  for (const accepted of ['br', 'gzip;q=0', 'x-gzip']) {
    const { headers, body } = await ask('/ui/main-ABCDEFGH.js', { headers: { 'accept-encoding': accepted } })
    t.equal(headers?.['Content-Encoding'], undefined, accepted)
    t.equal(String(body), SCRIPT)
  }
})

t.test('a directory that is not there is told of at once', async t => {
  const dir = join(t.testdir({}), 'console')
  t.throws(() => consoleDoor(dir), { code: 'ENOENT' })
})
