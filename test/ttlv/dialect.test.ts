import fc from 'fast-check'
import t from 'tap'
import { ATTRIBUTES } from '../../src/ttlv/attributes.ts'
import { attributeTitles, indexMark, requestFrom, responseTo } from '../../src/ttlv/dialect.ts'
import { ENUM } from '../../src/ttlv/enumerations.ts'
import { bytes, enumeration, type Item, integer, retag, structure, text } from '../../src/ttlv/item.ts'
import { TAG } from '../../src/ttlv/tags.ts'

// 1.x messages in the canonical form of 2.x, and answers back.

const { Operation } = ENUM
const attribute = (name: string, value: Item, index?: number): Item =>
  structure(TAG.Attribute, [
    text(TAG.AttributeName, name),
    ...(index === undefined ? [] : [integer(TAG.AttributeIndex, index)]),
    retag(value, TAG.AttributeValue),
  ])
const vendor = (vendor: string, name: string, value: Item): Item =>
  structure(TAG.Attribute, [text(TAG.VendorIdentification, vendor), text(TAG.AttributeName, name), retag(value, TAG.AttributeValue)])
const name = (value: string): Item => structure(TAG.Name, [text(TAG.NameValue, value), enumeration(TAG.NameType, 1)])
const length = integer(TAG.CryptographicLength, 128)
const uid = text(TAG.UniqueIdentifier, 'a')
const payload = (...fields: Item[]): Item => structure(TAG.RequestPayload, fields)
const key = (...value: Item[]): Item =>
  structure(TAG.SymmetricKey, [structure(TAG.KeyBlock, [enumeration(TAG.KeyFormatType, 1), structure(TAG.KeyValue, value)])])
const material = bytes(TAG.KeyMaterial, Buffer.from('key'))
const mask = integer(TAG.StorageStatusMask, 1)

const REQUESTS: [what: string, operation: keyof typeof Operation, from: Item[], to: Item[]][] = [
  ['a template', 'Create', [structure(TAG.TemplateAttribute, [attribute('Cryptographic Length', length), attribute('Name', name('n'), 0)])], [structure(TAG.Attributes, [length, name('n')])]],
  ['an empty template', 'Create', [structure(TAG.TemplateAttribute, [])], [structure(TAG.Attributes, [])]],
  ['the name of a template', 'Create', [structure(TAG.TemplateAttribute, [name('t'), attribute('Cryptographic Length', length)])], [structure(TAG.Attributes, [structure(TAG.Template, [name('t')]), length])]],
  ['custom attributes', 'Create', [structure(TAG.TemplateAttribute, [attribute('x-Foo', length), attribute('y-Bar-Baz', length)])], [structure(TAG.Attributes, [vendor('x', 'Foo', length), vendor('y', 'Bar-Baz', length)])]],
  ['templates of a pair', 'CreateKeyPair', [TAG.CommonTemplateAttribute, TAG.PrivateKeyTemplateAttribute, TAG.PublicKeyTemplateAttribute].map(tag => structure(tag, [attribute('Cryptographic Length', length)])), [TAG.CommonAttributes, TAG.PrivateKeyAttributes, TAG.PublicKeyAttributes].map(tag => structure(tag, [length]))],
  ['filters', 'Locate', [integer(TAG.MaximumItems, 1), attribute('Name', name('n'), 3)], [integer(TAG.MaximumItems, 1), structure(TAG.Attributes, [name('n')])]],
  ['filters in a template, as FortiGate sends them', 'Locate', [structure(TAG.TemplateAttribute, [attribute('Name', name('n'))])], [structure(TAG.Attributes, [name('n')])]],
  ['Storage Status Mask as an attribute, as MySQL sends it', 'Locate', [attribute('Storage Status Mask', mask), attribute('Name', name('n'))], [mask, structure(TAG.Attributes, [name('n')])]],
  ['a real Storage Status Mask beside it wins', 'Locate', [integer(TAG.StorageStatusMask, 2), attribute('Storage Status Mask', mask)], [integer(TAG.StorageStatusMask, 2), structure(TAG.Attributes, [])]],
  ['an attribute to add', 'AddAttribute', [uid, attribute('Name', name('n'))], [uid, structure(TAG.NewAttribute, [name('n')])]],
  ['an attribute to modify, by its index', 'ModifyAttribute', [uid, attribute('Name', name('n'), 2)], [uid, integer(TAG.AttributeIndex, 2), structure(TAG.NewAttribute, [name('n')])]],
  ['an attribute to delete', 'DeleteAttribute', [uid, text(TAG.AttributeName, 'Name'), integer(TAG.AttributeIndex, 1)], [uid, enumeration(TAG.AttributeReference, TAG.Name), integer(TAG.AttributeIndex, 1)]],
  ['names to get', 'GetAttributes', [uid, text(TAG.AttributeName, 'x-Foo'), text(TAG.AttributeName, 'Nobody knows')], [uid, structure(TAG.AttributeReference, [text(TAG.VendorIdentification, 'x'), text(TAG.AttributeName, 'Foo')]), structure(TAG.AttributeReference, [text(TAG.VendorIdentification, ''), text(TAG.AttributeName, 'Nobody knows')])]],
  ['attributes inside a key value', 'Register', [key(material, attribute('Cryptographic Length', length))], [key(material, structure(TAG.Attributes, [length]))]],
  ['what needs no change', 'Get', [uid, enumeration(TAG.KeyFormatType, 1)], [uid, enumeration(TAG.KeyFormatType, 1)]],
] // biome-ignore format: one request a line
for (const [what, operation, from, to] of REQUESTS)
  t.test(`a request of 1.x: ${what}`, async t => {
    t.strictSame(requestFrom(14, Operation[operation], payload(...from)), payload(...to))
  })

t.test('requests of 2.x stay as they are, save the empty Template-Attribute that PyKMIP sends', async t => {
  const request = payload(uid, structure(TAG.Attributes, [length]))
  t.equal(requestFrom(21, Operation.Create, request), request)
  t.strictSame(requestFrom(20, Operation.ReKey, payload(uid, structure(TAG.TemplateAttribute, []))), payload(uid))
})

const REFUSED: [what: string, reason: string, operation: keyof typeof Operation, ...fields: Item[]][] = [
  ['an attribute that there is none of', 'InvalidField', 'Create', structure(TAG.TemplateAttribute, [attribute('Nothing', length)])],
  ['a name that is no text', 'InvalidMessage', 'Create', structure(TAG.TemplateAttribute, [structure(TAG.Attribute, [integer(TAG.AttributeName, 1), length])])],
  ['no name', 'InvalidMessage', 'Create', structure(TAG.TemplateAttribute, [structure(TAG.Attribute, [retag(length, TAG.AttributeValue)])])],
  ['no value', 'InvalidMessage', 'Create', structure(TAG.TemplateAttribute, [structure(TAG.Attribute, [text(TAG.AttributeName, 'Name')])])],
  ['a template that is no structure', 'InvalidMessage', 'Create', integer(TAG.TemplateAttribute, 1)],
  ['something else in a template', 'InvalidField', 'Create', structure(TAG.TemplateAttribute, [length])],
  ['two attributes to add', 'InvalidMessage', 'AddAttribute', uid, attribute('Name', name('a')), attribute('Name', name('b'))],
  ['names to get that are no text', 'InvalidMessage', 'GetAttributes', uid, integer(TAG.AttributeName, 1)],
] // biome-ignore format: one request a line
for (const [what, reason, operation, ...fields] of REFUSED)
  t.test(`refused of 1.x: ${what}`, async t => {
    t.throws(() => requestFrom(14, Operation[operation], payload(...fields)), { name: 'MessageError', reason })
  })

const attributes = (...items: Item[]): Item => structure(TAG.Attributes, items)
const digest = (...more: Item[]): Item =>
  structure(TAG.Digest, [enumeration(TAG.HashingAlgorithm, 6), bytes(TAG.DigestValue, Buffer.alloc(2)), ...more])
const ANSWERS: [what: string, version: number, from: Item[], to: Item[]][] = [
  ['attributes by name', 14, [uid, attributes(length, name('n'))], [uid, attribute('Cryptographic Length', length), attribute('Name', name('n'))]],
  ['an index that is not 0', 10, [attributes(name('a'), indexMark(2), name('b'))], [attribute('Name', name('a')), attribute('Name', name('b'), 2)]],
  ['vendor attributes', 10, [attributes(vendor('x', 'Foo', length), vendor('acme', 'Foo', length))], [attribute('x-Foo', length)]],
  ['no index in 2.x', 21, [attributes(name('a'), indexMark(2), name('b'))], [attributes(name('a'), name('b'))]],
  ['what 1.0 does not have', 10, [attributes(length, text(TAG.Description, 'd'), enumeration(TAG.KeyFormatType, 1))], [attribute('Cryptographic Length', length)]],
  ['what 1.4 has', 14, [attributes(text(TAG.Description, 'd'), enumeration(TAG.KeyFormatType, 1))], [attribute('Description', text(0, 'd'))]],
  ['what 2.x has no more', 21, [attributes(length, text(TAG.OperationPolicyName, 'default'))], [attributes(length)]],
  ['a field that 1.0 does not have', 10, [attributes(digest(enumeration(TAG.KeyFormatType, 1)))], [attribute('Digest', digest())]],
  ['a field that 1.1 has', 11, [attributes(digest(enumeration(TAG.KeyFormatType, 1)))], [attribute('Digest', digest(enumeration(TAG.KeyFormatType, 1)))]],
  ['names of attributes', 14, [uid, enumeration(TAG.AttributeReference, TAG.Name), structure(TAG.AttributeReference, [text(TAG.VendorIdentification, 'x'), text(TAG.AttributeName, 'Foo')])], [uid, text(TAG.AttributeName, 'Name'), text(TAG.AttributeName, 'x-Foo')]],
  ['names that the version does not have', 10, [enumeration(TAG.AttributeReference, TAG.Description)], []],
  ['attributes inside a key value', 12, [key(material, attributes(length))], [key(material, attribute('Cryptographic Length', length))]],
  ['what needs no change', 12, [uid], [uid]],
] // biome-ignore format: one answer a line
for (const [what, version, from, to] of ANSWERS)
  t.test(`an answer in ${version}: ${what}`, async t => {
    t.strictSame(responseTo(version, from, payload()), to)
  })

t.test('what a client of 1.x sets, it reads back', async t => {
  const value = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 20 }).map(one => text(TAG.AttributeValue, one)),
    fc.integer({ min: -5, max: 5 }).map(one => integer(TAG.AttributeValue, one)),
  )
  const row = fc.oneof(
    fc.tuple(fc.constantFrom(...ATTRIBUTES.filter(one => one.since <= 14 && one.until >= 14).map(one => one.title)), value),
    fc.tuple(
      fc.string({ maxLength: 10 }).map(one => `x-${one}`),
      value,
    ),
  )
  fc.assert(
    fc.property(fc.array(row, { maxLength: 5 }), rows => {
      const written = rows.map(([title, one]) => attribute(title, one))
      const canonical = requestFrom(14, Operation.Create, payload(structure(TAG.TemplateAttribute, written)))
      t.strictSame(responseTo(14, (canonical as { value: readonly Item[] }).value, payload()), written)
    }),
    { numRuns: 200 },
  )
})

t.test('each version has the attributes that it has', async t => {
  const has = (version: number, title: string): boolean => attributeTitles(version).includes(title)
  const SINCE: [title: string, since: number, until: number][] = [
    ['Name', 10, 21],
    ['Operation Policy Name', 10, 14],
    ['Certificate Identifier', 10, 14],
    ['X.509 Certificate Identifier', 11, 21],
    ['Fresh', 11, 21],
    ['Alternative Name', 12, 21],
    ['Original Creation Date', 12, 21],
    ['Random Number Generator', 13, 21],
    ['PKCS#12 Friendly Name', 14, 21],
    ['Sensitive', 14, 21],
    ['Short Unique Identifier', 20, 21],
    ['Rotate Name', 21, 21],
  ]
  for (const [title, since, until] of SINCE)
    for (const version of [10, 11, 12, 13, 14, 20, 21])
      t.equal(has(version, title), version >= since && version <= until, `${title} in ${version}`)
})
