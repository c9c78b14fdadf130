import { KmipError } from '../objects/errors.ts'
import { ENUM } from '../ttlv/enumerations.ts'
import { DataResponse, RngRetrieveRequest, RngSeedRequest, RngSeedResponse } from '../ttlv/payloads/cryptography.ts'
import { operation } from './operation.ts'

const { Operation } = ENUM

/** RNG Retrieve: random bytes. Spec: KMIP 1.4 section 4.35, 2.1 section 6.1.50 */
export const rngRetrieve = operation({
  code: Operation.RNGRetrieve,
  name: 'RNGRetrieve',
  since: 12,
  request: RngRetrieveRequest,
  response: DataResponse,
  async run(request, context) {
    const { dataLength } = request
    if (dataLength < 0 || dataLength > context.settings.maxRandom)
      throw new KmipError('InvalidField', `between 0 and ${context.settings.maxRandom} random bytes can be asked for`)
    return { data: context.environment.randomBytes(dataLength) }
  },
})

/**
 * RNG Seed: the generator of the operating system needs no seed of a client's, and takes none: 0 bytes are used, which is no error.
 * Spec: KMIP 1.4 section 4.36, 2.1 section 6.1.51
 */
export const rngSeed = operation({
  code: Operation.RNGSeed,
  name: 'RNGSeed',
  since: 12,
  request: RngSeedRequest,
  response: RngSeedResponse,
  async run() {
    return { dataLength: 0 }
  },
})
