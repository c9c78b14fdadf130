import { AdminError } from '../error.ts'
import type { Fields } from '../fields.ts'
import { type Answer, type Route, routeFor } from '../route.ts'
import type { Identities } from './identities.ts'
import { named, namedByAccessor, renewed, tokenData } from './token-answers.ts'
import { CREATE_FIELDS, createToken } from './token-creation.ts'
import { tokenRole, tokenRoleRoutes } from './token-role-routes.ts'
import { dropWrapped } from './wrapping.ts'

const route = routeFor<Identities>()

const TOKEN = { token: { type: 'string', description: 'The token.', required: true } } as const satisfies Fields
const ACCESSOR = { accessor: { type: 'string', description: 'Accessor of the token.', required: true } } as const satisfies Fields
const INCREMENT = {
  increment: { type: 'duration', description: 'For how long; left out, as long as when it was made.', default: 0 },
} as const satisfies Fields

const lookUp = async (identities: Identities, secret: string | undefined): Promise<Answer> => ({
  data: tokenData(identities, await named(identities, secret), secret ?? ''),
})

/** `auth/token/`. */
export const TOKEN_ROUTES: readonly Route<Identities>[] = [
  route({
    path: 'create',
    summary: 'Make a token below the one that asks.',
    fields: CREATE_FIELDS,
    actions: { write: { run: (call, identities) => createToken(identities, call, call.fields, { isOrphan: false }), statuses: [200] } },
  }),
  route({
    path: 'create-orphan',
    summary: 'Make a token that does not end with the one that asks.',
    fields: CREATE_FIELDS,
    actions: { write: { run: (call, identities) => createToken(identities, call, call.fields, { isOrphan: true }), statuses: [200] } },
  }),
  route({
    path: 'create/:role_name',
    summary: 'Make a token as a role says.',
    params: { role_name: 'Name of the role.' },
    fields: CREATE_FIELDS,
    actions: {
      write: {
        async run(call, identities) {
          const role = await tokenRole(identities, call.params.role_name)
          if (!role) throw new AdminError(400, `unknown role ${call.params.role_name}`)
          return createToken(identities, call, call.fields, { isOrphan: false, role: role.row })
        },
        statuses: [200],
      },
    },
  }),
  route({
    path: 'accessors',
    summary: 'List the accessors of all tokens.',
    access: 'sudo',
    actions: {
      list: {
        async run(_call, { tokens }) {
          return { data: { keys: await tokens.accessors() } }
        },
      },
    },
  }),
  route({
    path: 'lookup',
    summary: 'Show what is known of a token.',
    fields: { token: { ...TOKEN.token, description: 'The token; left out, the one that asks.', required: false } },
    actions: {
      read: { run: ({ fields, request }, identities) => lookUp(identities, fields.token || request.token), takes: ['token'] },
      write: { run: ({ fields, request }, identities) => lookUp(identities, fields.token || request.token), statuses: [200] },
    },
  }),
  route({
    path: 'lookup-accessor',
    summary: 'Show what is known of a token, by its accessor.',
    fields: ACCESSOR,
    actions: {
      write: {
        run: async ({ fields }, identities) => ({ data: tokenData(identities, await namedByAccessor(identities, fields.accessor), '') }),
        statuses: [200],
      },
    },
  }),
  route({
    path: 'lookup-self',
    summary: 'Show what is known of the token that asks.',
    actions: {
      read: {
        run: async ({ caller, request }, identities) => ({ data: tokenData(identities, identities.tokenOf(caller), request.token ?? '') }),
      },
      write: {
        run: async ({ caller, request }, identities) => ({ data: tokenData(identities, identities.tokenOf(caller), request.token ?? '') }),
        statuses: [200],
      },
    },
  }),
  route({
    path: 'renew',
    summary: 'Let a token live longer.',
    fields: { ...TOKEN, ...INCREMENT },
    actions: {
      write: {
        async run({ fields }, identities) {
          const token = await named(identities, fields.token, 'token not found')
          return renewed(identities, token, fields.token ?? '', fields.increment)
        },
        statuses: [200],
      },
    },
  }),
  route({
    path: 'renew-accessor',
    summary: 'Let a token live longer, by its accessor.',
    fields: { ...ACCESSOR, ...INCREMENT },
    actions: {
      write: {
        run: async ({ fields }, identities) =>
          renewed(identities, await namedByAccessor(identities, fields.accessor), '', fields.increment),
        statuses: [200],
      },
    },
  }),
  route({
    path: 'renew-self',
    summary: 'Let the token that asks live longer.',
    fields: INCREMENT,
    actions: {
      write: {
        run: async ({ caller, request, fields }, identities) =>
          renewed(identities, identities.tokenOf(caller), request.token ?? '', fields.increment),
        statuses: [200],
      },
    },
  }),
  route({
    path: 'revoke',
    summary: 'Revoke a token and all that it made.',
    fields: TOKEN,
    actions: {
      write: {
        async run({ fields }, identities) {
          const { store, tokens } = identities
          if (fields.token === undefined || fields.token === '') throw new AdminError(400, 'missing token ID')
          await tokens.revoke(store.id('token', fields.token))
          await dropWrapped(identities, { secret: fields.token })
          return undefined
        },
        statuses: [204],
      },
    },
  }),
  route({
    path: 'revoke-accessor',
    summary: 'Revoke a token and all that it made, by its accessor.',
    fields: ACCESSOR,
    actions: {
      write: {
        async run({ fields }, identities) {
          const { accessor } = fields
          if (accessor === undefined || accessor === '') throw new AdminError(400, 'missing accessor')
          const token = await identities.tokens.findByAccessor(accessor)
          if (token) await identities.tokens.revoke(token.id)
          else if (!(await dropWrapped(identities, { accessor }))) return { warnings: ['No token found with this accessor'] }
          return undefined
        },
        statuses: [200, 204],
      },
    },
  }),
  route({
    path: 'revoke-self',
    summary: 'Revoke the token that asks and all that it made.',
    actions: {
      write: {
        async run({ caller }, identities) {
          await identities.tokens.revoke(identities.tokenOf(caller).id)
          return undefined
        },
        statuses: [204],
      },
    },
  }),
  route({
    path: 'revoke-orphan',
    summary: 'Revoke a token alone; what it made goes on without a parent.',
    fields: TOKEN,
    access: 'sudo',
    actions: {
      write: {
        async run({ fields }, identities) {
          await identities.tokens.revokeOrphan((await named(identities, fields.token, 'token to revoke not found')).id)
          return undefined
        },
        statuses: [204],
      },
    },
  }),
  ...tokenRoleRoutes,
]
