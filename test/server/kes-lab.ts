import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { type Agent, request } from 'node:https'
import type { Test } from 'tap'
import { admin } from '../kes/lab.ts'

/** For TLS. */
export const of = ({ pem, key }: { pem: string; key: string }) => ({ cert: pem, key })

/** One request to a door on this machine; the admin asks unless told. */
export function ask(
  port: number,
  method: string,
  path: string,
  { client = admin, agent, body = '' }: { client?: typeof admin | undefined; agent?: Agent; body?: string } = {},
) {
  return new Promise<{ status: number; body: string }>((resolve, reject) => {
    const sent = request(
      { host: '127.0.0.1', port, method, path, rejectUnauthorized: false, agent: agent ?? false, ...(client && of(client)) },
      response => {
        let text = ''
        response.setEncoding('utf8').on('data', (piece: string) => {
          text += piece
        })
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }))
      },
    )
    sent.on('error', reject).end(body)
  })
}

/** Events of one of the streams of a door, from when this resolves on, until the test ends. */
export async function listen(t: Test, port: number, path: string): Promise<() => Promise<unknown>> {
  const sent = request({ host: '127.0.0.1', port, path, rejectUnauthorized: false, agent: false, ...of(admin) }).end()
  t.teardown(() => sent.destroy())
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  const lines: string[] = []
  let rest = ''
  let wake = (): void => undefined
  response.setEncoding('utf8').on('data', (piece: string) => {
    const pieces = (rest + piece).split('\n')
    rest = pieces.pop()!
    lines.push(...pieces)
    wake()
  })
  // That is how the test ends it.
  response.on('error', () => undefined)
  return async () => {
    while (lines.length === 0)
      await new Promise<void>(resolve => {
        wake = resolve
      })
    return JSON.parse(lines.shift()!)
  }
}
