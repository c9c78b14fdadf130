import { tableOf } from './fields.ts'
import { type Command, type Io, printJson, printLines } from './io.ts'
import { type AdministrationArguments, withScopes } from './open.ts'
import { administrationOptions, jsonOption } from './options.ts'

interface ScopeArguments extends AdministrationArguments {
  readonly scope: string
  readonly force?: boolean
}

/** kmipd scope: partitions of managed objects. */
export const scopeCommand = (io: Io): Command => ({
  command: 'scope',
  describe: 'Create, list and delete scopes: each holds managed objects of its own',
  builder: y =>
    y
      .command([create(io), list(io), read(io), remove(io)])
      .demandCommand(1, 'say what to do with scopes')
      .example('$0 scope create finance', ''),
  handler() {},
})

const create = (io: Io): Command => ({
  command: 'create <scope>',
  describe: 'Create a scope',
  builder: y =>
    jsonOption(administrationOptions(y))
      .positional('scope', { type: 'string', demandOption: true, describe: 'its name' })
      .option('force', { type: 'boolean', describe: 'let it be deleted with its objects later' })
      .example('$0 scope create finance', ''),
  handler: ({ scope, force = false, ...place }: ScopeArguments) =>
    withScopes(place, io, async scopes => {
      const { id } = await scopes.createScope(scope, { force })
      place.json ? printJson(io, { id, name: scope }) : io.stdout.write(`scope ${scope} is made; its certificates have OU=${id}\n`)
    }),
})

const list = (io: Io): Command => ({
  command: 'list',
  describe: 'List the scopes',
  builder: y => jsonOption(administrationOptions(y)).example('$0 scope list', ''),
  handler: (place: ScopeArguments) =>
    withScopes(place, io, async (scopes, { json }) => {
      const names = await scopes.listScopes()
      json ? printJson(io, names) : printLines(io, names)
    }),
})

const read = (io: Io): Command => ({
  command: 'read <scope>',
  describe: 'Show a scope: its id, and how many roles and credentials it has',
  builder: y =>
    jsonOption(administrationOptions(y))
      .positional('scope', { type: 'string', demandOption: true, describe: 'its name' })
      .example('$0 scope read finance', ''),
  handler: ({ scope, ...place }: ScopeArguments) =>
    withScopes(place, io, async (scopes, { json }) => {
      const { createdMs, partition: _partition, ...rest } = await scopes.readScope(scope)
      const answer = { ...rest, created: new Date(createdMs).toISOString() }
      json ? printJson(io, answer) : printLines(io, tableOf(answer))
    }),
})

const remove = (io: Io): Command => ({
  command: 'delete <scope>',
  describe: 'Delete a scope with its roles and credentials; its clients are cut off',
  builder: y =>
    administrationOptions(y)
      .positional('scope', { type: 'string', demandOption: true, describe: 'its name' })
      .option('force', { type: 'boolean', describe: 'also when it has managed objects, which are lost then' })
      .example('$0 scope delete finance', 'if it has no objects')
      .example('$0 scope delete finance --force', 'with its objects'),
  handler: ({ scope, force = false, ...place }: ScopeArguments) =>
    withScopes(place, io, async scopes => {
      await scopes.deleteScope(scope, { force })
      io.stdout.write(`scope ${scope} is deleted\n`)
    }),
})
