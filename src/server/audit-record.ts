import type { AuditEntry, Peer } from '../ops/engine.ts'

/** The part of an audit record that is the same for all messages of a connection: who. */
export function auditSubject(peer: Peer, address: string, connection: number): string {
  const who = { scope: peer.scope, scopeName: peer.scopeName, role: peer.role, serial: peer.serial, address, connection }
  return JSON.stringify(who).slice(1, -1)
}

/**
 * One audit record, a line of JSON: time, who, what, on which object, with which result, and how long it took.
 * @param time ISO 8601
 * @param subject what `auditSubject` made
 */
export function auditLine(time: string, subject: string, entry: AuditEntry): string {
  const object = entry.object === undefined ? '' : `,"object":${JSON.stringify(entry.object)}`
  const reason = entry.reason === undefined ? '' : `,"reason":${JSON.stringify(entry.reason)}`
  return `{"type":"audit","time":"${time}",${subject},"operation":${JSON.stringify(entry.operation)}${object},"status":${JSON.stringify(
    entry.status,
  )}${reason},"latencyMs":${Math.round(entry.latencyMs * 1000) / 1000}}\n`
}
