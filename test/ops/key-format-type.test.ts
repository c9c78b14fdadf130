import { createHash } from 'node:crypto'
import t from 'tap'
import { ENUM } from '../../src/ttlv/enumerations.ts'
import { child, enumeration, enumName, type Item, structure } from '../../src/ttlv/item.ts'
import { TAG } from '../../src/ttlv/tags.ts'
import { AES, algorithm, bits, type Client, makeLab, objectType, type Reply, uid } from './harness.ts'

type Format = keyof typeof ENUM.KeyFormatType
const format = (one: Format): Item => enumeration(TAG.KeyFormatType, ENUM.KeyFormatType[one])
const name = (value: unknown): string => enumName('KeyFormatType', Number(value))

const attributes = (...items: Item[]): Item => structure(TAG.Attributes, items)
const pair = (common: Item[], forPrivate: Item[] = [], forPublic: Item[] = []): Item[] => [
  structure(TAG.CommonAttributes, common),
  structure(TAG.PrivateKeyAttributes, forPrivate),
  structure(TAG.PublicKeyAttributes, forPublic),
]

/** The format in which a key comes, the one that its attribute tells, and those of its digests. */
async function formatsOf(c: Client, id: string, tag: number): Promise<string[]> {
  const told = (await c.in(21).ok('GetAttributes', uid(id))).payload!
  const { value } = child(told, TAG.Attributes)!
  const all = Array.isArray(value) ? (value as Item[]) : []
  return [
    name((await c.ok('Get', uid(id))).at(tag, TAG.KeyBlock, TAG.KeyFormatType)),
    name(all.find(item => item.tag === TAG.KeyFormatType)?.value),
    ...all.filter(item => item.tag === TAG.Digest).map(item => name(child(item, TAG.KeyFormatType)?.value)),
  ]
}

t.test('a new key is in the format that is asked for, and has a digest in the usual one too', async t => {
  const c = (await makeLab()).client({ version: 21 })
  for (const [asked, expected] of [
    [undefined, ['Raw', 'Raw', 'Raw']],
    ['Raw', ['Raw', 'Raw', 'Raw']],
    ['TransparentSymmetricKey', ['TransparentSymmetricKey', 'TransparentSymmetricKey', 'TransparentSymmetricKey', 'Raw']],
  ] as const) {
    const { id } = await c.ok('Create', objectType('SymmetricKey'), attributes(...AES, bits(128), ...(asked ? [format(asked)] : [])))
    t.same(await formatsOf(c, id, TAG.SymmetricKey), expected, asked ?? 'none')
  }
  t.equal(
    await c.result('Create', objectType('SymmetricKey'), attributes(...AES, bits(128), format('PKCS_8'))),
    'KeyFormatTypeNotSupported',
  )
})

t.test('the digest is that of the key as it comes', async t => {
  const c = (await makeLab()).client({ version: 21 })
  const made = await c.ok('CreateKeyPair', ...pair([algorithm('ECDSA'), bits(256)], [format('PKCS_8')]))
  const id = String(made.at(TAG.PrivateKeyUniqueIdentifier))
  const key = (await c.ok('Get', uid(id))).at(TAG.PrivateKey, TAG.KeyBlock, TAG.KeyValue, TAG.KeyMaterial) as Buffer
  const digest = (await c.ok('GetAttributes', uid(id), enumeration(TAG.AttributeReference, TAG.Digest))).at(
    TAG.Attributes,
    TAG.Digest,
    TAG.DigestValue,
  )
  t.same(digest, createHash('sha256').update(key).digest())
})

t.test('the formats of key pairs', async t => {
  const lab = await makeLab()
  const RSA = [algorithm('RSA'), bits(2048)]
  const EC = [algorithm('ECDSA'), bits(256)]
  const CASES: [what: string, asked: Item[], forPrivate: Format[], forPublic: Format[]][] = [
    ['RSA', pair(RSA), ['PKCS_1'], ['PKCS_1']],
    ['RSA, each its own', pair(RSA, [format('PKCS_8')], [format('X_509')]), ['PKCS_8', 'PKCS_1'], ['X_509', 'PKCS_1']],
    ['RSA, one for both', pair([...RSA, format('PKCS_8')]), ['PKCS_8', 'PKCS_1'], ['X_509', 'PKCS_1']],
    ['RSA, the other one for both', pair([...RSA, format('X_509')]), ['PKCS_8', 'PKCS_1'], ['X_509', 'PKCS_1']],
    [
      'RSA in numbers',
      pair(RSA, [format('TransparentRSAPrivateKey')], [format('TransparentRSAPublicKey')]),
      ['TransparentRSAPrivateKey', 'PKCS_1'],
      ['TransparentRSAPublicKey', 'PKCS_1'],
    ],
    ['EC', pair(EC), ['TransparentECPrivateKey'], ['TransparentECPublicKey']],
    [
      'EC in bytes',
      pair(EC, [format('ECPrivateKey')], [format('X_509')]),
      ['ECPrivateKey', 'TransparentECPrivateKey'],
      ['X_509', 'TransparentECPublicKey'],
    ],
  ]
  const c = lab.client({ version: 21 })
  const expected = ([kept, ...others]: Format[]): unknown[] => [kept, kept, kept, ...others]
  const ids = (reply: Reply): string[] => [reply.at(TAG.PrivateKeyUniqueIdentifier), reply.at(TAG.PublicKeyUniqueIdentifier)].map(String)
  for (const [what, asked, forPrivate, forPublic] of CASES) {
    const [privateId, publicId] = ids(await c.ok('CreateKeyPair', ...asked)) as [string, string]
    t.same(await formatsOf(c, privateId, TAG.PrivateKey), expected(forPrivate), `${what}, private`)
    t.same(await formatsOf(c, publicId, TAG.PublicKey), expected(forPublic), `${what}, public`)
    const old = c.in(12)
    const [bytesPrivate, bytesPublic] = what.startsWith('RSA') ? ['PKCS_1', 'PKCS_1'] : ['ECPrivateKey', 'X_509']
    const inBytes = (one: Format): string => (one.startsWith('Transparent') ? '' : one)
    t.equal(
      name((await old.ok('Get', uid(privateId))).at(TAG.PrivateKey, TAG.KeyBlock, TAG.KeyFormatType)),
      inBytes(forPrivate[0]!) || bytesPrivate,
      `${what}, private, to a client of 1.2`,
    )
    t.equal(
      name((await old.ok('Get', uid(publicId))).at(TAG.PublicKey, TAG.KeyBlock, TAG.KeyFormatType)),
      inBytes(forPublic[0]!) || bytesPublic,
      `${what}, public, to a client of 1.2`,
    )
  }
  t.equal(await c.result('CreateKeyPair', ...pair(RSA, [format('ECPrivateKey')])), 'KeyFormatTypeNotSupported')
})
