import { KmipError, type Reason } from '../objects/errors.ts'
import { MASK } from '../ttlv/enumerations.ts'
import { type Item, integer, structure, TYPE } from '../ttlv/item.ts'
import { TAG } from '../ttlv/tags.ts'

/** How objects are kept here: sealed by software. Spec: KMIP 2.1 section 12.2 */
export const STORAGE_MASK = MASK.ProtectionStorageMask.Software

/** As Query answers it. */
export const storageMasks = (): Item => structure(TAG.ProtectionStorageMasks, [integer(TAG.ProtectionStorageMask, STORAGE_MASK)])

/**
 * Whether one of the masks that a client would accept can be satisfied with all its bits; without any, all are.
 * Spec: KMIP 2.1 section 7.33
 * @throws KmipError Protection Storage Unavailable, or the reason given
 */
export function requireStorage(masks: Item | undefined, reason: Reason = 'ProtectionStorageUnavailable'): void {
  if (!masks) return
  if (masks.type !== TYPE.Structure) throw new KmipError('InvalidMessage', 'Protection Storage Masks must be a Structure')
  if (masks.value.length === 0) return
  const offered = masks.value.some(
    ({ tag, type, value }) => tag === TAG.ProtectionStorageMask && type === TYPE.Integer && (value & ~STORAGE_MASK) === 0,
  )
  if (!offered) throw new KmipError(reason, 'objects are kept by software here; none of the masks allows just that')
}

/** The same for the two keys of a pair. */
export function requirePairStorage(request: {
  readonly commonProtectionStorageMasks?: Item | undefined
  readonly privateProtectionStorageMasks?: Item | undefined
  readonly publicProtectionStorageMasks?: Item | undefined
}): void {
  requireStorage(request.commonProtectionStorageMasks)
  requireStorage(request.privateProtectionStorageMasks, 'PrivateProtectionStorageUnavailable')
  requireStorage(request.publicProtectionStorageMasks, 'PublicProtectionStorageUnavailable')
}
