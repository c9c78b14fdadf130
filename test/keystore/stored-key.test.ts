import * as fc from 'fast-check'
import t from 'tap'
import type { StoredKey } from '../../src/keystore/keystore.ts'
import { readTime, writeTime } from '../../src/keystore/moment.ts'
import { isKeyName } from '../../src/keystore/names.ts'
import { readFields, writeField } from '../../src/keystore/protobuf.ts'
import { LONGEST_VALUE, readStoredKey, writeStoredKey } from '../../src/keystore/stored-key.ts'
import { failsWith } from './contract.ts'

const KEY = Buffer.from(Array.from({ length: 32 }, (_, i) => i))
const HMAC = Buffer.alloc(32, 7)
const B64 = KEY.toString('base64')
const AT = 1_700_000_000_000_000_005n
const secret = (key: Buffer, type: bigint): Buffer => writeField(1, Buffer.concat([writeField(1, key), writeField(2, type)]))
const hmac = (key: Buffer, hash: bigint): Buffer => writeField(2, Buffer.concat([writeField(1, key), writeField(2, hash)]))
const base64 = (...fields: Buffer[]): string => Buffer.concat(fields).toString('base64')

const READ: readonly [name: string, value: string, key: StoredKey][] = [
  ['2019', `{"bytes":"${B64}"}`, { algorithm: 'AES256', key: KEY }],
  ['2019 with a line end', `{"bytes":"${B64}"}\n`, { algorithm: 'AES256', key: KEY }],
  [
    '2022',
    `{"bytes":"${B64}","algorithm":"XCHACHA20-POLY1305","created_at":"2023-11-14T22:13:20.000000005Z","created_by":"abcd"}`,
    { algorithm: 'ChaCha20', key: KEY, createdAtNs: AT, createdBy: 'abcd' },
  ],
  [
    '2022, another time zone',
    `{"bytes":"${B64}","algorithm":"AES256-GCM_SHA256","created_at":"2023-11-15T00:13:20.000000005+02:00"}`,
    { algorithm: 'AES256', key: KEY, createdAtNs: AT },
  ],
  [
    '2023',
    `{"version":"v1","bytes":"${B64}","algorithm":"AES256","created_at":"2023-11-14T22:13:20.5Z","created_by":"abcd"}`,
    { algorithm: 'AES256', key: KEY, createdAtNs: 1_700_000_000_500_000_000n, createdBy: 'abcd' },
  ],
  [
    '2023 without knowledge of its making',
    `{"version":"v1","bytes":"${B64}","algorithm":"ChaCha20","created_at":"0001-01-01T00:00:00Z","created_by":""}`,
    { algorithm: 'ChaCha20', key: KEY },
  ],
  ['names in other case, unknown fields, null', `{"Bytes":"${B64}","x":[1],"created_by":null}`, { algorithm: 'AES256', key: KEY }],
  [
    '2024, as a release of KES wrote it',
    'CiQKIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fEAISJAogBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcQARoICIDiz6oGEAUiAm1l',
    { algorithm: 'ChaCha20', key: KEY, hmacKey: HMAC, createdAtNs: AT, createdBy: 'me' },
  ],
  [
    '2024, with an empty name',
    'CiQKIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fEAESJAogBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcQARoGCIDiz6oGIgA=',
    { algorithm: 'AES256', key: KEY, hmacKey: HMAC, createdAtNs: 1_700_000_000_000_000_000n },
  ],
  [
    '2024, with fields of later releases',
    base64(secret(KEY, 1n), hmac(HMAC, 1n), writeField(9, 5n), writeField(10, Buffer.from('x'))),
    {
      algorithm: 'AES256',
      key: KEY,
      hmacKey: HMAC,
    },
  ],
]

t.test('every form that was ever stored is read', async t => {
  for (const [name, value, key] of READ) {
    t.same(readStoredKey(value, 'a key'), key, name)
    t.same(readStoredKey(Buffer.from(value), 'a key'), key, `${name}, as bytes`)
    t.same(readStoredKey(writeStoredKey(key), 'a key'), key, `${name}, written anew`)
  }
})

t.test('what is no key is said to be damaged', async t => {
  const damaged: readonly [name: string, value: string][] = [
    ['nothing', ''],
    ['garbage', 'garbage'],
    ['base64 of garbage', Buffer.from('garbage, and more of it').toString('base64')],
    ['short', `{"bytes":"${KEY.subarray(0, 16).toString('base64')}"}`],
    ['long', `{"bytes":"${Buffer.alloc(33).toString('base64')}"}`],
    ['no bytes', '{}'],
    ['bytes that are no base64', `{"bytes":"${'-'.repeat(44)}"}`],
    ['bytes without padding', `{"bytes":"${B64.replace('=', '')}"}`],
    ['an algorithm nobody knows', `{"bytes":"${B64}","algorithm":"X"}`],
    ['a version nobody knows', `{"bytes":"${B64}","version":"v2"}`],
    ['a time that is none', `{"bytes":"${B64}","created_at":"yesterday"}`],
    ['a name that is a number', `{"bytes":"${B64}","created_by":5}`],
    ['cut JSON', `{"bytes":"${B64}"`],
    ['JSON of another kind', `["${B64}"]`],
    ['a value encrypted by Vault', 'vault:v1:abcd'],
    ['protobuf of a short key', base64(secret(KEY.subarray(1), 1n), hmac(HMAC, 1n))],
    ['protobuf without a type', base64(secret(KEY, 0n), hmac(HMAC, 1n))],
    ['protobuf of a type nobody knows', base64(secret(KEY, 3n), hmac(HMAC, 1n))],
    ['protobuf of a short HMAC key', base64(secret(KEY, 1n), hmac(HMAC.subarray(1), 1n))],
    ['protobuf of another hash', base64(secret(KEY, 1n), hmac(HMAC, 2n))],
    ['protobuf with a number for a key', base64(writeField(1, 5n))],
    ['protobuf without an HMAC key', base64(secret(KEY, 2n))],
    ['protobuf without a key', base64(hmac(HMAC, 1n))],
    ['too much', ' '.repeat(LONGEST_VALUE + 1)],
  ]
  for (const [name, value] of damaged)
    t.throws(() => readStoredKey(value, 'the place'), { ...failsWith('damaged'), message: /^the place: / }, name)

  const whole = Buffer.from(writeStoredKey({ algorithm: 'AES256', key: KEY, hmacKey: HMAC, createdAtNs: AT, createdBy: 'me' }), 'base64')
  for (let cut = 0; cut < 76; cut++)
    t.throws(() => readStoredKey(whole.subarray(0, cut).toString('base64'), 'x'), failsWith('damaged'), `cut after ${cut} bytes`)
  try {
    readStoredKey(`{"bytes":"${B64}","algorithm":"X"}`, 'x')
  } catch (error) {
    t.notMatch(JSON.stringify(error, Object.getOwnPropertyNames(error)), B64.slice(4, 12), 'the error does not hold the key')
  }
})

t.test('what is written is what KES writes', async t => {
  const key: StoredKey = { algorithm: 'ChaCha20', key: KEY, hmacKey: HMAC, createdAtNs: AT, createdBy: 'me' }
  t.equal(writeStoredKey(key), READ[7]?.[1])
  t.equal(writeStoredKey({ ...key, createdBy: 'f'.repeat(64), createdAtNs: AT + 500_000_000n }).length, 208)
  t.equal(
    writeStoredKey({ algorithm: 'AES256', key: KEY, createdAtNs: AT }),
    `{"version":"v1","bytes":"${B64}","algorithm":"AES256","created_at":"2023-11-14T22:13:20.000000005Z"}`,
  )
})

t.test('all keys come back, and no bytes confuse the reader', async t => {
  const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(array => Buffer.from(array))
  const times = fc.bigInt(-62_135_596_799_999_999_999n, 253_402_300_799_999_999_999n)
  const keys = fc
    .record({ algorithm: fc.constantFrom('AES256' as const, 'ChaCha20' as const), key: bytes32 })
    .chain(base =>
      fc
        .record({ hmacKey: bytes32, createdAtNs: times, createdBy: fc.string({ minLength: 1, unit: 'grapheme' }) }, { requiredKeys: [] })
        .map(rest => ({ ...base, ...rest })),
    )
  fc.assert(fc.property(keys, key => t.same(readStoredKey(writeStoredKey(key), 'x'), key)))
  fc.assert(fc.property(times, ns => readTime(writeTime(ns)) === ns))
  fc.assert(
    fc.property(fc.uint8Array(), fc.boolean(), (array, isBase64) => {
      const value = isBase64 ? Buffer.from(array).toString('base64') : Buffer.from(array)
      t.throws(() => readStoredKey(value, 'x'), failsWith('damaged'))
    }),
  )
  fc.assert(
    fc.property(fc.array(fc.record({ number: fc.integer({ min: 1, max: 0x0fff_ffff }), value: fc.bigInt(0n, 2n ** 64n - 1n) })), fields => {
      t.same(readFields(Buffer.concat(fields.map(({ number, value }) => writeField(number, value)))), fields)
    }),
  )
})

t.test('names that KES takes', async t => {
  for (const name of ['a', '0', 'my-key', '__', '_a', 'A_z-9', 'x'.repeat(80)]) t.ok(isKeyName(name), name)
  for (const name of ['', '_', '-a', 'a-', '-', 'a.b', 'a/b', 'ä', 'a b', 'a\n', 'x'.repeat(81)]) t.notOk(isKeyName(name), name)
})
