import { z } from 'zod'
import { address, addressOrOff, duration, file, hostname, ipAddress, timeout } from './value-types.ts'
import { hsm, vaultSeal, vaultStore } from './vault-schema.ts'

/** Sizes that each type of key may have, in bits. */
const KEY_SIZES = { ec: [224, 256, 384, 521], rsa: [2048, 3072, 4096] } as const

interface Key {
  readonly keyType?: 'ec' | 'rsa' | undefined
  readonly keyBits?: number | undefined
}
const fits = ({ keyType, keyBits }: Key): boolean =>
  keyBits === undefined ||
  (keyType === undefined ? Object.values(KEY_SIZES).flat() : [...KEY_SIZES[keyType]]).some(size => size === keyBits)
const MISFIT = { path: ['keyBits'], error: 'ec keys have 224, 256, 384 or 521 bits, rsa keys 2048, 3072 or 4096' }

const kmip = z.strictObject({
  listen: z
    .union([address, z.array(address).min(1)])
    .transform(listen => [listen].flat())
    .optional()
    .meta({ usual: '127.0.0.1:5696' })
    .describe('Address of the TLS listener, or a list of addresses. Port 0 takes any free port.'),
  https: addressOrOff
    .prefault('off')
    .describe('Address of the HTTPS listener, or `off`: KMIP in TTLV, JSON and XML at `/kmip`, with the same certificates and limits.'),
  serverHostnames: z
    .array(hostname)
    .optional()
    .meta({ usual: ['localhost'] })
    .describe('Host names that clients use for this server; they stand in its certificate, the first one as its name.'),
  serverIps: z
    .array(ipAddress)
    .optional()
    .meta({ usual: ['127.0.0.1', '::1'] })
    .describe('IP addresses that clients use for this server; they stand in its certificate.'),
  tlsMinVersion: z.enum(['tls12', 'tls13']).optional().meta({ usual: 'tls12' }).describe('Oldest TLS version that is spoken.'),
  maxMessage: z
    .int()
    .min(1024)
    .max(1 << 30)
    .prefault(1 << 20)
    .describe('Bytes of a request. A longer one closes the connection before it is read.'),
  maxBatch: z.int().min(1).prefault(100).describe('Items of one batch.'),
  maxConnections: z.int().min(1).prefault(10_000).describe('Open connections. More are refused.'),
  maxConnectionsPerIdentity: z.int().min(1).prefault(100).describe('Open connections of one client certificate.'),
  handshake: timeout.prefault('10s').describe('Time for a TLS handshake.'),
  partial: timeout.prefault('30s').describe('Time from the first byte of a message to its last.'),
  idle: timeout.prefault('10m').describe('Silence after which a connection is closed.'),
  drain: timeout.prefault('10s').describe('Time that open requests have to end when the server stops.'),
  leaseTime: duration.prefault('0s').describe('Lease that objects are given out for; 0s gives no leases.'),
  experimental: z.boolean().prefault(false).describe('Speak drafts of the protocol too: KMIP 3.0. Clients may pick it, and it may change.'),
  locatePage: z
    .int()
    .min(1)
    .max(100_000)
    .prefault(1000)
    .describe('Identifiers that one Locate answers at most; clients ask for more with Offset Items.'),
})

const ca = z
  .strictObject({
    keyType: z
      .enum(['ec', 'rsa'])
      .optional()
      .meta({ usual: 'ec' })
      .describe(
        'Type of the keys of the CA and of the server certificate. Another one makes a new CA; clients of the old CA are still let in.',
      ),
    keyBits: z
      .int()
      .optional()
      .meta({ usual: 256 })
      .describe('Bits of these keys: ec 224, 256, 384 or 521, rsa 2048, 3072 or 4096. Other ones make a new CA too.'),
  })
  .refine(fits, MISFIT)

const credentials = z
  .strictObject({
    keyType: z
      .enum(['ec', 'rsa'])
      .optional()
      .meta({ usual: 'ec' })
      .describe('Type of a client key that is made here, if its role does not say.'),
    keyBits: z.int().optional().meta({ usual: 256 }).describe('Bits of such a key: ec 224, 256, 384 or 521, rsa 2048, 3072 or 4096.'),
    ttl: duration.optional().meta({ usual: '336h' }).describe('Time that a client certificate is valid for, if its role does not say.'),
  })
  .refine(fits, MISFIT)

const store = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('sqlite').describe('One SQLite database.'),
    path: file.prefault('kmipd.db').describe('The database file, relative to `dataDir`. Its `-wal` and `-shm` files stand beside it.'),
  }),
  vaultStore,
  z.strictObject({ kind: z.literal('memory').describe('Nothing is kept: for tests.') }),
])

const seal = z.discriminatedUnion('kind', [
  z
    .strictObject({
      kind: z.literal('local').describe('A key of 32 bytes that kmipd itself is given, written `hsm:aes256:` and base64.'),
      keyFile: file.optional().describe('File that holds the key, mode 0600, relative to `dataDir`; made at the first start.'),
      key: z
        .string()
        .min(1)
        .optional()
        .meta({ secret: true })
        // biome-ignore lint/suspicious/noTemplateCurlyInString: what the user is to write
        .describe('The key itself, as a key file holds it: write `${NAME}` or `file:NAME` rather than the text.'),
    })
    .refine(({ keyFile, key }) => (keyFile === undefined) !== (key === undefined), 'set exactly one of keyFile and key'),
  z.strictObject({
    kind: z.literal('passphrase').describe('A passphrase, from which scrypt makes the key: slow on purpose, at each start.'),
    name: z
      .string()
      .regex(/^[\w.-]{1,64}$/, 'write at most 64 letters, digits, "_", "." and "-"')
      .prefault('passphrase')
      .describe('Tells several passphrases apart; stands in the store in clear.'),
    passphrase: z
      .string()
      .min(12, 'a passphrase has at least 12 characters')
      .meta({ secret: true })
      // biome-ignore lint/suspicious/noTemplateCurlyInString: what the user is to write
      .describe('The passphrase: write `${NAME}` or `file:NAME` rather than the text.'),
  }),
  vaultSeal,
])

const audit = z.strictObject({
  file: file
    .prefault('audit.log')
    .describe('File that gets a line for each batch item before its answer leaves, relative to `dataDir`; `-` is standard output.'),
  fsync: z.boolean().prefault(false).describe('Wait for the disk at each write. Slower, and the log survives the loss of power.'),
})

const cryptography = z.strictObject({
  allowWeak: z
    .array(z.enum(['des', 'md5', 'rsa-1024', 'ecb', 'two-key-3des']))
    .prefault(['ecb', 'two-key-3des'])
    .describe(
      'Weak cryptography that may be used to protect data, and keys that may be made although they are weak: `des` single DES, `md5` signatures and MACs by MD5, `rsa-1024` RSA, DSA and DH below 2048 bits, `ecb` block ciphers in mode ECB, `two-key-3des` triple DES with two keys. What profiles of KMIP demand is on. Old data can be decrypted and verified in any case.',
    ),
})

const log = z.strictObject({
  level: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
    .prefault('info')
    .describe('Least severity that is logged to standard error.'),
  format: z.enum(['auto', 'json', 'pretty']).prefault('auto').describe('`auto` is `pretty` on a terminal and `json` elsewhere.'),
})

const metrics = z.strictObject({
  listen: addressOrOff.prefault('127.0.0.1:9696').describe('Address of `/metrics`, `/healthz` and `/readyz`, or `off`.'),
})

const LOOPBACK = /^(127\.\d+\.\d+\.\d+|::1|localhost)$/

const admin = z
  .strictObject({
    listen: addressOrOff
      .prefault('127.0.0.1:8200')
      .describe(
        "Address of Vault's HTTP API and of the console at `/ui/`, or `off`. Other addresses than those of this machine need `tls`.",
      ),
    tls: z
      .union([
        z.literal('own').describe('The certificate of the KMIP listener at `kmip/`.'),
        z.strictObject({
          certificate: file.describe('File with a certificate in PEM, its intermediates after it, relative to `dataDir`.'),
          key: file.describe('File with its key in PEM, relative to `dataDir`.'),
        }),
      ])
      .optional()
      .describe('Certificate for HTTPS: `own`, or two files, which are read again on reload. Without it plain HTTP is spoken.'),
  })
  .refine(({ listen, tls }) => listen === undefined || tls !== undefined || LOOPBACK.test(listen.host), {
    path: ['tls'],
    error: 'is needed where others than this machine can connect: write `own`, or certificate and key',
  })

const VERSIONS = ['1.0', '1.1', '1.2', '1.3', '1.4', '2.0', '2.1'] as const

const notification = z
  .strictObject({
    scope: z.string().min(1).describe('Name of the scope whose objects are told about.'),
    role: z
      .string()
      .min(1)
      .optional()
      .describe(
        'Role that the credential of the target must have; without it any role of the scope. The role must allow Get for Put, Get Attributes for Notify.',
      ),
    address: address
      .optional()
      .describe(
        'Where a client of the scope listens with TLS, with its own credential. Without it, connections on which a client asked for Set Endpoint Role (KMIP 2.0).',
      ),
    version: z.enum(VERSIONS).prefault('1.4').describe('Version of the protocol that the target is spoken to in.'),
    put: z.boolean().prefault(false).describe('Send Put: each new object, key material included.'),
    notify: z.boolean().prefault(true).describe('Send Notify: which attributes of an object changed, its destruction too.'),
  })
  .refine(({ address, version }) => address !== undefined || Number(version) >= 2, {
    path: ['version'],
    error: 'without an address it is 2.0 or 2.1: older versions have no Set Endpoint Role',
  })

const account = z.strictObject({
  name: z
    .string()
    .min(1)
    .describe('Name in the Username and Password, or Hashed Password, credential; of a device, the name its objects belong to.'),
  password: z
    .string()
    .min(1)
    .meta({ secret: true })
    // biome-ignore lint/suspicious/noTemplateCurlyInString: what the user is to write
    .describe('The password: write `${NAME}` or `file:NAME` rather than the text.'),
  device: z
    .strictObject({
      deviceSerialNumber: z.string().optional().describe('Device Serial Number that the credential must have.'),
      deviceIdentifier: z.string().optional().describe('Device Identifier that the credential must have.'),
      networkIdentifier: z.string().optional().describe('Network Identifier that the credential must have.'),
      machineIdentifier: z.string().optional().describe('Machine Identifier that the credential must have.'),
      mediaIdentifier: z.string().optional().describe('Media Identifier that the credential must have.'),
    })
    .refine(fields => Object.keys(fields).length > 0, 'name at least one field of the device')
    .optional()
    .describe('The account is a device: fields that its Device credential must have. Without it, a user.'),
  administrator: z.boolean().prefault(false).describe('May make users, groups and credentials (KMIP 3.0).'),
})

const hasEachUserOnce = (accounts: readonly z.infer<typeof account>[]): boolean => {
  const users = accounts.filter(({ device }) => device === undefined)
  return new Set(users.map(({ name }) => name)).size === users.length
}

const kes = z.strictObject({
  config: file.describe(
    "KES's own configuration file, of any release since v0.5, relative to `dataDir`; what it names relative itself stands in the working directory. Its keystore may also be `native`: keys as KMIP objects of a scope.",
  ),
})

/**
 * The configuration file, each setting with its default and its documentation; docs/configuration.md and docs/kmipd.schema.json are made
 * from it. Once read, durations are milliseconds and addresses `{ host, port }`. Settings without a value here (`optional`, documented with
 * their `usual` one) are also kept in the store, where `kmipd listener write` puts them; what the file says goes before that.
 */
export const Config = z.strictObject({
  version: z.literal('v1').optional().describe('Of this format. Nothing has to be said; a configuration of MinIO KMS says it.'),
  dataDir: z
    .string()
    .min(1)
    .prefault('.')
    .describe('Directory that relative file names stand in; if relative itself, to the directory of this file.'),
  workers: z
    .union([z.int().min(1).max(64), z.literal('auto')])
    .prefault(1)
    .describe(
      'Processes that answer clients, of the KES door too, on the same listeners; `auto`: one for each processor but one, at least one. More than one needs a store that outlives them (`sqlite` or `vault`) and no notifications, and one process more writes for them all. Work in parts and asynchronous operations belong to the process that began them, so to one connection; `kmip.maxConnectionsPerIdentity` is counted by each.',
    ),
  kmip: kmip.prefault({}).describe('The KMIP listener.'),
  ca: ca.prefault({}).describe('The certificate authority that kmipd makes at its first start.'),
  credentials: credentials.prefault({}).describe('Defaults of client certificates.'),
  accounts: z
    .array(account)
    .refine(hasEachUserOnce, 'two users have the same name: each name has one password')
    .prefault([])
    .describe(
      'Users and devices whom credentials inside a KMIP request can name, in any scope. They can only narrow what the certificate allows: objects of another user are refused. None: such credentials say nothing, and the certificate alone says who asks.',
    ),
  store: store.prefault({ kind: 'sqlite' }).describe('Where the sealed records are kept.'),
  seal: z
    .array(seal)
    .min(1)
    .prefault([{ kind: 'local', keyFile: 'root.key' }])
    .describe('What the root key is sealed with. Each entry can open it alone. The default does not count when `hsm` is there.'),
  hsm: hsm.optional().describe('Sealing as MinIO KMS configures it: one more entry of `seal`, of kind vault.'),
  crypto: cryptography.prefault({}).describe('Cryptography.'),
  audit: audit.prefault({}).describe('The audit log.'),
  log: log.prefault({}).describe('The log of the server.'),
  metrics: metrics.prefault({}).describe('Metrics and health.'),
  admin: admin.prefault({}).describe("The administrators' door: Vault's API and the console."),
  kes: kes.optional().describe('The door for clients of KES. Absent: there is none.'),
  notifications: z
    .array(notification)
    .prefault([])
    .describe('Clients that are told of changes without asking. None: nothing is ever sent unasked.'),
})
export type Config = z.infer<typeof Config>
