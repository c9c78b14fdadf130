import { bytes, enumeration, type Fields, item, optional, text } from '../spec.ts'
import { TAG } from '../tags.ts'

// Spec: KMIP 2.1 section 6.1.37. The structures of sections 7.26 to 7.30 are plain fields on the wire.

export const Pkcs11Request = {
  pkcs11Interface: optional(text(TAG.PKCS_11Interface)),
  /** An Enumeration, or an Integer for a vendor's own function. */
  pkcs11Function: item(TAG.PKCS_11Function),
  correlationValue: optional(bytes(TAG.CorrelationValue)),
  pkcs11InputParameters: optional(bytes(TAG.PKCS_11InputParameters)),
} as const satisfies Fields
export const Pkcs11Response = {
  pkcs11Interface: optional(text(TAG.PKCS_11Interface)),
  pkcs11Function: item(TAG.PKCS_11Function),
  correlationValue: optional(bytes(TAG.CorrelationValue)),
  pkcs11OutputParameters: optional(bytes(TAG.PKCS_11OutputParameters)),
  pkcs11ReturnCode: enumeration(TAG.PKCS_11ReturnCode),
} as const satisfies Fields
