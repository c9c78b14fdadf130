import { content, enumeration, type Fields, oneOf, optional, struct, text } from '../spec.ts'
import { TAG } from '../tags.ts'

// Payloads of the 3.0 draft, as its published test cases show them.

const attributes = optional(content(TAG.Attributes))
export const CreateUserRequest = { attributes } as const satisfies Fields
export const CreateCredentialRequest = {
  credentialType: enumeration(TAG.CredentialType),
  attributes,
  credential: oneOf([TAG.Certificate, TAG.PasswordCredential, TAG.DeviceCredential, TAG.OTPCredential, TAG.HashedPasswordCredential]),
} as const satisfies Fields
export const PasswordCredential = { password: text(TAG.Password) } as const satisfies Fields

export const DeactivateRequest = {
  uniqueIdentifier: optional(text(TAG.UniqueIdentifier)),
  deactivationReason: optional(
    struct(TAG.DeactivationReason, {
      deactivationReasonCode: enumeration(TAG.DeactivationReasonCode),
      deactivationMessage: optional(text(TAG.DeactivationMessage)),
    }),
  ),
} as const satisfies Fields
