import { createHash } from 'node:crypto'
import { hash } from '../crypto/hash.ts'
import { sameBytes } from '../crypto/same-bytes.ts'
import { KmipError } from '../objects/errors.ts'
import type { Records } from '../seal/records.ts'
import { isConflict } from '../store/store.ts'
import { ENUM } from '../ttlv/enumerations.ts'
import { enumName } from '../ttlv/item.ts'
import type { HashedPassword } from '../ttlv/payloads/sessions.ts'
import type { Value } from '../ttlv/spec.ts'

/** Hashes that a client may choose; weaker ones would help who reads the password's hash off. */
const HASHES: readonly string[] = ['SHA_256', 'SHA_384', 'SHA_512', 'SHA3_256', 'SHA3_384', 'SHA3_512']
/** Further from our clock, in microseconds, a time stamp is not taken: what was recorded long ago is refused after a restart too. */
const MOST_OFF = 300_000_000n

/** Where the last time stamp of each user is kept, apart from the scopes' objects. */
const PARTITION = 'hashed-passwords'

/**
 * The Hashed Password credential: the password itself does not travel, and each time stamp is good once, at all servers of a store together.
 * Spec: KMIP 2.1 section 9.11, 8.5
 */
export class HashedPasswords {
  readonly #records: Records

  constructor(records: Records) {
    this.#records = records
  }

  /**
   * Check a credential against the user's passwords.
   * @param passwords  in clear, as the server has them; none: there is no such user
   * @param now  seconds since 1970
   * @returns Server Hashed Password, which proves to the client that the server knows the password too
   * @throws KmipError Authentication Not Successful; StoreError, SealError
   */
  async check(user: string, credential: Value<typeof HashedPassword>, passwords: readonly string[], now: bigint): Promise<Buffer> {
    const { username, timestamp, hashingAlgorithm, hashedPassword } = credential
    const algorithm = enumName('HashingAlgorithm', hashingAlgorithm ?? ENUM.HashingAlgorithm.SHA_256)
    if (!HASHES.includes(algorithm)) throw new KmipError('AuthenticationNotSuccessful', `passwords hashed by ${algorithm} are not taken`)
    const digest = (...parts: (Buffer | string)[]): Buffer => hash(Buffer.concat(parts.map(part => Buffer.from(part as string))), algorithm)
    const time = Buffer.alloc(8)
    time.writeBigInt64BE(timestamp)
    let answer: Buffer | undefined
    // Compared for an unknown user too, so that the time does not tell whether there is one.
    for (const password of passwords.length > 0 ? passwords : ['']) {
      const s1 = digest(username, password)
      const s2 = digest(password, username)
      const expected = Buffer.concat([digest(s1, time), s2])
      if (sameBytes(expected, hashedPassword)) answer = digest(time, s1, digest(s2))
    }
    const off = timestamp - now * 1_000_000n
    if (!answer || passwords.length === 0 || off > MOST_OFF || off < -MOST_OFF || !(await this.#isFirst(user, time))) throw wrong()
    return answer
  }

  /** Whether a time is later than the last one of the user, which it then is. */
  async #isFirst(user: string, time: Buffer): Promise<boolean> {
    const id = createHash('sha256').update(user).digest('hex')
    for (;;) {
      const last = await this.#records.get(PARTITION, id)
      if (last && last.body.readBigInt64BE() >= time.readBigInt64BE()) return false
      try {
        await this.#records.commit([{ partition: PARTITION, id, expect: last?.revision ?? 0, body: time }])
        return true
      } catch (error) {
        // Another request was faster.
        if (!isConflict(error)) throw error
      }
    }
  }
}

const wrong = (): KmipError => new KmipError('AuthenticationNotSuccessful', 'the credentials are not right')
