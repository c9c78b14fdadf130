import { createHash } from 'node:crypto'
import t from 'tap'
import { decode } from '../../src/ttlv/binary.ts'
import { ENUM } from '../../src/ttlv/enumerations.ts'
import { bytes, child, enumeration, type Item, structure, TYPE, text } from '../../src/ttlv/item.ts'
import { TAG } from '../../src/ttlv/tags.ts'
import { type Client, type Message, makeLab } from './harness.ts'

// The Hashed Password credential. Spec: KMIP 2.1 section 9.11 and 8.5

const digest = (name: string, ...parts: (Buffer | string)[]): Buffer => {
  const hash = createHash(name)
  for (const part of parts) hash.update(part)
  return hash.digest()
}
const stamp = (time: bigint): Buffer => {
  const buffer = Buffer.alloc(8)
  buffer.writeBigInt64BE(time)
  return buffer
}
const ACCOUNTS = [{ name: 'alice', password: 'wonder' }]

interface Told {
  readonly user?: string
  readonly password?: string
  readonly time: bigint
  readonly hash?: 'SHA_256' | 'SHA_512' | 'MD5'
}
const NODE = { SHA_256: 'sha256', SHA_512: 'sha512', MD5: 'md5' } as const
const secrets = ({ user = 'alice', password = 'wonder', hash = 'SHA_256' }: Told) =>
  [digest(NODE[hash], user, password), digest(NODE[hash], password, user)] as const
const credential = (told: Told): Item => {
  const [s1, s2] = secrets(told)
  const hashed = Buffer.concat([digest(NODE[told.hash ?? 'SHA_256'], s1, stamp(told.time)), s2])
  return structure(TAG.Credential, [
    enumeration(TAG.CredentialType, ENUM.CredentialType.HashedPassword),
    structure(TAG.CredentialValue, [
      text(TAG.Username, told.user ?? 'alice'),
      { tag: TAG.TimeStamp, type: TYPE.DateTimeExtended, value: told.time },
      ...(told.hash ? [enumeration(TAG.HashingAlgorithm, ENUM.HashingAlgorithm[told.hash])] : []),
      bytes(TAG.HashedPassword, hashed),
    ]),
  ])
}
const ask = (c: Client, told: Told): Promise<Message> =>
  c.send([['Query', enumeration(TAG.QueryFunction, 1)]], { credentials: [credential(told)] })

t.test('a password is checked by its hash, each time stamp once, and the server proves that it knows it', async t => {
  const lab = await makeLab({ accounts: ACCOUNTS })
  const c = lab.client({ version: 21 })
  const other = lab.client({ version: 21, engine: lab.anotherEngine({ accounts: ACCOUNTS }) })
  const now = lab.now * 1_000_000n
  for (const [what, told, result] of [
    ['the first', { time: now }, 'Success'],
    ['the same again', { time: now }, 'AuthenticationNotSuccessful'],
    ['an earlier one', { time: now - 1n }, 'AuthenticationNotSuccessful'],
    ['a later one', { time: now + 1n }, 'Success'],
    ['another hash', { time: now + 2n, hash: 'SHA_512' }, 'Success'],
    ['a weak hash', { time: now + 3n, hash: 'MD5' }, 'AuthenticationNotSuccessful'],
    ['a wrong password', { time: now + 4n, password: 'other' }, 'AuthenticationNotSuccessful'],
    ['nobody', { time: now + 5n, user: 'bob' }, 'AuthenticationNotSuccessful'],
    ['one far ahead, which would lock the user out', { time: now + 3_600_000_000n }, 'AuthenticationNotSuccessful'],
    ['one long past', { time: now - 3_600_000_000n }, 'AuthenticationNotSuccessful'],
    ['what a wrong password did not use up', { time: now + 4n }, 'Success'],
    ['the same at another server of the store', { time: now + 4n, server: 'other' }, 'AuthenticationNotSuccessful'],
    ['a later one there', { time: now + 5n, server: 'other' }, 'Success'],
    ['which is used up here too', { time: now + 5n }, 'AuthenticationNotSuccessful'],
  ] as const) {
    const message = await ask('server' in told ? other : c, told as Told)
    t.equal(message.reply.result, result, what)
    const header = decode(message.bytes)
    const proof = child(child(header, TAG.ResponseHeader)!, TAG.ServerHashedPassword)?.value
    const [s1, s2] = secrets(told as Told)
    const name = NODE[(told as Told).hash ?? 'SHA_256']
    t.same(proof, result === 'Success' ? digest(name, stamp(told.time), s1, digest(name, s2)) : undefined, `${what}: the proof`)
  }
})
