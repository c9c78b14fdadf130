import type { Command, Io } from './io.ts'
import { kesFormerPolicyCommands } from './kes-former.ts'
import { kesPolicyCommands } from './kes-policy-read.ts'

interface TestArguments {
  readonly config: string
  readonly identity: string
  readonly path: string
}

/** kmipd kes policy: policies of a server, and what those of a configuration file allow. */
export const kesPolicyCommand = (io: Io): Command => ({
  command: 'policy',
  describe: 'List and show policies, and check what they allow before anybody asks',
  builder: y =>
    y.command([...kesPolicyCommands(io), test(io), ...kesFormerPolicyCommands()]).demandCommand(1, 'say what to do with policies'),
  handler() {},
})

const test = (io: Io): Command => ({
  command: 'test <identity> <path>',
  describe: 'Say whether somebody may, by which rule, or which one is missing; exit code 1 when not',
  builder: y =>
    y
      .option('config', { type: 'string', requiresArg: true, demandOption: true, describe: "KES's configuration file" })
      .positional('identity', { type: 'string', demandOption: true, describe: 'an identity, an API key, or a file with a certificate' })
      .positional('path', { type: 'string', demandOption: true, describe: 'what is asked for, such as /v1/key/create/my-key' })
      .example('$0 kes policy test --config config.yml client.crt /v1/key/create/my-key', ''),
  async handler({ config, identity, path }: TestArguments) {
    const { Access } = await import('../kes/access.ts')
    const { loadKesConfig } = await import('./kes-config.ts')
    const { admin = '', policies, warnings } = await loadKesConfig(config, io)
    for (const warning of warnings) io.stderr.write(`warning: ${warning}\n`)
    const { allowed, why } = new Access({ admin, policies }).explain(await identityNamed(identity, io), path)
    if (!allowed) throw Object.assign(new Error(`denied: ${why}`), { code: 'denied' })
    io.stdout.write(`allowed: ${why}\n`)
  },
})

/** An API key or a certificate has an identity, which is what policies name. */
async function identityNamed(text: string, io: Io): Promise<string> {
  const { identityOf, identityOfApiKey } = await import('../kes/identity.ts')
  if (/^[0-9a-zA-Z_-]{1,80}$/.test(text)) return text
  const ofKey = identityOfApiKey(text)
  if (ofKey !== undefined) return ofKey
  const { X509Certificate } = await import('node:crypto')
  const { readInput } = await import('./io.ts')
  return identityOf(new X509Certificate(await readInput(text, io)))
}
