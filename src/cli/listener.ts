import { fieldsOf, tableOf } from './fields.ts'
import { type Command, type Io, printJson, printLines } from './io.ts'
import { type AdministrationArguments, withScopes } from './open.ts'
import { administrationOptions, jsonOption } from './options.ts'
import { UsageError } from './usage-error.ts'

interface ListenerArguments extends AdministrationArguments {
  readonly fields: readonly string[]
}

/** kmipd listener: addresses, names and keys of the KMIP listener, by Vault's names, kept in the store. */
export const listenerCommand = (io: Io): Command => ({
  command: 'listener',
  describe: 'Configure and show the KMIP listener and its certificates',
  builder: y =>
    y
      .command([write(io), read(io)])
      .demandCommand(1, 'say what to do with the listener')
      .example('$0 listener read', ''),
  handler() {},
})

const write = (io: Io): Command => ({
  command: 'write <fields..>',
  describe: 'Write settings of the listener, and keep the others',
  builder: y =>
    administrationOptions(y)
      .positional('fields', {
        type: 'string',
        array: true,
        demandOption: true,
        describe:
          'listen_addrs, server_hostnames, server_ips, tls_min_version, tls_ca_key_type, tls_ca_key_bits, default_tls_client_key_type, default_tls_client_key_bits, default_tls_client_ttl',
      })
      .example('$0 listener write listen_addrs=0.0.0.0:5696 server_hostnames=kms.example.com', 'a server that runs follows within a second')
      .example('$0 listener write tls_ca_key_type=rsa tls_ca_key_bits=4096', 'a new CA; clients of the old one are still let in'),
  async handler({ fields, ...place }: ListenerArguments) {
    const { storedFields } = await import('../config/stored-fields.ts')
    await withScopes(place, io, async (scopes, { config }) => {
      const written = fieldsOf(fields)
      const fixed = Object.keys(config ? storedFields(config) : {}).filter(field => Object.hasOwn(written, field))
      if (fixed.length > 0) throw new UsageError(`the configuration file sets ${fixed.join(', ')}; change that there`)
      await scopes.writeConfiguration(written)
      io.stdout.write('the listener is configured\n')
    })
  },
})

const read = (io: Io): Command => ({
  command: 'read',
  describe: 'Show the settings of the listener',
  builder: y => jsonOption(administrationOptions(y)).example('$0 listener read', ''),
  async handler(place: ListenerArguments) {
    const { storedFields } = await import('../config/stored-fields.ts')
    await withScopes(place, io, async (scopes, { config, json }) => {
      const stored = await scopes.configuration()
      const listen_addrs = stored.listen_addrs.length === 0 ? ['127.0.0.1:5696'] : stored.listen_addrs
      const answer = { ...stored, listen_addrs, ...(config && storedFields(config)) }
      json ? printJson(io, answer) : printLines(io, tableOf(answer))
    })
  },
})
