import type { Command } from './io.ts'
import { KesCommandError } from './kes-error.ts'

/** Commands that releases of KES had, and why there is nothing that they could do. */
const FORMER: readonly (readonly [command: string, answer: string])[] = [
  ['update', 'kmipd is updated as it was installed; see its releases'],
  ['init', 'there is no state to set up: kmipd kes server reads its configuration file'],
  ['enclave', 'enclaves were removed from KES in 2023; keys of their own have scopes in kmipd'],
  ['secret', 'secrets were removed from KES in 2023, and no server stores them'],
]
/** The same of the groups that go on. */
const FORMER_POLICY = 'policies are written in the configuration file of the server, which is read anew at SIGHUP'
const FORMER_IDENTITY = 'identities are assigned in the configuration file of the server, under their policy; it is read anew at SIGHUP'

const answering = (command: string, answer: string, path = command): Command => ({
  command: `${command} [words..]`,
  describe: 'Of former releases of KES; says what to do instead',
  builder: y =>
    y.positional('words', { type: 'string', array: true, hidden: true }).strict(false).example(`$0 kes ${path}`, answer.split(';')[0]!),
  handler() {
    throw new KesCommandError(answer)
  },
})

export const kesFormerCommands = (): Command[] => FORMER.map(([command, answer]) => answering(command, answer))
export const kesFormerPolicyCommands = (): Command[] =>
  ['add', 'create', 'assign', 'rm', 'delete'].map(name => answering(name, FORMER_POLICY, `policy ${name}`))
export const kesFormerIdentityCommands = (): Command[] =>
  ['assign', 'forget', 'rm', 'delete'].map(name => answering(name, FORMER_IDENTITY, `identity ${name}`))
