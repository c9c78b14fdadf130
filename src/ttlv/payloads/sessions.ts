import { TYPE } from '../item.ts'
import { bytes, dateTimeExtended, enumeration, type Fields, integer, item, itemOf, optional, repeated, struct, text } from '../spec.ts'
import { TAG } from '../tags.ts'
import { UsageLimits } from './structures.ts'

// Payloads of the operations about who is asking, and of those that only talk. Spec: KMIP 2.1 section 6.1.12, 6.1.26, 6.1.29 to 6.1.31, 6.1.36

export const Ticket = { ticketType: enumeration(TAG.TicketType), ticketValue: bytes(TAG.TicketValue) } as const satisfies Fields

const login = {
  /** An Interval in seconds, or a Date-Time; 0: no end. */
  leaseTime: optional(itemOf(TAG.LeaseTime, [TYPE.Interval, TYPE.DateTime])),
  /** 0: any number. */
  requestCount: optional(integer(TAG.RequestCount)),
  usageLimits: optional(struct(TAG.UsageLimits, UsageLimits)),
} as const satisfies Fields
export const Right = {
  usageLimits: optional(struct(TAG.UsageLimits, UsageLimits)),
  operations: optional(struct(TAG.Operations, { operation: repeated(enumeration(TAG.Operation)) })),
  objects: optional(struct(TAG.Objects, { uniqueIdentifier: repeated(text(TAG.UniqueIdentifier)) })),
  objectGroups: optional(struct(TAG.ObjectGroups, { objectGroup: repeated(text(TAG.ObjectGroup)) })),
} as const satisfies Fields

export const LoginRequest = login
export const DelegatedLoginRequest = {
  ...login,
  rights: struct(TAG.Rights, { right: repeated(struct(TAG.Right, Right)) }),
} as const satisfies Fields
export const LoginResponse = { ticket: struct(TAG.Ticket, Ticket) } as const satisfies Fields
export const LogoutRequest = LoginResponse

export const LogRequest = { logMessage: text(TAG.LogMessage) } as const satisfies Fields
export const InteropRequest = {
  interopFunction: enumeration(TAG.InteropFunction),
  interopIdentifier: optional(text(TAG.InteropIdentifier)),
} as const satisfies Fields
export const Nothing = {} as const satisfies Fields

const password = optional(text(TAG.Password))
/** Credential Value by Credential Type. Spec: KMIP 1.4 section 2.1.2, 2.1 section 9.3 */
export const UsernameAndPassword = { username: text(TAG.Username), password } as const satisfies Fields
export const Device = {
  deviceSerialNumber: optional(text(TAG.DeviceSerialNumber)),
  password,
  deviceIdentifier: optional(text(TAG.DeviceIdentifier)),
  networkIdentifier: optional(text(TAG.NetworkIdentifier)),
  machineIdentifier: optional(text(TAG.MachineIdentifier)),
  mediaIdentifier: optional(text(TAG.MediaIdentifier)),
} as const satisfies Fields
export const HashedPassword = {
  username: text(TAG.Username),
  /** Microseconds since 1970. */
  timestamp: dateTimeExtended(TAG.TimeStamp),
  hashingAlgorithm: optional(enumeration(TAG.HashingAlgorithm)),
  hashedPassword: bytes(TAG.HashedPassword),
} as const satisfies Fields
export const TicketCredential = { ticket: struct(TAG.Ticket, Ticket) } as const satisfies Fields
export const Authentication = {
  credential: repeated(
    struct(TAG.Credential, { credentialType: enumeration(TAG.CredentialType), credentialValue: item(TAG.CredentialValue) }),
  ),
} as const satisfies Fields
