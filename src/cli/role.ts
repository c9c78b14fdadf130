import { fieldsOf, tableOf } from './fields.ts'
import { type Command, type Io, printJson, printLines } from './io.ts'
import { type AdministrationArguments, withScopes } from './open.ts'
import { administrationOptions, jsonOption } from './options.ts'

interface RoleArguments extends AdministrationArguments {
  readonly scope: string
  readonly role: string
  readonly fields: readonly string[]
}

/** kmipd role: what the clients of a scope may do. */
export const roleCommand = (io: Io): Command => ({
  command: 'role',
  describe: 'Write, list, read and delete roles: each allows its clients some operations',
  builder: y =>
    y
      .command([write(io), list(io), read(io), remove(io)])
      .demandCommand(1, 'say what to do with roles')
      .example('$0 role write finance accounting operation_all=true', ''),
  handler() {},
})

const write = (io: Io): Command => ({
  command: 'write <scope> <role> [fields..]',
  aliases: ['create', 'update'],
  describe: 'Make a role, or change fields of one; its clients notice at once',
  builder: y =>
    administrationOptions(y)
      .positional('scope', { type: 'string', demandOption: true, describe: 'name of its scope' })
      .positional('role', { type: 'string', demandOption: true, describe: 'its name' })
      .positional('fields', {
        type: 'string',
        array: true,
        default: [],
        describe:
          'operation_all=true, or single ones such as operation_get=true; also tls_client_key_type, tls_client_key_bits, tls_client_ttl',
      })
      .example('$0 role write finance accounting operation_all=true', 'all operations')
      .example('$0 role write finance accounting operation_create=true operation_get=true', 'these two')
      .example('$0 role write finance accounting operation_get=false tls_client_ttl=8760h', 'one less, and longer certificates'),
  handler: ({ scope, role, fields, ...place }: RoleArguments) =>
    withScopes(place, io, async scopes => {
      await scopes.writeRole(scope, role, fieldsOf(fields))
      io.stdout.write(`role ${role} of scope ${scope} is written\n`)
    }),
})

const list = (io: Io): Command => ({
  command: 'list <scope>',
  describe: 'List the roles of a scope',
  builder: y =>
    jsonOption(administrationOptions(y))
      .positional('scope', { type: 'string', demandOption: true, describe: 'name of the scope' })
      .example('$0 role list finance', ''),
  handler: ({ scope, ...place }: RoleArguments) =>
    withScopes(place, io, async (scopes, { json }) => {
      const names = await scopes.listRoles(scope)
      json ? printJson(io, names) : printLines(io, names)
    }),
})

const read = (io: Io): Command => ({
  command: 'read <scope> <role>',
  describe: 'Show what a role allows',
  builder: y => jsonOption(roleOptions(y)).example('$0 role read finance accounting', ''),
  handler: ({ scope, role, ...place }: RoleArguments) =>
    withScopes(place, io, async (scopes, { json }) => {
      const answer = await scopes.readRole(scope, role)
      json ? printJson(io, answer) : printLines(io, tableOf({ ...answer }))
    }),
})

const remove = (io: Io): Command => ({
  command: 'delete <scope> <role>',
  describe: 'Delete a role with its credentials; its clients are cut off',
  builder: y => roleOptions(y).example('$0 role delete finance accounting', ''),
  handler: ({ scope, role, ...place }: RoleArguments) =>
    withScopes(place, io, async scopes => {
      await scopes.deleteRole(scope, role)
      io.stdout.write(`role ${role} of scope ${scope} is deleted\n`)
    }),
})

const roleOptions = <T>(y: import('yargs').Argv<T>) =>
  administrationOptions(y)
    .positional('scope', { type: 'string', demandOption: true, describe: 'name of its scope' })
    .positional('role', { type: 'string', demandOption: true, describe: 'its name' })
