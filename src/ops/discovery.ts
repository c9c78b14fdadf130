import { ENUM, ENUM_VERSIONS } from '../ttlv/enumerations.ts'
import { enumName } from '../ttlv/item.ts'
import { DiscoverVersions, QueryRequest, QueryResponse } from '../ttlv/payloads/server.ts'
import type { Value } from '../ttlv/spec.ts'
import type { Context } from './context.ts'
import { OWN_NAMESPACE, RNG_PARAMETERS } from './creation.ts'
import { allDefaults } from './defaults.ts'
import { operation } from './operation.ts'
import { profilesOf } from './profiles.ts'
import { storageMasks } from './protection-storage.ts'
import { SUPPORTED_VERSIONS } from './versions.ts'

const { Operation, ObjectType, QueryFunction } = ENUM

/** Discover Versions: those that both sides speak, preferred first. Spec: KMIP 1.4 section 4.26, 2.1 section 6.1.15 */
export const discoverVersions = operation({
  code: Operation.DiscoverVersions,
  name: 'DiscoverVersions',
  since: 11,
  request: DiscoverVersions,
  response: DiscoverVersions,
  async run(request) {
    const asked = request.protocolVersion
    const both = SUPPORTED_VERSIONS.filter(
      ([major, minor]) => asked.length === 0 || asked.some(version => version.major === major && version.minor === minor),
    )
    return { protocolVersion: both.map(([major, minor]) => ({ major, minor })) }
  },
})

/** Object types that can be stored and used. */
const OBJECT_TYPES: readonly number[] = [
  ObjectType.Certificate,
  ObjectType.SymmetricKey,
  ObjectType.PublicKey,
  ObjectType.PrivateKey,
  ObjectType.SplitKey,
  ObjectType.Template,
  ObjectType.SecretData,
  ObjectType.OpaqueObject,
  ObjectType.PGPKey,
  ObjectType.CertificateRequest,
  ObjectType.User,
  ObjectType.Group,
  ObjectType.PasswordCredential,
]

/** Query: what this server can do, cut to what the client's version knows. Spec: KMIP 1.4 section 4.25, 2.1 section 6.1.40 */
export const query = operation({
  code: Operation.Query,
  name: 'Query',
  since: 10,
  request: QueryRequest,
  response: QueryResponse,
  async run(request, context) {
    const asked = new Set(request.queryFunction)
    const answer: Record<string, unknown> = {}
    for (const [code, fill] of ANSWERS) if (asked.has(code)) Object.assign(answer, await fill(context))
    return { ...EMPTY, ...answer } as Value<typeof QueryResponse>
  },
})

const EMPTY = {
  operation: [],
  objectType: [],
  applicationNamespace: [],
  extensionInformation: [],
  attestationType: [],
  rngParameters: [],
  profileInformation: [],
  validationInformation: [],
  clientRegistrationMethod: [],
}

type Answer = Partial<Value<typeof QueryResponse>>
type Fill = (context: Context) => Answer | Promise<Answer>
const isTypeOf = (type: number, context: Context): boolean => {
  const [since, until] = ENUM_VERSIONS.ObjectType?.[enumName('ObjectType', type)] ?? [10, 30]
  return context.version >= since && context.version <= until
}

const ANSWERS: ReadonlyMap<number, Fill> = new Map<number, Fill>([
  [
    QueryFunction.QueryOperations,
    context => ({
      operation: context.environment.operations
        .filter(one => context.version >= one.since && context.peer.may(one.name))
        .map(one => one.code)
        .sort((a, b) => a - b),
    }),
  ],
  [QueryFunction.QueryObjects, context => ({ objectType: OBJECT_TYPES.filter(type => isTypeOf(type, context)) })],
  [
    QueryFunction.QueryServerInformation,
    ({ settings }) => ({
      vendorIdentification: settings.productName,
      serverInformation: { serverName: settings.serverName, serverVersion: settings.productVersion, productName: settings.productName },
    }),
  ],
  [QueryFunction.QueryApplicationNamespaces, () => ({ applicationNamespace: [OWN_NAMESPACE] })],
  // Our extensions to the protocol: none, so the lists of names and of details are empty.
  [QueryFunction.QueryExtensionList, () => ({ extensionInformation: [] })],
  [QueryFunction.QueryExtensionMap, () => ({ extensionInformation: [] })],
  [QueryFunction.QueryAttestationTypes, () => ({ attestationType: [] })],
  [QueryFunction.QueryRNGs, () => ({ rngParameters: [RNG_PARAMETERS] })],
  [QueryFunction.QueryValidations, () => ({ validationInformation: [] })],
  [
    QueryFunction.QueryProfiles,
    context => ({
      profileInformation: profilesOf(context.environment.operations, context.version, context.settings.hasHttps).map(
        ({ name, version }) => ({
          profileName: name,
          profileVersion: { major: Math.floor(version / 10), minor: version % 10 },
        }),
      ),
    }),
  ],
  [
    QueryFunction.QueryCapabilities,
    () => ({
      capabilityInformation: {
        streamingCapability: true,
        asynchronousCapability: true,
        attestationCapability: false,
        batchUndoCapability: true,
        batchContinueCapability: true,
        unwrapMode: ENUM.UnwrapMode.NotProcessed,
        destroyAction: ENUM.DestroyAction.KeyMaterialDeleted,
        rngMode: ENUM.RNGMode.NonSharedInstantiation,
        quantumSafeCapability: true,
      },
    }),
  ],
  [QueryFunction.QueryClientRegistrationMethods, () => ({ clientRegistrationMethod: [ENUM.ClientRegistrationMethod.ServerPreGenerated] })],
  [
    QueryFunction.QueryDefaultsInformation,
    async context => ({
      defaultsInformation: { objectDefaults: allDefaults(await context.policy()) },
    }),
  ],
  [QueryFunction.QueryStorageProtectionMasks, () => ({ protectionStorageMasks: storageMasks() })],
])
