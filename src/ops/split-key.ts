import { generateSymmetricKey } from '../crypto/random.ts'
import { joinKey, splitKey } from '../crypto/split-key.ts'
import { KmipError } from '../objects/errors.ts'
import type { ManagedObject } from '../objects/managed-object.ts'
import { attributeOfTag } from '../ttlv/attributes.ts'
import { ENUM } from '../ttlv/enumerations.ts'
import { boolean, bytes, child, enumName, type Item, integer, structure } from '../ttlv/item.ts'
import { isValue } from '../ttlv/known.ts'
import { CreateSplitKeyRequest, JoinSplitKeyRequest, SplitKeyResponse } from '../ttlv/payloads/objects.ts'
import { KEY_OBJECTS } from '../ttlv/payloads/structures.ts'
import { read, type Value, write } from '../ttlv/spec.ts'
import { TAG } from '../ttlv/tags.ts'
import type { Context } from './context.ts'
import { secretDataItem, symmetricKeyItem } from './create.ts'
import { isMulti, makeObject, requestedAttributes, setLink } from './creation.ts'
import { keyValue } from './key-block.ts'
import { secretBytes, signed, unsignedOf } from './key-material.ts'
import { operation } from './operation.ts'
import { refuseWeak } from './weak.ts'

const { Operation, ObjectType, KeyFormatType, LinkType } = ENUM
const NEWEST = 21
type SplitRequest = Value<typeof CreateSplitKeyRequest>

/**
 * Create Split Key: parts of a key, of which some number gives it back; of one that exists, or of a new one that is then known in parts
 * only. Spec: KMIP 1.4 section 4.38, 2.1 section 6.1.10
 */
export const createSplitKey = operation({
  code: Operation.CreateSplitKey,
  name: 'CreateSplitKey',
  since: 12,
  request: CreateSplitKeyRequest,
  response: SplitKeyResponse,
  async run(request, context) {
    if (request.objectType !== ObjectType.SplitKey) throw new KmipError('InvalidObjectType', 'the Object Type of a split key is Split Key')
    if (!isValue('SplitKeyMethod', request.splitKeyMethod)) throw new KmipError('InvalidField', 'the Split Key Method is not known')
    const requested = await requestedAttributes([request.attributes], context)
    const whole = request.uniqueIdentifier === undefined ? undefined : await context.read(request.uniqueIdentifier)
    const { secret, algorithm, length } = whole ? factsOf(whole) : newSecret(requested, context)
    const inherited = whole ? guarded(inherit(whole, requested), [whole]) : requested
    const { parts, primeFieldSize } = await splitKey(enumName('SplitKeyMethod', request.splitKeyMethod), secret, {
      parts: request.splitKeyParts,
      threshold: request.splitKeyThreshold,
      primeFieldSize: request.primeFieldSize && unsignedOf(request.primeFieldSize),
    })
    const made: ManagedObject[] = []
    for (const { identifier, material } of parts) {
      const object = partItem(request, identifier, material, primeFieldSize, algorithm, length)
      made.push(await makeObject(context, { type: ObjectType.SplitKey, object, requested: inherited, serverMade: true }))
    }
    for (const [at, part] of made.entries()) {
      const [previous, next] = [made[at - 1], made[at + 1]]
      if (previous) setLink(part, LinkType.PreviousLink, previous.id)
      if (next) setLink(part, LinkType.NextLink, next.id)
      if (whole) setLink(part, LinkType.ParentLink, whole.id)
    }
    const [first] = made
    if (first) context.place(first.id)
    return { uniqueIdentifier: made.map(part => part.id) }
  },
})

function factsOf(whole: ManagedObject): { secret: Buffer; algorithm: number | undefined; length: number | undefined } {
  const secret = secretBytes(whole)
  return {
    secret,
    algorithm: whole.attributes.number(TAG.CryptographicAlgorithm),
    length: whole.attributes.number(TAG.CryptographicLength),
  }
}

function newSecret(
  requested: readonly Item[],
  context: Context,
): { secret: Buffer; algorithm: number | undefined; length: number | undefined } {
  const number = (tag: number): number | undefined => {
    const value = requested.find(item => item.tag === tag)?.value
    return typeof value === 'number' ? value : undefined
  }
  const algorithm = number(TAG.CryptographicAlgorithm)
  const length = number(TAG.CryptographicLength)
  if (algorithm === undefined || length === undefined)
    throw new KmipError('InvalidField', 'Cryptographic Algorithm and Length must be given where there is no key to split')
  const name = enumName('CryptographicAlgorithm', algorithm)
  refuseWeak({ algorithm: name, length }, context)
  return { secret: generateSymmetricKey(name, length), algorithm, length }
}

/** The key's own attributes win over the request's. Spec: KMIP 1.4 section 4.38 */
function inherit(whole: ManagedObject, requested: readonly Item[]): Item[] {
  const own = [...whole.attributes].map(instance => instance.item).filter(item => TAKEN.has(item.tag))
  const taken = new Set(own.map(item => item.tag))
  return [...own, ...requested.filter(item => isMulti(item) || !taken.has(item.tag))]
}

/** A key that may not leave, or not in clear, has no parts that may, nor do such parts make one. */
function guarded(requested: readonly Item[], sources: readonly ManagedObject[]): Item[] {
  const guards = [boolean(TAG.Sensitive, true), boolean(TAG.Extractable, false)].filter(({ tag, value }) =>
    sources.some(({ attributes }) => attributes.flag(tag) === value),
  )
  return [...requested.filter(item => !guards.some(({ tag }) => tag === item.tag)), ...guards]
}

const TAKEN: ReadonlySet<number> = new Set(
  [TAG.CryptographicAlgorithm, TAG.CryptographicLength, TAG.CryptographicUsageMask, TAG.CryptographicParameters].filter(tag =>
    attributeOfTag(tag),
  ),
)

function partItem(
  request: SplitRequest,
  identifier: number,
  material: Buffer,
  prime: Uint8Array | undefined,
  algorithm: number | undefined,
  length: number | undefined,
): Item {
  const { splitKeyParts, splitKeyThreshold, splitKeyMethod } = request
  const keyBlock = {
    keyFormatType: KeyFormatType.Raw,
    keyValue: keyValue(bytes(TAG.KeyMaterial, material)),
    cryptographicAlgorithm: algorithm,
    cryptographicLength: length,
  }
  const fields = KEY_OBJECTS[TAG.SplitKey]
  const value = {
    splitKeyParts,
    keyPartIdentifier: identifier,
    splitKeyThreshold,
    splitKeyMethod,
    primeFieldSize: prime && signed(prime),
    keyBlock,
  }
  return structure(TAG.SplitKey, write(value, fields, NEWEST))
}

/** Join Split Key: the key from its parts. Spec: KMIP 1.4 section 4.39, 2.1 section 6.1.27 */
export const joinSplitKey = operation({
  code: Operation.JoinSplitKey,
  name: 'JoinSplitKey',
  since: 12,
  request: JoinSplitKeyRequest,
  response: SplitKeyResponse,
  async run(request, context) {
    const { objectType } = request
    if (objectType !== ObjectType.SymmetricKey && objectType !== ObjectType.SecretData)
      throw new KmipError('InvalidObjectType', 'parts join to a symmetric key or to secret data')
    const parts: ManagedObject[] = []
    for (const id of request.uniqueIdentifier) parts.push(await partOf(id, context))
    const [first] = parts
    if (!first?.object) throw new KmipError('InvalidMessage', 'Unique Identifier is missing: which parts?')
    const { splitKeyMethod, splitKeyThreshold, primeFieldSize, keyBlock } = read(first.object, KEY_OBJECTS[TAG.SplitKey])
    const bits = keyBlock.cryptographicLength ?? first.attributes.number(TAG.CryptographicLength)
    const secret = joinKey(enumName('SplitKeyMethod', splitKeyMethod), parts.map(materialOfPart), {
      threshold: splitKeyThreshold,
      primeFieldSize: primeFieldSize && unsignedOf(primeFieldSize),
      length: bits === undefined ? undefined : Math.ceil(bits / 8),
    })
    const requested = await requestedAttributes([request.attributes], context)
    const algorithm = keyBlock.cryptographicAlgorithm ?? first.attributes.number(TAG.CryptographicAlgorithm)
    const given = (tag: number): boolean => requested.some(item => item.tag === tag)
    const mask = first.attributes.get(TAG.CryptographicUsageMask)
    if (mask && !given(TAG.CryptographicUsageMask)) requested.push(mask)
    if (!given(TAG.CryptographicLength)) requested.push(integer(TAG.CryptographicLength, secret.length * 8))
    const object =
      objectType === ObjectType.SecretData
        ? secretDataItem(secret, request.secretDataType ?? ENUM.SecretDataType.Seed)
        : symmetricKeyItem(secret, algorithm ?? ENUM.CryptographicAlgorithm.AES, secret.length * 8)
    const made = await makeObject(context, { type: objectType, object, requested: guarded(requested, parts), serverMade: false })
    context.place(made.id)
    return { uniqueIdentifier: [made.id] }
  },
})

async function partOf(id: string, context: Context): Promise<ManagedObject> {
  const part = await context.read(id)
  if (part.type !== ObjectType.SplitKey) throw new KmipError('InvalidObjectType', 'only parts of a split key can be joined')
  if (part.destroyed) throw new KmipError('ObjectDestroyed', 'a part of the key is destroyed', { v1: 'PermissionDenied' })
  return part
}

const materialOfPart = (part: ManagedObject): { identifier: number; material: Buffer } => ({
  identifier: part.object ? Number(child(part.object, TAG.KeyPartIdentifier)?.value) : 0,
  material: secretBytes(part),
})
