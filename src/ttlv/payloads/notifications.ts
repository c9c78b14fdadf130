import { content, enumeration, type Fields, oneOf, optional, repeated, text } from '../spec.ts'
import { TAG } from '../tags.ts'
import { attributeReference } from './objects.ts'
import { MANAGED_OBJECTS } from './structures.ts'

// Payloads of what servers ask of clients. Spec: KMIP 1.4 section 5, 2.1 section 6.1.54 and 6.2

export const NotifyRequest = {
  uniqueIdentifier: text(TAG.UniqueIdentifier),
  attributes: content(TAG.Attributes),
  /** Attributes that are no longer set. */
  attributeReference: repeated(attributeReference),
} as const satisfies Fields

export const PutRequest = {
  uniqueIdentifier: text(TAG.UniqueIdentifier),
  putFunction: enumeration(TAG.PutFunction),
  replacedUniqueIdentifier: optional(text(TAG.ReplacedUniqueIdentifier)),
  object: oneOf(MANAGED_OBJECTS),
  attributes: content(TAG.Attributes),
} as const satisfies Fields

export const SetEndpointRole = { endpointRole: enumeration(TAG.EndpointRole) } as const satisfies Fields
