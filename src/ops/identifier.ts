/**
 * Unique Identifiers: UUIDs of version 7, whose order is that of their making, so that a store appends them to its index instead of
 * scattering them. They tell when an object was made, which its Initial Date tells as well. Spec: RFC 9562 section 5.7
 * @param nowMs milliseconds since 1970
 */
export function identifierSource(nowMs: () => number, randomBytes: (size: number) => Buffer): () => string {
  let last = 0
  let counter = 0
  let pool: Buffer = Buffer.alloc(0)
  let used = 0
  return () => {
    const now = nowMs()
    if (now > last) {
      last = now
      counter = 0
    } else if (++counter > 0xfff) {
      // More than fit into one millisecond: borrow the next one, so that the order stays.
      last++
      counter = 0
    }
    if (used + 8 > pool.length) {
      pool = randomBytes(RANDOM_POOL)
      used = 0
    }
    const random = pool.toString('hex', used, used + 8)
    used += 8
    const time = last.toString(16).padStart(12, '0')
    const variant = '89ab'[Number.parseInt(random[0]!, 16) & 3]
    return `${time.slice(0, 8)}-${time.slice(8)}-7${counter.toString(16).padStart(3, '0')}-${variant}${random.slice(1, 4)}-${random.slice(4)}`
  }
}

const RANDOM_POOL = 4096
