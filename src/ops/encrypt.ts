import {
  type CipherStream,
  createDecryptStream,
  createEncryptStream,
  decrypt as open,
  randomIv,
  encrypt as seal,
} from '../crypto/cipher.ts'
import { rsaDecrypt, rsaEncrypt } from '../crypto/rsa.ts'
import { KmipError } from '../objects/errors.ts'
import type { ManagedObject } from '../objects/managed-object.ts'
import { ENUM, MASK } from '../ttlv/enumerations.ts'
import { DecryptRequest, DecryptResponse, EncryptRequest, EncryptResponse } from '../ttlv/payloads/cryptography.ts'
import type { Value } from '../ttlv/spec.ts'
import { TAG } from '../ttlv/tags.ts'
import type { Context } from './context.ts'
import { asymmetricKey, secretBytes } from './key-material.ts'
import { operation } from './operation.ts'
import { type NamedParameters, named, parametersFor, refuseWeakParameters } from './parameters.ts'
import { inParts } from './parts.ts'
import { charge } from './usage.ts'
import { requireUse } from './use.ts'

const { Operation, ObjectType } = ENUM
const Usage = MASK.CryptographicUsageMask
type Encrypting = Value<typeof EncryptRequest>
type Decrypting = Value<typeof DecryptRequest>

/** Encrypt, whole or in parts; each use is charged to the key's Usage Limits. Spec: KMIP 1.4 section 4.29, 2.1 section 6.1.17 */
export const encrypt = operation({
  code: Operation.Encrypt,
  name: 'Encrypt',
  since: 12,
  request: EncryptRequest,
  response: EncryptResponse,
  async run(request, context) {
    const object = await context.read(request.uniqueIdentifier)
    requireUse(object, Usage.Encrypt, 'protect', context)
    const parameters = named(parametersFor(object, request.cryptographicParameters))
    refuseWeakParameters(object, parameters, context)
    const { data } = request
    await chargeUse(object, data?.length ?? 0, context)
    const answer = await inParts<
      CipherStream,
      { data?: Buffer; ivCounterNonce?: Buffer | undefined; authenticatedEncryptionTag?: Buffer | undefined }
    >(request, { operation: 'Encrypt', object: object.id }, context, {
      whole: () => whole(object, parameters, request, needed(data)),
      begin: () => beginEncrypt(object, parameters, request),
      update: (stream, part) => some(stream.update(part)),
      held: stream => stream.held ?? 0,
      final: async (stream, part) => {
        const start = stream.update(part)
        const { data: end, tag } = stream.final()
        return { ...some(Buffer.concat([start, end])), ...(tag ? { authenticatedEncryptionTag: tag } : {}) }
      },
    })
    return { uniqueIdentifier: object.id, ...answer }
  },
})

/** Decrypt, whole or in parts. Spec: KMIP 1.4 section 4.30, 2.1 section 6.1.11 */
export const decrypt = operation({
  code: Operation.Decrypt,
  name: 'Decrypt',
  since: 12,
  request: DecryptRequest,
  response: DecryptResponse,
  async run(request, context) {
    const object = await context.read(request.uniqueIdentifier)
    requireUse(object, Usage.Decrypt, 'process', context)
    const answer = await inParts<CipherStream, { data?: Buffer }>(request, { operation: 'Decrypt', object: object.id }, context, {
      whole: async () => ({ data: await decipher(object, request, needed(request.data)) }),
      begin: () => ({
        stream: createDecryptStream(secretBytes(object), named(parametersFor(object, request.cryptographicParameters)), inputOf(request)),
        first: {},
      }),
      update: (stream, part) => some(stream.update(part)),
      held: stream => stream.held ?? 0,
      final: async (stream, part) => some(Buffer.concat([stream.update(part), stream.final().data])),
    })
    return { uniqueIdentifier: object.id, ...answer }
  },
})

/** Nothing comes of a part that the cipher holds back. */
const some = (data: Buffer): { data?: Buffer } => (data.length > 0 ? { data } : {})

const needed = (data: Buffer | undefined): Buffer => {
  if (!data) throw new KmipError('InvalidMessage', 'Data is missing')
  return data
}

/** Take the use off the Usage Limits, if the key has any, before anything is given out. Spec: KMIP 1.4 section 3.21, 4.29 */
export async function chargeUse(object: ManagedObject, size: number, context: Context): Promise<void> {
  if (object.attributes.has(TAG.UsageLimits)) charge(await context.unit.edit(object.id), size)
}

const inputOf = (request: Encrypting | Decrypting): { iv?: Buffer; aad?: Buffer; tag?: Buffer } => ({
  ...(request.ivCounterNonce ? { iv: request.ivCounterNonce } : {}),
  ...(request.authenticatedEncryptionAdditionalData ? { aad: request.authenticatedEncryptionAdditionalData } : {}),
  ...('authenticatedEncryptionTag' in request && request.authenticatedEncryptionTag ? { tag: request.authenticatedEncryptionTag } : {}),
})

/**
 * The IV that the server makes when the client gave none. Not only when Random IV is true, as the specification has it: PyKMIP's clients leave
 * both out, and look for the IV in the answer. Spec: KMIP 1.4 section 3.6
 */
const serverIv = (parameters: NamedParameters, { ivCounterNonce }: Encrypting): Buffer | undefined =>
  parameters.randomIv !== false && !ivCounterNonce ? randomIv(parameters) : undefined

function beginEncrypt(
  object: ManagedObject,
  parameters: NamedParameters,
  request: Encrypting,
): { stream: CipherStream; first: { ivCounterNonce?: Buffer } } {
  const iv = serverIv(parameters, request)
  const stream = createEncryptStream(secretBytes(object), parameters, { ...inputOf(request), ...(iv ? { iv } : {}) })
  return { stream, first: iv ? { ivCounterNonce: iv } : {} }
}

const isAsymmetric = (object: ManagedObject): boolean => object.type === ObjectType.PublicKey || object.type === ObjectType.PrivateKey

function whole(object: ManagedObject, parameters: NamedParameters, request: Encrypting, data: Buffer) {
  if (isAsymmetric(object)) return { data: rsaEncrypt(asymmetricKey(object), data, parameters) }
  const iv = serverIv(parameters, request)
  const sealed = seal(secretBytes(object), data, parameters, { ...inputOf(request), ...(iv ? { iv } : {}) })
  return { data: sealed.data, ...(iv ? { ivCounterNonce: iv } : {}), ...(sealed.tag ? { authenticatedEncryptionTag: sealed.tag } : {}) }
}

/**
 * The plaintext. A client of the Thales dialect sends the IV in front of the ciphertext and none of its own: not guessed at, but refused
 * as a missing IV.
 */
async function decipher(object: ManagedObject, request: Decrypting, data: Buffer): Promise<Buffer> {
  const parameters = named(parametersFor(object, request.cryptographicParameters))
  if (isAsymmetric(object)) return rsaDecrypt(asymmetricKey(object), data, parameters)
  return open(secretBytes(object), data, parameters, inputOf(request))
}
