import { type AdminClient, type RemoteAnswer, type RemoteArguments, RemoteError, remoteOptions, withAdminClient } from './admin-client.ts'
import { tableOf } from './fields.ts'
import { type Command, type Io, printJson, printLines } from './io.ts'
import { jsonOption, type PlaceArguments, placeOptions } from './options.ts'
import { UsageError } from './usage-error.ts'

interface CreateRootArguments extends PlaceArguments {
  readonly json?: boolean
}

/** kmipd token: who may administer. */
export const tokenCommand = (io: Io): Command => ({
  command: 'token',
  describe: 'Create, look up, renew and revoke the tokens of a server: who may administer it',
  builder: y =>
    y
      .command([create(io), lookup(io), renew(io), revoke(io), capabilities(io), createRoot(io)])
      .demandCommand(1, 'say what to do with tokens')
      .example('$0 token create --policy finance-admins --ttl 8h', ''),
  handler() {},
})

interface TokenArguments extends RemoteArguments {
  readonly token?: string
  readonly accessor?: string
  readonly json?: boolean
}

const TOKEN = { type: 'string', describe: 'another token than that which asks; - reads it from standard input' } as const
const ACCESSOR = { type: 'string', requiresArg: true, describe: 'name it by its accessor instead' } as const

const show = (io: Io, { json }: { readonly json?: boolean }, values: Readonly<Record<string, unknown>>): void =>
  (json ?? io.isTerminal !== true) ? printJson(io, values) : printLines(io, tableOf(values))

/** The fields that people want of a token that was made or renewed. */
function authOf({ auth }: RemoteAnswer): Readonly<Record<string, unknown>> {
  if (!auth) throw new RemoteError(200, "the server's answer has no token")
  const { client_token: token, accessor, policies, lease_duration, renewable, orphan } = auth
  return { ...(token !== '' && { token }), accessor, policies, lease_duration, renewable, orphan }
}

/** A token on the command line could be read by others, so it can come from standard input. */
async function tokenFrom(token: string | undefined, io: Io): Promise<string | undefined> {
  if (token !== '-' && token !== '') return token
  const chunks: Buffer[] = []
  for await (const chunk of io.stdin) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks).toString('utf8').trim()
}

/** The paths of an operation for the token that asks, another one, and one by its accessor; and what goes along. */
async function ask(client: AdminClient, operation: string, argv: TokenArguments, io: Io, more: Readonly<Record<string, unknown>> = {}) {
  if (argv.accessor !== undefined && argv.token !== undefined) throw new UsageError('name the token by one of itself and its accessor')
  if (argv.accessor !== undefined) return client.write(`auth/token/${operation}-accessor`, { accessor: argv.accessor, ...more })
  const token = await tokenFrom(argv.token, io)
  if (token !== undefined) return client.write(`auth/token/${operation}`, { token, ...more })
  // The policy that all tokens have lets them read what is known of themselves, as Vault's does.
  if (operation === 'lookup') return (await client.read('auth/token/lookup-self')) ?? {}
  return client.write(`auth/token/${operation}-self`, more)
}

interface CreateArguments extends RemoteArguments {
  readonly policy?: readonly string[]
  readonly ttl?: string
  readonly maxTtl?: string
  readonly period?: string
  readonly uses?: number
  readonly name?: string
  readonly orphan?: boolean
  readonly renewable?: boolean
  readonly json?: boolean
}

const create = (io: Io): Command => ({
  command: 'create',
  describe: 'Make a token below the one that asks',
  builder: y =>
    jsonOption(remoteOptions(y))
      .option('policy', {
        type: 'string',
        array: true,
        requiresArg: true,
        describe: 'what it may; several times for several; default: all that the one that asks may',
      })
      .option('ttl', { type: 'string', requiresArg: true, describe: 'how long it lives, such as 1h' })
      .option('max-ttl', { type: 'string', requiresArg: true, describe: 'how long it lives at most, renewals included' })
      .option('period', { type: 'string', requiresArg: true, describe: 'renewed in time it lives for ever, this long at a time' })
      .option('uses', { type: 'number', requiresArg: true, describe: 'how often it may be used' })
      .option('name', { type: 'string', requiresArg: true, describe: 'what it is called in the audit log' })
      .option('orphan', { type: 'boolean', describe: 'it outlives the one that asks' })
      .option('renewable', { type: 'boolean', default: true, describe: 'whether it can be renewed' })
      .example('$0 token create --policy finance-admins --ttl 8h', ''),
  handler: (argv: CreateArguments) =>
    withAdminClient(argv, io, async client => {
      const { policy, ttl, maxTtl, period, uses, name, orphan, renewable } = argv
      const body = {
        ...(policy && { policies: policy }),
        ...(ttl !== undefined && { ttl }),
        ...(maxTtl !== undefined && { explicit_max_ttl: maxTtl }),
        ...(period !== undefined && { period }),
        ...(uses !== undefined && { num_uses: uses }),
        ...(name !== undefined && { display_name: name }),
        renewable,
      }
      show(io, argv, authOf(await client.write(orphan ? 'auth/token/create-orphan' : 'auth/token/create', body)))
    }),
})

const lookup = (io: Io): Command => ({
  command: 'lookup [token]',
  describe: 'Show what is known of a token',
  builder: y =>
    jsonOption(remoteOptions(y)).positional('token', TOKEN).option('accessor', ACCESSOR).example('$0 token lookup', 'the one that asks'),
  handler: (argv: TokenArguments) =>
    withAdminClient(argv, io, async client => show(io, argv, (await ask(client, 'lookup', argv, io)).data ?? {})),
})

const renew = (io: Io): Command => ({
  command: 'renew [token]',
  describe: 'Let a token live longer',
  builder: y =>
    jsonOption(remoteOptions(y))
      .positional('token', TOKEN)
      .option('accessor', ACCESSOR)
      .option('increment', { type: 'string', requiresArg: true, describe: 'for how long, such as 1h' })
      .example('$0 token renew', 'the one that asks'),
  handler: (argv: TokenArguments & { readonly increment?: string }) =>
    withAdminClient(argv, io, async client => {
      const more = argv.increment === undefined ? {} : { increment: argv.increment }
      show(io, argv, authOf(await ask(client, 'renew', argv, io, more)))
    }),
})

const revoke = (io: Io): Command => ({
  command: 'revoke [token]',
  describe: 'Revoke a token and all that it made',
  builder: y =>
    remoteOptions(y)
      .positional('token', TOKEN)
      .option('accessor', ACCESSOR)
      .option('self', { type: 'boolean', describe: 'the one that asks' })
      .example('$0 token revoke --accessor f4OuUtor4XbsiWlSqvT7eyNd', ''),
  async handler(argv: TokenArguments & { readonly self?: boolean }) {
    if ([argv.token, argv.accessor, argv.self].filter(given => given !== undefined).length !== 1)
      throw new UsageError('say which: a token, --accessor or --self')
    const { warnings } = await withAdminClient(argv, io, client => ask(client, 'revoke', argv, io))
    // Like Vault, the server only warns that nothing was there to revoke.
    if (warnings && warnings.length > 0) throw new RemoteError(404, 'nothing was revoked')
    io.stdout.write('the token is revoked\n')
  },
})

const capabilities = (io: Io): Command => ({
  command: 'capabilities <path>',
  describe: 'Tell what the token that asks may do at a path',
  builder: y =>
    jsonOption(remoteOptions(y))
      .positional('path', { type: 'string', demandOption: true, describe: 'such as kmip/scope/finance' })
      .example('$0 token capabilities kmip/scope/finance/role/accounting', ''),
  handler: (argv: RemoteArguments & { readonly path: string; readonly json?: boolean }) =>
    withAdminClient(argv, io, async client => {
      const { data } = await client.write('sys/capabilities-self', { paths: [argv.path] })
      const found = Array.isArray(data?.capabilities) ? data.capabilities.map(String) : []
      ;(argv.json ?? io.isTerminal !== true) ? printJson(io, found) : printLines(io, [found.join(', ')])
    }),
})

const createRoot = (io: Io): Command => ({
  command: 'create-root',
  describe: 'Make another root token, on the data directory; the server may run',
  builder: y => jsonOption(placeOptions(y)).example('$0 token create-root --config /etc/kmipd/kmipd.yaml', 'where the first one was lost'),
  async handler({ json, ...place }: CreateRootArguments) {
    const { withData } = await import('./open.ts')
    const { newRootToken } = await import('./root-token.ts')
    const token = await withData(place, io, newRootToken)
    json ? printJson(io, { token }) : printLines(io, [token])
  },
})
