import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { HttpHandler, HttpResponse } from '../http/exchange.ts'
import { refusal } from './envelope.ts'

const BASE = '/ui/'
const PAGE = 'index.html'

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
}

// Script and style come from here alone, requests go here alone, and nobody may show the console in a frame. What builds markup out of text
// is forbidden to the script too.
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ')

const HEADERS = {
  'Content-Security-Policy': POLICY,
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
} as const

interface File {
  readonly plain: Buffer
  readonly packed: Buffer
  readonly headers: Readonly<Record<string, string>>
}

/**
 * Serves the console below `/ui/`, and shows the way there from `/`. Its files are read once, so that no request ever names a file.
 * @param directory  where the build has put them
 * @throws the system's error when they cannot be read
 */
export function consoleDoor(directory: string): HttpHandler {
  const files = new Map(readdirSync(directory).map(name => [name, fileOf(name, readFileSync(join(directory, name)))]))
  return async ({ method, target, headers }) => {
    const path = target.split('?')[0]!
    if (path === '/' || path === '/ui') return { status: 307, headers: { ...HEADERS, Location: BASE } }
    if (!path.startsWith(BASE)) return refusal(404, [])
    if (method !== 'GET' && method !== 'HEAD') return text(405, 'only GET and HEAD', { Allow: 'GET, HEAD' })
    const file = files.get(path.slice(BASE.length) || PAGE)
    return file ? answerOf(file, method, headers) : text(404, 'there is no such file in the console')
  }
}

function fileOf(name: string, plain: Buffer): File {
  const headers = {
    ...HEADERS,
    'Content-Type': TYPES[extname(name)] ?? 'application/octet-stream',
    // What has a hash in its name never changes; the others are asked for each time, and are mostly still the same.
    'Cache-Control': /-[A-Z0-9]{8}\.\w+$/.test(name) ? 'public, max-age=31536000, immutable' : 'no-cache',
    ETag: `"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`,
    Vary: 'Accept-Encoding',
  }
  return { plain, packed: gzipSync(plain, { level: 9 }), headers }
}

function answerOf({ plain, packed, headers }: File, method: string, asked: Readonly<Record<string, string | undefined>>): HttpResponse {
  if (isKnown(headers.ETag!, asked['if-none-match'])) return { status: 304, headers }
  const isPacked = takesGzip(asked['accept-encoding'])
  const body = isPacked ? packed : plain
  const full = { ...headers, ...(isPacked && { 'Content-Encoding': 'gzip' }), 'Content-Length': String(body.length) }
  return { status: 200, headers: full, ...(method === 'GET' && { body }) }
}

const takesGzip = (acceptEncoding = ''): boolean =>
  acceptEncoding.split(',').some(one => {
    const [coding, quality] = one.toLowerCase().replaceAll(' ', '').split(';')
    return coding === 'gzip' && Number(quality?.replace('q=', '') ?? 1) > 0
  })

/** Whether the browser has this version already. */
function isKnown(etag: string, ifNoneMatch: string | undefined): boolean {
  const known = (ifNoneMatch ?? '').split(',').map(tag => tag.trim().replace(/^W\//, ''))
  return known.includes(etag) || known.includes('*')
}

const text = (status: number, body: string, more: Readonly<Record<string, string>> = {}): HttpResponse => ({
  status,
  headers: { ...HEADERS, ...more, 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store' },
  body: `${body}\n`,
})
