import type { Field, Fields, FieldTypes } from './fields.ts'
import type { Action, Mounted, Route, Verb } from './route.ts'

type Json = Readonly<Record<string, unknown>>

const SCHEMAS: Readonly<Record<keyof FieldTypes, Json>> = {
  string: { type: 'string' },
  boolean: { type: 'boolean' },
  integer: { type: 'integer' },
  duration: { type: ['integer', 'string'], format: 'seconds' },
  list: { type: 'array', items: { type: 'string' } },
  pairs: { type: 'object', additionalProperties: { type: 'string' } },
  object: { type: 'object' },
  any: {},
}

const schemaOf = ({ type, description, default: value, allowed, deprecated }: Field): Json => ({
  ...SCHEMAS[type],
  description,
  ...(value !== undefined && { default: value }),
  ...(allowed && { enum: allowed }),
  ...(deprecated && { deprecated }),
})

function objectOf(fields: Fields): Json {
  const required = Object.entries(fields).flatMap(([name, { required }]) => (required ? [name] : []))
  return {
    type: 'object',
    properties: Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, schemaOf(field)])),
    ...(required.length > 0 && { required }),
  }
}

/** Vault's documents have a way to write each verb; a write is the same with PUT. */
const METHOD: Readonly<Record<Verb, string>> = { read: 'get', list: 'get', write: 'post', delete: 'delete', patch: 'patch' }
const STATUSES: Readonly<Record<Verb, readonly number[]>> = {
  read: [200],
  list: [200],
  delete: [204],
  write: [200, 204],
  patch: [200, 204],
}
const FAILURES = [400, 403, 404, 405, 413, 415, 429, 500, 503] as const

const namesIn = (pattern: string): string[] => [...pattern.matchAll(/:(\w+)\+?/g)].map(([, name = '']) => name)
const isBody = (verb: Verb): boolean => verb === 'write' || verb === 'patch'

/** The fields that an action takes. */
function fieldsTaken({ fields }: Route, verb: Verb, { takes }: Action<unknown>): Fields {
  const names = takes ?? (isBody(verb) ? Object.keys(fields) : [])
  return Object.fromEntries(Object.entries(fields).filter(([name]) => names.includes(name)))
}

const answerSchema = (answer: Fields): Json => ({
  allOf: [{ $ref: '#/components/schemas/Envelope' }, { type: 'object', properties: { data: objectOf(answer) } }],
})

function responsesOf(verb: Verb, { statuses = STATUSES[verb], answer, contentType }: Action<unknown>): Json {
  const envelope = answer ? answerSchema(answer) : { $ref: '#/components/schemas/Envelope' }
  const content = contentType ? { [contentType]: {} } : { 'application/json': { schema: envelope } }
  const good = statuses.map(status => [status, status === 204 ? { description: 'done' } : { description: 'the answer', content }])
  return Object.fromEntries([...good, ...FAILURES.map(status => [status, { $ref: '#/components/responses/Errors' }])])
}

const LIST: Json = { name: 'list', in: 'query', required: true, schema: { type: 'string', enum: ['true'] } }

function operationOf(route: Route, verb: Verb, action: Action<unknown>, mount: Mounted): Json {
  const fields = fieldsTaken(route, verb, action)
  const body = isBody(verb) && Object.keys(fields).length > 0
  const query = isBody(verb)
    ? []
    : Object.entries(fields).map(([name, field]) => ({
        name,
        in: 'query',
        description: field.description,
        ...(field.required && { required: true }),
        schema: schemaOf(field),
      }))
  return {
    summary: action.summary ?? route.summary,
    operationId: `${verb} ${mount.path}${route.path}`.replaceAll(/[^A-Za-z0-9]+/g, '-'),
    tags: [mount.type],
    parameters: [...query, ...(verb === 'list' ? [LIST] : [])],
    ...(body && {
      requestBody: {
        content: { [verb === 'patch' ? 'application/merge-patch+json' : 'application/json']: { schema: objectOf(fields) } },
      },
    }),
    responses: responsesOf(verb, action),
    ...(route.access === 'open' && { security: [] }),
    ...(route.access === 'sudo' && { 'x-vault-sudo': true }),
  }
}

/** The entries of one row, by their paths: a list that shares its path with a read stands behind a slash, which is the same to the server. */
function itemsOf(route: Route, mount: Mounted): [string, Json][] {
  const path = `/${mount.path}${route.path.replaceAll(/:(\w+)\+?/g, '{$1}')}`
  const parameters = namesIn(route.path).map(name => ({
    name,
    in: 'path',
    required: true,
    description: route.params[name] ?? name,
    schema: { type: 'string' },
  }))
  const items = new Map<string, Record<string, unknown>>()
  for (const [verb, action] of Object.entries(route.actions) as [Verb, Action<unknown>][]) {
    const at = verb === 'list' && route.actions.read ? `${path}/` : path
    const item = items.get(at) ?? { description: route.description ?? route.summary, ...(parameters.length > 0 && { parameters }) }
    item[METHOD[verb]] = operationOf(route, verb, action, mount)
    items.set(at, item)
  }
  return [...items]
}

const COMPONENTS: Json = {
  schemas: {
    Envelope: {
      type: 'object',
      properties: {
        request_id: { type: 'string' },
        lease_id: { type: 'string' },
        renewable: { type: 'boolean' },
        lease_duration: { type: 'integer' },
        data: { type: ['object', 'null'] },
        wrap_info: { type: ['object', 'null'] },
        warnings: { type: ['array', 'null'], items: { type: 'string' } },
        auth: { type: ['object', 'null'] },
        mount_type: { type: 'string' },
      },
    },
    Errors: { type: 'object', properties: { errors: { type: 'array', items: { type: 'string' } } }, required: ['errors'] },
  },
  responses: {
    Errors: { description: 'refused', content: { 'application/json': { schema: { $ref: '#/components/schemas/Errors' } } } },
  },
  securitySchemes: { token: { type: 'apiKey', in: 'header', name: 'X-Vault-Token' } },
}

/** An OpenAPI 3.1 document of rows at their mounts. */
export function openApiOf(mounted: readonly { readonly mount: Mounted; readonly routes: readonly Route[] }[], version: string): Json {
  return {
    openapi: '3.1.0',
    info: { title: 'kmipd', description: "Vault's HTTP API for the KMIP engine, as kmipd serves it", version },
    servers: [{ url: '/v1' }],
    security: [{ token: [] }],
    paths: Object.fromEntries(mounted.flatMap(({ mount, routes }) => routes.flatMap(route => itemsOf(route, mount)))),
    components: COMPONENTS,
  }
}
