import type { RecordChange } from '../seal/records.ts'
import { isConflict } from '../store/store.ts'
import { revocation } from './credentials.ts'
import { ScopeError } from './error.ts'
import type { Registry, Update } from './registry.ts'
import { PLACE, type RoleRow, type ScopeRow } from './rows.ts'

/** Things that are removed in one commit: it holds up the others for as long as it takes. */
const BATCH = 200

const state = (row: ScopeRow, state: ScopeRow['state']): Update => ({ place: PLACE.scope(row.id), row: { ...row, state } })

const hasObjects = async (registry: Registry, scope: string): Promise<boolean> =>
  (await registry.records.find(registry.objectsOf(scope), [], { limit: 1 })).length > 0

const refused = (name: string): ScopeError =>
  new ScopeError('not-empty', `scope ${name} has managed objects; delete them first, or delete the scope with force`)

/**
 * Delete a scope. The first commit shuts its clients out; the others remove what it held, and can be resumed when they are cut short.
 * @throws ScopeError `not-found`, `not-empty`
 */
export async function removeScope(registry: Registry, findScope: () => ScopeRow, force: boolean, nowMs: number): Promise<void> {
  const row = await registry.change(async () => {
    const scope = findScope()
    if (!force && !scope.force && (await hasObjects(registry, scope.id))) throw refused(scope.name)
    const deleting = { ...scope, force: scope.force || force }
    return { updates: [state(deleting, 'deleting')], result: deleting }
  })
  const kept = await finish(registry, row, nowMs)
  if (kept) throw refused(kept)
}

/** Delete a role. The first commit shuts its clients out, the others revoke its credentials. @throws ScopeError `not-found` */
export async function removeRole(registry: Registry, findRole: () => RoleRow, nowMs: number): Promise<void> {
  await registry.change(() => {
    const { scope, id } = findRole()
    return { updates: [{ place: PLACE.role(scope, id) }], result: undefined }
  })
  await removeAll(registry, () => withoutRole(registry, nowMs))
}

const withoutRole = (registry: Registry, nowMs: number): Removal[] =>
  registry
    .rows('credential')
    .filter(({ scope, role }) => !registry.row('role', PLACE.role(scope, role)))
    .map(row => revocation(row, nowMs))

/** What removes one thing, in one commit. */
type Removal = readonly Update[]

/** @param removals  of what is there still */
export async function removeAll(registry: Registry, removals: () => readonly Removal[]): Promise<void> {
  const removeSome = () => ({ updates: removals().slice(0, BATCH).flat(), result: undefined })
  while (removals().length > 0) await registry.change(removeSome)
}

/** Finish what `removeScope` and `removeRole` had begun when their process ended. */
export async function resumeRemovals(registry: Registry, nowMs: number): Promise<void> {
  await registry.refresh()
  for (const row of registry.rows('scope')) if (row.state === 'deleting') await finish(registry, row, nowMs)
  await removeAll(registry, () => withoutRole(registry, nowMs))
}

/** @returns the name of the scope if it is kept after all: an object came while it was being shut, and nobody said that it may go */
async function finish(registry: Registry, row: ScopeRow, nowMs: number): Promise<string | undefined> {
  if (!row.force && (await hasObjects(registry, row.id)))
    return registry.change(() => {
      const name = registry.scopeNamed(row.name) ? `${row.name}-${row.id}` : row.name
      return { updates: [state({ ...row, name }, 'live')], result: name }
    })
  const held = (): Removal[] => [
    ...registry.rows('credential').flatMap(one => (one.scope === row.id ? [revocation(one, nowMs)] : [])),
    ...registry.rows('role').flatMap(({ scope, id }) => (scope === row.id ? [[{ place: PLACE.role(scope, id) }]] : [])),
  ]
  await removeAll(registry, held)
  if (row.force) await removeObjects(registry, registry.objectsOf(row.id))
  await registry.change(() => ({ updates: [state(row, 'deleted')], result: undefined }))
  return undefined
}

async function removeObjects(registry: Registry, partition: string): Promise<void> {
  const { records } = registry
  for (;;) {
    const page = await records.find(partition, [], { limit: BATCH })
    if (page.length === 0) return
    const changes: RecordChange[] = []
    for (const { id } of page) changes.push({ partition, id, expect: await records.revision(partition, id) })
    try {
      await records.commit(changes.filter(({ expect }) => expect > 0))
    } catch (error) {
      // A message that was under way changed one of them: look again.
      if (!isConflict(error)) throw error
    }
  }
}

/** Delete all that an administration holds, but what it knows of mounts; scopes first, so that their clients are shut out before. */
export async function removeAdministration(registry: Registry, nowMs: number): Promise<void> {
  await registry.refresh()
  for (const row of registry.rows('scope').filter(({ state }) => state !== 'deleted')) {
    const deleting = await registry.change(() => {
      const stored = registry.row('scope', PLACE.scope(row.id)) ?? row
      const gone = { ...stored, force: true }
      return { updates: [state(gone, 'deleting')], result: gone }
    })
    await finish(registry, deleting, nowMs)
  }
  const secrets = (): string[] => [
    ...registry.rows('authority').map(() => PLACE.authoritySecret()),
    ...registry.rows('named-authority').flatMap(({ name, made }) => (made ? [PLACE.authoritySecret(name)] : [])),
    ...registry.rows('listener').map(({ name }) => PLACE.serverSecret(name)),
  ]
  await registry.change(async () => {
    const places = [...secrets(), PLACE.serverSecret()]
    const there: string[] = []
    for (const place of places) if ((await registry.secret(place)) !== undefined) there.push(place)
    return { updates: there.map(place => ({ place })), result: undefined }
  })
  const rest = (): Removal[] =>
    registry
      .places()
      .filter(place => !place.startsWith(PLACE.mount('')))
      .map(place => [{ place }])
  await removeAll(registry, rest)
}
