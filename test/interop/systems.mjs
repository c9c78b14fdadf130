// What storage, virtualization and other systems say to a KMIP server, step by step, and what each needs of the answers. Known from traces,
// public source or documentation. Each gets a lab: `step(title, work)` and `open(options)` for a connection.
import { randomBytes, verify } from 'node:crypto'
import { passwordCredential } from '../../dist/client/message.js'
import { ENUM } from '../../dist/ttlv/enumerations.js'
import { AES256, done, identified, isIn, name, one, plainKey } from './answers.mjs'
import { equal } from './connection.mjs'
import {
  algorithm,
  attribute,
  attributeName,
  attributes,
  bytes,
  cbc,
  enumeration,
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
  structure,
  symmetricKey,
  TAG,
  template,
  templateAs,
  text,
  uid,
  x,
} from './messages.mjs'

export async function radosgw({ step, open }) {
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

export async function rook(lab) {
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

export async function cephCsi(lab) {
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

export async function vsphere(lab) {
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

export async function synology(lab) {
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

export async function fortigate({ step, open }) {
  const options = { version: 10, maximumResponseSize: 65_536, credentials: [passwordCredential('fortigate', 'secret')] }
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

export const veeam = protocol =>
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

export async function storageArray({ step, open }) {
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

export async function trueNas(lab) {
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

export async function ontap({ step, open }) {
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

export async function krill({ step, open }) {
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
