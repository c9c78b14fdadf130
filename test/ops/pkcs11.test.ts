import t from 'tap'
import { ENUM, MASK } from '../../src/ttlv/enumerations.ts'
import { bytes, enumeration, type Item, integer, structure, text } from '../../src/ttlv/item.ts'
import { ATTRIBUTE as A, ATTRIBUTE_WIDTH, CLASS, functionNumber, KEY_TYPE, returnCodeName } from '../../src/ttlv/pkcs11.ts'
import { TAG } from '../../src/ttlv/tags.ts'
import { type Client, makeLab, name, type Reply, symmetricKey, uid, usage } from './harness.ts'

// The PKCS#11 operation: functions of PKCS#11 on the objects of a scope. Spec: KMIP 2.1 section 6.1.37

const U = MASK.CryptographicUsageMask
const ulong = (value: number): Buffer => {
  const buffer = Buffer.alloc(8)
  buffer.writeBigUInt64BE(BigInt(value))
  return buffer
}
const count = (value: number): Buffer => {
  const buffer = Buffer.alloc(4)
  buffer.writeUInt32BE(value)
  return buffer
}
const data = (value: Buffer): Buffer => Buffer.concat([count(value.length), value])
const [NO, YES] = [Buffer.from([0]), Buffer.from([1])]
const mechanism = (type: number, parameter?: Buffer): Buffer => Buffer.concat([ulong(type), ...(parameter ? [YES, data(parameter)] : [NO])])
type Value = Buffer | number | boolean | string
type Wanted = readonly [type: number, value?: Value]
const template = (...items: Wanted[]): Buffer =>
  Buffer.concat([
    count(items.length),
    ...items.map(([type, value]) => {
      const width = ATTRIBUTE_WIDTH.get(type)
      if (value === undefined) return Buffer.concat([ulong(type), NO, YES, ...(width ? [] : [count(4096)])])
      const raw = typeof value === 'number' ? ulong(value) : typeof value === 'boolean' ? (value ? YES : NO) : Buffer.from(value as string)
      return Buffer.concat([ulong(type), YES, YES, ...(width ? [] : [count(raw.length)]), raw])
    }),
  ])

/** A client between C_Initialize and C_Finalize. */
class Cryptoki {
  readonly client: Client
  readonly correlation: Buffer | undefined
  constructor(client: Client, correlation?: Buffer) {
    this.client = client
    this.correlation = correlation
  }
  static async initialize(client: Client): Promise<Cryptoki> {
    const reply = await new Cryptoki(client).reply('C_Initialize', Buffer.from([1]))
    return new Cryptoki(client, reply.at(TAG.CorrelationValue) as Buffer)
  }
  reply(name: string, ...input: Buffer[]): Promise<Reply> {
    const fields: Item[] = [enumeration(TAG.PKCS_11Function, functionNumber(name) ?? 0)]
    if (this.correlation) fields.push(bytes(TAG.CorrelationValue, this.correlation))
    if (input.length > 0) fields.push(bytes(TAG.PKCS_11InputParameters, Buffer.concat(input)))
    return this.client.try('PKCS_11', ...fields)
  }
  /** Name of the return code, or of the reason why the operation itself failed. */
  async code(name: string, ...input: Buffer[]): Promise<string | undefined> {
    const reply = await this.reply(name, ...input)
    return reply.status === 'Success' ? returnCodeName(Number(reply.at(TAG.PKCS_11ReturnCode))) : reply.reason
  }
  async ok(name: string, ...input: Buffer[]): Promise<Buffer> {
    const reply = await this.reply(name, ...input)
    const code = reply.status === 'Success' ? returnCodeName(Number(reply.at(TAG.PKCS_11ReturnCode))) : `${reply.reason} ${reply.message}`
    if (code !== 'OK') throw new Error(`${name}: ${code}`)
    return (reply.at(TAG.PKCS_11OutputParameters) as Buffer) ?? Buffer.alloc(0)
  }
  async session(flags = 6): Promise<Buffer> {
    return this.ok('C_OpenSession', ulong(1), ulong(flags))
  }
  async find(session: Buffer, ...items: Wanted[]): Promise<Buffer[]> {
    await this.ok('C_FindObjectsInit', session, template(...items))
    const found = await this.ok('C_FindObjects', session, count(100))
    await this.ok('C_FindObjectsFinal', session)
    return Array.from({ length: found.readUInt32BE() }, (_, at) => found.subarray(4 + 8 * at, 12 + 8 * at))
  }
}
const setup = async () => {
  const lab = await makeLab()
  const client = lab.client({ version: 21 })
  return { lab, client, cryptoki: await Cryptoki.initialize(client) }
}
/** What follows the length in an answer. */
const content = (answer: Buffer): Buffer => {
  if (answer.readUInt32BE() !== answer.length - 4) throw new Error('a wrong length')
  return answer.subarray(4)
}

t.test('library, slot, token and mechanisms have the layout of PKCS#11', async t => {
  const { cryptoki } = await setup()
  const info = await cryptoki.ok('C_GetInfo')
  t.equal(info.length, 2 + 32 + 8 + 32 + 2)
  t.same([...info.subarray(0, 2)], [2, 40])
  t.same(await cryptoki.ok('C_GetSlotList', YES, YES, count(10)), Buffer.concat([count(1), ulong(1)]))
  t.same(await cryptoki.ok('C_GetSlotList', YES, NO), count(1), 'the number alone')
  t.equal(await cryptoki.code('C_GetSlotList', YES, YES, count(0)), 'BUFFER_TOO_SMALL')
  t.equal((await cryptoki.ok('C_GetSlotInfo', ulong(1))).length, 64 + 32 + 8 + 4)
  t.equal((await cryptoki.ok('C_GetTokenInfo', ulong(1))).length, 32 + 32 + 16 + 16 + 8 + 80 + 4 + 16)
  t.equal(await cryptoki.code('C_GetTokenInfo', ulong(2)), 'SLOT_ID_INVALID')
  const mechanisms = await cryptoki.ok('C_GetMechanismList', ulong(1), YES)
  t.equal(mechanisms.length, 4 + 8 * mechanisms.readUInt32BE())
  for (let at = 4; at < mechanisms.length; at += 8)
    t.equal((await cryptoki.ok('C_GetMechanismInfo', ulong(1), mechanisms.subarray(at, at + 8))).length, 24)
  t.equal(await cryptoki.code('C_GetMechanismInfo', ulong(1), ulong(0x9999)), 'MECHANISM_INVALID')
})

t.test('sessions and login', async t => {
  const { cryptoki } = await setup()
  const session = await cryptoki.session()
  const state = async (): Promise<number> => Number((await cryptoki.ok('C_GetSessionInfo', session)).readBigUInt64BE(8))
  t.equal(await state(), 2)
  t.equal(await cryptoki.code('C_Login', session, ulong(1), data(Buffer.from('1234'))), 'PIN_INCORRECT')
  t.equal(await cryptoki.code('C_Login', session, ulong(0), count(0)), 'USER_TYPE_INVALID')
  t.equal(await cryptoki.code('C_Logout', session), 'USER_NOT_LOGGED_IN')
  await cryptoki.ok('C_Login', session, ulong(1), count(0))
  t.equal(await state(), 3)
  t.equal(await cryptoki.code('C_Login', session, ulong(1), count(0)), 'USER_ALREADY_LOGGED_IN')
  await cryptoki.ok('C_Logout', session)
  await cryptoki.ok('C_CloseSession', session)
  t.equal(await cryptoki.code('C_GetSessionInfo', session), 'SESSION_HANDLE_INVALID')
  t.equal(await cryptoki.code('C_OpenSession', ulong(1), ulong(2)), 'SESSION_PARALLEL_NOT_SUPPORTED')
  const another = await cryptoki.session(4)
  t.equal(await cryptoki.code('C_GenerateKey', another, mechanism(0x1080), template([A.VALUE_LEN, 32])), 'SESSION_READ_ONLY')
  for (let at = 1; at < 100; at++) await cryptoki.session()
  t.equal(await cryptoki.code('C_OpenSession', ulong(1), ulong(6)), 'SESSION_COUNT')
  await cryptoki.ok('C_CloseAllSessions', ulong(1))
  t.equal(await cryptoki.code('C_GetSessionInfo', another), 'SESSION_HANDLE_INVALID')
})

t.test('the Correlation Value belongs to one client, and ends', async t => {
  const { lab, client, cryptoki } = await setup()
  const stranger = new Cryptoki(lab.client({ version: 21, scope: 'scope-2' }), cryptoki.correlation)
  t.equal(await stranger.code('C_GetInfo'), 'CRYPTOKI_NOT_INITIALIZED')
  t.equal(await new Cryptoki(client).code('C_GetInfo'), 'CRYPTOKI_NOT_INITIALIZED')
  lab.now += 3000n
  t.equal(await cryptoki.code('C_GetInfo'), 'OK')
  lab.now += 3000n
  t.equal(await cryptoki.code('C_GetInfo'), 'OK', 'each use lengthens it')
  lab.now += 3600n
  t.equal(await cryptoki.code('C_GetInfo'), 'CRYPTOKI_NOT_INITIALIZED')
  const other = await Cryptoki.initialize(client)
  t.equal(await other.code('C_Finalize'), 'OK')
  t.equal(await other.code('C_Finalize'), 'CRYPTOKI_NOT_INITIALIZED')
})

t.test('malformed calls fail the operation', async t => {
  const { client, cryptoki } = await setup()
  const session = await cryptoki.session()
  for (const [what, name, ...input] of [
    ['too short', 'C_GetSlotInfo', Buffer.alloc(7)],
    ['too long', 'C_GetSlotInfo', ulong(1), NO],
    ['a length beyond the end', 'C_Digest', session, count(100)],
    ['a count beyond the end', 'C_FindObjectsInit', session, count(0xffff_ffff)],
    ['an unknown encoding', 'C_Initialize', Buffer.from([2])],
  ] as const)
    t.match(await cryptoki.code(name, ...input), name === 'C_Digest' ? /OPERATION_NOT|PKCS_11CodecError/ : 'PKCS_11CodecError', what)
  const named = (item: Item, ...more: Item[]): Promise<string> => client.result('PKCS_11', item, ...more)
  t.equal(await named(enumeration(TAG.PKCS_11Function, 93)), 'PKCS_11InvalidFunction')
  t.equal(await named(integer(TAG.PKCS_11Function, 1)), 'PKCS_11InvalidFunction', 'there are no functions of our own')
  t.equal(await named(enumeration(TAG.PKCS_11Function, 1), text(TAG.PKCS_11Interface, 'Vendor X')), 'PKCS_11InvalidInterface')
  t.equal(await cryptoki.code('C_GenerateKeyPair', session), 'FUNCTION_NOT_SUPPORTED')
  t.equal(await cryptoki.code('C_MessageVerifyFinal', session), 'FUNCTION_NOT_SUPPORTED')
})

t.test('a key is made, used and destroyed', async t => {
  const { client, cryptoki } = await setup()
  const session = await cryptoki.session()
  const made = template([A.VALUE_LEN, 32], [A.LABEL, 'my key'], [A.ENCRYPT, true], [A.DECRYPT, true], [A.SENSITIVE, true])
  const key = await cryptoki.ok('C_GenerateKey', session, mechanism(0x1080), made)
  const iv = Buffer.alloc(16, 7)
  const plain = Buffer.from('attack at dawn')
  for (const [what, type, parameter] of [
    ['CBC with padding', 0x1085, iv],
    ['CBC with the IV’s length', 0x1085, data(iv)],
    ['CTR', 0x1086, Buffer.concat([ulong(32), iv])],
    ['GCM', 0x1087, Buffer.concat([data(iv.subarray(0, 12)), ulong(96), data(Buffer.from('aad')), ulong(128)])],
  ] as const) {
    await cryptoki.ok('C_EncryptInit', session, mechanism(type, parameter), key)
    t.equal(await cryptoki.code('C_EncryptInit', session, mechanism(type, parameter), key), 'OPERATION_ACTIVE', what)
    const length = await cryptoki.ok('C_Encrypt', session, data(plain), NO)
    const sealed = content(await cryptoki.ok('C_Encrypt', session, data(plain), YES, count(1000)))
    t.equal(length.readUInt32BE(), sealed.length, `${what}: the length alone ends nothing`)
    t.equal(await cryptoki.code('C_Encrypt', session, data(plain)), 'OPERATION_NOT_INITIALIZED')
    await cryptoki.ok('C_DecryptInit', session, mechanism(type, parameter), key)
    t.equal(await cryptoki.code('C_Decrypt', session, data(sealed), YES, count(3)), 'BUFFER_TOO_SMALL')
    t.same(content(await cryptoki.ok('C_Decrypt', session, data(sealed))), plain, what)
  }
  await cryptoki.ok('C_DecryptInit', session, mechanism(0x1087, Buffer.concat([data(iv), ulong(128), count(0), ulong(128)])), key)
  t.equal(await cryptoki.code('C_Decrypt', session, data(Buffer.alloc(40))), 'FUNCTION_FAILED', 'a wrong tag')
  t.equal(await cryptoki.code('C_SignInit', session, mechanism(0x9999), key), 'MECHANISM_INVALID')
  t.equal(await cryptoki.code('C_EncryptInit', session, mechanism(0x1085, Buffer.alloc(3)), key), 'PKCS_11CodecError')
  await cryptoki.ok('C_SignInit', session, mechanism(0x251), key)
  t.equal(await cryptoki.code('C_Sign', session, data(plain)), 'KEY_FUNCTION_NOT_PERMITTED', 'as its mask says')
  const [id] = await client.locate([name('my key')])
  t.equal(await client.state(id!), 'Active')
  await cryptoki.ok('C_DestroyObject', session, key)
  t.equal(await client.state(id!), 'Destroyed')
  t.equal(await cryptoki.code('C_DestroyObject', session, key), 'OBJECT_HANDLE_INVALID')
})

t.test('signatures, MACs and digests', async t => {
  const { client, cryptoki } = await setup()
  const session = await cryptoki.session()
  const message = data(Buffer.from('abc'))
  const attributes = (mask: number): Item[] => [usage(mask), { tag: TAG.ActivationDate, type: 9, value: 1n }]
  await client.ok(
    'CreateKeyPair',
    structure(TAG.CommonAttributes, [
      enumeration(TAG.CryptographicAlgorithm, ENUM.CryptographicAlgorithm.RSA),
      integer(TAG.CryptographicLength, 2048),
      { tag: TAG.ActivationDate, type: 9, value: 1n },
    ]),
    structure(TAG.PrivateKeyAttributes, [usage(U.Sign)]),
    structure(TAG.PublicKeyAttributes, [usage(U.Verify)]),
  )
  await client.register(
    'SymmetricKey',
    symmetricKey(Buffer.alloc(32, 1), { algorithm: 'HMAC_SHA256' }),
    attributes(U.MACGenerate | U.MACVerify),
  )
  const only = async (kind: number): Promise<Buffer> => (await cryptoki.find(session, [A.CLASS, kind]))[0]!
  const [secret, priv, pub] = [await only(CLASS.SECRET_KEY), await only(CLASS.PRIVATE_KEY), await only(CLASS.PUBLIC_KEY)]
  const pss = Buffer.concat([ulong(0x250), ulong(2), ulong(32)])
  for (const [what, type, parameter, signer, verifier] of [
    ['HMAC', 0x251, undefined, secret, secret],
    ['RSA', 0x40, undefined, priv, pub],
    ['RSA-PSS', 0x43, pss, priv, pub],
  ] as const) {
    await cryptoki.ok('C_SignInit', session, mechanism(type, parameter), signer)
    const signature = await cryptoki.ok('C_Sign', session, message)
    await cryptoki.ok('C_VerifyInit', session, mechanism(type, parameter), verifier)
    t.equal(await cryptoki.code('C_Verify', session, message, signature), 'OK', what)
    await cryptoki.ok('C_VerifyInit', session, mechanism(type, parameter), verifier)
    t.equal(await cryptoki.code('C_Verify', session, data(Buffer.from('abd')), signature), 'SIGNATURE_INVALID', what)
  }
  await cryptoki.ok('C_DigestInit', session, mechanism(0x250))
  t.equal(
    content(await cryptoki.ok('C_Digest', session, message)).toString('hex'),
    'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
  )
  t.equal(content(await cryptoki.ok('C_GenerateRandom', session, count(33))).length, 33)
})

t.test('objects are found and read by their attributes', async t => {
  const { client, cryptoki } = await setup()
  const session = await cryptoki.session()
  const key = Buffer.alloc(16, 9)
  const handle = await cryptoki.ok(
    'C_CreateObject',
    session,
    template([A.CLASS, CLASS.SECRET_KEY], [A.KEY_TYPE, KEY_TYPE.AES], [A.VALUE, key], [A.LABEL, 'one']),
  )
  await cryptoki.ok('C_CreateObject', session, template([A.CLASS, CLASS.DATA], [A.VALUE, Buffer.from('note')], [A.LABEL, 'two']))
  t.equal((await cryptoki.find(session)).length, 2)
  t.same(await cryptoki.find(session, [A.CLASS, CLASS.SECRET_KEY], [A.LABEL, 'one']), [handle])
  t.same(await cryptoki.find(session, [A.CLASS, CLASS.SECRET_KEY], [A.LABEL, 'two']), [])
  const reply = await cryptoki.ok('C_GetAttributeValue', session, handle, template([A.CLASS], [A.VALUE], [A.ENCRYPT]))
  t.same(reply, template([A.CLASS, CLASS.SECRET_KEY], [A.VALUE, key], [A.ENCRYPT, true]))
  t.equal(await cryptoki.code('C_GetAttributeValue', session, handle, template([A.MODULUS])), 'ATTRIBUTE_TYPE_INVALID')
  const secret = await client.register('SymmetricKey', symmetricKey(key), [{ tag: TAG.Sensitive, type: 6, value: true }, name('three')])
  t.ok(secret)
  const [hidden] = await cryptoki.find(session, [A.LABEL, 'three'])
  const refused = await cryptoki.reply('C_GetAttributeValue', session, hidden!, template([A.CLASS], [A.VALUE]))
  t.equal(returnCodeName(Number(refused.at(TAG.PKCS_11ReturnCode))), 'ATTRIBUTE_SENSITIVE')
  t.notOk((refused.at(TAG.PKCS_11OutputParameters) as Buffer).includes(key), 'a sensitive key does not leave')
  t.same(await cryptoki.find(session, [A.VALUE, key], [A.LABEL, 'three']), [], 'nor can it be guessed at')
  for (const [what, items, code] of [
    ['no value', [[A.CLASS, CLASS.SECRET_KEY]], 'TEMPLATE_INCOMPLETE'],
    [
      'a session object',
      [
        [A.CLASS, CLASS.DATA],
        [A.VALUE, key],
        [A.TOKEN, false],
      ],
      'TEMPLATE_INCONSISTENT',
    ],
    [
      'a public key',
      [
        [A.CLASS, CLASS.PUBLIC_KEY],
        [A.VALUE, key],
      ],
      'TEMPLATE_INCONSISTENT',
    ],
    [
      'an unknown attribute',
      [
        [0x7777, key],
        [A.VALUE, key],
        [A.CLASS, CLASS.DATA],
      ],
      'ATTRIBUTE_TYPE_INVALID',
    ],
  ] as const)
    t.equal(await cryptoki.code('C_CreateObject', session, template(...items)), code, what)
})

t.test('the role bounds what PKCS#11 may do', async t => {
  const { lab, client } = await setup()
  const id = await client.register('SymmetricKey', symmetricKey(Buffer.alloc(16, 3)), [usage(U.Encrypt)])
  await client.ok('Activate', uid(id))
  const bounded = await Cryptoki.initialize(lab.client({ version: 21, may: name => name === 'PKCS_11' || name === 'Locate' }))
  const session = await bounded.session()
  const [key] = await bounded.find(session)
  await bounded.ok('C_EncryptInit', session, mechanism(0x1081), key!)
  t.equal(await bounded.code('C_Encrypt', session, data(Buffer.alloc(16))), 'PermissionDenied')
  t.equal(await bounded.code('C_GenerateKey', session, mechanism(0x1080), template([A.VALUE_LEN, 16])), 'PermissionDenied')
  t.equal(await bounded.code('C_GetAttributeValue', session, key!, template([A.CLASS])), 'PermissionDenied')
  t.equal(await bounded.code('C_GenerateRandom', session, count(1)), 'PermissionDenied')
  t.same(await bounded.find(session, [A.VALUE, Buffer.alloc(16, 3)]), [], 'a key cannot be guessed at without Get')
})
