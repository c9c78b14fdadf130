import { ENUM_VERSIONS, type EnumName } from './enumerations.ts'
import { enumName } from './item.ts'
import type { Version } from './spec.ts'

/** Whether a version of the protocol has this value of an enumeration. */
export function isKnown(enumeration: EnumName, value: number, version: Version): boolean {
  const [since, until] = ENUM_VERSIONS[enumeration]?.[enumName(enumeration, value)] ?? [10, 30]
  return version >= since && version <= until
}
