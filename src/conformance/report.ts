import type { CaseResult } from './run-case.ts'

/** A result on one line: `SKLC-M-2-10 failed at step 5: …`. */
export function line(result: CaseResult): string {
  const { name, status, step, reason, difference } = result
  const where = step === undefined ? '' : ` at step ${step}`
  const what = [reason, difference && `${difference.path}: expected ${difference.expected}, got ${difference.actual}`]
    .filter(Boolean)
    .join(': ')
  return `${name} ${status}${where}${what === '' ? '' : `: ${what}`}`
}

export interface Count {
  readonly version: string
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  readonly total: number
}

/** Sums by protocol version. */
export function countByVersion(results: readonly CaseResult[]): Count[] {
  const versions = [...new Set(results.map(result => result.version))].sort((one, other) => one - other)
  return versions.map(version => {
    const these = results.filter(result => result.version === version)
    const count = (status: CaseResult['status']): number => these.filter(result => result.status === status).length
    return {
      version: versionText(version),
      passed: count('passed'),
      failed: count('failed'),
      skipped: count('skipped'),
      total: these.length,
    }
  })
}

/** Sums as text: a line for each version, and one for all. */
export function summary(results: readonly CaseResult[]): string[] {
  const sums = (passed: number, failed: number, skipped: number): string =>
    `${passed} passed, ${failed} failed${skipped === 0 ? '' : `, ${skipped} skipped`}`
  const count = (status: CaseResult['status']): number => results.filter(result => result.status === status).length
  return [
    ...countByVersion(results).map(({ version, passed, failed, skipped }) => `KMIP ${version}: ${sums(passed, failed, skipped)}`),
    sums(count('passed'), count('failed'), count('skipped')),
  ]
}

const versionText = (version: number): string => `${Math.floor(version / 10)}.${version % 10}`

/** Results as a JSON document. */
export const jsonReport = (results: readonly CaseResult[]): string =>
  `${JSON.stringify({ versions: countByVersion(results), cases: results.map(result => ({ ...result, version: versionText(result.version) })) }, null, 2)}\n`

/** Results as a JUnit document, a test suite for each version. */
export function junitReport(results: readonly CaseResult[]): string {
  const suites = countByVersion(results).map(count => {
    const cases = results
      .filter(result => versionText(result.version) === count.version)
      .map(result => {
        const open = `    <testcase classname="KMIP ${count.version}" name="${attribute(result.name)}" time="${(result.milliseconds / 1000).toFixed(3)}"`
        if (result.status === 'passed') return `${open}/>`
        const element = result.status === 'failed' ? 'failure' : 'skipped'
        return `${open}><${element} message="${attribute(line(result))}"/></testcase>`
      })
    const head = `  <testsuite name="KMIP ${count.version}" tests="${count.total}" failures="${count.failed}" skipped="${count.skipped}">`
    return [head, ...cases, '  </testsuite>'].join('\n')
  })
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n${suites.join('\n')}\n</testsuites>\n`
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
/** Text of servers may hold what XML cannot carry. */
const attribute = (text: string): string =>
  text.replace(/[&<>"]/g, character => ENTITIES[character]!).replace(/[\0-\x1f\ufffe\uffff]/g, '\ufffd')
