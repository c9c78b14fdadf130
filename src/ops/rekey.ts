import { generateSymmetricKey } from '../crypto/random.ts'
import { KmipError } from '../objects/errors.ts'
import type { ManagedObject } from '../objects/managed-object.ts'
import { attributeOfTag } from '../ttlv/attributes.ts'
import { ENUM } from '../ttlv/enumerations.ts'
import { boolean, dateTime, enumName, type Item, integer, tagTitle } from '../ttlv/item.ts'
import { KeyPairResponse, ReKeyKeyPairRequest, ReKeyRequest, UniqueIdentifierResponse } from '../ttlv/payloads/objects.ts'
import { TAG } from '../ttlv/tags.ts'
import type { Context } from './context.ts'
import { symmetricKeyItem } from './create.ts'
import { isMulti, linksOf, makeObject, requestedAttributes, setLink } from './creation.ts'
import { materialOf } from './key-material.ts'
import { makePair } from './key-pair.ts'
import { operation } from './operation.ts'
import { requirePairStorage, requireStorage } from './protection-storage.ts'
import { refuseWeak } from './weak.ts'

const { Operation, ObjectType, LinkType } = ENUM

// A new key in the place of another one: names move, links tie the two, dates shift by Offset. Spec: KMIP 1.4 section 4.4, 2.1 section 6.1.46

/** What a client may set and the new key does not take over all the same; what only the server sets it has of its own. */
const NOT_TAKEN: ReadonlySet<number> = new Set<number>([
  TAG.OriginalCreationDate,
  TAG.Fresh,
  TAG.Link,
  TAG.KeyFormatType,
  TAG.RandomNumberGenerator,
])
const isTaken = (item: Item): boolean =>
  !NOT_TAKEN.has(item.tag) && !DATES.includes(item.tag) && (item.tag === TAG.Attribute || attributeOfTag(item.tag)?.setBy === 'client')
const DATES: readonly number[] = [TAG.ActivationDate, TAG.ProcessStartDate, TAG.ProtectStopDate, TAG.DeactivationDate]

/** Re-key. Spec: KMIP 1.4 section 4.4, 2.1 section 6.1.46 */
export const reKey = operation({
  code: Operation.ReKey,
  name: 'ReKey',
  since: 10,
  request: ReKeyRequest,
  response: UniqueIdentifierResponse,
  async run(request, context) {
    requireStorage(request.protectionStorageMasks)
    const old = await context.read(request.uniqueIdentifier)
    if (old.type !== ObjectType.SymmetricKey)
      throw new KmipError('InvalidObjectType', 'only symmetric keys can be re-keyed', { v1: 'PermissionDenied' })
    checkReplaceable(old)
    materialOf(old)
    const requested = await requestedAttributes([request.attributes], context)
    const inherited = inherit(old, requested, request.offset, context)
    const algorithm = old.attributes.number(TAG.CryptographicAlgorithm) ?? 0
    const length = old.attributes.number(TAG.CryptographicLength) ?? 0
    const name = enumName('CryptographicAlgorithm', algorithm)
    refuseWeak({ algorithm: name, length }, context)
    const key = generateSymmetricKey(name, length)
    await giveUpNames(old, context)
    const made = await makeObject(context, {
      type: old.type,
      object: symmetricKeyItem(key, algorithm, length),
      requested: inherited,
      serverMade: true,
    })
    await tie(old, made, context)
    context.place(made.id)
    return { uniqueIdentifier: made.id }
  },
})

/** Re-key Key Pair. Spec: KMIP 1.4 section 4.5, 2.1 section 6.1.47 */
export const reKeyKeyPair = operation({
  code: Operation.ReKeyKeyPair,
  name: 'ReKeyKeyPair',
  since: 11,
  request: ReKeyKeyPairRequest,
  response: KeyPairResponse,
  async run(request, context) {
    requirePairStorage(request)
    const oldPrivate = await context.read(request.privateKeyUniqueIdentifier)
    if (oldPrivate.type !== ObjectType.PrivateKey)
      throw new KmipError('InvalidObjectType', 'the identifier must be that of a private key', { v1: 'PermissionDenied' })
    checkReplaceable(oldPrivate)
    const [publicId] = linksOf(oldPrivate, LinkType.PublicKeyLink)
    if (publicId === undefined) throw new KmipError('PermissionDenied', 'the private key has no link to its public key')
    const oldPublic = await context.unit.read(publicId)
    context.checkUse(oldPublic)
    const { commonAttributes, privateKeyAttributes, publicKeyAttributes, offset } = request
    const forPrivate = inherit(oldPrivate, await requestedAttributes([privateKeyAttributes, commonAttributes], context), offset, context)
    const forPublic = inherit(oldPublic, await requestedAttributes([publicKeyAttributes, commonAttributes], context), offset, context)
    await giveUpNames(oldPrivate, context)
    await giveUpNames(oldPublic, context)
    const { privateKey, publicKey } = await makePair(forPrivate, forPublic, context)
    await tie(oldPrivate, privateKey, context)
    await tie(oldPublic, publicKey, context)
    context.place(privateKey.id)
    return { privateKeyUniqueIdentifier: privateKey.id, publicKeyUniqueIdentifier: publicKey.id }
  },
})

/** Spec: KMIP 1.4 section 4.4: a key that is replaced already has its one replacement. */
function checkReplaceable(old: ManagedObject): void {
  if (old.destroyed) throw new KmipError('ObjectDestroyed', 'the key is destroyed', { v1: 'PermissionDenied' })
  if (linksOf(old, LinkType.ReplacementObjectLink).length > 0) throw new KmipError('PermissionDenied', 'the key has been replaced already')
}

/**
 * What the new object begins with: the old one's attributes, and the request's over them; several instances are united.
 * @throws KmipError Invalid Message, Illegal Operation: the dates cannot be shifted by Offset
 */
export function inherit(old: ManagedObject, requested: readonly Item[], offset: number | undefined, context: Context): Item[] {
  const asked = new Set(requested.map(item => item.tag))
  if (offset !== undefined && DATES.some(tag => asked.has(tag)))
    throw new KmipError('InvalidMessage', 'Offset and the dates that it would shift cannot both be given')
  const taken = [...old.attributes].map(instance => instance.item).filter(item => isTaken(item) && (isMulti(item) || !asked.has(item.tag)))
  return [...taken, ...requested, ...(DATES.some(tag => asked.has(tag)) ? [] : datesOf(old, offset, context.now()))]
}

/**
 * Without Offset the new key has the dates of the old one. With it Activation is Initial Date plus Offset, and the other dates keep their
 * distance from Activation. A key that is past its Deactivation Date is replaced as by an Offset of 0, since a new key that has ended
 * already replaces nothing. Spec: KMIP 1.4 section 4.4, table of dates
 */
function datesOf(old: ManagedObject, offset: number | undefined, now: bigint): Item[] {
  const kept = DATES.filter(tag => old.attributes.has(tag))
  const ends = old.attributes.date(TAG.DeactivationDate)
  if (offset === undefined && (ends === undefined || ends > now)) return kept.map(tag => dateTime(tag, old.attributes.date(tag) ?? now))
  const begins = now + BigInt(offset ?? 0)
  const activation = old.attributes.date(TAG.ActivationDate)
  const later = kept.filter(tag => tag !== TAG.ActivationDate)
  if (activation === undefined) {
    if (offset === undefined) return []
    if (later.length > 0)
      throw new KmipError('IllegalOperation', 'the old key has no Activation Date from which its other dates could be shifted')
    return [dateTime(TAG.ActivationDate, begins)]
  }
  return [
    dateTime(TAG.ActivationDate, begins),
    ...later.map(tag => dateTime(tag, inRange(tag, begins + (old.attributes.date(tag) ?? activation) - activation))),
  ]
}

const [EARLIEST, LATEST] = [-(2n ** 63n), 2n ** 63n - 1n]

/** @throws KmipError Invalid Field if no Date-Time can say this */
function inRange(tag: number, seconds: bigint): bigint {
  if (seconds < EARLIEST || seconds > LATEST) throw new KmipError('InvalidField', `the ${tagTitle(tag)} cannot be shifted so far`)
  return seconds
}

/** Names go to the new key. */
async function giveUpNames(old: ManagedObject, context: Context): Promise<void> {
  if (old.attributes.has(TAG.Name)) (await context.unit.edit(old.id)).attributes.remove(TAG.Name)
}

/** Link two objects of which one replaces the other, and count it. Spec: KMIP 2.1 section 4.49, 4.50, 4.52 */
export async function tie(old: ManagedObject, made: ManagedObject, context: Context): Promise<void> {
  const before = await context.unit.edit(old.id)
  setLink(before, LinkType.ReplacementObjectLink, made.id)
  setLink(made, LinkType.ReplacedObjectLink, old.id)
  before.attributes.set(dateTime(TAG.RotateDate, context.now()))
  before.attributes.set(boolean(TAG.RotateLatest, false))
  made.attributes.set(integer(TAG.RotateGeneration, (old.attributes.number(TAG.RotateGeneration) ?? 0) + 1))
  made.attributes.set(boolean(TAG.RotateLatest, true))
  before.touch(context.now())
}
