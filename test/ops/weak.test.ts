import t from 'tap'
import { CONFORMANCE } from '../../src/cli/conformance-settings.ts'
import { WEAK, type Weak } from '../../src/ops/weak.ts'
import { type Item, structure } from '../../src/ttlv/item.ts'
import { TAG } from '../../src/ttlv/tags.ts'
import { algorithm, attribute, bits, type Client, data, makeLab, objectType, parameters, symmetricKey, U, uid, usage } from './harness.ts'

const template = (...attributes: Item[]): Item => structure(TAG.TemplateAttribute, attributes.map(attribute))
const common = (...attributes: Item[]): Item => structure(TAG.CommonTemplateAttribute, attributes.map(attribute))

async function active(c: Client, ...attributes: Item[]): Promise<string> {
  const { id } = await c.ok('Create', objectType('SymmetricKey'), template(...attributes))
  await c.ok('Activate', uid(id))
  return id
}

const CASES: [name: Weak, what: string, run: (c: Client) => Promise<string>][] = [
  [
    'des',
    'a single DES key',
    async c => (await c.try('Create', objectType('SymmetricKey'), template(algorithm('DES'), bits(56), usage(U.Encrypt)))).status,
  ],
  ['rsa-1024', 'an RSA key of 1024 bits', async c => (await c.try('CreateKeyPair', common(algorithm('RSA'), bits(1024)))).status],
  [
    'ecb',
    'Encrypt in mode ECB',
    async c => {
      const id = await active(c, algorithm('AES'), bits(128), usage(U.Encrypt))
      return (await c.try('Encrypt', uid(id), parameters({ mode: 'ECB' }), data(Buffer.alloc(16)))).status
    },
  ],
  [
    'two-key-3des',
    'a triple DES key of 112 bits',
    async c => (await c.try('Create', objectType('SymmetricKey'), template(algorithm('DES3'), bits(112), usage(U.Encrypt)))).status,
  ],
  [
    'md5',
    'a MAC by MD5',
    async c => {
      const key = await c.register('SymmetricKey', symmetricKey(Buffer.alloc(16, 7), { algorithm: 'HMAC_MD5' }), [
        algorithm('HMAC_MD5'),
        bits(128),
        usage(U.MACGenerate),
      ])
      await c.ok('Activate', uid(key))
      return (await c.try('MAC', uid(key), parameters({ algorithm: 'HMAC_MD5' }), data(Buffer.alloc(16)))).status
    },
  ],
]

t.test('what is weak is refused unless the operator allows it', async t => {
  for (const [name, what, run] of CASES) {
    t.equal(await run((await makeLab({ allowWeak: [] })).client()), 'OperationFailed', `${what} is refused`)
    t.equal(await run((await makeLab({ allowWeak: [name] })).client()), 'Success', `${what} is done with ${name}`)
  }
  t.same(new Set(CASES.map(([name]) => name)), new Set(Object.keys(WEAK)), 'each of the table is tried')
})

t.test('published cases have keys of 1024 bits', async t => {
  const c = (await makeLab(CONFORMANCE)).client()
  t.equal(await c.result('CreateKeyPair', common(algorithm('RSA'), bits(1024))), 'Success')
})

t.test('what is old can be read all the same', async t => {
  const lab = await makeLab({ allowWeak: ['ecb'] })
  const id = await active(lab.client(), algorithm('AES'), bits(128), usage(U.Encrypt | U.Decrypt))
  const sealed = (await lab.client().ok('Encrypt', uid(id), parameters({ mode: 'ECB' }), data(Buffer.alloc(16)))).at(TAG.Data) as Buffer
  const strict = lab.client({ engine: lab.anotherEngine({ allowWeak: [] }) })
  t.equal((await strict.try('Encrypt', uid(id), parameters({ mode: 'ECB' }), data(Buffer.alloc(16)))).reason, 'PermissionDenied')
  t.equal((await strict.try('Decrypt', uid(id), parameters({ mode: 'ECB' }), data(sealed))).status, 'Success')
  t.ok(await strict.register('SymmetricKey', symmetricKey(Buffer.alloc(8, 1)), [usage(U.Decrypt)]), 'and kept')
})
