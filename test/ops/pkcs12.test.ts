import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import t from 'tap'
import { makeAuthority } from '../../src/pki/authority.ts'
import { parseCertificate } from '../../src/pki/certificate.ts'
import { issueCertificate } from '../../src/pki/issue.ts'
import { encodeName } from '../../src/pki/name.ts'
import { makePkcs12, parsePkcs12 } from '../../src/pki/pkcs12.ts'
import { ENUM } from '../../src/ttlv/enumerations.ts'
import { bytes, child, enumeration, type Item, structure, text } from '../../src/ttlv/item.ts'
import { TAG } from '../../src/ttlv/tags.ts'
import { type Client, keyBlock, makeLab, objectType, revocation, secretData, U, uid, usage } from './harness.ts'

// Private keys in PKCS#12 files. Spec: KMIP 1.4 section 3.45 and 4.11, 2.1 section 4.39 and 6.1.19

const NOW = Date.parse('2024-01-01T00:00:00Z')
const { root } = await makeAuthority({ type: 'rsa', bits: 2048 }, 'root', NOW)
const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const pkcs8 = pair.privateKey.export({ type: 'pkcs8', format: 'der' })
const certificate = issueCertificate(
  {
    subject: encodeName([['CN', 'holder']]),
    spki: pair.publicKey.export({ type: 'spki', format: 'der' }),
    notBefore: new Date(NOW),
    notAfter: new Date(NOW + 86_400_000),
    extensions: [],
  },
  { name: parseCertificate(root.certificate).subject.der, key: root.key },
)
const attributes = { friendlyName: 'Alias', localKeyId: Buffer.from([1]) }
const file = await makePkcs12(
  { privateKeys: [{ pkcs8, ...attributes }], certificates: [{ der: certificate, ...attributes }, { der: root.certificate }] },
  'secret',
)

const link = (type: keyof typeof ENUM.LinkType, id: string): Item =>
  structure(TAG.Link, [enumeration(TAG.LinkType, ENUM.LinkType[type]), text(TAG.LinkedObjectIdentifier, id)])
const friendly = (name: string): Item => text(TAG.PKCS_12FriendlyName, name)
const registering = (c: Client, items: readonly Item[], content: Buffer = file): Item[] => [
  objectType('PrivateKey'),
  c.template([usage(U.Sign), ...items]),
  structure(TAG.PrivateKey, [keyBlock(c.version < 20 ? bytes(TAG.KeyValue, content) : content, { format: 'PKCS_12' })]),
]
async function password(c: Client, value: string, active = true): Promise<string> {
  const id = await c.register('SecretData', secretData(Buffer.from(value)))
  if (active) await c.ok('Activate', uid(id))
  return id
}
const fileIn = (item: Item): Buffer => {
  const value = child(child(child(item, TAG.PrivateKey)!, TAG.KeyBlock)!, TAG.KeyValue)!
  return (Buffer.isBuffer(value.value) ? value.value : child(value, TAG.KeyMaterial)?.value) as Buffer
}

for (const version of [14, 20, 21])
  t.test(`${version}: a key and its chain come out of the file, and go into one`, async t => {
    const c = (await makeLab({})).client({ version })
    const secret = await password(c, 'secret')
    const { id } = await c.ok('Register', ...registering(c, [link('PKCS_12PasswordLink', secret)]))
    t.equal(await c.value(id, 'PKCS#12 Friendly Name'), 'Alias', 'the name is the file’s')
    t.equal(await c.value(id, 'Cryptographic Algorithm'), ENUM.CryptographicAlgorithm.EC)
    const links = (await c.values(id, 'Link')) as [number, string][]
    t.same(
      links.map(([type]) => type),
      [ENUM.LinkType.PKCS_12PasswordLink, ENUM.LinkType.PKCS_12CertificateLink],
    )
    const leaf = links[1]![1]
    t.same(await c.value(leaf, 'Certificate Type'), ENUM.CertificateType.X_509)
    t.equal(((await c.values(leaf, 'Link')) as [number, string][])[0]?.[0], ENUM.LinkType.CertificateLink, 'the chain goes on')
    const plain = await c.ok('Get', uid(id), enumeration(TAG.KeyFormatType, ENUM.KeyFormatType.PKCS_8))
    t.same(fileIn(plain.payload!), pkcs8)
    const given = await c.ok('Get', uid(id), enumeration(TAG.KeyFormatType, ENUM.KeyFormatType.PKCS_12))
    const contents = await parsePkcs12(fileIn(given.payload!), 'secret')
    t.same(
      contents.privateKeys.map(one => [one.friendlyName, Buffer.from(one.pkcs8).equals(pkcs8)]),
      [['Alias', true]],
    )
    t.same(
      contents.certificates.map(one => Buffer.from(one.der)),
      [certificate, root.certificate],
    )
    t.ok(createPublicKey(createPrivateKey({ key: contents.privateKeys[0]!.pkcs8, format: 'der', type: 'pkcs8' })))
  })

t.test('what is wrong with the password or the file is told by its own reason', async t => {
  const lab = await makeLab()
  for (const [version, missing, inactive, wrong] of [
    [14, 'InvalidField', 'PermissionDenied', 'InvalidField'],
    [20, 'BadPassword', 'WrongKeyLifecycleState', 'BadPassword'],
    [21, 'BadPassword', 'WrongKeyLifecycleState', 'BadPassword'],
  ] as const) {
    const c = lab.client({ version })
    const [good, other, sleeping] = [await password(c, 'secret'), await password(c, 'another'), await password(c, 'secret', false)]
    const key = await c.create()
    const to = (id: string): Item => link('PKCS_12PasswordLink', id)
    for (const [what, items, result] of [
      ['no link', [], missing],
      ['two links', [to(good), to(other)], missing],
      ['a link to nothing', [to('nothing')], missing],
      ['a link to a key', [to(key)], missing],
      ['a password that is not Active', [to(sleeping)], inactive],
      ['a wrong password', [to(other)], wrong],
      ['a name that is not in the file', [to(good), friendly('bertha')], 'InvalidField'],
      ['a name in other letters', [to(good), friendly('alias')], 'Success'],
    ] as const)
      t.equal(await c.result('Register', ...registering(c, items)), result, `${version}: ${what}`)
    t.equal(await c.result('Register', ...registering(c, [to(good)], Buffer.from('junk'))), 'CryptographicFailure', 'no file at all')
  }
})

t.test('a file is not made without an Active password, or of what may not leave', async t => {
  const c = (await makeLab()).client({ version: 21 })
  const secret = await password(c, 'secret')
  const { id } = await c.ok('Register', ...registering(c, [link('PKCS_12PasswordLink', secret)]))
  const asFile = (of: string): Promise<string> => c.result('Get', uid(of), enumeration(TAG.KeyFormatType, ENUM.KeyFormatType.PKCS_12))
  t.equal(await asFile(id), 'Success')
  t.equal(await asFile(await c.create()), 'KeyFormatTypeNotSupported', 'a symmetric key')
  await c.ok('Revoke', uid(secret), revocation('CessationOfOperation'))
  t.equal(await asFile(id), 'BadPassword')
  const another = await password(c, 'secret')
  const sensitive = { tag: TAG.Sensitive, type: 6, value: true } as const
  const hidden = await c.ok('Register', ...registering(c, [link('PKCS_12PasswordLink', another), sensitive]))
  t.equal(await asFile(hidden.id), 'Sensitive')
})
