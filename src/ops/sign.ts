import {
  createSignStream,
  createVerifyStream,
  type Message,
  type SignStream,
  sign as signOnce,
  type VerifyStream,
  verify,
} from '../crypto/signature.ts'
import { KmipError } from '../objects/errors.ts'
import { ENUM, MASK } from '../ttlv/enumerations.ts'
import { SignatureVerifyRequest, SignatureVerifyResponse, SignRequest, SignResponse } from '../ttlv/payloads/cryptography.ts'
import { chargeUse } from './encrypt.ts'
import { asymmetricKey } from './key-material.ts'
import { operation } from './operation.ts'
import { named, parametersFor, refuseWeakUse } from './parameters.ts'
import { type Expecting, expectedOf, inParts } from './parts.ts'
import { requireUse } from './use.ts'

const { Operation, ValidityIndicator } = ENUM
const Usage = MASK.CryptographicUsageMask

/** Sign data or its digest, whole or in parts. Spec: KMIP 1.4 section 4.31, 2.1 section 6.1.55 */
export const sign = operation({
  code: Operation.Sign,
  name: 'Sign',
  since: 12,
  request: SignRequest,
  response: SignResponse,
  async run(request, context) {
    const object = await context.read(request.uniqueIdentifier)
    requireUse(object, Usage.Sign, 'protect', context)
    refuseWeakUse(object, request.cryptographicParameters, context)
    await chargeUse(object, request.data?.length ?? request.digestedData?.length ?? 0, context)
    const parameters = named(parametersFor(object, request.cryptographicParameters))
    const key = asymmetricKey(object)
    const answer = await inParts<SignStream, { signatureData?: Buffer }>(request, { operation: 'Sign', object: object.id }, context, {
      whole: async () => ({ signatureData: await signOnce(key, messageOf(request), parameters) }),
      begin: () => ({ stream: createSignStream(key, parameters), first: {} }),
      update: (stream, part) => {
        stream.update(part)
        return {}
      },
      held: stream => stream.held ?? 0,
      final: async (stream, part) => {
        stream.update(part)
        return { signatureData: await stream.final() }
      },
    })
    return { uniqueIdentifier: object.id, ...answer }
  },
})

/** Signature Verify: a wrong signature is a successful answer, Invalid. Spec: KMIP 1.4 section 4.32, 2.1 section 6.1.56 */
export const signatureVerify = operation({
  code: Operation.SignatureVerify,
  name: 'SignatureVerify',
  since: 12,
  request: SignatureVerifyRequest,
  response: SignatureVerifyResponse,
  async run(request, context) {
    const object = await context.read(request.uniqueIdentifier)
    requireUse(object, Usage.Verify, 'process', context)
    const parameters = named(parametersFor(object, request.cryptographicParameters))
    const key = asymmetricKey(object)
    const answer = await inParts<Expecting<VerifyStream>, { validityIndicator?: number }>(
      request,
      { operation: 'SignatureVerify', object: object.id },
      context,
      {
        whole: async () => {
          const signature = expectedOf(request.signatureData, 'Signature Data')
          return validity(await verify(key, messageOf(request), signature, parameters))
        },
        begin: () => ({ stream: { stream: createVerifyStream(key, parameters), expected: undefined }, first: {} }),
        update: (held, part) => {
          held.expected = request.signatureData ?? held.expected
          held.stream.update(part)
          return {}
        },
        held: ({ stream }) => stream.held ?? 0,
        final: async (held, part) => {
          held.stream.update(part)
          const signature = expectedOf(request.signatureData ?? held.expected, 'Signature Data')
          return validity(await held.stream.final(signature))
        },
      },
    )
    return { uniqueIdentifier: object.id, ...answer }
  },
})

export const validity = (valid: boolean): { validityIndicator: number } => ({
  validityIndicator: valid ? ValidityIndicator.Valid : ValidityIndicator.Invalid,
})

function messageOf({ data, digestedData }: { data?: Buffer | undefined; digestedData?: Buffer | undefined }): Message {
  if (data && digestedData) throw new KmipError('InvalidMessage', 'Data and Digested Data cannot both be given')
  if (digestedData) return { digest: digestedData }
  if (!data) throw new KmipError('InvalidMessage', 'Data is missing')
  return { data }
}
