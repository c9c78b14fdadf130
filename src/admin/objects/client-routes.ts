import { child, enumName, type Item, TYPE } from '../../ttlv/item.ts'
import { decodeJson, encodeJson } from '../../ttlv/json.ts'
import { EncodingError } from '../../ttlv/notation.ts'
import { TAG } from '../../ttlv/tags.ts'
import { decodeXml, encodeXml } from '../../ttlv/xml.ts'
import { AdminError } from '../error.ts'
import type { Fields } from '../fields.ts'
import { orRefused } from '../kmip/engine.ts'
import { type Answer, type Call, routeFor } from '../route.ts'
import type { ObjectContext } from './object-routes.ts'

const route = routeFor<ObjectContext>()
const ROLE = { scope: 'Name of the scope.', role: 'Name of the role.' }
const FIELDS = {
  request: {
    type: 'any',
    required: true,
    description: 'A KMIP Request Message: in the JSON encoding as an object, or in the XML encoding as a text.',
  },
} as const satisfies Fields
const ANSWER = {
  response: { type: 'any', description: 'The Response Message, in the encoding of the request. What failed inside it says so itself.' },
} as const satisfies Fields

/** The encodings that a request can have in a JSON body. */
const JSON_OBJECT = {
  decode: (request: unknown): Item => decodeJson(JSON.stringify(request)),
  encode: (message: Item): unknown => JSON.parse(encodeJson(message)),
}
const XML_TEXT = { decode: (request: unknown): Item => decodeXml(String(request)), encode: (message: Item): unknown => encodeXml(message) }

function readable<T>(read: () => T, what: string): T {
  try {
    return read()
  } catch (cause) {
    if (cause instanceof EncodingError) throw new AdminError(400, `${what}: ${cause.message}`, { cause })
    throw cause
  }
}

/** Operations of a message as a path names them: in lower case, in their order, with slashes between them. */
function operationsIn(message: Item): string {
  if (message.type !== TYPE.Structure) return ''
  const names = message.value.flatMap(item => {
    const operation = item.tag === TAG.BatchItem && child(item, TAG.Operation)
    return operation && operation.type === TYPE.Enumeration ? [enumName('Operation', operation.value).toLowerCase()] : []
  })
  return names.join('/')
}

async function answer(
  { params, request, fields }: Call<'scope' | 'role', typeof FIELDS>,
  context: ObjectContext,
  path?: string,
): Promise<Answer> {
  if (fields.request === undefined) throw new AdminError(400, 'request is required')
  const { decode, encode } = typeof fields.request === 'string' ? XML_TEXT : JSON_OBJECT
  const message = readable(() => decode(fields.request), 'request')
  const operations = operationsIn(message)
  if (path !== undefined && path !== operations)
    throw new AdminError(400, `the path names ${path}, and the request has ${operations || 'no operation'}`)
  const client = await orRefused(context.mount.scopes.clientOfRole(params.scope, params.role))
  const reply = await context.clients.answerItem(message, client)
  context.record({ ...client, address: request.remoteAddress }, reply.entries)
  return { data: { response: readable(() => encode(reply.message), 'the response cannot be written in this encoding') } }
}

/** Within an engine: KMIP operations for who has a token and no client certificate, as the client API of Vault 2 has them. */
export const CLIENT_ROUTES = [
  route({
    path: 'scope/:scope/role/:role/client',
    summary: 'Do KMIP operations as a client of a role, within what the role allows.',
    description: 'Whoever may write here may do all that the role may.',
    params: ROLE,
    fields: FIELDS,
    actions: { write: { statuses: [200], answer: ANSWER, run: (call, context) => answer(call, context) } },
  }),
  route({
    path: 'scope/:scope/role/:role/client/:operations+',
    summary: 'Do the KMIP operations that the path names, so that policies can allow each of them.',
    params: { ...ROLE, operations: 'Operations of the request in their order, in lower case, such as locate/get.' },
    fields: FIELDS,
    actions: {
      write: { statuses: [200], answer: ANSWER, run: (call, context) => answer(call, context, call.params.operations) },
    },
  }),
]
