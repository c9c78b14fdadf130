import type { HttpResponse } from '../http/exchange.ts'
import { type KesError, oldText } from './error.ts'

const JSON_TYPE = { 'Content-Type': 'application/json' }
const OLD_JSON_TYPE = { 'Content-Type': 'application/json; charset=utf-8', 'X-Content-Type-Options': 'nosniff' }
const LINES_TYPE = { 'Content-Type': 'application/x-ndjson' }
const TEXT_TYPE = { 'Content-Type': 'text/plain; charset=utf-8', 'X-Content-Type-Options': 'nosniff' }

/** Texts as Go's encoder writes them: nothing that could end a script. */
export const json = (value: unknown): string =>
  JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, char => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)

export const done: HttpResponse = { status: 200 }
/** @param text JSON */
export const success = (text: string): HttpResponse => ({ status: 200, headers: JSON_TYPE, body: `${text}\n` })

/** A listing as releases until 2023-10-03 gave it: a line of JSON for each entry. */
export const lines = (entries: readonly object[]): HttpResponse => ({
  status: 200,
  headers: LINES_TYPE,
  body: entries.map(entry => `${json(entry)}\n`).join(''),
})

/** Today a line feed stands before the closing brace; releases before 2022 had none, and other texts. */
export const failure = ({ status, message }: KesError, old: boolean): HttpResponse =>
  old
    ? { status, headers: OLD_JSON_TYPE, body: `{"message":${json(oldText(message))}}` }
    : { status, headers: JSON_TYPE, body: `{"message":${json(message)}\n}` }

export const wrongMethod = (received: string, expected: string, old: boolean): HttpResponse => ({
  status: 405,
  headers: { ...(old ? OLD_JSON_TYPE : JSON_TYPE), Accept: expected },
  body: old ? '{"message":"Method Not Allowed"}' : `{"message":${json(`received method '${received}' expected '${expected}'`)}\n}`,
})

export const nowhere: HttpResponse = { status: 404, headers: TEXT_TYPE, body: '404 page not found\n' }
export const malformed: HttpResponse = {
  status: 400,
  headers: { 'Content-Type': 'text/plain; charset=utf-8' },
  body: '400 Bad Request',
  close: true,
}

export const redirect = (method: string, location: string): HttpResponse => ({
  status: 307,
  headers: { Location: location, ...((method === 'GET' || method === 'HEAD') && { 'Content-Type': 'text/html; charset=utf-8' }) },
  ...(method === 'GET' && {
    body: `<a href="${location.replace(/[&<>"]/g, char => `&#${char.charCodeAt(0)};`)}">Temporary Redirect</a>.\n\n`,
  }),
})
