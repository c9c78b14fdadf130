import t from 'tap'
import { consoleDoor } from '../../src/admin/console-door.ts'
import type { HttpRequest } from '../../src/http/exchange.ts'

// As `npm run build` made it, which `npm test` does first.
const door = consoleDoor('dist/console')

async function fetched(target: string) {
  const request: HttpRequest = {
    method: 'GET',
    target,
    headers: {},
    body: Buffer.alloc(0),
    remoteAddress: '127.0.0.1',
    certificates: [],
    signal: new AbortController().signal,
  }
  const { status, headers = {}, body } = await door(request)
  return { status, headers, text: String(body) }
}

t.test('the page that was built', async t => {
  const page = await fetched('/ui/')
  t.equal(page.status, 200)
  const named = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(match => match[1]!)
  t.equal(named.length, 3, 'icon, style and script')
  for (const name of named) {
    t.match(name, /^(icon|style|main)-[A-Z0-9]{8}\.(svg|css|js)$/)
    const { status, headers, text } = await fetched(`/ui/${name}`)
    t.equal(status, 200, name)
    t.match(headers['Cache-Control'], 'immutable')
    t.notMatch(text, /sourceMappingURL|@import|url\(/, `${name} names nothing else`)
  }
  t.notMatch(page.text, /<style|style=|<script(?![^>]* src=)|\son\w+=|https?:/, 'nothing stands in the page itself')
  t.equal((await fetched('/ui/preact-license.txt')).status, 200)
})

t.test('the script is small, and makes no markup out of text', async t => {
  const { text } = await fetched('/ui/')
  const script = (await fetched(`/ui/${/main-\w+\.js/.exec(text)?.[0]}`)).text
  t.ok(script.length < 150_000, `${script.length} bytes`)
  t.notMatch(script, /\beval\(|new Function|insertAdjacentHTML|document\.write|outerHTML/)
  t.notMatch(script, /localStorage|document\.cookie/, 'the token is kept in this tab alone')
})
