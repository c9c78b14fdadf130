import { type AdminClient, type RemoteArguments, RemoteError, remoteOptions, withAdminClient } from './admin-client.ts'
import { type Command, type Io, printJson, printLines, readInput } from './io.ts'
import { jsonOption } from './options.ts'

interface PolicyArguments extends RemoteArguments {
  readonly name: string
  readonly file?: string
  readonly json?: boolean
}

const NAME = { type: 'string', demandOption: true, describe: 'name of the policy' } as const

/** kmipd policy: what tokens may, on a server. */
export const policyCommand = (io: Io): Command => ({
  command: 'policy',
  describe: 'Write, list, read and delete the policies of a server: what tokens may do',
  builder: y =>
    y
      .command([write(io), list(io), read(io), remove(io)])
      .demandCommand(1, 'say what to do with policies')
      .example('$0 policy list', ''),
  handler() {},
})

const at = (name: string): string => `sys/policies/acl/${name}`

const write = (io: Io): Command => ({
  command: 'write <name> [file]',
  describe: 'Write a policy, in HCL or JSON; tokens that have it may what it says from now on',
  builder: y =>
    remoteOptions(y)
      .positional('name', NAME)
      .positional('file', { type: 'string', describe: 'the policy; absent or -: standard input' })
      .example('$0 policy write finance-admins finance.hcl', ''),
  async handler(argv: PolicyArguments) {
    const policy = (await readInput(argv.file, io)).toString('utf8')
    await withAdminClient(argv, io, client => client.write(at(argv.name), { policy }))
    io.stdout.write(`policy ${argv.name} is written\n`)
  },
})

const list = (io: Io): Command => ({
  command: 'list',
  describe: 'List the policies',
  builder: y => jsonOption(remoteOptions(y)).example('$0 policy list', ''),
  async handler(argv: PolicyArguments) {
    const answer = await withAdminClient(argv, io, client => client.list('sys/policies/acl'))
    const names = Array.isArray(answer?.data?.keys) ? answer.data.keys.map(String) : []
    ;(argv.json ?? io.isTerminal !== true) ? printJson(io, names) : printLines(io, names)
  },
})

const read = (io: Io): Command => ({
  command: 'read <name>',
  describe: 'Print a policy',
  builder: y => remoteOptions(y).positional('name', NAME).example('$0 policy read finance-admins > finance.hcl', ''),
  handler: (argv: PolicyArguments) =>
    withAdminClient(argv, io, async client => {
      const text = await policyText(client, argv.name)
      io.stdout.write(text.endsWith('\n') || text === '' ? text : `${text}\n`)
    }),
})

const remove = (io: Io): Command => ({
  command: 'delete <name>',
  describe: 'Delete a policy; tokens that have it may no more what it said',
  builder: y => remoteOptions(y).positional('name', NAME).example('$0 policy delete finance-admins', ''),
  async handler(argv: PolicyArguments) {
    await withAdminClient(argv, io, async client => {
      await policyText(client, argv.name)
      await client.remove(at(argv.name))
    })
    io.stdout.write(`policy ${argv.name} is deleted\n`)
  },
})

async function policyText(client: AdminClient, name: string): Promise<string> {
  const text = (await client.read(at(name)))?.data?.policy
  if (typeof text !== 'string') throw new RemoteError(404, `there is no policy ${name}`)
  return text
}
