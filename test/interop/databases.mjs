// What databases say to a KMIP server, step by step, and what each needs of the answers. Known from traces,
// public source or documentation. Each gets a lab: `step(title, work)` and `open(options)` for a connection.
import { randomBytes } from 'node:crypto'
import { ENUM } from '../../dist/ttlv/enumerations.js'
import { retag } from '../../dist/ttlv/item.js'
import { AES256, done, identified, isIn, name, one, plainKey } from './answers.mjs'
import { equal } from './connection.mjs'
import {
  algorithm,
  attribute,
  attributeName,
  attributes,
  boolean,
  bytes,
  cbc,
  custom,
  enumeration,
  group,
  integer,
  length,
  mask,
  named,
  now,
  objectType,
  op,
  revocation,
  secretData,
  state,
  structure,
  symmetricKey,
  TAG,
  template,
  uid,
  x,
} from './messages.mjs'

export async function keyringOkv({ step, open }) {
  const options = { version: 11, maximumResponseSize: 280_000 }
  const connection = await open()
  const label = name()
  const indexed = [...AES256, named(label)].map(item => attribute(item, 0))
  const id = await step('Create with Attribute Index 0 everywhere', async () => {
    const reply = await one(connection, op('Create', [objectType('SymmetricKey'), structure(TAG.TemplateAttribute, indexed)]), options)
    equal(reply.fields.slice(0, 2), ['ObjectType', 'UniqueIdentifier'])
    return identified(reply)
  })
  await step('Activate', async () => identified(await one(connection, op('Activate', [uid(id)]), options), id))
  await step('Get', async () => plainKey(await one(connection, op('Get', [uid(id)]), options), id))
  await step('Locate by name', async () => {
    const reply = await one(connection, op('Locate', attributes(objectType('SymmetricKey'), named(label))), options)
    equal(reply.all('UniqueIdentifier'), [id])
  })
  await step('Locate with Storage Status Mask as an attribute', async () => {
    const strange = custom('Storage Status Mask', integer(TAG.AttributeValue, 1))
    await one(connection, op('Locate', [attribute(objectType('SymmetricKey')), strange]), options)
  })
  await step('Create with Storage Status Mask as an attribute', async () => {
    const strange = custom('Storage Status Mask', integer(TAG.AttributeValue, 1), 0)
    const reply = await one(connection, op('Create', [objectType('SymmetricKey'), template(...AES256, strange)]), options)
    await one(connection, op('Destroy', [uid(reply.id)]), options)
  })
  await step('Get Attributes', async () => {
    const reply = await one(connection, op('GetAttributes', [uid(id), attributeName('Name'), attributeName('State')]), options)
    isIn('Active', reply)
    equal(reply.attributes.Name[0].value[0].value, label)
  })
  await step('Revoke', async () =>
    identified(await one(connection, op('Revoke', [uid(id), revocation('CessationOfOperation')]), options), id),
  )
  await step('Destroy', async () => identified(await one(connection, op('Destroy', [uid(id)]), options), id))
  await step('Locate no longer finds it', async () => {
    const reply = await one(connection, op('Locate', attributes(objectType('SymmetricKey'), named(label))), options)
    equal(reply.all('UniqueIdentifier'), [])
  })
}

export const mongodb = version =>
  async function mongodbEnterprise({ step, open }) {
    const options = { version, timeStamp: now() }
    let connection = await open()
    const id = await step('first start: Create', async () =>
      identified(await one(connection, op('Create', [objectType('SymmetricKey'), template(...AES256)]), options)),
    )
    await step('Activate', async () => identified(await one(connection, op('Activate', [uid(id)]), options), id))
    const key = await step('Get', async () => plainKey(await one(connection, op('Get', [uid(id)]), options), id))
    connection.close()
    connection = await open()
    await step('later start: Get', async () => plainKey(await one(connection, op('Get', [uid(id)]), options), id, { material: key }))
    const poll = () => one(connection, op('GetAttributes', [uid(id), attributeName('State')]), options)
    await step('poll of the state', async () => isIn('Active', await poll()))
    await step('poll after somebody revoked it', async () => {
      await one(connection, op('Revoke', [uid(id), revocation('KeyCompromise', 'stolen')]), options)
      isIn('Compromised', await poll())
    })
    await step('unknown key', async () => (await connection.ask([op('Get', [uid('none')])], options))[0].failed('ItemNotFound'))
  }

export async function perconaMongodb({ step, open }) {
  const options = { version: 10, maximumResponseSize: 8192, timeStamp: now() }
  const material = randomBytes(32)
  let connection = await open()
  const id = await step('Register its own key', async () =>
    identified(await one(connection, op('Register', [objectType('SymmetricKey'), template(...AES256), symmetricKey(material)]), options)),
  )
  await step('Activate repeats the identifier', async () => identified(await one(connection, op('Activate', [uid(id)]), options), id))
  connection.close()
  connection = await open()
  await step('Get Attributes State with identifier', async () => {
    const reply = await one(connection, op('GetAttributes', [uid(id), attributeName('State')]), options)
    identified(reply, id)
    isIn('Active', reply)
  })
  await step('Get', async () => plainKey(await one(connection, op('Get', [uid(id)]), options), id, { material }))
  await step('no such key is Item Not Found', async () => {
    const [reply] = await connection.ask([op('GetAttributes', [uid('none'), attributeName('State')])], options)
    reply.failed('ItemNotFound')
  })
}

export async function perconaKeyring(lab) {
  const { step } = lab
  const old = { version: 10, maximumResponseSize: 8192, timeStamp: now() }
  const recent = { ...old, version: 14 }
  const owner = name()
  const ids = []
  await step('Register and Activate 20 keys', async () => {
    for (let n = 0; n < 20; n++) {
      const about = template(...AES256, named(`${owner}-${n}`), group(owner))
      const reply = await done(lab, op('Register', [objectType('SymmetricKey'), about, symmetricKey(randomBytes(32))]), recent)
      ids.push(identified(reply))
      await done(lab, op('Activate', [uid(reply.id)]), old)
    }
  })
  await step('Register with an empty Object Group', async () => {
    const about = template(...AES256, named(`${owner}-empty`), group(''))
    const reply = await done(lab, op('Register', [objectType('SymmetricKey'), about, symmetricKey(randomBytes(32))]), recent)
    await done(lab, op('Destroy', [uid(reply.id)]), old)
  })
  await step('start: Locate in pages of 16 until a page is empty', async () => {
    const found = []
    for (let page = 0; page < 4; page++) {
      const offset = page === 0 ? [] : [integer(TAG.OffsetItems, found.length)]
      const filters = attributes(objectType('SymmetricKey'), group(owner))
      const reply = await done(lab, op('Locate', [integer(TAG.MaximumItems, 16), ...offset, ...filters]), old)
      if (reply.item('LocatedItems')) throw new Error('Located Items in an answer of 1.0')
      if (reply.all('UniqueIdentifier').length === 0) break
      found.push(...reply.all('UniqueIdentifier'))
    }
    equal([...found].sort(), [...ids].sort(), 'keys found')
  })
  await step('Get and Get Attributes Name of each', async () => {
    for (const id of ids) {
      plainKey(await done(lab, op('Get', [uid(id)]), old), id)
      const reply = await done(lab, op('GetAttributes', [uid(id), attributeName('Name')]), recent)
      if (!reply.attributes.Name[0].value[0].value.startsWith(owner)) throw new Error('another name')
    }
  })
  await step('a secret', async () => {
    const secret = randomBytes(100)
    const about = template(mask(576), named(`${owner}-secret`))
    const { id } = await done(lab, op('Register', [objectType('SecretData'), about, secretData('Password', secret)]), recent)
    const reply = await done(lab, op('Get', [uid(id)]), old)
    if (!reply.at('SecretData', 'KeyBlock', 'KeyValue', 'KeyMaterial').equals(secret)) throw new Error('another secret')
    await done(lab, op('Destroy', [uid(id)]), old)
  })
  await step('Revoke with reason and message, Destroy', async () => {
    for (const id of ids) {
      await done(lab, op('Revoke', [uid(id), revocation('Unspecified', 'Deleting the key')]), old)
      identified(await done(lab, op('Destroy', [uid(id)]), old), id)
    }
  })
}

export async function perconaClient({ step, open }) {
  const connection = await open({ servername: 'localhost', maxVersion: 'TLSv1.3' })
  const options = { version: 14, maximumResponseSize: 1 << 20, timeStamp: now() }
  const label = name()
  const id = await step('Create', async () =>
    identified(
      await one(connection, op('Create', [objectType('SymmetricKey'), template(...AES256, named(label))], randomBytes(4)), options),
    ),
  )
  await step('Get and Get Attributes in one ordered batch', async () => {
    const names = ['State', 'Name', 'Operation Policy Name', 'Cryptographic Algorithm', 'Cryptographic Length', 'Cryptographic Usage Mask']
    const operations = [op('Get', [uid(id)], randomBytes(4)), op('GetAttributes', [uid(id), ...names.map(attributeName)], randomBytes(4))]
    const [key, about] = await connection.ask(operations, { ...options, batchOrder: true })
    plainKey(key.succeeded(), id)
    isIn('PreActive', about.succeeded())
    equal(
      Object.keys(about.attributes).filter(one => !names.includes(one)),
      [],
      'attributes that nobody asked for',
    )
  })
}

export async function pgTde(lab) {
  const { step } = lab
  const old = { version: 10, maximumResponseSize: 8192, timeStamp: now() }
  const label = name()
  const material = randomBytes(16)
  const find = () => done(lab, op('Locate', [integer(TAG.MaximumItems, 16), ...attributes(objectType('SymmetricKey'), named(label))]), old)
  await step('Locate: none', async () => equal((await find()).all('UniqueIdentifier'), []))
  const id = await step('Register with a stray Key Compression Type', async () => {
    const about = template(algorithm('AES'), length(128), mask('Encrypt', 'Decrypt'), named(label))
    const key = symmetricKey(material, { compression: 1 })
    return identified(await done(lab, op('Register', [objectType('SymmetricKey'), about, key]), { ...old, version: 14 }))
  })
  await step('Locate: exactly one', async () => equal((await find()).all('UniqueIdentifier'), [id]))
  await step('Get before activation', async () => {
    const reply = await done(lab, op('Get', [uid(id)]), old)
    if (!reply.at('SymmetricKey', 'KeyBlock', 'KeyValue', 'KeyMaterial').equals(material)) throw new Error('another key')
  })
  await step('Locate does not find it once it is destroyed', async () => {
    await done(lab, op('Destroy', [uid(id)]), old)
    equal((await find()).all('UniqueIdentifier'), [])
  })
}

export async function scylladb({ step, open }) {
  const options = { version: 12 }
  const connection = await open()
  const space = name()
  const filters = [x('x-key-namespace', space), ...attributes(objectType('SymmetricKey'), ...AES256, state('Active'))]
  const find = async () =>
    (await one(connection, op('Locate', [integer(TAG.MaximumItems, 1), ...filters]), options)).all('UniqueIdentifier')
  await step('Locate: none yet', async () => equal(await find(), []))
  const id = await step('Create with x-key-namespace', async () => {
    const about = template(...AES256, x('x-key-namespace', space))
    return identified(await one(connection, op('Create', [objectType('SymmetricKey'), about]), options))
  })
  await step('a UUID is in canonical form', () => {
    if (/^[0-9a-f-]{36}$/i.test(id) && !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) throw new Error(id)
  })
  await step('Activate', async () => one(connection, op('Activate', [uid(id)]), options))
  await step('Locate', async () => equal(await find(), [id]))
  await step('Get and Get Attributes in one ordered batch', async () => {
    const raw = enumeration(TAG.KeyFormatType, ENUM.KeyFormatType.Raw)
    const operations = [op('Get', [uid(id), raw]), op('GetAttributes', [uid(id)])]
    const replies = await connection.ask(operations, { ...options, batchOrder: true })
    equal(replies.length, 2)
    plainKey(replies[0].succeeded(), id)
    equal(replies[1].succeeded().attributes['x-key-namespace'][0].value, space)
  })
}

export async function edb(lab) {
  const { step } = lab
  const call = (...args) => done(lab, op(...args), { version: 12 })
  const { id } = await call('Create', [objectType('SymmetricKey'), template(...AES256)])
  await call('Activate', [uid(id)])
  await step('Encrypt with a vector of the server, Decrypt with it', async () => {
    const clear = randomBytes(32)
    const parameters = retag(structure(0, [...cbc.value, boolean(TAG.RandomIV, true)]), TAG.CryptographicParameters)
    const reply = await call('Encrypt', [uid(id), parameters, bytes(TAG.Data, clear)])
    equal(reply.at('IVCounterNonce').length, 16)
    const again = await call('Decrypt', [
      uid(id),
      cbc,
      bytes(TAG.Data, reply.at('Data')),
      bytes(TAG.IVCounterNonce, reply.at('IVCounterNonce')),
    ])
    if (!again.at('Data').equals(clear)) throw new Error('another text')
  })
}
