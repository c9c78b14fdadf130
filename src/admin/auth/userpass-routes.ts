import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { AdminError } from '../error.ts'
import type { Fields } from '../fields.ts'
import { type Route, routeFor } from '../route.ts'
import type { Stored } from './identity-store.ts'
import { type LoginContext, logIn, shownAs } from './login.ts'
import type { UserRow } from './rows.ts'
import { mergeSettings, TOKEN_FIELDS } from './token-settings.ts'

const route = routeFor<LoginContext>()
const USER = { username: 'Name of the user.' }
const derive = promisify<string, Buffer, number, { N: number; r: number; p: number; maxmem: number }, Buffer>(scrypt)
/** 32 MiB and some 60 ms for each password that is tried. */
const COST = { N: 1 << 15, r: 8, p: 1, maxmem: 1 << 26 }
const HASH_BYTES = 32
const MIN_PASSWORD = 12

const PASSWORD = {
  password: { type: 'string', description: `The password, at least ${MIN_PASSWORD} characters.` },
} as const satisfies Fields

async function hashed(password: string, salt: Buffer): Promise<Pick<UserRow, 'salt' | 'hash'>> {
  const hash = await derive(password, salt, HASH_BYTES, COST)
  return { salt: salt.toString('base64'), hash: hash.toString('base64') }
}

/** @throws AdminError 400 */
async function newPassword(password: string): Promise<Pick<UserRow, 'salt' | 'hash'>> {
  if (password.length < MIN_PASSWORD) throw new AdminError(400, `a password has at least ${MIN_PASSWORD} characters`)
  return hashed(password, randomBytes(16))
}

const nameOf = (username: string): string => username.toLowerCase()
const find = ({ identities, mount }: LoginContext, username: string): Promise<Stored<'user'> | undefined> =>
  identities.store.get('user', `${mount.uuid}/${nameOf(username)}`)

async function write(context: LoginContext, username: string, change: (stored: UserRow | undefined) => UserRow): Promise<undefined> {
  const { store } = context.identities
  await store.change(async () => {
    const stored = await find(context, username)
    const id = store.id('user', `${context.mount.uuid}/${nameOf(username)}`)
    const row = change(stored?.row)
    return { writes: [{ id, expect: stored?.revision ?? 0, row }], result: undefined }
  })
}

/** So that a name that is not there takes as long as one that is. */
const NOBODY = { salt: Buffer.alloc(16).toString('base64'), hash: Buffer.alloc(HASH_BYTES).toString('base64') }

async function isRight(user: Pick<UserRow, 'salt' | 'hash'>, password: string): Promise<boolean> {
  const { hash } = await hashed(password, Buffer.from(user.salt, 'base64'))
  return timingSafeEqual(Buffer.from(hash, 'base64'), Buffer.from(user.hash, 'base64'))
}

/** `auth/userpass/`: users with passwords. */
export const USERPASS_ROUTES: readonly Route<LoginContext>[] = [
  route({
    path: 'users',
    summary: 'List the users.',
    actions: {
      list: {
        async run(_call, { identities, mount }) {
          const users = await identities.store.list('user', [`mount/${mount.uuid}`])
          return users.length > 0 ? { data: { keys: users.map(({ row }) => row.name).sort() } } : undefined
        },
      },
    },
  }),
  route({
    path: 'users/:username',
    summary: 'A user, and what the tokens of his logins are like.',
    params: USER,
    caseless: true,
    fields: { ...PASSWORD, ...TOKEN_FIELDS },
    exists: async ({ params }, context) => (await find(context, params.username)) !== undefined,
    actions: {
      read: {
        async run({ params }, context) {
          const user = await find(context, params.username)
          return user && { data: { ...user.row.settings } }
        },
      },
      write: {
        async run({ params, fields }, context) {
          const { password, ...sent } = fields
          const secret = password === undefined ? undefined : await newPassword(password)
          return write(context, params.username, stored => {
            const known = secret ?? stored
            if (!known) throw new AdminError(400, 'missing password')
            const { salt, hash } = known
            const settings = mergeSettings(stored?.settings, sent)
            return { kind: 'user', mount: context.mount.uuid, name: nameOf(params.username), salt, hash, settings }
          })
        },
        statuses: [204],
      },
      delete: {
        async run({ params }, context) {
          await context.identities.store.change(async () => {
            const user = await find(context, params.username)
            return { writes: user ? [{ id: user.id, expect: user.revision }] : [], result: undefined }
          })
          return undefined
        },
      },
    },
  }),
  route({
    path: 'users/:username/password',
    summary: 'Give a user another password.',
    params: USER,
    caseless: true,
    fields: PASSWORD,
    actions: {
      write: {
        async run({ params, fields }, context) {
          if (fields.password === undefined) throw new AdminError(400, 'missing password')
          const secret = await newPassword(fields.password)
          return write(context, params.username, stored => {
            if (!stored) throw new AdminError(400, 'username does not exist')
            return { ...stored, ...secret }
          })
        },
        statuses: [204],
      },
    },
  }),
  route({
    path: 'users/:username/policies',
    summary: 'Give the tokens of a user other policies.',
    params: USER,
    caseless: true,
    fields: { token_policies: TOKEN_FIELDS.token_policies, policies: TOKEN_FIELDS.policies },
    actions: {
      write: {
        run: ({ params, fields }, context) =>
          write(context, params.username, stored => {
            if (!stored) throw new AdminError(400, 'username does not exist')
            return { ...stored, settings: mergeSettings(stored.settings, fields) }
          }),
        statuses: [204],
      },
    },
  }),
  route({
    path: 'login/:username',
    summary: 'Log in with a password.',
    access: 'open',
    params: USER,
    caseless: true,
    fields: PASSWORD,
    actions: {
      write: {
        run: ({ request, params, fields }, context) =>
          logIn(context, request, nameOf(params.username), async () => {
            const { password } = fields
            if (password === undefined || password === '') throw new AdminError(400, 'missing password')
            const user = await find(context, params.username)
            if (!(await isRight(user?.row ?? NOBODY, password)) || !user) throw new AdminError(400, 'invalid username or password')
            const { name, settings } = user.row
            return { settings, displayName: shownAs(context.mount, name), meta: { username: name } }
          }),
        statuses: [200],
      },
    },
  }),
]
