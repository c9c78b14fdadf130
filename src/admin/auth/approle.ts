import { randomUUID } from 'node:crypto'
import { AdminError } from '../error.ts'
import type { LogicalRequest } from '../route.ts'
import { cidrsHold, cidrsWithin } from './cidrs.ts'
import type { Stored, Write } from './identity-store.ts'
import type { Known, LoginContext } from './login.ts'
import { shownAs } from './login.ts'
import type { AppRoleRow, SecretIdRow } from './rows.ts'
import { checkCidrs } from './token-settings.ts'

const secretKey = ({ mount }: LoginContext, role: string, secretId: string): string => `${mount.uuid}/${role}/${secretId}`

export const findRole = ({ identities, mount }: LoginContext, name: string): Promise<Stored<'approle'> | undefined> =>
  identities.store.get('approle', `${mount.uuid}/${name.toLowerCase()}`)

/** @throws AdminError 404 */
export async function neededRole(context: LoginContext, name: string): Promise<Stored<'approle'>> {
  const role = await findRole(context, name)
  if (!role) throw new AdminError(404, `role ${JSON.stringify(name)} does not exist`)
  return role
}

/** Make a role, or change one. @param change  gets the stored one */
export async function writeRole(
  context: LoginContext,
  name: string,
  change: (stored: AppRoleRow | undefined) => AppRoleRow,
): Promise<void> {
  const { store } = context.identities
  const { uuid } = context.mount
  await store.change(async () => {
    const stored = await findRole(context, name)
    const row = change(stored?.row)
    const [taken] = await store.list('approle', [`role-id/${uuid}/${row.roleId}`])
    if (taken && taken.row.name !== row.name) throw new AdminError(400, 'role_id already in use')
    return { writes: [{ id: store.id('approle', `${uuid}/${row.name}`), expect: stored?.revision ?? 0, row }], result: undefined }
  })
}

/** Delete a role with its secret-ids. */
export async function deleteRole(context: LoginContext, name: string): Promise<void> {
  await context.identities.store.change(async () => {
    const role = await findRole(context, name)
    if (!role) return { writes: [], result: undefined }
    const all = [role, ...(await secretIdsOf(context, role.row.name))]
    return { writes: all.map(({ id, revision }): Write => ({ id, expect: revision })), result: undefined }
  })
}

export const secretIdsOf = ({ identities, mount }: LoginContext, role: string): Promise<Stored<'secret-id'>[]> =>
  identities.store.list('secret-id', [`role/${mount.uuid}/${role}`])

export interface NewSecretId {
  readonly secretId?: string | undefined
  readonly ttlSeconds?: number | undefined
  readonly uses?: number | undefined
  readonly cidrs?: readonly string[] | undefined
  readonly tokenCidrs?: readonly string[] | undefined
  readonly metadata: Readonly<Record<string, string>>
}

/** Shorter ones could be guessed. */
const MIN_SECRET_ID = 16

/** @returns the secret-id, which is kept nowhere. @throws AdminError 400 */
export async function newSecretId(context: LoginContext, role: AppRoleRow, wish: NewSecretId) {
  if (!role.bind_secret_id) throw new AdminError(400, 'bind_secret_id is not set on the role')
  const { secretId = randomUUID(), cidrs = [], tokenCidrs = [], metadata } = wish
  if (secretId.length < MIN_SECRET_ID) throw new AdminError(400, `a secret_id has at least ${MIN_SECRET_ID} characters`)
  checkCidrs('cidr_list', cidrs)
  checkCidrs('token_bound_cidrs', tokenCidrs)
  const { ttlSeconds = role.secret_id_ttl, uses = role.secret_id_num_uses } = wish
  if (uses < 0) throw new AdminError(400, 'num_uses cannot be negative')
  checkWithin(role, { ttlSeconds, uses, cidrs, tokenCidrs })
  const { store, now } = context.identities
  const row: SecretIdRow = {
    ...{ kind: 'secret-id', mount: context.mount.uuid, role: role.name, accessor: randomUUID(), createdMs: now(), ttlSeconds, uses },
    ...(ttlSeconds > 0 && { expiresMs: now() + ttlSeconds * 1000 }),
    ...{ cidrs, tokenCidrs, metadata },
  }
  const id = store.id('secret-id', secretKey(context, role.name, secretId))
  if (await store.at('secret-id', id)) throw new AdminError(400, 'secret_id is already registered')
  await store.commit([{ id, expect: 0, row }])
  return { secret_id: secretId, secret_id_accessor: row.accessor, secret_id_num_uses: uses, secret_id_ttl: ttlSeconds }
}

/** Who may make secret-ids may not lift what their role says of them. @throws AdminError 400 */
function checkWithin(
  role: AppRoleRow,
  { ttlSeconds, uses, cidrs, tokenCidrs }: Pick<SecretIdRow, 'ttlSeconds' | 'uses' | 'cidrs' | 'tokenCidrs'>,
) {
  if (!isWithin(uses, role.secret_id_num_uses)) throw new AdminError(400, "num_uses cannot be higher than the role's secret_id_num_uses")
  if (!isWithin(ttlSeconds, role.secret_id_ttl)) throw new AdminError(400, "ttl cannot be longer than the role's secret_id_ttl")
  const outside = [...(cidrsWithin(cidrs, role.secret_id_bound_cidrs) ? [] : ['cidr_list'])]
  if (!cidrsWithin(tokenCidrs, role.settings.token_bound_cidrs)) outside.push('token_bound_cidrs')
  if (outside.length > 0) throw new AdminError(400, `${outside[0]} must be within the blocks that the role is bound to`)
}

/** 0 stands for no bound. */
const isWithin = (value: number, bound: number): boolean => bound === 0 || (value > 0 && value <= bound)

/** A secret-id that is good, by itself or by its accessor. */
export async function findSecretId(
  context: LoginContext,
  role: string,
  by: { readonly secretId: string } | { readonly accessor: string },
): Promise<Stored<'secret-id'> | undefined> {
  const { store, now } = context.identities
  const found =
    'secretId' in by
      ? await store.get('secret-id', secretKey(context, role, by.secretId))
      : (await store.list('secret-id', [`accessor/${by.accessor}`])).find(
          ({ row }) => row.mount === context.mount.uuid && row.role === role,
        )
  return found && (found.row.expiresMs === undefined || found.row.expiresMs > now()) ? found : undefined
}

const INVALID = 'invalid role or secret ID'

/** Who logs in with a role-id and a secret-id; the secret-id has one use less afterwards. @throws AdminError 400 */
export async function verifyAppRole(
  context: LoginContext,
  { remoteAddress }: LogicalRequest,
  roleId: string,
  secretId: string | undefined,
): Promise<Known> {
  const { store } = context.identities
  const [role] = await store.list('approle', [`role-id/${context.mount.uuid}/${roleId}`])
  if (!role || !cidrsHold(role.row.secret_id_bound_cidrs, remoteAddress)) throw new AdminError(400, INVALID)
  const { name, settings, bind_secret_id } = role.row
  const known = { settings, displayName: shownAs(context.mount, ''), meta: { role_name: name } }
  if (!bind_secret_id) return known
  if (secretId === undefined || secretId === '') throw new AdminError(400, 'missing secret_id')
  return store.change(async () => {
    const found = await findSecretId(context, name, { secretId })
    if (!found || !cidrsHold(found.row.cidrs, remoteAddress)) throw new AdminError(400, INVALID)
    const { id, revision: expect, row } = found
    // Those that the role allows: it may have been bound more tightly since.
    const boundCidrs = row.tokenCidrs.filter(block => cidrsWithin([block], settings.token_bound_cidrs))
    const left: SecretIdRow = { ...row, uses: row.uses - 1 }
    const writes: Write[] = row.uses === 0 ? [] : row.uses === 1 ? [{ id, expect }] : [{ id, expect, row: left }]
    return { writes, result: { ...known, meta: { ...row.metadata, ...known.meta }, boundCidrs } }
  })
}
