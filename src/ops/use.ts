import { KmipError, type Reason } from '../objects/errors.ts'
import type { ManagedObject } from '../objects/managed-object.ts'
import { ENUM, MASK } from '../ttlv/enumerations.ts'
import { enumName } from '../ttlv/item.ts'
import { TAG } from '../ttlv/tags.ts'
import type { Context } from './context.ts'

const { State } = ENUM

/**
 * Whether an object may be used now: to protect data only while it is Active and Protect Stop Date has not come; to process protected
 * data also later, deactivated or compromised, once Process Start Date has come; and as its usage mask allows.
 * Spec: KMIP 1.4 section 3.19, 3.22, 3.25, 3.26, 2.1 section 4.57
 * @throws KmipError  Wrong Key Lifecycle State, Incompatible Cryptographic Usage Mask; Permission Denied before 2.x
 */
export function requireUse(object: ManagedObject, usage: number, kind: 'protect' | 'process', context: Context, v1?: Reason): void {
  const now = context.now()
  const state = object.state(now)
  const options = v1 === undefined ? {} : { v1 }
  if (object.destroyed) throw new KmipError('ObjectDestroyed', 'the object is destroyed', { v1: v1 ?? 'PermissionDenied' })
  const usable = state === State.Active || (kind === 'process' && (state === State.Deactivated || state === State.Compromised))
  if (!usable)
    throw new KmipError('WrongKeyLifecycleState', `the object is ${enumName('State', state)} and cannot be used for this`, options)
  const limit = object.attributes.date(kind === 'protect' ? TAG.ProtectStopDate : TAG.ProcessStartDate)
  if (limit !== undefined && (kind === 'protect' ? limit <= now : limit > now))
    throw new KmipError(
      'WrongKeyLifecycleState',
      kind === 'protect' ? 'Protect Stop Date has passed' : 'Process Start Date has not come',
      options,
    )
  const mask = object.attributes.number(TAG.CryptographicUsageMask) ?? 0
  if ((mask & usage) !== usage && (mask & MASK.CryptographicUsageMask.Unrestricted) === 0)
    throw new KmipError('IncompatibleCryptographicUsageMask', 'the usage mask of the object does not allow this', options)
}
