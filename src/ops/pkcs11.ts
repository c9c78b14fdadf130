import { KmipError, type Reason } from '../objects/errors.ts'
import { ENUM } from '../ttlv/enumerations.ts'
import { type Item, TYPE } from '../ttlv/item.ts'
import { Pkcs11Request, Pkcs11Response } from '../ttlv/payloads/pkcs11.ts'
import { functionName, RETURN_CODE, type ReturnCode } from '../ttlv/pkcs11.ts'
import type { Value } from '../ttlv/spec.ts'
import type { Context } from './context.ts'
import { kmipErrorOf } from './failures.ts'
import { operation } from './operation.ts'
import { FUNCTIONS, PartlyDone } from './pkcs11-functions.ts'
import { Pkcs11Error, Reader } from './pkcs11-wire.ts'

const CORRELATION_BYTES = 16
/** Version of the encoding of parameters, which C_Initialize sends. */
const ENCODING = 1
const INTERFACE = 'PKCS 11'
const NOTHING = Buffer.alloc(0)

type Answer = Omit<Value<typeof Pkcs11Response>, 'pkcs11Function' | 'pkcs11Interface'>

/** PKCS#11: one function of PKCS#11, on the objects of the client's scope. Spec: KMIP 2.1 section 6.1.37, Profiles 2.1 section 5.18 */
export const pkcs11 = operation({
  code: ENUM.Operation.PKCS_11,
  name: 'PKCS_11',
  since: 20,
  immediate: true,
  request: Pkcs11Request,
  response: Pkcs11Response,
  async run(request, context) {
    const { pkcs11Interface, pkcs11Function } = request
    if (pkcs11Interface !== undefined && pkcs11Interface !== INTERFACE)
      throw new KmipError('PKCS_11InvalidInterface', `the only interface is ${INTERFACE}`)
    const name = nameOf(pkcs11Function)
    const answer = await call(name, request, context)
    const correlationValue = context.rules.correlationComesBack ? request.correlationValue : undefined
    return { pkcs11Interface, pkcs11Function, correlationValue, ...answer }
  },
})

/** @throws KmipError PKCS#11 Invalid Function */
function nameOf(item: Item): string {
  const name = item.type === TYPE.Enumeration ? functionName(item.value) : undefined
  if (name === undefined) throw new KmipError('PKCS_11InvalidFunction', 'the function is none of PKCS#11; there are none of our own')
  return name
}

async function call(name: string, request: Value<typeof Pkcs11Request>, context: Context): Promise<Answer> {
  const { correlationValue } = request
  const { applications, randomBytes } = context.environment
  const input = new Reader(request.pkcs11InputParameters ?? NOTHING)
  try {
    if (name === 'C_Initialize') {
      const correlation = initialize(input, context, () => randomBytes(CORRELATION_BYTES))
      return { correlationValue: correlation, pkcs11ReturnCode: RETURN_CODE.OK }
    }
    const application = applications.of(correlationValue, context.owner, context.now())
    if (name === 'C_Finalize') {
      input.end()
      applications.close(correlationValue!)
      return { pkcs11ReturnCode: RETURN_CODE.OK }
    }
    const perform = FUNCTIONS[name]
    if (!perform) throw new Pkcs11Error('FUNCTION_NOT_SUPPORTED')
    const output = await perform({ input, application, context })
    input.end()
    return { ...(output ? { pkcs11OutputParameters: output } : {}), pkcs11ReturnCode: RETURN_CODE.OK }
  } catch (error) {
    if (error instanceof PartlyDone) {
      const { output, code } = error.partly
      return { pkcs11OutputParameters: output, pkcs11ReturnCode: RETURN_CODE[code] }
    }
    return { pkcs11ReturnCode: RETURN_CODE[codeOf(error)] }
  }
}

function initialize(input: Reader, context: Context, random: () => Buffer): Buffer {
  const encoding = input.left > 0 ? input.byte() : ENCODING
  input.end()
  if (encoding !== ENCODING) throw new KmipError('PKCS_11CodecError', `parameters are encoded by version ${ENCODING}`)
  const correlation = random()
  context.environment.applications.open(correlation, context.owner, context.now())
  return correlation
}

/** What a failure of an operation of KMIP is called in PKCS#11. */
const CODES: Partial<Readonly<Record<Reason, ReturnCode>>> = {
  ObjectNotFound: 'KEY_HANDLE_INVALID',
  ObjectDestroyed: 'KEY_HANDLE_INVALID',
  ObjectArchived: 'KEY_HANDLE_INVALID',
  InvalidObjectType: 'KEY_TYPE_INCONSISTENT',
  WrongKeyLifecycleState: 'KEY_FUNCTION_NOT_PERMITTED',
  IncompatibleCryptographicUsageMask: 'KEY_FUNCTION_NOT_PERMITTED',
  UnsupportedCryptographicParameters: 'KEY_TYPE_INCONSISTENT',
  BadCryptographicParameters: 'MECHANISM_PARAM_INVALID',
  CryptographicFailure: 'FUNCTION_FAILED',
  InvalidAttributeValue: 'ATTRIBUTE_VALUE_INVALID',
  InvalidAttribute: 'ATTRIBUTE_TYPE_INVALID',
  NonUniqueNameAttribute: 'ATTRIBUTE_VALUE_INVALID',
  ConstraintViolation: 'ACTION_PROHIBITED',
  KeyValueNotPresent: 'KEY_FUNCTION_NOT_PERMITTED',
}

/** The return code of a failure; what has none, such as a missing permission, fails the operation of KMIP itself. */
function codeOf(error: unknown): ReturnCode {
  if (error instanceof Pkcs11Error) return error.code
  const known = kmipErrorOf(error)
  const code = known && CODES[known.reason]
  if (code === undefined) throw error
  return code
}
