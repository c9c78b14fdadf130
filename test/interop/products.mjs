// What products say to a KMIP server, step by step, and what each needs of the answers. The sequences are known from traces, from the
// products' public source or their documentation; each entry gets a lab: `step(title, work)` and `open(options)` for a connection.
import { randomBytes, verify } from 'node:crypto'
import { ENUM } from '../../dist/ttlv/enumerations.js'
import { retag } from '../../dist/ttlv/item.js'
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
  protocolVersion,
  queryFunctions,
  revocation,
  rsaSha256,
  secretData,
  state,
  structure,
  symmetricKey,
  TAG,
  template,
  templateAs,
  text,
  uid,
  x,
} from './messages.mjs'

const AES256 = [algorithm('AES'), length(256), mask('Encrypt', 'Decrypt')]
const IDENTIFIER_BYTES = 127

/** One operation that must succeed. */
const one = async (connection, operation, options) => (await connection.ask([operation], options))[0].succeeded()

/** The same on a connection of its own, as clients do that connect for each call. */
async function alone(lab, operation, options, tls) {
  const connection = await lab.open(tls)
  try {
    return (await connection.ask([operation], options))[0]
  } finally {
    connection.close()
  }
}
const done = async (lab, operation, options) => (await alone(lab, operation, options)).succeeded()

function identified(reply, id) {
  if (id !== undefined) equal(reply.id, id, 'Unique Identifier')
  if (!(reply.id?.length > 0 && Buffer.byteLength(reply.id) <= IDENTIFIER_BYTES)) throw new Error(`identifier ${reply.id}`)
  return reply.id
}

/** A plain key: fields in the order that a positional decoder wants, Key Value with the material alone. */
function plainKey(reply, id, { type = 'SymmetricKey', bits = 256, material, kind = 'AES' } = {}) {
  equal(reply.fields, ['ObjectType', 'UniqueIdentifier', type])
  identified(reply, id)
  const block = [type, 'KeyBlock']
  equal(
    reply.at(...block).map(item => item.tag),
    [TAG.KeyFormatType, TAG.KeyValue, TAG.CryptographicAlgorithm, TAG.CryptographicLength],
    'fields of the key block',
  )
  equal(reply.at(...block, 'KeyFormatType'), ENUM.KeyFormatType.Raw, 'Key Format Type')
  equal(reply.at(...block, 'CryptographicAlgorithm'), ENUM.CryptographicAlgorithm[kind])
  equal(reply.at(...block, 'CryptographicLength'), bits, 'Cryptographic Length')
  equal(reply.at(...block, 'KeyValue').length, 1, 'fields of Key Value')
  const found = reply.at(...block, 'KeyValue', 'KeyMaterial')
  equal(found.length, bits / 8, 'bytes of the key')
  if (material !== undefined && !found.equals(material)) throw new Error('it is another key')
  return found
}

const stateOf = reply => reply.attributes.State?.[0].value
const isIn = (wanted, reply) => equal(stateOf(reply), ENUM.State[wanted], 'State')
const name = () => `interop-${randomBytes(6).toString('hex')}`

async function keyringOkv({ step, open }) {
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
    await connection.ask([op('Locate', [attribute(objectType('SymmetricKey')), strange])], options)
    await one(connection, op('Get', [uid(id)]), options)
  })
  await step('Create with Storage Status Mask as an attribute', async () => {
    const strange = custom('Storage Status Mask', integer(TAG.AttributeValue, 1), 0)
    await connection.ask([op('Create', [objectType('SymmetricKey'), template(...attributes(...AES256), strange)])], options)
    await one(connection, op('Get', [uid(id)]), options)
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

const mongodb = version =>
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

async function perconaMongodb({ step, open }) {
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

async function perconaKeyring(lab) {
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

async function perconaClient({ step, open }) {
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

async function pgTde(lab) {
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

async function radosgw({ step, open }) {
  const options = { version: 10, maximumResponseSize: 8192, timeStamp: now() }
  const connection = await open()
  const label = name()
  const id = (await one(connection, op('Create', [objectType('SymmetricKey'), template(...AES256, named(label))]), options)).id
  const find = wanted => connection.ask([op('Locate', attributes(named(wanted)))], options)
  await step('Locate by the name of a bucket key', async () => equal((await find(label))[0].succeeded().all('UniqueIdentifier'), [id]))
  await step('Get', async () => plainKey(await one(connection, op('Get', [uid(id)]), options), id))
  await step('Locate without a hit', async () => equal((await find('nobody'))[0].succeeded().all('UniqueIdentifier'), []))
}

const OFFER = [op('DiscoverVersions', [protocolVersion(1, 4)], randomBytes(16))]
async function discovered(connection) {
  const [reply] = await connection.ask(OFFER, { version: 14 })
  const found = reply.succeeded().all('ProtocolVersion')
  equal(
    found.map(version => version.map(item => item.value)),
    [[1, 4]],
    'versions',
  )
}

/** A call as Rook and ceph-csi make it: a connection, Discover Versions, the operation. */
async function kubernetes(lab, operation) {
  const connection = await lab.open({ servername: 'localhost', maxVersion: 'TLSv1.3' })
  try {
    await discovered(connection)
    return (await connection.ask([{ ...operation, id: randomBytes(16) }], { version: 14 }))[0]
  } finally {
    connection.close()
  }
}

async function rook(lab) {
  const { step } = lab
  const material = randomBytes(32)
  const call = operation => kubernetes(lab, operation)
  const id = await step('Register a key for export, without name', async () => {
    const about = template(algorithm('AES'), length(256), mask('Export'))
    return identified((await call(op('Register', [objectType('SymmetricKey'), about, symmetricKey(material)]))).succeeded())
  })
  await step('Get', async () => plainKey((await call(op('Get', [uid(id)]))).succeeded(), id, { material }))
  await step('Destroy without Revoke', async () => (await call(op('Destroy', [uid(id)]))).succeeded())
  await step('Get fails', async () => (await call(op('Get', [uid(id)]))).failed('ItemNotFound', 'IllegalOperation', 'ObjectDestroyed'))
}

async function cephCsi(lab) {
  const { step } = lab
  const call = async operation => (await kubernetes(lab, operation)).succeeded()
  const { id } = await call(op('Create', [objectType('SymmetricKey'), template(...AES256)]))
  await call(op('Activate', [uid(id)]))
  const [iv, clear] = [randomBytes(16), randomBytes(43)]
  const secret = await step('Encrypt with its own vector', async () => {
    const reply = await call(op('Encrypt', [uid(id), cbc, bytes(TAG.Data, clear), bytes(TAG.IVCounterNonce, iv)]))
    equal(reply.at('Data').length, 48)
    return reply.at('Data')
  })
  await step('Decrypt', async () => {
    const reply = await call(op('Decrypt', [uid(id), cbc, bytes(TAG.Data, secret), bytes(TAG.IVCounterNonce, iv)]))
    if (!reply.at('Data').equals(clear)) throw new Error('another text')
  })
}

async function scylladb({ step, open }) {
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

async function vsphere(lab) {
  const { step } = lab
  const options = { version: 11 }
  let counter = 0n
  const next = () => {
    const id = Buffer.alloc(8)
    id.write('QLKC')
    id.writeUInt32BE(Number(counter++), 4)
    return id
  }
  const call = async (...args) => done(lab, op(...args, next()), options)
  await step('Discover Versions, any', async () => {
    const found = (await call('DiscoverVersions', [])).all('ProtocolVersion').map(version => version.map(item => item.value).join('.'))
    if (!found.includes('1.1')) throw new Error(found.join(' '))
  })
  await step('Query Server Information', async () => {
    const reply = await call('Query', queryFunctions('QueryServerInformation'))
    if (!reply.at('VendorIdentification')) throw new Error('no vendor')
  })
  const id = await step('Create', async () => identified(await call('Create', [objectType('SymmetricKey'), template(...AES256)])))
  const vendor = ['x-Product_Version', 'x-Vendor', 'x-Product']
  await step('Get Attributes of one that is not there: an empty success', async () => {
    equal((await call('GetAttributes', [uid(id), attributeName(vendor[0])])).fields, ['UniqueIdentifier'])
  })
  await step('three Add Attribute in a batch without order', async () => {
    const connection = await lab.open()
    const replies = await connection.ask(
      vendor.map(one => op('AddAttribute', [uid(id), x(one, 'VMware, Inc.')], next())),
      options,
    )
    equal(replies.length, 3)
    for (const reply of replies) reply.succeeded()
    connection.close()
  })
  await step('Get Attributes', async () => {
    const reply = await call('GetAttributes', [uid(id), ...[...vendor, 'State'].map(attributeName)])
    isIn('PreActive', reply)
    for (const one of vendor) equal(reply.attributes[one][0].value, 'VMware, Inc.')
  })
  await step('Get before activation', async () => plainKey(await call('Get', [uid(id)]), id))
  await step('Activate, Revoke, Destroy', async () => {
    for (const operation of [op('Activate', [uid(id)]), op('Revoke', [uid(id), revocation('Superseded')]), op('Destroy', [uid(id)])]) {
      await done(lab, operation, options)
    }
  })
}

async function synology(lab) {
  const { step } = lab
  const options = { version: 12 }
  const call = (...args) => done(lab, op(...args), options)
  const first = randomBytes(64).toString('hex')
  const volume = 'a8b4ff2d-5a0c-44f1-9d0b-0d6bc3a1d5ab'
  const secret = randomBytes(64)
  await step('several Query at once', async () => {
    const functions = ['Operations', 'Objects', 'ServerInformation', 'ApplicationNamespaces', 'ExtensionList', 'ExtensionMap']
    await Promise.all([1, 2, 3, 4].map(() => call('Query', queryFunctions(...functions.map(one => `Query${one}`)))))
  })
  await step('Locate by name: none', async () => equal((await call('Locate', attributes(named(first)))).all('UniqueIdentifier'), []))
  const id = await step('Register a password with Operation Policy Name', async () => {
    const about = template(mask('Verify'), text(TAG.OperationPolicyName, 'default'), named(first))
    return identified(await call('Register', [objectType('SecretData'), about, secretData('Password', secret)]))
  })
  await step('Modify Attribute Name repeats the new one', async () => {
    const reply = await call('ModifyAttribute', [uid(id), attribute(named(volume))])
    equal(reply.attributes.Name[0].value[0].value, volume)
  })
  await step('Locate by the new name', async () => equal((await call('Locate', attributes(named(volume)))).all('UniqueIdentifier'), [id]))
  await step('Activate', async () => call('Activate', [uid(id)]))
  await step('Get Attribute List', async () => {
    const names = (await call('GetAttributeList', [uid(id)])).all('AttributeName')
    for (const one of ['State', 'Object Type', 'Name', 'Operation Policy Name'])
      if (!names.includes(one)) throw new Error(`${one} is missing`)
  })
  await step('Get Attributes', async () => {
    const reply = await call('GetAttributes', [uid(id), attributeName('State'), attributeName('Object Type')])
    isIn('Active', reply)
    equal(reply.attributes['Object Type'][0].value, ENUM.ObjectType.SecretData)
  })
  await step('Get', async () => {
    const reply = await call('Get', [uid(id)])
    equal(reply.fields, ['ObjectType', 'UniqueIdentifier', 'SecretData'])
    if (!reply.at('SecretData', 'KeyBlock', 'KeyValue', 'KeyMaterial').equals(secret)) throw new Error('another secret')
  })
  await step('Revoke', async () => call('Revoke', [uid(id), revocation('CessationOfOperation')]))
  await step('Destroy', async () => call('Destroy', [uid(id)]))
}

async function fortigate({ step, open }) {
  const options = { version: 10, maximumResponseSize: 65_536 }
  const batch = { ...options, errorContinuation: 'Continue', batchOrder: true }
  const connection = await open()
  const labels = [name(), name(), name()]
  const about = label => template(...AES256, named(label))
  const key = (await one(connection, op('Create', [objectType('SymmetricKey'), about(labels[0])]), options)).id
  const seed = await step('Register a seed', async () => {
    const operation = op('Register', [objectType('SecretData'), template(mask(0), named(labels[1])), secretData('Seed', randomBytes(40))])
    return identified(await one(connection, operation, options))
  })
  await step('four Locate in one message, names inside a template', async () => {
    const find = label => op('Locate', [integer(TAG.MaximumItems, 1), template(named(label))], randomBytes(12))
    const replies = await connection.ask([labels[0], labels[1], labels[2], labels[0]].map(find), batch)
    equal(
      replies.map(reply => reply.succeeded().all('UniqueIdentifier')),
      [[key], [seed], [], [key]],
      'found',
    )
  })
  await step('a failure in the middle does not stop the others', async () => {
    const get = id => op('Get', [uid(id)], randomBytes(12))
    const [a, b, c] = await connection.ask([get(key), get('none'), get(seed)], batch)
    plainKey(a.succeeded(), key)
    b.failed('ItemNotFound')
    c.succeeded()
  })
}

const veeam = protocol =>
  async function veeamResumed(lab) {
    const { step, open } = lab
    const options = { version: 14 }
    const label = name()
    const first = await open({ maxVersion: protocol })
    equal(first.protocol, protocol)
    await step('Locate', async () => one(first, op('Locate', attributes(named(`${label}-public`))), options))
    const pair = await step('Create Key Pair', async () =>
      one(
        first,
        op('CreateKeyPair', [
          templateAs(TAG.CommonTemplateAttribute, algorithm('RSA'), length(2048)),
          templateAs(TAG.PrivateKeyTemplateAttribute, mask('Sign'), named(`${label}-private`)),
          templateAs(TAG.PublicKeyTemplateAttribute, mask('Verify'), named(`${label}-public`)),
        ]),
        options,
      ),
    )
    const ids = [pair.at('PrivateKeyUniqueIdentifier'), pair.at('PublicKeyUniqueIdentifier')]
    const session = first.session
    first.close()
    const second = await open({ maxVersion: protocol, session })
    await step('the TLS session is resumed', () => equal(second.resumed, true))
    await step('Activate both', async () => {
      for (const id of ids) await one(second, op('Activate', [uid(id)]), options)
    })
    await step('Get both, Key Value without attributes', async () => {
      for (const [id, type] of [
        [ids[0], 'PrivateKey'],
        [ids[1], 'PublicKey'],
      ]) {
        const reply = await one(second, op('Get', [uid(id)]), options)
        equal(reply.fields, ['ObjectType', 'UniqueIdentifier', type])
        equal(reply.at(type, 'KeyBlock', 'KeyValue').length, 1)
      }
    })
    await step('Destroy after Revoke', async () => {
      for (const id of ids) {
        await one(second, op('Revoke', [uid(id), revocation('CessationOfOperation')]), options)
        await one(second, op('Destroy', [uid(id)]), options)
      }
    })
  }

async function storageArray({ step, open }) {
  const options = { version: 10 }
  const connection = await open()
  const marks = [x('x-ResourceID', 77), x('x-SystemID', 4_711)]
  const about = structure(TAG.TemplateAttribute, [...attributes(...AES256), ...marks])
  const id = await step('Create with attributes that are no texts', async () =>
    identified(await one(connection, op('Create', [objectType('SymmetricKey'), about]), options)),
  )
  await step('Query, Locate, Get and Get Attributes in one ordered batch', async () => {
    const operations = [
      op('Query', queryFunctions('QueryOperations')),
      op('Locate', marks),
      op('Get'),
      op('GetAttributes', [attributeName('x-ResourceID'), attributeName('State')]),
    ]
    const replies = await connection.ask(operations, { ...options, batchOrder: true })
    equal(replies.length, 4)
    equal(replies[1].succeeded().all('UniqueIdentifier'), [id])
    plainKey(replies[2].succeeded(), id)
    equal(replies[3].succeeded().attributes['x-ResourceID'][0].value, 77)
  })
  await step('Get in the format Opaque', async () => {
    const opaque = enumeration(TAG.KeyFormatType, ENUM.KeyFormatType.Opaque)
    const reply = await one(connection, op('Get', [uid(id), opaque]), options)
    equal(reply.at('SymmetricKey', 'KeyBlock', 'KeyFormatType'), ENUM.KeyFormatType.Opaque)
  })
}

async function trueNas(lab) {
  const { step } = lab
  const options = { version: 12 }
  const call = (...args) => done(lab, op(...args), options)
  await step('Register, Activate, Get, Revoke, Destroy of a password', async () => {
    const about = template(mask('Verify'), named(`${name()}-xxxxxxx`))
    const { id } = await call('Register', [
      objectType('SecretData'),
      about,
      secretData('Password', Buffer.from('passphrase'), { format: 'Opaque' }),
    ])
    await call('Activate', [uid(id)])
    const reply = await call('Get', [uid(id)])
    equal(String(reply.at('SecretData', 'KeyBlock', 'KeyValue', 'KeyMaterial')), 'passphrase')
    await call('Revoke', [uid(id), revocation('CessationOfOperation')])
    await call('Destroy', [uid(id)])
  })
}

async function ontap({ step, open }) {
  const options = { version: 13 }
  const connection = await open()
  const own = Array.from({ length: 16 }, (_, n) => [`x-NETAPP-Attribute-${n}`, `${name()} ${n}`])
  const id = await step('Create with 16 attributes of its own', async () => {
    const about = structure(TAG.TemplateAttribute, [...attributes(...AES256), ...own.map(([title, value]) => x(title, value))])
    return identified(await one(connection, op('Create', [objectType('SymmetricKey'), about]), options))
  })
  await step('Locate by two of them', async () => {
    const reply = await one(
      connection,
      op(
        'Locate',
        own.slice(3, 5).map(([title, value]) => x(title, value)),
      ),
      options,
    )
    equal(reply.all('UniqueIdentifier'), [id])
  })
  await step('Get Attributes: all come back', async () => {
    const { attributes: found } = await one(connection, op('GetAttributes', [uid(id)]), options)
    for (const [title, value] of own) equal(found[title]?.[0].value, value, title)
  })
}

async function krill({ step, open }) {
  const connection = await open({ servername: 'localhost' })
  const label = name()
  const old = { version: 10 }
  const recent = { version: 12 }
  await step('Query in 1.2 holds nothing of later versions', async () => {
    const reply = await one(connection, op('Query', queryFunctions('QueryOperations', 'QueryObjects', 'QueryServerInformation')), recent)
    const unknown = reply.all('Operation').filter(value => value > 0x29)
    equal(unknown, [], 'operations')
  })
  const pair = await step('Create Key Pair in 1.0', async () =>
    one(
      connection,
      op('CreateKeyPair', [
        templateAs(TAG.CommonTemplateAttribute, algorithm('RSA'), length(2048)),
        templateAs(TAG.PrivateKeyTemplateAttribute, named(`${label}_priv`), mask('Sign')),
        templateAs(TAG.PublicKeyTemplateAttribute, named(`${label}_pub`), mask('Verify')),
      ]),
      old,
    ),
  )
  equal(pair.fields, ['PrivateKeyUniqueIdentifier', 'PublicKeyUniqueIdentifier'])
  const [privateId, publicId] = [pair.at('PrivateKeyUniqueIdentifier'), pair.at('PublicKeyUniqueIdentifier')]
  for (const id of [privateId, publicId]) await step('Activate', async () => one(connection, op('Activate', [uid(id)]), old))
  await step('Modify Attribute Name without index', async () =>
    one(connection, op('ModifyAttribute', [uid(publicId), attribute(named(`${label}_renamed`))]), old),
  )
  await step('Sign in 1.2, verified by the public key', async () => {
    const data = Buffer.from('zone data')
    const reply = await one(connection, op('Sign', [uid(privateId), rsaSha256, bytes(TAG.Data, data)]), recent)
    equal(reply.fields, ['UniqueIdentifier', 'SignatureData'])
    const key = await one(connection, op('Get', [uid(publicId)]), old)
    const format = key.at('PublicKey', 'KeyBlock', 'KeyFormatType')
    const type = format === ENUM.KeyFormatType.PKCS_1 ? 'pkcs1' : 'spki'
    const der = key.at('PublicKey', 'KeyBlock', 'KeyValue', 'KeyMaterial')
    if (!verify('sha256', data, { key: der, format: 'der', type }, reply.at('SignatureData'))) throw new Error('a wrong signature')
  })
  await step('RNG Retrieve in 1.2', async () => {
    const reply = await one(connection, op('RNGRetrieve', [integer(TAG.DataLength, 32)]), recent)
    equal(reply.at('Data').length, 32)
  })
  await step('Revoke and Destroy', async () => {
    for (const id of [privateId, publicId]) {
      await one(connection, op('Revoke', [uid(id), revocation('CessationOfOperation')]), old)
      await one(connection, op('Destroy', [uid(id)]), old)
    }
  })
  await step('unknown key', async () =>
    (await connection.ask([op('Get', [uid(publicId.replace(/^./, 'x'))])], recent))[0].failed('ItemNotFound'),
  )
}

async function edb(lab) {
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

export const PRODUCTS = [
  ['MySQL keyring_okv', keyringOkv],
  ['MongoDB Enterprise', mongodb(12)],
  ['MongoDB Enterprise, legacy protocol', mongodb(10)],
  ['Percona Server for MongoDB', perconaMongodb],
  ['Percona Server for MySQL', perconaKeyring],
  ['Percona kmipclient', perconaClient],
  ['pg_tde', pgTde],
  ['Ceph radosgw', radosgw],
  ['Rook', rook],
  ['ceph-csi', cephCsi],
  ['ScyllaDB', scylladb],
  ['VMware vSphere', vsphere],
  ['Synology DSM', synology],
  ['FortiGate', fortigate],
  ['Veeam, TLS 1.2', veeam('TLSv1.2')],
  ['Veeam, TLS 1.3', veeam('TLSv1.3')],
  ['storage array', storageArray],
  ['TrueNAS', trueNas],
  ['NetApp ONTAP', ontap],
  ['Krill and Cascade', krill],
  ['EDB Postgres', edb],
]
