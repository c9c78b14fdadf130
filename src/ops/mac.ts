import { createHashStream, type DigestStream, hash as hashOnce } from '../crypto/hash.ts'
import { createMacStream, mac as macOnce } from '../crypto/mac.ts'
import { sameBytes } from '../crypto/same-bytes.ts'
import { KmipError } from '../objects/errors.ts'
import { ENUM, MASK } from '../ttlv/enumerations.ts'
import { HashRequest, HashResponse, MacRequest, MacResponse, MacVerifyRequest, MacVerifyResponse } from '../ttlv/payloads/cryptography.ts'
import { chargeUse } from './encrypt.ts'
import { secretBytes } from './key-material.ts'
import { operation } from './operation.ts'
import { named, parametersFor, refuseWeakUse } from './parameters.ts'
import { type Expecting, expectedOf, inParts } from './parts.ts'
import { validity } from './sign.ts'
import { requireUse } from './use.ts'

const { Operation } = ENUM
const Usage = MASK.CryptographicUsageMask

const needed = (data: Buffer | undefined): Buffer => {
  if (!data) throw new KmipError('InvalidMessage', 'Data is missing')
  return data
}

/** MAC. Spec: KMIP 1.4 section 4.33, 2.1 section 6.1.32 */
export const mac = operation({
  code: Operation.MAC,
  name: 'MAC',
  since: 12,
  request: MacRequest,
  response: MacResponse,
  async run(request, context) {
    const object = await context.read(request.uniqueIdentifier)
    requireUse(object, Usage.MACGenerate, 'protect', context)
    refuseWeakUse(object, request.cryptographicParameters, context)
    await chargeUse(object, request.data?.length ?? 0, context)
    const parameters = named(parametersFor(object, request.cryptographicParameters))
    const answer = await inParts<DigestStream, { macData?: Buffer }>(request, { operation: 'MAC', object: object.id }, context, {
      whole: async () => ({ macData: macOnce(secretBytes(object), needed(request.data), parameters) }),
      begin: () => ({ stream: createMacStream(secretBytes(object), parameters), first: {} }),
      update: absorb,
      final: async (stream, part) => ({ macData: finish(stream, part) }),
    })
    return { uniqueIdentifier: object.id, ...answer }
  },
})

/** MAC Verify: a wrong MAC is a successful answer, Invalid. Spec: KMIP 1.4 section 4.34, 2.1 section 6.1.33 */
export const macVerify = operation({
  code: Operation.MACVerify,
  name: 'MACVerify',
  since: 12,
  request: MacVerifyRequest,
  response: MacVerifyResponse,
  async run(request, context) {
    const object = await context.read(request.uniqueIdentifier)
    requireUse(object, Usage.MACVerify, 'process', context)
    const parameters = named(parametersFor(object, request.cryptographicParameters))
    const answer = await inParts<Expecting<DigestStream>, { validityIndicator?: number }>(
      request,
      { operation: 'MACVerify', object: object.id },
      context,
      {
        whole: async () => {
          const made = macOnce(secretBytes(object), needed(request.data), parameters)
          return validity(sameBytes(made, expectedOf(request.macData, 'MAC Data')))
        },
        begin: () => ({ stream: { stream: createMacStream(secretBytes(object), parameters), expected: undefined }, first: {} }),
        update: (held, part) => {
          held.expected = request.macData ?? held.expected
          return absorb(held.stream, part)
        },
        final: async (held, part) =>
          validity(sameBytes(finish(held.stream, part), expectedOf(request.macData ?? held.expected, 'MAC Data'))),
      },
    )
    return { uniqueIdentifier: object.id, ...answer }
  },
})

/** Hash. Spec: KMIP 1.4 section 4.37, 2.1 section 6.1.24 */
export const hash = operation({
  code: Operation.Hash,
  name: 'Hash',
  since: 12,
  request: HashRequest,
  response: HashResponse,
  async run(request, context) {
    const { hashingAlgorithm } = named(request.cryptographicParameters)
    return inParts<DigestStream, { data?: Buffer }>(request, { operation: 'Hash', object: undefined }, context, {
      whole: async () => ({ data: hashOnce(needed(request.data), hashingAlgorithm) }),
      begin: () => ({ stream: createHashStream(hashingAlgorithm), first: {} }),
      update: absorb,
      final: async (stream, part) => ({ data: finish(stream, part) }),
    })
  },
})

function absorb(stream: DigestStream, part: Buffer): object {
  stream.update(part)
  return {}
}

function finish(stream: DigestStream, part: Buffer): Buffer {
  stream.update(part)
  return stream.final()
}
