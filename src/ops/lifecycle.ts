import { KmipError } from '../objects/errors.ts'
import type { ManagedObject } from '../objects/managed-object.ts'
import { ENUM } from '../ttlv/enumerations.ts'
import { dateTime, enumeration, enumName, structure, text } from '../ttlv/item.ts'
import { isValue } from '../ttlv/known.ts'
import { RevokeRequest, UniqueIdentifierRequest, UniqueIdentifierResponse } from '../ttlv/payloads/objects.ts'
import { DeactivateRequest } from '../ttlv/payloads/users.ts'
import { TAG } from '../ttlv/tags.ts'
import type { Context } from './context.ts'
import { operation } from './operation.ts'

const { State, RevocationReasonCode, Operation } = ENUM

const stateName = (object: ManagedObject, context: Context): string => enumName('State', object.state(context.now()))

function requireStates(object: ManagedObject): void {
  if (!object.hasState) throw new KmipError('InvalidObjectType', 'an object of this type has no state', { v1: 'IllegalOperation' })
}

/** Activate: Pre-Active to Active, Activation Date being now. Spec: KMIP 1.4 section 4.19, 2.1 section 6.1.1 */
export const activate = operation({
  code: Operation.Activate,
  name: 'Activate',
  since: 10,
  request: UniqueIdentifierRequest,
  response: UniqueIdentifierResponse,
  async run(request, context) {
    const object = await context.edit(request.uniqueIdentifier)
    requireStates(object)
    if (object.state(context.now()) !== State.PreActive)
      throw new KmipError('WrongKeyLifecycleState', `the object is ${stateName(object, context)}; only a Pre-Active one can be activated`)
    object.attributes.set(dateTime(TAG.ActivationDate, context.now()))
    object.touch(context.now())
    return { uniqueIdentifier: object.id }
  },
})

/**
 * Revoke: compromised for key or CA compromise, otherwise deactivated. A Pre-Active object cannot be deactivated, as the state model
 * has no such transition, save that clients revoke what they never activated before they destroy it: it becomes Deactivated too.
 * Spec: KMIP 1.4 section 4.20, 3.22, 2.1 section 6.1.49
 */
export const revoke = operation({
  code: Operation.Revoke,
  name: 'Revoke',
  since: 10,
  request: RevokeRequest,
  response: UniqueIdentifierResponse,
  async run(request, context) {
    const { revocationReasonCode: code, revocationMessage } = request.revocationReason
    if (!isValue('RevocationReasonCode', code)) throw new KmipError('InvalidField', 'the Revocation Reason Code is not known')
    const object = await context.edit(request.uniqueIdentifier)
    requireStates(object)
    const now = context.now()
    const { attributes } = object
    const state = object.state(now)
    const compromise = code === RevocationReasonCode.KeyCompromise || code === RevocationReasonCode.CACompromise
    if (compromise) {
      if (!attributes.has(TAG.CompromiseDate)) attributes.set(dateTime(TAG.CompromiseDate, now))
      const occurred = request.compromiseOccurrenceDate ?? attributes.date(TAG.InitialDate) ?? now
      attributes.set(dateTime(TAG.CompromiseOccurrenceDate, occurred))
    } else {
      if (request.compromiseOccurrenceDate !== undefined)
        throw new KmipError('InvalidField', 'Compromise Occurrence Date goes with a compromise as the reason only')
      if (state !== State.Active && state !== State.PreActive && state !== State.Deactivated)
        throw new KmipError('WrongKeyLifecycleState', `the object is ${stateName(object, context)}; it cannot be deactivated any more`)
      if (state !== State.Deactivated) attributes.set(dateTime(TAG.DeactivationDate, now))
    }
    attributes.set(
      structure(TAG.RevocationReason, [
        enumeration(TAG.RevocationReasonCode, code),
        ...(revocationMessage === undefined ? [] : [text(TAG.RevocationMessage, revocationMessage)]),
      ]),
    )
    object.touch(now)
    return { uniqueIdentifier: object.id }
  },
})

/**
 * Destroy: the key material goes, what is known of the object stays. Not for an Active object.
 * Spec: KMIP 1.4 section 4.21, 3.22, 2.1 section 6.1.15
 */
export const destroy = operation({
  code: Operation.Destroy,
  name: 'Destroy',
  since: 10,
  request: UniqueIdentifierRequest,
  response: UniqueIdentifierResponse,
  async run(request, context) {
    const object = await context.edit(request.uniqueIdentifier)
    if (!object.hasState) {
      await context.unit.remove(object.id)
      return { uniqueIdentifier: object.id }
    }
    if (object.destroyed) throw new KmipError('ObjectDestroyed', 'the object is destroyed already', { v1: 'PermissionDenied' })
    if (object.state(context.now()) === State.Active)
      throw new KmipError('WrongKeyLifecycleState', 'the object is Active; revoke it before it is destroyed')
    object.attributes.set(dateTime(TAG.DestroyDate, context.now()))
    object.object = undefined
    object.touch(context.now())
    return { uniqueIdentifier: object.id }
  },
})

/** Archive: the object is put away until it is recovered. Spec: KMIP 1.4 section 4.22, 2.1 section 6.1.4 */
export const archive = operation({
  code: Operation.Archive,
  name: 'Archive',
  since: 10,
  request: UniqueIdentifierRequest,
  response: UniqueIdentifierResponse,
  async run(request, context) {
    const object = await context.edit(request.uniqueIdentifier)
    object.attributes.set(dateTime(TAG.ArchiveDate, context.now()))
    object.touch(context.now())
    return { uniqueIdentifier: object.id }
  },
})

/** Recover: take an archived object back. Spec: KMIP 1.4 section 4.23, 2.1 section 6.1.42 */
export const recover = operation({
  code: Operation.Recover,
  name: 'Recover',
  since: 10,
  request: UniqueIdentifierRequest,
  response: UniqueIdentifierResponse,
  async run(request, context) {
    const { id } = await context.readArchived(request.uniqueIdentifier)
    const object = await context.unit.edit(id)
    object.attributes.remove(TAG.ArchiveDate)
    object.touch(context.now())
    context.place(object.id)
    return { uniqueIdentifier: object.id }
  },
})

/** Deactivate: Active to Deactivated, with the reason. Of the 3.0 draft. */
export const deactivate = operation({
  code: Operation.Deactivate,
  name: 'Deactivate',
  since: 30,
  request: DeactivateRequest,
  response: UniqueIdentifierResponse,
  async run(request, context) {
    const object = await context.edit(request.uniqueIdentifier)
    requireStates(object)
    if (object.state(context.now()) !== State.Active)
      throw new KmipError('WrongKeyLifecycleState', `the object is ${stateName(object, context)}; only an Active one can be deactivated`)
    object.attributes.set(dateTime(TAG.DeactivationDate, context.now()))
    object.touch(context.now())
    return { uniqueIdentifier: object.id }
  },
})

/** Obliterate: nothing of the object stays, not even that it was there. Of the 3.0 draft; under Destroy's conditions. */
export const obliterate = operation({
  code: Operation.Obliterate,
  name: 'Obliterate',
  since: 30,
  request: UniqueIdentifierRequest,
  response: {},
  async run(request, context) {
    const object = await context.read(request.uniqueIdentifier)
    if (object.hasState && object.state(context.now()) === State.Active)
      throw new KmipError('WrongKeyLifecycleState', 'the object is Active; revoke it before it is obliterated')
    await context.unit.remove(object.id)
    return {}
  },
})
