import { bytes, content, date, enumeration, type Fields, interval, optional, repeated, struct, text } from '../spec.ts'
import { TAG } from '../tags.ts'
import { Certificate, CertificateRequest } from './structures.ts'

// Payloads about certificates. Spec: KMIP 1.4 section 4.7, 4.8, 4.24, 2.1 section 6.1.6, 6.1.45, 6.1.48, 6.1.57

const request = {
  certificateRequestType: optional(enumeration(TAG.CertificateRequestType)),
  certificateRequestValue: optional(bytes(TAG.CertificateRequestValue)),
} as const satisfies Fields
const made = {
  attributes: optional(content(TAG.Attributes)),
  protectionStorageMasks: optional(content(TAG.ProtectionStorageMasks, { since: 20 })),
} as const satisfies Fields

export const CertifyRequest = { uniqueIdentifier: optional(text(TAG.UniqueIdentifier)), ...request, ...made } as const satisfies Fields
export const ReCertifyRequest = {
  uniqueIdentifier: optional(text(TAG.UniqueIdentifier)),
  certificateRequestUniqueIdentifier: optional(text(TAG.CertificateRequestUniqueIdentifier)),
  ...request,
  offset: optional(interval(TAG.Offset)),
  ...made,
} as const satisfies Fields
export const ValidateRequest = {
  certificate: repeated(struct(TAG.Certificate, Certificate)),
  uniqueIdentifier: repeated(text(TAG.UniqueIdentifier)),
  validityDate: optional(date(TAG.ValidityDate)),
} as const satisfies Fields
export const ValidateResponse = { validityIndicator: enumeration(TAG.ValidityIndicator) } as const satisfies Fields
export const ReProvisionRequest = {
  certificateRequest: optional(struct(TAG.CertificateRequest, CertificateRequest)),
  certificate: optional(struct(TAG.Certificate, Certificate)),
} as const satisfies Fields
