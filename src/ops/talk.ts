import { KmipError } from '../objects/errors.ts'
import { ENUM } from '../ttlv/enumerations.ts'
import { isValue } from '../ttlv/known.ts'
import { SetEndpointRole } from '../ttlv/payloads/notifications.ts'
import { InteropRequest, LogRequest, Nothing } from '../ttlv/payloads/sessions.ts'
import { operation } from './operation.ts'

const { EndpointRole, Operation } = ENUM
const MAX_MESSAGE = 1024

/** Log: a message of the client's for the server's log, without control characters. Spec: KMIP 2.1 section 6.1.29 */
export const log = operation({
  code: Operation.Log,
  name: 'Log',
  since: 20,
  immediate: true,
  request: LogRequest,
  response: Nothing,
  async run(request, context) {
    context.remark = request.logMessage.replace(/\p{Cc}/gu, ' ').slice(0, MAX_MESSAGE)
    return {}
  },
})

/** Ping: the server is there. Spec: KMIP 2.1 section 6.1.36 */
export const ping = operation({
  code: Operation.Ping,
  name: 'Ping',
  since: 21,
  immediate: true,
  request: Nothing,
  response: Nothing,
  async run() {
    return {}
  },
})

/**
 * Interop: marks where a test case begins and ends; off unless the server was started for conformance tests, as the specification
 * forbids it in production. Spec: KMIP 2.1 section 6.1.26
 */
export const interop = operation({
  code: Operation.Interop,
  name: 'Interop',
  since: 20,
  immediate: true,
  request: InteropRequest,
  response: Nothing,
  async run(request, context) {
    if (!context.settings.interop) throw new KmipError('OperationNotSupported', 'Interop is for conformance tests, and off on this server')
    if (!isValue('InteropFunction', request.interopFunction)) throw new KmipError('InvalidField', 'the Interop Function is not known')
    context.remark = `interop ${request.interopIdentifier ?? ''}`.replace(/\p{Cc}/gu, ' ').slice(0, MAX_MESSAGE)
    return {}
  },
})

/**
 * Set Endpoint Role: which role the server has on the connection after its answer. As the client it tells what changes, by Put and Notify,
 * so it becomes one only where that is configured. Spec: KMIP 2.1 section 6.1.54
 */
export const setEndpointRole = operation({
  code: Operation.SetEndpointRole,
  name: 'SetEndpointRole',
  since: 20,
  immediate: true,
  request: SetEndpointRole,
  response: SetEndpointRole,
  async run({ endpointRole }, context) {
    if (endpointRole !== EndpointRole.Client && endpointRole !== EndpointRole.Server)
      throw new KmipError('InvalidField', 'Endpoint Role is Client or Server')
    if (endpointRole === EndpointRole.Client && context.channel?.turn() !== true)
      throw new KmipError('FeatureNotSupported', 'the server has nothing to tell this client on this connection')
    return { endpointRole }
  },
})
