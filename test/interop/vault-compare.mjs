// What an answer must have in common with a recorded one. Some recorded answers are those of a stand-in that gave back what it was sent, so
// values are compared without regard to whether they are texts: "256" is 256, "8760h" is 31536000, "a,b" is ["a", "b"].

/** Fields whose value is made anew each time, or says which server it is: their type counts. */
const MADE = new Set([
  ...['accessor', 'uuid', 'creation_time', 'expire_time', 'issue_time', 'id', 'client_token', 'token', 'request_id', 'migration_id'],
  ...['serial_number', 'certificate', 'private_key', 'ca_pem', 'ca_chain', 'keys', 'cluster_id', 'cluster_name', 'server_time_utc'],
  ...['version', 'build_date', 'storage_type', 'running_plugin_version', 'running_sha256', 'path', 'display_name', 'enterprise'],
])
const UNITS = { s: 1, m: 60, h: 3600, d: 86_400 }

function plain(value) {
  if (value === null || value === undefined) return null
  if (typeof value !== 'string') return value
  if (value === 'true' || value === 'false') return value === 'true'
  if (/^-?\d{1,15}$/.test(value)) return Number(value)
  const duration = /^(\d+)([smhd])$/.exec(value)
  return duration ? Number(duration[1]) * UNITS[duration[2]] : value
}

const kindOf = value => (Array.isArray(value) ? 'list' : value === null ? 'null' : typeof value)

/** The first difference in words; undefined: everything recorded is there. More may be there. */
export function difference(recorded, answered, at = '') {
  if (recorded === '…') return undefined
  const name = at.split('.').at(-1)
  const [a, b] = [plain(recorded), plain(answered)]
  if (Array.isArray(b) && typeof a === 'string') return difference(a.split(','), b, at)
  // What is not granted is left out.
  if (a === false && b === null && name.startsWith('operation_')) return undefined
  if (MADE.has(name) && (kindOf(a) === kindOf(b) || [a, b].every(one => ['string', 'number'].includes(typeof one)))) {
    if (name !== 'keys' || a.some(key => /^\d{20,}$/.test(key))) return undefined
  }
  if (kindOf(a) !== kindOf(b)) return `${at || 'the body'} is ${JSON.stringify(answered)}, recorded ${JSON.stringify(recorded)}`
  if (kindOf(a) === 'list') {
    if (a.length !== b.length) return `${at} has ${b.length} items, recorded ${a.length}`
    return a.map((item, i) => difference(item, b[i], `${at}.${i}`)).find(found => found !== undefined)
  }
  if (kindOf(a) === 'object')
    return Object.entries(a)
      .map(([key, value]) => difference(value, b[key], at === '' ? key : `${at}.${key}`))
      .find(found => found !== undefined)
  return a === b ? undefined : `${at || 'the body'} is ${JSON.stringify(answered)}, recorded ${JSON.stringify(recorded)}`
}

/** Texts that a recorded server made, with what this one made in the same place; to be put into later requests. */
export function learn(recorded, answered, known) {
  if (typeof recorded === 'string' && typeof answered === 'string') {
    if (recorded !== answered && /^(hvs\.\S+|\d{20,}|[0-9a-f]{8}-[0-9a-f-]{27})$/.test(recorded)) known.set(recorded, answered)
  } else if (recorded !== null && typeof recorded === 'object' && answered !== null && typeof answered === 'object')
    for (const [key, value] of Object.entries(recorded)) learn(value, answered[key], known)
}

/** The same value with texts replaced, wherever they stand in it. */
export function translated(value, known) {
  if (value === undefined || value === null) return value
  let text = JSON.stringify(value)
  for (const [from, to] of known) text = text.replaceAll(JSON.stringify(from).slice(1, -1), JSON.stringify(to).slice(1, -1))
  return JSON.parse(text)
}
