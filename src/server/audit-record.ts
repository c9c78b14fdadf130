import type { AuditEntry, Peer } from '../ops/engine.ts'

/** The part of an audit record that is the same for all messages of a connection: who. */
export function auditSubject(peer: Peer, address: string, connection: number): string {
  const who = { scope: peer.scope, scopeName: peer.scopeName, role: peer.role, serial: peer.serial, address, connection }
  return JSON.stringify(who).slice(1, -1)
}

const field = (name: string, value: string | undefined): string => (value === undefined ? '' : `,"${name}":${JSON.stringify(value)}`)

/**
 * One audit record, a line of JSON: time, who, what, on which object, with which result, and how long it took; the user whom credentials in
 * the request name, and what the client asked to be logged, if there is any.
 * @param time ISO 8601
 * @param subject what `auditSubject` made
 */
export function auditLine(time: string, subject: string, entry: AuditEntry): string {
  const { user, operation, object, remark, status, reason, latencyMs } = entry
  // Names of operations, states and reasons are those of our tables, in which nothing needs an escape.
  const what = `${field('user', user)},"operation":"${operation}"${field('object', object)}${field('remark', remark)}`
  const why = reason === undefined ? '' : `,"reason":"${reason}"`
  const outcome = `,"status":"${status}"${why},"latencyMs":${Math.round(latencyMs * 1000) / 1000}`
  return `{"type":"audit","time":"${time}",${subject}${what}${outcome}}\n`
}
