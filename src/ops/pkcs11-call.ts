import { KmipError } from '../objects/errors.ts'
import type { ManagedObject } from '../objects/managed-object.ts'
import { ENUM } from '../ttlv/enumerations.ts'
import type { Fields, Value } from '../ttlv/spec.ts'
import { hasRight } from './authentication.ts'
import type { Context } from './context.ts'
import type { Operation } from './operation.ts'
import type { Application, Session } from './pkcs11-applications.ts'
import { isVisible } from './pkcs11-objects.ts'
import { Pkcs11Error, type Reader } from './pkcs11-wire.ts'

/** One call of a function: its parameters, and what it may touch. */
export interface Call {
  readonly input: Reader
  readonly application: Application
  readonly context: Context
}
export type Answer = Buffer | undefined
export type Pkcs11Function = (call: Call) => Answer | Promise<Answer>

export const sessionOf = ({ input, application }: Call): Session => application.session(input.ulong())

/** An operation of KMIP by its name, done for the same client under the same rules. @throws KmipError Permission Denied */
export async function run(name: string, request: object, context: Context): Promise<Readonly<Record<string, unknown>>> {
  return allowed(name, context).run(request as Value<Fields>, context)
}
export function allowed(name: string, context: Context): Operation {
  const found = context.environment.operations.find(operation => operation.name === name)
  if (!found || !may(name, found.code, context)) throw new KmipError('PermissionDenied', `the role may not do ${name}`)
  return found
}
const may = (name: string, code: number, context: Context): boolean => context.peer.may(name) && hasRight(context.inner, code)
export const mayGet = (context: Context): boolean => may('Get', ENUM.Operation.Get, context)

/** Whether PKCS#11 has the object and the client may use it, also by the rights of its ticket. */
export const isReachable = (object: ManagedObject, context: Context): boolean => isVisible(object) && context.mayUse(object)

/** @throws Pkcs11Error the code given: no object has this handle, or none any more */
export async function objectOf(handle: number, call: Call, code: 'KEY_HANDLE_INVALID' | 'OBJECT_HANDLE_INVALID'): Promise<ManagedObject> {
  const id = call.application.idOf(handle)
  const object = id === undefined ? undefined : await call.context.unit.find(id)
  if (!object || !isReachable(object, call.context)) throw new Pkcs11Error(code)
  return object
}
