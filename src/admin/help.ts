import { unsupportedPath } from './error.ts'
import type { Field, Fields } from './fields.ts'
import { expressionOf, type Match } from './match.ts'
import { openApiOf } from './openapi.ts'
import type { Answer, Mounted, Route } from './route.ts'

const TYPES: Readonly<Record<Field['type'], string>> = {
  string: 'string',
  boolean: 'bool',
  integer: 'int',
  duration: 'duration (sec)',
  list: 'slice',
  pairs: 'keypair',
  object: 'map',
  any: 'any',
}

const indented = (text: string, by: number): string => text.replaceAll(/^/gm, ' '.repeat(by))

function parametersOf({ fields, params }: Route): string {
  const named: Fields = Object.fromEntries(Object.entries(params).map(([name, description]) => [name, { type: 'string', description }]))
  const rows = Object.entries({ ...fields, ...named }).sort(([a], [b]) => (a < b ? -1 : 1))
  if (rows.length === 0) return ''
  const texts = rows.map(([name, { type, description }]) => `    ${name} (${TYPES[type]})\n\n${indented(description, 8)}\n`)
  return `\n## PARAMETERS\n\n${texts.join('\n')}`
}

function textOf(path: string, route: Route): string {
  const description = `\n## DESCRIPTION\n\n${route.description ?? route.summary}\n`
  return `Request:        ${path}\nMatching Route: ${expressionOf(route.path)}\n\n${route.summary}\n${parametersOf(route)}${description}`
}

const overview = (mount: Mounted): string =>
  `## DESCRIPTION

The ${mount.type} engine at ${mount.path}

## PATHS

The following paths are supported by this backend. To view help for
any of the paths below, use the help command with any route matching
the path pattern. Note that depending on the policy of your auth token,
you may or may not be able to access certain paths.

${mount.routes.map(route => `    ${expressionOf(route.path)}\n${indented(route.summary, 8)}\n`).join('\n')}`

/** `?help=1`: help for people, and the same for programs. @throws AdminError when the path is none of the mount's */
export function helpAnswer(mount: Mounted, path: string, match: Match | undefined): Answer {
  const within = path.slice(mount.path.length)
  if (!match && within !== '') throw unsupportedPath()
  const routes = match ? [match.route] : mount.routes
  const help = match ? textOf(within, match.route) : overview(mount)
  return { bare: { help, see_also: null, openapi: openApiOf([{ mount, routes }], '1') } }
}
