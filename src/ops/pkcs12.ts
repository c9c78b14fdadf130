import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import { writeKey } from '../crypto/key-formats.ts'
import { KmipError } from '../objects/errors.ts'
import type { ManagedObject } from '../objects/managed-object.ts'
import { type Certificate, parseCertificate } from '../pki/certificate.ts'
import { PkiError } from '../pki/error.ts'
import { makePkcs12, type Pkcs12, parsePkcs12 } from '../pki/pkcs12.ts'
import { ENUM } from '../ttlv/enumerations.ts'
import { bytes, child, enumeration, type Item, structure, TYPE, text } from '../ttlv/item.ts'
import { KeyBlock } from '../ttlv/payloads/structures.ts'
import { write } from '../ttlv/spec.ts'
import { TAG } from '../ttlv/tags.ts'
import { addCertificateFacts } from './certificates.ts'
import type { Context } from './context.ts'
import { linksOf, linkTo, makeObject } from './creation.ts'
import { keyBlockOf, keyValue, materialItem } from './key-block.ts'
import { factsOfKey } from './key-facts.ts'
import { asymmetricKey, materialOf, parseMaterial, secretBytes } from './key-material.ts'

// Private keys and their certificates in a PKCS#12 file, under a password that is secret data. Spec: KMIP 1.4 section 3.45 and 4.11,
// 2.1 section 4.39 and 6.1.19

const { ObjectType, LinkType, KeyFormatType, State, SecretDataType } = ENUM
const NEWEST = 21
/** The name of key and certificate where the object has none. Spec: KMIP 2.1 section 4.39 */
const USUAL_NAME = 'alias'
/** Certificates above one another at most. */
const MAX_CHAIN = 16

/** Whether an object to register is a private key in a PKCS#12 file. */
export const isPkcs12 = (object: Item): boolean =>
  object.tag === TAG.PrivateKey && keyBlockOf(object)?.keyFormatType === KeyFormatType.PKCS_12

/**
 * Keep what a file holds: the private key under the name that the client gives, or else the first one, as PKCS#8, and its certificate
 * chain as objects of their own, linked from the key.
 * @throws KmipError Bad Password (Invalid Field in 1.x), Wrong Key Lifecycle State, Cryptographic Failure
 */
export async function registerPkcs12(object: Item, requested: readonly Item[], context: Context): Promise<ManagedObject> {
  const links = requested.filter(item => item.tag === TAG.Link && child(item, TAG.LinkType)?.value === LinkType.PKCS_12PasswordLink)
  const ids = links.map(link => String(child(link, TAG.LinkedObjectIdentifier)?.value))
  const password = await passwordOf(ids, context, 'WrongKeyLifecycleState')
  const contents = await opened(fileOf(object), password)
  const given = requested.find(item => item.tag === TAG.PKCS_12FriendlyName)?.value
  const name = typeof given === 'string' ? given : undefined
  const found = contents.privateKeys.find(key => name === undefined || sameName(key.friendlyName, name))
  if (!found) throw new KmipError('InvalidField', 'the PKCS#12 file has no private key of this name')
  const { key, object: stored } = await privateKeyObject(found.pkcs8)
  const friendlyName = name ?? found.friendlyName
  const named = friendlyName === undefined ? [] : [text(TAG.PKCS_12FriendlyName, friendlyName)]
  const made = await makeObject(context, {
    type: ObjectType.PrivateKey,
    object: stored,
    requested: [
      ...requested,
      ...(name === undefined ? named : []),
      ...factsOfKey(key).filter(fact => fact.tag === TAG.CryptographicDomainParameters && !requested.some(item => item.tag === fact.tag)),
    ],
    serverMade: false,
  })
  let below: ManagedObject | undefined
  for (const certificate of chainOf(contents, key)) {
    const kept = await makeCertificate(certificate, named, context)
    if (below) below.attributes.add(linkTo(LinkType.CertificateLink, kept.id))
    else made.attributes.add(linkTo(LinkType.PKCS_12CertificateLink, kept.id))
    below = kept
  }
  return made
}

/** In 1.x the file stands in Key Value itself, in 2.x in Key Material. @throws KmipError Invalid Message */
function fileOf(object: Item): Buffer {
  const block = keyBlockOf(object)
  const value = block?.keyValue?.type === TYPE.ByteString ? block.keyValue : block && materialItem(block)
  if (block?.keyWrappingData) throw new KmipError('KeyFormatTypeNotSupported', 'a PKCS#12 file cannot be registered wrapped')
  if (value?.type !== TYPE.ByteString) throw new KmipError('InvalidMessage', 'the PKCS#12 file is missing in the Key Value')
  return value.value
}

/** Names are compared without regard to case. Spec: KMIP 2.1 section 4.39 */
const sameName = (one: string | undefined, other: string): boolean => one?.toLowerCase() === other.toLowerCase()

/**
 * The password that the one link names. The published cases tell that it is not Active by its state when a file is registered.
 * @throws KmipError
 */
async function passwordOf(ids: readonly string[], context: Context, inactive: 'WrongKeyLifecycleState' | 'BadPassword'): Promise<string> {
  const [id, ...more] = ids
  if (id === undefined || more.length > 0)
    throw new KmipError('BadPassword', 'PKCS#12 needs one PKCS#12 Password Link, no more and no fewer')
  const secret = await context.unit.find(id)
  const type = secret?.object && child(secret.object, TAG.SecretDataType)?.value
  if (!secret || !context.mayUse(secret) || secret.type !== ObjectType.SecretData || type !== SecretDataType.Password)
    throw new KmipError('BadPassword', 'the PKCS#12 Password Link must name Secret Data that is a Password')
  if (secret.archived || secret.state(context.now()) !== State.Active)
    throw new KmipError(inactive, 'the password of the PKCS#12 Password Link is not Active', { v1: 'PermissionDenied', since: 20 })
  return secretBytes(secret).toString('utf8')
}

async function opened(file: Buffer, password: string): Promise<Pkcs12> {
  try {
    return await parsePkcs12(file, password)
  } catch (error) {
    if (!(error instanceof PkiError)) throw error
    if (error.code === 'password') throw new KmipError('BadPassword', 'the password does not open the PKCS#12 file', { cause: error })
    throw new KmipError('CryptographicFailure', error.message, { cause: error })
  }
}

async function privateKeyObject(pkcs8: Buffer): Promise<{ key: KeyObject; object: Item }> {
  const material = bytes(TAG.KeyMaterial, pkcs8)
  const block = { keyFormatType: KeyFormatType.PKCS_8, keyValue: keyValue(material) }
  const key = parseMaterial('private', block, material)
  const facts = factsOfKey(key)
  const number = (tag: number): number | undefined => facts.find(fact => fact.tag === tag)?.value as number | undefined
  const described = {
    ...block,
    cryptographicAlgorithm: number(TAG.CryptographicAlgorithm),
    cryptographicLength: number(TAG.CryptographicLength),
  }
  return { key, object: structure(TAG.PrivateKey, [structure(TAG.KeyBlock, write(described, KeyBlock, NEWEST))]) }
}

/** The certificate of a key, then those above it, as far as the file has them. */
function chainOf({ certificates }: Pkcs12, key: KeyObject): Buffer[] {
  const left = certificates.flatMap(({ der }) => {
    const parsed = readable(der)
    return parsed ? [{ der, parsed }] : []
  })
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' })
  const chain: Buffer[] = []
  let next = left.find(({ parsed }) => parsed.spki.equals(spki))
  while (next && chain.length < MAX_CHAIN) {
    const current = next
    chain.push(current.der)
    left.splice(left.indexOf(current), 1)
    next = left.find(({ parsed }) => parsed.subject.der.equals(current.parsed.issuer.der))
  }
  return chain
}

function readable(der: Buffer): Certificate | undefined {
  try {
    return parseCertificate(der)
  } catch (error) {
    if (error instanceof PkiError) return undefined
    throw error
  }
}

async function makeCertificate(der: Buffer, requested: readonly Item[], context: Context): Promise<ManagedObject> {
  const object = structure(TAG.Certificate, [
    enumeration(TAG.CertificateType, ENUM.CertificateType.X_509),
    bytes(TAG.CertificateValue, der),
  ])
  const made = await makeObject(context, { type: ObjectType.Certificate, object, requested, serverMade: false })
  addCertificateFacts(made)
  return made
}

/**
 * A private key with its certificate chain as a PKCS#12 file in a Key Block.
 * @throws KmipError Bad Password (Invalid Field, Permission Denied in 1.x), Key Format Type Not Supported
 */
export async function asPkcs12(found: ManagedObject, context: Context): Promise<Item> {
  if (found.type !== ObjectType.PrivateKey)
    throw new KmipError('KeyFormatTypeNotSupported', 'only private keys, with their certificates, can be given as PKCS#12')
  const password = await passwordOf(linksOf(found, LinkType.PKCS_12PasswordLink), context, 'BadPassword')
  const chain = await chainAbove(await certificateOf(found, context), context)
  const friendlyName = String(found.attributes.get(TAG.PKCS_12FriendlyName)?.value ?? USUAL_NAME)
  const localKeyId = createHash('sha256').update(found.id).digest().subarray(0, 20)
  const certificates = chain.map((der, at) => (at === 0 ? { der, friendlyName, localKeyId } : { der }))
  const privateKeys = [{ pkcs8: await pkcs8Of(found), friendlyName, localKeyId }]
  const file = await makePkcs12({ privateKeys, certificates }, password)
  const value = context.rules.pkcs12InKeyValue ? bytes(TAG.KeyValue, file) : keyValue(bytes(TAG.KeyMaterial, file))
  const block = { keyFormatType: KeyFormatType.PKCS_12, keyValue: value }
  return structure(TAG.PrivateKey, [structure(TAG.KeyBlock, write(block, KeyBlock, NEWEST))])
}

async function pkcs8Of(found: ManagedObject): Promise<Buffer> {
  const { block, material } = materialOf(found)
  if (block.keyFormatType === KeyFormatType.PKCS_8 && material.type === TYPE.ByteString) return material.value
  const written = writeKey(asymmetricKey(found), 'PKCS_8')
  if (!Buffer.isBuffer(written)) throw new KmipError('KeyFormatTypeNotSupported', 'the key has no PKCS#8 form')
  return written
}

/** The base certificate of a private key: by its own link, or by that of its public key. */
async function certificateOf(key: ManagedObject, context: Context): Promise<ManagedObject | undefined> {
  const own = await linked(key, [LinkType.PKCS_12CertificateLink], context)
  if (own) return own
  const publicKey = await linked(key, [LinkType.PublicKeyLink], context)
  return publicKey && linked(publicKey, [LinkType.PKCS_12CertificateLink, LinkType.CertificateLink], context)
}

async function chainAbove(first: ManagedObject | undefined, context: Context): Promise<Buffer[]> {
  const chain: Buffer[] = []
  const seen = new Set<string>()
  for (
    let one = first;
    one && !seen.has(one.id) && chain.length < MAX_CHAIN;
    one = await linked(one, [LinkType.CertificateLink], context)
  ) {
    seen.add(one.id)
    const value = one.object && child(one.object, TAG.CertificateValue)?.value
    if (!Buffer.isBuffer(value)) break
    chain.push(value)
  }
  return chain
}

/** The living object that a link names. @throws KmipError Invalid Field: several could be meant */
async function linked(object: ManagedObject, types: readonly number[], context: Context): Promise<ManagedObject | undefined> {
  const ids = new Set(types.flatMap(type => linksOf(object, type)))
  const living: ManagedObject[] = []
  for (const id of ids) {
    const one = await context.unit.find(id)
    if (one && !one.destroyed && !one.archived && context.mayUse(one)) living.push(one)
  }
  if (living.length > 1) throw new KmipError('InvalidField', 'there is more than one certificate chain')
  return living[0]
}
