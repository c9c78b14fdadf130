import type { Version } from '../ttlv/spec.ts'
import type { Case } from './case.ts'
import { type CaseResult, type RunOptions, runCase } from './run-case.ts'

export interface Choice {
  /** All unless told. */
  readonly versions?: readonly Version[]
  /** Names, or beginnings of names; all unless told. */
  readonly only?: readonly string[]
}

/** The cases that are meant, in their order. */
export const choose = (cases: readonly Case[], { versions, only }: Choice): Case[] =>
  cases.filter(
    one => (versions?.includes(one.version) ?? true) && (only?.some(name => one.name.toUpperCase().startsWith(name.toUpperCase())) ?? true),
  )

/** Versions from a list such as `1.0,2.1`, or nothing if it is none. */
export function versionsIn(list: string): Version[] | undefined {
  const parts = list.split(',').map(part => part.trim())
  return parts.every(part => /^[1-9]\.\d$/.test(part)) ? parts.map(part => Math.round(Number(part) * 10)) : undefined
}

/** Run cases one after another; `onResult` gets each result as it comes. Never rejects, unless `onResult` throws. */
export async function runCases(
  chosen: readonly Case[],
  options: RunOptions,
  onResult: (result: CaseResult) => void,
): Promise<CaseResult[]> {
  const results: CaseResult[] = []
  for (const one of chosen) {
    const result = await runCase(one, options)
    results.push(result)
    onResult(result)
  }
  return results
}
