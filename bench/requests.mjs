import { nameOf } from './messages.mjs'

/** Shares of the mixed load in hundredths. */
export const MIXED = { get: 60, locate: 15, encrypt: 15, create: 5, register: 5 }

const NEW_NAMES = 1_000_000_000
let made = 0
let state = 1

/** A number from 0 to n - 1 that is the same in each run of the benchmark. */
function random(n) {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
  return Math.floor((state / 2 ** 32) * n)
}

/**
 * A source of requests for one connection: each call returns the next one, in a buffer that the next call writes over.
 * @param {Record<string, { bytes: Buffer, at: number, copy(): Buffer }>} templates
 * @param {string} operation
 * @param {readonly string[]} ids of the objects to work on; the name of the nth is `nameOf(n)`
 * @returns {() => Buffer}
 */
export function requests(templates, operation, ids) {
  if (operation === 'mixed') return mixed(templates, ids)
  const { at } = templates[operation]
  const bytes = templates[operation].copy()
  const put = text => {
    bytes.latin1Write(text, at)
    return bytes
  }
  if (operation === 'get' || operation === 'encrypt') return () => put(ids[random(ids.length)])
  if (operation === 'locate') return () => put(nameOf(random(ids.length)))
  return () => put(nameOf(NEW_NAMES + made++))
}

function mixed(templates, ids) {
  const sources = Object.entries(MIXED).flatMap(([operation, share]) => Array(share).fill(requests(templates, operation, ids)))
  return () => sources[random(sources.length)]()
}
