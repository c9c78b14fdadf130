import { KmipError } from '../objects/errors.ts'
import type { ManagedObject } from '../objects/managed-object.ts'
import { ENUM } from '../ttlv/enumerations.ts'
import { enumeration, type Item, integer, interval, long, structure } from '../ttlv/item.ts'
import {
  CheckRequest,
  GetUsageAllocationRequest,
  ObtainLeaseResponse,
  UniqueIdentifierRequest,
  UniqueIdentifierResponse,
} from '../ttlv/payloads/objects.ts'
import { UsageLimits } from '../ttlv/payloads/structures.ts'
import { read, type Value } from '../ttlv/spec.ts'
import { TAG } from '../ttlv/tags.ts'
import { operation } from './operation.ts'

const { Operation, State } = ENUM

/**
 * Check: may the object be used like this? A refusal names the fields that are the reason, and empties the ID Placeholder.
 * Spec: KMIP 1.4 section 4.10, 2.1 section 6.1.7
 */
export const check = operation({
  code: Operation.Check,
  name: 'Check',
  since: 10,
  request: CheckRequest,
  response: CheckRequest,
  async run(request, context) {
    const object = await context.read(request.uniqueIdentifier)
    const { attributes } = object
    const refused: Item[] = []
    const mask = attributes.number(TAG.CryptographicUsageMask)
    const { cryptographicUsageMask, usageLimitsCount, leaseTime } = request
    const limitRefused = usageLimitsCount !== undefined && (remaining(object) ?? usageLimitsCount) < usageLimitsCount
    if (limitRefused) refused.push(long(TAG.UsageLimitsCount, remaining(object) ?? 0n))
    const maskRefused = cryptographicUsageMask !== undefined && ((mask ?? 0) & cryptographicUsageMask) !== cryptographicUsageMask
    if (maskRefused) refused.push(integer(TAG.CryptographicUsageMask, mask ?? 0))
    const lease = context.settings.leaseTime
    if (leaseTime !== undefined && lease > 0 && leaseTime > lease) refused.push(interval(TAG.LeaseTime, lease))
    if (refused.length > 0) {
      context.batch.placeholder = undefined
      const reason = maskRefused ? 'IncompatibleCryptographicUsageMask' : limitRefused ? 'UsageLimitExceeded' : 'PermissionDenied'
      throw new KmipError(reason, 'the object may not be used like this', { payload: refused })
    }
    return { uniqueIdentifier: object.id }
  },
})

/** Obtain Lease. Spec: KMIP 1.4 section 4.17, 2.1 section 6.1.32: 0 stands for a lease without end. */
export const obtainLease = operation({
  code: Operation.ObtainLease,
  name: 'ObtainLease',
  since: 10,
  request: UniqueIdentifierRequest,
  response: ObtainLeaseResponse,
  async run(request, context) {
    const object = await context.read(request.uniqueIdentifier)
    const state = object.state(context.now())
    if (state !== State.Active && state !== State.PreActive)
      throw new KmipError('PermissionDenied', 'no lease is given for an object in this state')
    const lastChangeDate = object.attributes.date(TAG.LastChangeDate) ?? context.now()
    return { uniqueIdentifier: object.id, leaseTime: context.settings.leaseTime, lastChangeDate }
  },
})

/** Get Usage Allocation. Spec: KMIP 1.4 section 4.18, 2.1 section 6.1.22 */
export const getUsageAllocation = operation({
  code: Operation.GetUsageAllocation,
  name: 'GetUsageAllocation',
  since: 10,
  request: GetUsageAllocationRequest,
  response: UniqueIdentifierResponse,
  async run(request, context) {
    const object = await context.edit(request.uniqueIdentifier)
    if (!object.attributes.has(TAG.UsageLimits))
      throw new KmipError('AttributeNotFound', 'the object has no Usage Limits', { v1: 'IllegalOperation' })
    if (object.state(context.now()) !== State.Active) throw new KmipError('WrongKeyLifecycleState', 'only an Active object can be used')
    spend(object, request.usageLimitsCount, 'UsageLimitExceeded')
    object.touch(context.now())
    return { uniqueIdentifier: object.id }
  },
})

const limitsOf = (object: ManagedObject): Value<typeof UsageLimits> | undefined => {
  const item = object.attributes.get(TAG.UsageLimits)
  return item && read(item, UsageLimits)
}

const remaining = (object: ManagedObject): bigint | undefined => {
  const limits = limitsOf(object)
  return limits && (limits.usageLimitsCount ?? limits.usageLimitsTotal)
}

/**
 * Take `amount` units off the Usage Limits of an object that is being changed.
 * @throws KmipError `reason` if not so many are left: the published cases of all versions have Permission Denied for cryptography
 */
function spend(object: ManagedObject, amount: bigint, reason: 'PermissionDenied' | 'UsageLimitExceeded' = 'PermissionDenied'): void {
  const limits = limitsOf(object)
  const left = remaining(object)
  if (!limits || left === undefined) return
  if (amount < 0n || left < amount) throw new KmipError(reason, 'the Usage Limits of the object do not allow this')
  object.attributes.set(
    structure(TAG.UsageLimits, [
      long(TAG.UsageLimitsTotal, limits.usageLimitsTotal),
      long(TAG.UsageLimitsCount, left - amount),
      enumeration(TAG.UsageLimitsUnit, limits.usageLimitsUnit),
    ]),
  )
}

/** Charge one use that protects `size` bytes; the object must be one that is being changed. Spec: KMIP 1.4 section 3.21 */
export function charge(object: ManagedObject, size: number): void {
  const limits = limitsOf(object)
  if (limits) spend(object, limits.usageLimitsUnit === ENUM.UsageLimitsUnit.Byte ? BigInt(size) : 1n)
}
