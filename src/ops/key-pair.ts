import type { KeyObject } from 'node:crypto'
import { generateKeyPair, isKeyPairAlgorithm, type KeyPair } from '../crypto/keys.ts'
import { KmipError } from '../objects/errors.ts'
import type { ManagedObject } from '../objects/managed-object.ts'
import { ENUM } from '../ttlv/enumerations.ts'
import { child, enumeration, enumName, type Item, structure, tagTitle } from '../ttlv/item.ts'
import { CreateKeyPairRequest, KeyPairResponse } from '../ttlv/payloads/objects.ts'
import { KeyBlock } from '../ttlv/payloads/structures.ts'
import { write } from '../ttlv/spec.ts'
import { TAG } from '../ttlv/tags.ts'
import type { Context } from './context.ts'
import { makeObject, requestedAttributes, setLink } from './creation.ts'
import { withDefaults } from './defaults.ts'
import { factsOfKey } from './key-facts.ts'
import { keyValueIn } from './key-material.ts'
import { operation } from './operation.ts'
import { requirePairStorage } from './protection-storage.ts'
import { refuseWeak } from './weak.ts'

const { ObjectType, LinkType, KeyFormatType, CryptographicAlgorithm } = ENUM
const NEWEST = 21

/** Create Key Pair. Spec: KMIP 1.4 section 4.2, 2.1 section 6.1.9 */
export const createKeyPair = operation({
  code: ENUM.Operation.CreateKeyPair,
  name: 'CreateKeyPair',
  since: 10,
  request: CreateKeyPairRequest,
  response: KeyPairResponse,
  async run(request, context) {
    const { commonAttributes, privateKeyAttributes, publicKeyAttributes } = request
    requirePairStorage(request)
    const forPrivate = await requestedAttributes([privateKeyAttributes, commonAttributes], context)
    const forPublic = await requestedAttributes([publicKeyAttributes, commonAttributes], context)
    const policy = await context.policy()
    const completedPrivate = withDefaults(ObjectType.PrivateKey, withShared(forPrivate, forPublic), policy)
    const completedPublic = withDefaults(ObjectType.PublicKey, withShared(forPublic, completedPrivate), policy)
    const { privateKey, publicKey } = await makePair(completedPrivate, completedPublic, context)
    context.place(privateKey.id)
    return { privateKeyUniqueIdentifier: privateKey.id, publicKeyUniqueIdentifier: publicKey.id }
  },
})

/** Attributes that both keys of a pair share. Spec: KMIP 1.4 section 4.2 */
const SHARED: readonly number[] = [TAG.CryptographicAlgorithm, TAG.CryptographicLength, TAG.CryptographicDomainParameters]
const withShared = (items: readonly Item[], other: readonly Item[]): Item[] => [
  ...items,
  ...other.filter(item => SHARED.includes(item.tag) && !items.some(one => one.tag === item.tag)),
]

/** Make two objects of a new pair, linked to each other. @throws KmipError */
export async function makePair(
  forPrivate: readonly Item[],
  forPublic: readonly Item[],
  context: Context,
): Promise<{ privateKey: ManagedObject; publicKey: ManagedObject }> {
  for (const tag of SHARED) {
    const [a, b] = [forPrivate, forPublic].map(items => items.find(item => item.tag === tag))
    const differs = a && b && a.type !== 1 && b.type !== 1 && a.value !== b.value
    if (differs) throw new KmipError('InvalidAttributeValue', `the keys of a pair cannot differ in ${tagTitle(tag)}`)
  }
  return keepPair(await generate([...forPrivate, ...forPublic], context), forPrivate, forPublic, context)
}

/** Keep a pair that was made here. @throws KmipError what is wrong with the attributes */
export async function keepPair(
  pair: KeyPair,
  forPrivate: readonly Item[],
  forPublic: readonly Item[],
  context: Context,
): Promise<{ privateKey: ManagedObject; publicKey: ManagedObject }> {
  const both = [...forPrivate, ...forPublic]
  const facts = factsOfKey(pair.privateKey)
  const asked = both.find(item => item.tag === TAG.CryptographicAlgorithm)
  const completed = (items: readonly Item[], counterparts: Readonly<Record<number, number>>): Item[] => [
    ...items.map(item => (item.tag === TAG.KeyFormatType ? inOwnFormat(item, counterparts) : item)),
    ...facts
      .filter(fact => !items.some(item => item.tag === fact.tag))
      .map(fact => (fact.tag === TAG.CryptographicAlgorithm && asked ? asked : fact)),
  ]
  const algorithm = Number(asked?.value ?? facts[0]?.value)
  const length = Number(facts.find(fact => fact.tag === TAG.CryptographicLength)?.value)
  const object = (tag: number, format: number, key: KeyObject): Item =>
    structure(tag, [
      structure(
        TAG.KeyBlock,
        write(
          {
            keyFormatType: format,
            keyValue: keyValueIn(key, format),
            cryptographicAlgorithm: algorithm,
            cryptographicLength: length,
          },
          KeyBlock,
          NEWEST,
        ),
      ),
    ])
  const formats = usualFormats(pair.privateKey, context)
  const privateKey = await makeObject(context, {
    type: ObjectType.PrivateKey,
    object: object(TAG.PrivateKey, formats.private, pair.privateKey),
    requested: completed(forPrivate, OF_PRIVATE_KEY),
    serverMade: true,
  })
  const publicKey = await makeObject(context, {
    type: ObjectType.PublicKey,
    object: object(TAG.PublicKey, formats.public, pair.publicKey),
    requested: completed(forPublic, OF_PUBLIC_KEY),
    serverMade: true,
  })
  setLink(privateKey, LinkType.PublicKeyLink, publicKey.id)
  setLink(publicKey, LinkType.PrivateKeyLink, privateKey.id)
  return { privateKey, publicKey }
}

/** A Key Format Type of the other key of a pair, as both keys have it that stands among the common attributes, and the one that goes with it. */
const OF_PRIVATE_KEY: Readonly<Record<number, number>> = { [KeyFormatType.X_509]: KeyFormatType.PKCS_8 }
const OF_PUBLIC_KEY: Readonly<Record<number, number>> = {
  [KeyFormatType.PKCS_8]: KeyFormatType.X_509,
  [KeyFormatType.ECPrivateKey]: KeyFormatType.X_509,
}
const inOwnFormat = (item: Item, counterparts: Readonly<Record<number, number>>): Item =>
  enumeration(TAG.KeyFormatType, counterparts[Number(item.value)] ?? Number(item.value))

interface Formats {
  readonly private: number
  readonly public: number
}

/** How the keys of a new pair are kept unless the request says otherwise. Spec: KMIP 2.1 section 4.26; 1.x leaves it to the server. */
function usualFormats(key: KeyObject, { rules }: Context): Formats {
  const type = key.asymmetricKeyType ?? ''
  return (rules.defaultFormats ? PRESCRIBED[type] : undefined) ?? encodedFormats(key)
}
const PRESCRIBED: Readonly<Record<string, Formats>> = {
  ec: { private: KeyFormatType.TransparentECPrivateKey, public: KeyFormatType.TransparentECPublicKey },
  dsa: { private: KeyFormatType.TransparentDSAPrivateKey, public: KeyFormatType.TransparentDSAPublicKey },
}

/** The formats of bytes: what 1.x clients get. */
export const encodedFormats = ({ asymmetricKeyType }: KeyObject): Formats =>
  ENCODED[asymmetricKeyType ?? ''] ?? { private: KeyFormatType.PKCS_8, public: KeyFormatType.X_509 }
const ENCODED: Readonly<Record<string, Formats>> = {
  rsa: { private: KeyFormatType.PKCS_1, public: KeyFormatType.PKCS_1 },
  ec: { private: KeyFormatType.ECPrivateKey, public: KeyFormatType.X_509 },
}

const DEFAULT_RSA_BITS = 2048

async function generate(items: readonly Item[], context: Context): Promise<KeyPair> {
  const algorithm = Number(items.find(item => item.tag === TAG.CryptographicAlgorithm)?.value ?? CryptographicAlgorithm.RSA)
  const name = enumName('CryptographicAlgorithm', algorithm)
  if (!isKeyPairAlgorithm(name)) throw new KmipError('InvalidAttributeValue', `${name} has no key pairs`)
  const domain = items.find(item => item.tag === TAG.CryptographicDomainParameters)
  const number = (item: Item | undefined): number | undefined => (typeof item?.value === 'number' ? item.value : undefined)
  const curve = number(domain && child(domain, TAG.RecommendedCurve))
  const length = number(items.find(item => item.tag === TAG.CryptographicLength)) ?? (name === 'RSA' ? DEFAULT_RSA_BITS : undefined)
  refuseWeak({ algorithm: name, length }, context)
  return generateKeyPair(name, {
    length,
    qLength: number(domain && child(domain, TAG.Qlength)),
    curve: curve === undefined ? undefined : enumName('RecommendedCurve', curve),
  })
}
