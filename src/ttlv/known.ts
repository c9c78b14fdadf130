import { ENUM, ENUM_VERSIONS, type EnumName } from './enumerations.ts'
import { enumName } from './item.ts'
import type { Version } from './spec.ts'

/** Whether any version of the protocol has this value of an enumeration; those of vendors do not count. */
export const isValue = (enumeration: EnumName, value: number): boolean => Object.values(ENUM[enumeration]).includes(value as never)

/** Whether a version of the protocol has this value of an enumeration. */
export function isKnown(enumeration: EnumName, value: number, version: Version): boolean {
  const [since, until] = ENUM_VERSIONS[enumeration]?.[enumName(enumeration, value)] ?? [10, 30]
  return version >= since && version <= until
}
