import { generateSymmetricKey, random } from '../crypto/random.ts'
import { KmipError } from '../objects/errors.ts'
import { ENUM } from '../ttlv/enumerations.ts'
import { bytes, enumeration, enumName, type Item, integer, structure } from '../ttlv/item.ts'
import { CreateRequest, CreateResponse } from '../ttlv/payloads/objects.ts'
import { KeyBlock } from '../ttlv/payloads/structures.ts'
import { write } from '../ttlv/spec.ts'
import { TAG } from '../ttlv/tags.ts'
import type { Context } from './context.ts'
import { makeObject, requestedAttributes } from './creation.ts'
import { withDefaults } from './defaults.ts'
import { keyValue } from './key-block.ts'
import { operation } from './operation.ts'
import { requireStorage } from './protection-storage.ts'
import { refuseWeak } from './weak.ts'

const { ObjectType, CryptographicAlgorithm, KeyFormatType } = ENUM
const NEWEST = 21

/** Lengths, in bits, of algorithms whose length a client may leave out. */
const DEFAULT_LENGTHS: Readonly<Record<number, number>> = {
  [CryptographicAlgorithm.AES]: 256,
  [CryptographicAlgorithm.DES3]: 168,
  [CryptographicAlgorithm.DES]: 56,
  [CryptographicAlgorithm.ChaCha20]: 256,
  [CryptographicAlgorithm.ChaCha20Poly1305]: 256,
  [CryptographicAlgorithm.SKIPJACK]: 80,
}

/** Create: a symmetric key, from 2.0 on also secret data, made here. Spec: KMIP 1.4 section 4.1, 2.1 section 6.1.8 */
export const create = operation({
  code: ENUM.Operation.Create,
  name: 'Create',
  since: 10,
  request: CreateRequest,
  response: CreateResponse,
  async run(request, context) {
    const { objectType } = request
    requireStorage(request.protectionStorageMasks)
    // 1.x requires algorithm and mask, yet published cases and clients leave them out; 2.x has the server supply them all.
    const requested = withDefaults(objectType, await requestedAttributes([request.attributes], context), await context.policy())
    const object = objectType === ObjectType.SecretData ? secretData(requested) : symmetricKey(objectType, requested, context)
    const made = await makeObject(context, { type: objectType, object, requested, serverMade: true })
    context.place(made.id)
    return { objectType, uniqueIdentifier: made.id }
  },
})

const number = (items: readonly Item[], tag: number): number | undefined => {
  const value = items.find(item => item.tag === tag)?.value
  return typeof value === 'number' ? value : undefined
}

function symmetricKey(objectType: number, requested: Item[], context: Context): Item {
  if (objectType !== ObjectType.SymmetricKey)
    throw new KmipError('InvalidObjectType', 'only symmetric keys can be created; register other objects')
  const algorithm = number(requested, TAG.CryptographicAlgorithm) ?? CryptographicAlgorithm.AES
  const length =
    number(requested, TAG.CryptographicLength) ?? addDefault(requested, integer(TAG.CryptographicLength, DEFAULT_LENGTHS[algorithm] ?? 256))
  checkQuantumSafe(requested, algorithm, length)
  const name = enumName('CryptographicAlgorithm', algorithm)
  refuseWeak({ algorithm: name, length }, context)
  const key = generateSymmetricKey(name, length)
  return symmetricKeyItem(key, algorithm, length)
}

/** A Symmetric Key object in format Raw. */
export const symmetricKeyItem = (key: Buffer, algorithm: number, length: number): Item =>
  structure(TAG.SymmetricKey, [
    structure(
      TAG.KeyBlock,
      write(
        {
          keyFormatType: KeyFormatType.Raw,
          keyValue: keyValue(bytes(TAG.KeyMaterial, key)),
          cryptographicAlgorithm: algorithm,
          cryptographicLength: length,
        },
        KeyBlock,
        NEWEST,
      ),
    ),
  ])

/** Secret data that the server makes is a password, kept as Opaque bytes. */
export const secretDataItem = (secret: Buffer, type: number): Item =>
  structure(TAG.SecretData, [
    enumeration(TAG.SecretDataType, type),
    structure(
      TAG.KeyBlock,
      write({ keyFormatType: KeyFormatType.Opaque, keyValue: keyValue(bytes(TAG.KeyMaterial, secret)) }, KeyBlock, NEWEST),
    ),
  ])

function secretData(requested: Item[]): Item {
  const bits = number(requested, TAG.CryptographicLength) ?? 0
  if (bits <= 0 || bits % 8 !== 0 || bits > 65_536)
    throw new KmipError('InvalidAttributeValue', `secret data of ${bits} bits cannot be made`)
  return secretDataItem(random(bits / 8), ENUM.SecretDataType.Password)
}

function addDefault(requested: Item[], item: Item): number {
  requested.push(item)
  return Number(item.value)
}

/** Bits below which a symmetric key does not withstand a quantum computer. */
const QUANTUM_SAFE_BITS = 256

/** Spec: KMIP 2.1 section 4.47; QS-M-2 of the profiles expects General Failure. */
function checkQuantumSafe(requested: readonly Item[], algorithm: number, length: number): void {
  const wanted = requested.some(item => item.tag === TAG.QuantumSafe && item.value === true)
  if (wanted && (length < QUANTUM_SAFE_BITS || algorithm === CryptographicAlgorithm.DES3))
    throw new KmipError('GeneralFailure', `a quantum-safe key needs at least ${QUANTUM_SAFE_BITS} bits`)
}
