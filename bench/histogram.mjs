const LINEAR = 1024
const STEPS = 64

/** Counts of latencies in microseconds: exact below a millisecond, within 1.6 % above, up to about an hour. Recording allocates nothing. */
export class Histogram {
  counts = new Uint32Array(LINEAR + STEPS * 22)
  total = 0

  /** @param {number} us */
  record(us) {
    this.counts[slot(us | 0)]++
    this.total++
  }

  clear() {
    this.counts.fill(0)
    this.total = 0
  }

  /** @param {ArrayLike<number>} counts of another histogram */
  add(counts) {
    for (let i = 0; i < counts.length; i++) {
      this.counts[i] += counts[i]
      this.total += counts[i]
    }
  }

  /**
   * @param {number} share 0.99 for p99
   * @returns {number} microseconds
   */
  quantile(share) {
    let left = Math.ceil(this.total * share)
    for (let i = 0; i < this.counts.length; i++) {
      left -= this.counts[i]
      if (left <= 0) return upper(i)
    }
    return 0
  }
}

function slot(us) {
  if (us < LINEAR) return us
  const shift = 31 - Math.clz32(us) - 6
  return LINEAR + (shift - 4) * STEPS + ((us >>> shift) & (STEPS - 1))
}

function upper(i) {
  if (i < LINEAR) return i
  const shift = Math.floor((i - LINEAR) / STEPS) + 4
  return (STEPS + ((i - LINEAR) % STEPS) + 1) * 2 ** shift - 1
}
