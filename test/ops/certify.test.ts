import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import t from 'tap'
import { ENUM } from '../../src/ttlv/enumerations.ts'
import { bytes, dateTime, enumeration, type Item, interval, structure, text } from '../../src/ttlv/item.ts'
import { TAG } from '../../src/ttlv/tags.ts'
import { requestFor } from '../pki/request-for.ts'
import { algorithm, bits, type Client, group, makeLab, name, objectType, uid, x } from './harness.ts'

const at = (tag: number, seconds: bigint): Item => dateTime(tag, seconds)
const REQUEST_KEY = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const REQUEST = structure(TAG.CertificateRequest, [
  enumeration(TAG.CertificateRequestType, ENUM.CertificateRequestType.PKCS_10),
  bytes(TAG.CertificateRequestValue, requestFor(REQUEST_KEY.privateKey)),
])
const requestKey = REQUEST_KEY.publicKey.export({ format: 'der', type: 'spki' })

const publicKey = async (c: Client): Promise<string> =>
  String((await c.ok('CreateKeyPair', structure(TAG.CommonAttributes, [algorithm('ECDSA'), bits(256)]))).at(TAG.PublicKeyUniqueIdentifier))
const keyIn = async (c: Client, id: string): Promise<Buffer> => {
  const der = (await c.ok('Get', uid(id))).at(TAG.Certificate, TAG.CertificateValue) as Buffer
  return new X509Certificate(der).publicKey.export({ format: 'der', type: 'spki' })
}

t.test('a certificate request that is kept can be certified', async t => {
  const c = (await makeLab()).client({ version: 21 })
  const request = await c.register('CertificateRequest', REQUEST)
  const shown = await c.ok('GetAttributes', uid(request), enumeration(TAG.AttributeReference, TAG.KeyFormatType))
  t.equal(shown.at(TAG.Attributes, TAG.KeyFormatType), ENUM.KeyFormatType.PKCS_10)
  const made = (await c.ok('Certify', uid(request))).id
  t.same(await keyIn(c, made), requestKey)

  const old = (await c.ok('Certify', uid(await publicKey(c)))).id
  const named = (id: string): Item => text(TAG.CertificateRequestUniqueIdentifier, id)
  t.equal(await c.result('ReCertify', uid(old), named(old)), 'InvalidObjectType')
  t.equal(await c.result('ReCertify', uid(old), named('none')), 'ObjectNotFound')
  t.same(await keyIn(c, (await c.ok('ReCertify', uid(old), named(request))).id), requestKey)

  await c.ok('Destroy', uid(request))
  t.equal(await c.result('Certify', uid(request)), 'ObjectDestroyed')
})

t.test('a certificate takes over the attributes of the one that it replaces', async t => {
  const lab = await makeLab()
  const c = lab.client({ version: 21 })
  const begin = lab.now
  const items = [name('site'), group('web'), at(TAG.ActivationDate, begin), at(TAG.DeactivationDate, begin + 1000n)]
  const first = (await c.ok('Certify', uid(await publicKey(c)), structure(TAG.Attributes, items))).id
  await c.in(14).ok('AddAttribute', uid(first), x('owner', 'me'))
  lab.now += 100n
  const second = (await c.ok('ReCertify', uid(first))).id
  t.same(await c.values(first, 'Name'), [])
  t.same(await c.values(second, 'Name'), [['site', 1]])
  t.same(await c.values(second, 'Object Group'), ['web'])
  t.same(await c.values(second, 'x-owner'), ['me'])
  t.equal(await c.value(second, 'Activation Date'), begin, 'the dates are the same without Offset')
  t.equal(await c.value(second, 'Deactivation Date'), begin + 1000n)

  const third = (await c.ok('ReCertify', uid(second), interval(TAG.Offset, 50))).id
  t.equal(await c.value(third, 'Activation Date'), lab.now + 50n)
  t.equal(await c.value(third, 'Deactivation Date'), lab.now + 1050n)
  t.equal(await c.state(third), 'PreActive')
  t.equal(
    await c.result('ReCertify', uid(third), interval(TAG.Offset, 50), structure(TAG.Attributes, [at(TAG.ActivationDate, begin)])),
    'InvalidMessage',
  )
  t.equal(await c.result('ReCertify', uid(first)), 'PermissionDenied', 'once')
  t.equal(await c.value(third, 'Cryptographic Algorithm'), ENUM.CryptographicAlgorithm.EC)
})

t.test('an opaque object has a Key Format Type in 2.x', async t => {
  const c = (await makeLab()).client({ version: 21 })
  const blob = structure(TAG.OpaqueObject, [enumeration(TAG.OpaqueDataType, 0x80000001), bytes(TAG.OpaqueDataValue, Buffer.alloc(4))])
  const { id } = await c.ok('Register', objectType('OpaqueObject'), structure(TAG.Attributes, []), blob)
  const shown = await c.ok('GetAttributes', uid(id), enumeration(TAG.AttributeReference, TAG.KeyFormatType))
  t.equal(shown.at(TAG.Attributes, TAG.KeyFormatType), ENUM.KeyFormatType.Opaque)
})

t.test('dates that no certificate can say', async t => {
  const lab = await makeLab()
  const c = lab.client({ version: 21 })
  const key = await publicKey(c)
  const certify = (...dates: [bigint, bigint]): Promise<string> =>
    c.result('Certify', uid(key), structure(TAG.Attributes, [at(TAG.ActivationDate, dates[0]), at(TAG.DeactivationDate, dates[1])]))
  const [first, last] = [-631_152_000n, 253_402_300_799n]
  t.equal(await certify(first - 1n, last), 'InvalidAttributeValue')
  t.equal(await certify(first, last + 1n), 'InvalidAttributeValue')
  t.equal(await certify(first, 2n ** 63n - 1n), 'InvalidAttributeValue')
  t.equal(await certify(first, last), 'Success')

  const { id } = await c.ok('Certify', uid(key))
  const valid = async (seconds: bigint): Promise<unknown> =>
    (await c.ok('Validate', uid(id), at(TAG.ValidityDate, seconds))).at(TAG.ValidityIndicator)
  t.not(await valid(lab.now), ENUM.ValidityIndicator.Invalid)
  for (const far of [2n ** 63n - 1n, -(2n ** 63n)]) t.equal(await valid(far), ENUM.ValidityIndicator.Invalid, String(far))
})

t.test('a key that is destroyed is not certified', async t => {
  const c = (await makeLab()).client({ version: 21 })
  const key = await publicKey(c)
  await c.ok('Destroy', uid(key))
  t.equal(await c.result('Certify', uid(key)), 'ObjectDestroyed')
  t.equal(await c.in(14).result('Certify', uid(key)), 'PermissionDenied')
})
