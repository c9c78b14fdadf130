import { deriveKey as derive } from '../crypto/derive.ts'
import { symmetricKeyBytes } from '../crypto/random.ts'
import { KmipError } from '../objects/errors.ts'
import type { ManagedObject } from '../objects/managed-object.ts'
import { ENUM, MASK } from '../ttlv/enumerations.ts'
import { enumName, type Item } from '../ttlv/item.ts'
import { DeriveKeyRequest, UniqueIdentifierResponse } from '../ttlv/payloads/objects.ts'
import type { Value } from '../ttlv/spec.ts'
import { TAG } from '../ttlv/tags.ts'
import type { Context } from './context.ts'
import { secretDataItem, symmetricKeyItem } from './create.ts'
import { linkTo, makeObject, requestedAttributes } from './creation.ts'
import { asymmetricKey, secretBytes } from './key-material.ts'
import { operation } from './operation.ts'
import { named } from './parameters.ts'
import { requireUse } from './use.ts'

const { ObjectType, DerivationMethod, LinkType } = ENUM
type Request = Value<typeof DeriveKeyRequest>

/**
 * Derive Key: a symmetric key or secret data from one key and, as derivation data, the request or secret data.
 * Spec: KMIP 1.4 section 4.6, 2.1 section 6.1.14
 */
export const deriveKey = operation({
  code: ENUM.Operation.DeriveKey,
  name: 'DeriveKey',
  since: 10,
  request: DeriveKeyRequest,
  response: UniqueIdentifierResponse,
  async run(request, context) {
    const { objectType } = request
    if (objectType !== ObjectType.SymmetricKey && objectType !== ObjectType.SecretData)
      throw new KmipError('InvalidObjectType', 'only symmetric keys and secret data can be derived')
    const bases = await basesOf(request, context)
    const requested = await requestedAttributes([request.attributes], context)
    const { algorithm, bits, length } = wanted(objectType, requested)
    const material = await derived(request, bases, length, context)
    const object =
      objectType === ObjectType.SecretData
        ? secretDataItem(material, ENUM.SecretDataType.Seed)
        : symmetricKeyItem(material, algorithm, bits)
    const made = await makeObject(context, { type: objectType, object, requested, serverMade: true })
    for (const base of bases) {
      made.attributes.add(linkTo(LinkType.DerivationBaseObjectLink, base.id))
      const changed = await context.unit.edit(base.id)
      changed.attributes.add(linkTo(LinkType.DerivedKeyLink, made.id))
      changed.touch(context.now())
    }
    context.place(made.id)
    return { uniqueIdentifier: made.id }
  },
})

async function basesOf(request: Request, context: Context): Promise<ManagedObject[]> {
  const ids = request.uniqueIdentifier.length > 0 ? request.uniqueIdentifier : [context.id(undefined)]
  const bases: ManagedObject[] = []
  for (const id of ids) {
    const base = await context.read(id)
    if (!SOURCES.includes(base.type)) throw new KmipError('InvalidObjectType', 'nothing can be derived from an object of this type')
    requireUse(base, MASK.CryptographicUsageMask.DeriveKey, 'process', context, 'InvalidField')
    bases.push(base)
  }
  return bases
}
const SOURCES: readonly number[] = [ObjectType.SymmetricKey, ObjectType.SecretData, ObjectType.PrivateKey, ObjectType.PublicKey]

function wanted(objectType: number, requested: Item[]): { algorithm: number; bits: number; length: number } {
  const number = (tag: number): number | undefined => {
    const value = requested.find(item => item.tag === tag)?.value
    return typeof value === 'number' ? value : undefined
  }
  const bits = number(TAG.CryptographicLength)
  if (bits === undefined || bits <= 0 || bits % 8 !== 0)
    throw new KmipError('InvalidField', 'Cryptographic Length must be given, in whole bytes')
  const algorithm = number(TAG.CryptographicAlgorithm)
  if (objectType === ObjectType.SecretData) return { algorithm: 0, bits, length: bits / 8 }
  if (algorithm === undefined) throw new KmipError('InvalidField', 'Cryptographic Algorithm must be given')
  return { algorithm, bits, length: symmetricKeyBytes(enumName('CryptographicAlgorithm', algorithm), bits) }
}

async function derived(request: Request, bases: readonly ManagedObject[], length: number, context: Context): Promise<Buffer> {
  const { derivationMethod, derivationParameters } = request
  const { cryptographicParameters, initializationVector, derivationData, salt, iterationCount } = derivationParameters
  const [first, second] = bases
  if (!first) throw new KmipError('InvalidMessage', 'Unique Identifier is missing')
  const method = enumName('DerivationMethod', derivationMethod)
  const asymmetric = derivationMethod === DerivationMethod.AsymmetricKey
  if (!asymmetric && second && derivationData)
    throw new KmipError('InvalidMessage', 'Derivation Data is given twice: in the request and as secret data')
  const data = derivationData ?? (!asymmetric && second ? secretBytes(second) : undefined)
  const pair = asymmetric ? bases.map(base => [base.type, asymmetricKey(base)] as const) : []
  const algorithm = first.attributes.number(TAG.CryptographicAlgorithm)
  return derive(method, {
    // HASH is over the key or over the Derivation Data, and the request must name a key in any case.
    key: asymmetric || (derivationMethod === DerivationMethod.HASH && data) ? undefined : secretBytes(first),
    privateKey: pair.find(([type]) => type === ObjectType.PrivateKey)?.[1],
    publicKey: pair.find(([type]) => type === ObjectType.PublicKey)?.[1],
    data: data ? [data] : [],
    parameters: cryptographicParameters && named(cryptographicParameters),
    keyAlgorithm: algorithm === undefined ? undefined : enumName('CryptographicAlgorithm', algorithm),
    iv: initializationVector,
    salt,
    iterationCount,
    maxIterations: context.settings.maxIterations,
    length,
  })
}
