import { content, enumeration, type Fields, optional, repeated, struct, text } from '../spec.ts'
import { TAG } from '../tags.ts'

// What clients set for all objects of a scope. Spec: KMIP 2.1 section 6.1.22, 6.1.52, 6.1.53, 7.6, 7.7, 7.11, 7.22

const ObjectTypes = { objectType: repeated(enumeration(TAG.ObjectType)) } as const satisfies Fields
const ObjectGroups = { objectGroup: repeated(text(TAG.ObjectGroup)) } as const satisfies Fields

export const Constraints = {
  constraint: repeated(
    struct(TAG.Constraint, {
      objectTypes: optional(struct(TAG.ObjectTypes, ObjectTypes)),
      objectGroups: optional(struct(TAG.ObjectGroups, ObjectGroups)),
      attributes: optional(content(TAG.Attributes)),
    }),
  ),
} as const satisfies Fields
export const DefaultsInformation = {
  objectDefaults: repeated(
    struct(TAG.ObjectDefaults, {
      objectType: optional(enumeration(TAG.ObjectType)),
      objectTypes: optional(struct(TAG.ObjectTypes, ObjectTypes)),
      attributes: content(TAG.Attributes),
      objectGroups: optional(struct(TAG.ObjectGroups, ObjectGroups)),
    }),
  ),
} as const satisfies Fields

export const SetConstraintsRequest = { constraints: optional(struct(TAG.Constraints, Constraints)) } as const satisfies Fields
export const GetConstraintsResponse = { constraints: struct(TAG.Constraints, Constraints) } as const satisfies Fields
export const SetDefaultsRequest = {
  defaultsInformation: optional(struct(TAG.DefaultsInformation, DefaultsInformation)),
} as const satisfies Fields

/** Both, as they are kept for one scope. */
export const Policy = {
  constraints: struct(TAG.Constraints, Constraints),
  defaults: struct(TAG.DefaultsInformation, DefaultsInformation),
} as const satisfies Fields
