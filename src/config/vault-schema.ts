import { z } from 'zod'
import { duration, file, formatDuration, timeout } from './value-types.ts'

// biome-ignore lint/suspicious/noTemplateCurlyInString: what the user is to write
const SECRET = 'write `${NAME}` or `file:NAME` rather than the text; a file is read anew at each login'

/** A secret whose `file:` is not replaced by the file's content when the configuration is read. */
const laterSecret = z.string().min(1).meta({ secret: true, later: true })

const isServer = (text: string): boolean => {
  const url = URL.canParse(text) ? new URL(text) : undefined
  return /^https?:$/.test(url?.protocol ?? '') && url?.pathname === '/' && !url.search && !url.hash && !url.username && !url.password
}

const server = z.string().refine(isServer, 'write https://host:port, without a path').meta({ format: 'url' })

const mount = z
  .string()
  .regex(/^(?!.*(^|\/)\.{1,2}(\/|$))[A-Za-z0-9_.-]+(\/[A-Za-z0-9_.-]+)*$/, 'write letters, digits, "_", "-", "." and "/"')
  .meta({ format: 'path of a mount' })

const namespace = z
  .string()
  .regex(/^[A-Za-z0-9_-]+(\/[A-Za-z0-9_-]+)*\/?$/, 'write letters, digits, "_", "-" and "/"')
  .meta({ format: 'namespace' })

const keyName = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,200}$/, 'write letters, digits, "_" and "-"')
  .meta({ format: 'name' })

const loginNamespace = z
  .union([z.literal('/'), namespace])
  .optional()
  .describe('Namespace to log in to, when it is another one than that of use; `/` is the root.')
const retry = timeout.prefault('5s').describe('Longest pause between two logins that fail because Vault is away.')

const roleId = z.string().min(1).describe('Role id of the AppRole.')
const secretId = laterSecret.describe(`Secret id of the AppRole: ${SECRET}.`)
const role = z.string().min(1).describe('Role of the Kubernetes login.')
const jwt = laterSecret
  .prefault('/var/run/secrets/kubernetes.io/serviceaccount/token')
  .describe('JWT of the service account, or the name of the file that holds it, which is read anew at each login.')

const approle = z.strictObject({
  id: roleId,
  secret: secretId,
  wrapped: z.boolean().prefault(false).describe('`secret` is the wrapping token of a secret id, which opens once.'),
  engine: mount.prefault('approle').describe('Where the method is mounted, without `auth/`.'),
  namespace: loginNamespace,
  retry,
})

const kubernetes = z.strictObject({
  role,
  jwt,
  engine: mount.prefault('kubernetes').describe('Where the method is mounted, without `auth/`.'),
  namespace: loginNamespace,
  retry,
})

const tls = z.strictObject({
  ca: file
    .optional()
    .describe(
      "File or folder of certificates in PEM that the server's must lead to, instead of those that Node trusts; relative to `dataDir`.",
    ),
  cert: file.optional().describe('Certificate of this client, in PEM.'),
  key: file.optional().describe('Its private key, in PEM.'),
  serverName: z.string().min(1).optional().describe("Name in the server's certificate, when it is not the host."),
})

/** How a Vault or OpenBao is reached: the fields that every section about one begins with. Refine with `oneLogin`. */
const vaultFields = {
  server: z
    .union([server, z.array(server).min(1)])
    .transform(servers => [servers].flat())
    .describe('Address of Vault or OpenBao, `https://host:port`, or a list with each server of one cluster.'),
  namespace: namespace.optional().describe('Namespace of what is used there (OpenBao, Vault Enterprise).'),
  approle: approle.optional().describe('Log in by AppRole.'),
  kubernetes: kubernetes.optional().describe('Log in by the service account of a pod.'),
  token: laterSecret.optional().describe(`Instead of a login, a token that was made elsewhere: ${SECRET}.`),
  tls: tls.prefault({}).describe('Whom to trust there, and who to be.'),
  status: z
    .strictObject({ ping: timeout.prefault('10s').describe('Time between two looks at the health of the servers.') })
    .prefault({})
    .describe('Health of the servers.'),
} as const

interface Logins {
  readonly approle?: unknown
  readonly kubernetes?: unknown
  readonly token?: unknown
}
const oneLogin = ({ approle, kubernetes, token }: Logins): boolean =>
  [approle, kubernetes, token].filter(login => login !== undefined).length === 1
const ONE_LOGIN = 'set exactly one of approle, kubernetes and token'

/** Such a section as it was read. */
const connection = z.strictObject(vaultFields)
export type VaultConnection = z.infer<typeof connection>

const transit = z.strictObject({
  key: keyName.describe('Name of the key. Create it there: `vault write -f transit/keys/NAME`.'),
  namespace: namespace.optional().describe('Namespace of the engine, when it is another one.'),
  path: mount.prefault('transit').describe('Where the engine is mounted.'),
})

/** A key of a transit engine as a seal. */
export const vaultSeal = z
  .strictObject({
    kind: z.literal('vault').describe('A key of the transit engine of Vault or OpenBao; what it needs is encrypt, decrypt and hmac.'),
    ...vaultFields,
    transit: transit.describe('The key that seals.'),
    recheck: duration
      .prefault('0s')
      .describe(
        'Time between two proofs that Vault still opens the seal. Once it refuses, the server closes its data and says that it is sealed; that Vault is away changes nothing. 0s: never asked again.',
      ),
  })
  .refine(oneLogin, ONE_LOGIN)

const prefix = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,100}(\/[A-Za-z0-9_-]{1,100})*$/, 'write letters, digits, "_" and "-", and "/" between folders')
  .meta({ format: 'folder' })

/** A commit log in a KV engine as the store. */
export const vaultStore = z
  .strictObject({
    kind: z.literal('vault').describe('A KV engine of Vault or OpenBao, shared by any number of kmipd nodes.'),
    ...vaultFields,
    mount: mount
      .prefault('kv')
      .describe('Where the KV engine is mounted. Version 2; version 1 has no check-and-set, and serves one node alone.'),
    prefix: prefix
      .prefault('kmipd')
      .describe('Folder of the store in the engine. Stores with different folders know nothing of each other.'),
    maxStaleness: duration
      .prefault('0s')
      .describe(
        'How much later a change that was made through another node may be seen here, a revocation too. 0s: at once, by a look into Vault before each request is answered.',
      ),
    deadline: timeout.prefault('5s').describe('Time that Vault has for a read or a write before requests fail.'),
    retention: duration
      .prefault('24h')
      .refine(ms => ms >= 7_200_000, 'two hours or more: a node that slept for a shorter time need not notice')
      .describe('Time for which the log is kept behind a snapshot.'),
    transit: z
      .strictObject({
        ...transit.shape,
        dataKeys: z
          .enum(['epoch', 'each'])
          .prefault('epoch')
          .describe(
            '`epoch`: one data key from Vault a day, from which those of all records follow. `each`: one for each record, so that the audit log of Vault shows each use, and each first read waits for Vault.',
          ),
      })
      .optional()
      .describe('Encrypt each record once more, with data keys that this key of the transit engine wraps.'),
  })
  .refine(oneLogin, ONE_LOGIN)
export type VaultStore = z.infer<typeof vaultStore>

const hsmVault = z
  .strictObject({
    server: vaultFields.server,
    approle: z
      .strictObject({
        id: roleId,
        secret: secretId,
        namespace: loginNamespace,
        path: mount.prefault('approle').describe('Where the method is mounted, without `auth/`.'),
      })
      .optional()
      .describe('Log in by AppRole.'),
    kubernetes: z
      .strictObject({
        role,
        jwt,
        namespace: loginNamespace,
        path: mount.prefault('kubernetes').describe('Where the method is mounted, without `auth/`.'),
      })
      .optional()
      .describe('Log in by the service account of a pod.'),
    transit: transit.describe('The key that seals.'),
  })
  .refine(oneLogin, 'set exactly one of approle and kubernetes')

/** The block of a MinIO KMS configuration. */
export const hsm = z
  .strictObject({
    vault: hsmVault.optional().describe('Sealing by the transit engine of Vault, as MinIO KMS writes it.'),
    hashicorp: z
      .strictObject({ vault: hsmVault.optional().describe('The same as `hsm.vault`.') })
      .optional()
      .describe('The other place where MinIO KMS documents it.'),
  })
  .refine(({ vault, hashicorp }) => vault === undefined || hashicorp?.vault === undefined, 'set one of hsm.vault and hsm.hashicorp.vault')

type Hsm = z.infer<typeof hsm>
export type VaultSeal = z.infer<typeof vaultSeal>

const RETRY_MS = 5000

/** The block as a seal of kind `vault`. */
export function sealsOf({ vault, hashicorp }: Hsm): VaultSeal[] {
  const given = vault ?? hashicorp?.vault
  if (given === undefined) return []
  const { server, transit, approle, kubernetes } = given
  return [
    {
      kind: 'vault',
      server,
      transit,
      ...(approle && { approle: { ...loginOf(approle), id: approle.id, secret: approle.secret, wrapped: false } }),
      ...(kubernetes && { kubernetes: { ...loginOf(kubernetes), role: kubernetes.role, jwt: kubernetes.jwt } }),
      tls: {},
      status: { ping: 10_000 },
      recheck: 0,
    },
  ]
}

const loginOf = ({ path, namespace }: { readonly path: string; readonly namespace?: string | undefined }) => ({
  engine: path,
  retry: RETRY_MS,
  ...(namespace !== undefined && { namespace }),
})

type Located = Pick<VaultConnection, 'approle' | 'kubernetes' | 'token' | 'tls'>

/** The same with absolute file names: of secrets that begin with `file:`, and of TLS. */
export function vaultFiles<T extends Located>(section: T, absolute: (name: string) => string): T {
  const { approle, kubernetes, token, tls } = section
  const secret = (text: string): string => (text.startsWith('file:') ? `file:${absolute(text.slice('file:'.length))}` : text)
  const { ca, cert, key } = tls
  return {
    ...section,
    ...(approle && { approle: { ...approle, secret: secret(approle.secret) } }),
    ...(kubernetes && { kubernetes: { ...kubernetes, jwt: secret(kubernetes.jwt) } }),
    ...(token !== undefined && { token: secret(token) }),
    tls: {
      ...tls,
      ...(ca !== undefined && { ca: absolute(ca) }),
      ...(cert !== undefined && { cert: absolute(cert) }),
      ...(key !== undefined && { key: absolute(key) }),
    },
  }
}

/** The same as it would be written in a file, with `hidden` in the place of secrets; names of their files are shown. */
export function writtenVault<T extends VaultConnection>(section: T, hidden: string) {
  const { approle, kubernetes, token, status } = section
  const secret = (text: string): string => (text.startsWith('file:') || text.startsWith('/') ? text : hidden)
  return {
    ...section,
    ...(approle && { approle: { ...approle, secret: secret(approle.secret), retry: formatDuration(approle.retry) } }),
    ...(kubernetes && { kubernetes: { ...kubernetes, jwt: secret(kubernetes.jwt), retry: formatDuration(kubernetes.retry) } }),
    ...(token !== undefined && { token: secret(token) }),
    status: { ping: formatDuration(status.ping) },
  }
}
