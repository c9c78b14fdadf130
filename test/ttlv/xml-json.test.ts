import { readdirSync, readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { decode, encode } from '../../src/ttlv/binary.ts'
import { ENUM, MASK } from '../../src/ttlv/enumerations.ts'
import {
  bigInteger,
  boolean,
  bytes,
  dateTime,
  enumeration,
  type Item,
  integer,
  interval,
  long,
  structure,
  TYPE,
  text,
} from '../../src/ttlv/item.ts'
import { decodeJson, encodeJson } from '../../src/ttlv/json.ts'
import { EncodingError } from '../../src/ttlv/notation.ts'
import { print } from '../../src/ttlv/print.ts'
import { TAG } from '../../src/ttlv/tags.ts'
import { decodeXml, encodeXml } from '../../src/ttlv/xml.ts'

const attribute = (name: string, value: Item): Item => structure(TAG.Attribute, [text(TAG.AttributeName, name), value])
const { Sign, Encrypt, Decrypt } = MASK.CryptographicUsageMask

// item, its XML, its JSON value (or the whole JSON where it is a structure)
const ITEMS: readonly (readonly [string, Item, string, string])[] = [
  ['integer', integer(TAG.BatchCount, 10), '<BatchCount type="Integer" value="10"/>', '{"tag":"BatchCount","type":"Integer","value":10}'],
  ['negative', integer(TAG.BatchCount, -1), '<BatchCount type="Integer" value="-1"/>', '{"tag":"BatchCount","type":"Integer","value":-1}'],
  [
    'mask',
    integer(TAG.CryptographicUsageMask, Encrypt | Decrypt),
    '<CryptographicUsageMask type="Integer" value="Encrypt Decrypt"/>',
    '{"tag":"CryptographicUsageMask","type":"Integer","value":"Encrypt|Decrypt"}',
  ],
  [
    'mask with a bit that has no name',
    integer(TAG.CryptographicUsageMask, Sign | (1 << 31)),
    '<CryptographicUsageMask type="Integer" value="Sign 0x80000000"/>',
    '{"tag":"CryptographicUsageMask","type":"Integer","value":"Sign|0x80000000"}',
  ],
  [
    'empty mask',
    integer(TAG.CryptographicUsageMask, 0),
    '<CryptographicUsageMask type="Integer" value="0"/>',
    '{"tag":"CryptographicUsageMask","type":"Integer","value":0}',
  ],
  [
    'long',
    long(TAG.UsageLimitsCount, 1n << 60n),
    '<UsageLimitsCount type="LongInteger" value="1152921504606846976"/>',
    '{"tag":"UsageLimitsCount","type":"LongInteger","value":"0x1000000000000000"}',
  ],
  [
    'negative long',
    long(0x540001, -2),
    '<TTLV tag="0x540001" type="LongInteger" value="-2"/>',
    '{"tag":"0x540001","type":"LongInteger","value":-2}',
  ],
  [
    'big integer',
    bigInteger(TAG.Modulus, Buffer.from('00000000000000ff', 'hex')),
    '<Modulus type="BigInteger" value="00000000000000ff"/>',
    '{"tag":"Modulus","type":"BigInteger","value":"0x00000000000000ff"}',
  ],
  [
    'enumeration',
    enumeration(TAG.ObjectType, ENUM.ObjectType.SymmetricKey),
    '<ObjectType type="Enumeration" value="SymmetricKey"/>',
    '{"tag":"ObjectType","type":"Enumeration","value":"SymmetricKey"}',
  ],
  [
    'vendor value of an enumeration',
    enumeration(TAG.ObjectType, 0x80000001),
    '<ObjectType type="Enumeration" value="0x80000001"/>',
    '{"tag":"ObjectType","type":"Enumeration","value":"0x80000001"}',
  ],
  [
    'boolean',
    boolean(TAG.BatchOrderOption, true),
    '<BatchOrderOption type="Boolean" value="true"/>',
    '{"tag":"BatchOrderOption","type":"Boolean","value":true}',
  ],
  [
    'text that needs escapes',
    text(TAG.NameValue, ' a "<&>\'\n\t\r é 😀 '),
    '<NameValue type="TextString" value=" a &quot;&lt;&amp;&gt;\'&#xA;&#x9;&#xD; é 😀 "/>',
    '{"tag":"NameValue","type":"TextString","value":" a \\"<&>\'\\n\\t\\r é 😀 "}',
  ],
  [
    'bytes',
    bytes(TAG.MACSignature, Buffer.from('c50f77', 'hex')),
    '<MACSignature type="ByteString" value="c50f77"/>',
    '{"tag":"MACSignature","type":"ByteString","value":"c50f77"}',
  ],
  [
    'date',
    dateTime(TAG.ArchiveDate, 0x3a505520),
    '<ArchiveDate type="DateTime" value="2001-01-01T10:00:00+00:00"/>',
    '{"tag":"ArchiveDate","type":"DateTime","value":"2001-01-01T10:00:00+00:00"}',
  ],
  [
    'date beyond the calendar',
    dateTime(TAG.ArchiveDate, (1n << 63n) - 1n),
    '<ArchiveDate type="DateTime" value="0x7fffffffffffffff"/>',
    '{"tag":"ArchiveDate","type":"DateTime","value":"0x7fffffffffffffff"}',
  ],
  [
    'interval',
    interval(TAG.Offset, 0xffffffff),
    '<Offset type="Interval" value="4294967295"/>',
    '{"tag":"Offset","type":"Interval","value":4294967295}',
  ],
  ['empty structure', structure(TAG.ResponsePayload, []), '<ResponsePayload/>', '{"tag":"ResponsePayload","value":[]}'],
  [
    'enumeration of the attribute that the name beside it says',
    attribute('Cryptographic Algorithm', enumeration(TAG.AttributeValue, ENUM.CryptographicAlgorithm.AES)),
    '<Attribute><AttributeName type="TextString" value="Cryptographic Algorithm"/><AttributeValue type="Enumeration" value="AES"/></Attribute>',
    '{"tag":"Attribute","value":[{"tag":"AttributeName","type":"TextString","value":"Cryptographic Algorithm"},{"tag":"AttributeValue","type":"Enumeration","value":"AES"}]}',
  ],
  [
    'mask of the attribute that the name beside it says',
    attribute('Cryptographic Usage Mask', integer(TAG.AttributeValue, Encrypt)),
    '<Attribute><AttributeName type="TextString" value="Cryptographic Usage Mask"/><AttributeValue type="Integer" value="Encrypt"/></Attribute>',
    '{"tag":"Attribute","value":[{"tag":"AttributeName","type":"TextString","value":"Cryptographic Usage Mask"},{"tag":"AttributeValue","type":"Integer","value":"Encrypt"}]}',
  ],
  [
    'value that stands before its name',
    structure(TAG.Attribute, [integer(TAG.AttributeValue, -1), text(TAG.AttributeName, 'Cryptographic Usage Mask')]),
    '<Attribute><AttributeValue type="Integer" value="-1"/><AttributeName type="TextString" value="Cryptographic Usage Mask"/></Attribute>',
    '{"tag":"Attribute","value":[{"tag":"AttributeValue","type":"Integer","value":-1},{"tag":"AttributeName","type":"TextString","value":"Cryptographic Usage Mask"}]}',
  ],
  [
    'enumeration of a custom attribute',
    attribute('x-Colour', enumeration(TAG.AttributeValue, 3)),
    '<Attribute><AttributeName type="TextString" value="x-Colour"/><AttributeValue type="Enumeration" value="0x00000003"/></Attribute>',
    '{"tag":"Attribute","value":[{"tag":"AttributeName","type":"TextString","value":"x-Colour"},{"tag":"AttributeValue","type":"Enumeration","value":"0x00000003"}]}',
  ],
  [
    'attribute reference, which is a tag',
    enumeration(TAG.AttributeReference, TAG.State),
    '<AttributeReference type="Enumeration" value="State"/>',
    '{"tag":"AttributeReference","type":"Enumeration","value":"State"}',
  ],
  [
    'function of PKCS#11',
    enumeration(TAG.PKCS_11Function, 3),
    '<PKCS_11Function type="Enumeration" value="C_GetInfo"/>',
    '{"tag":"PKCS_11Function","type":"Enumeration","value":"C_GetInfo"}',
  ],
]

t.test('each type of item has one form in XML and in JSON, and comes back from it', async t => {
  for (const [name, item, xml, json] of ITEMS) {
    t.equal(encodeXml(item), xml, `${name} to XML`)
    t.same(decodeXml(xml), item, `${name} from XML`)
    t.equal(encodeJson(item), json, `${name} to JSON`)
    t.same(decodeJson(json), item, `${name} from JSON`)
  }
})

const READS: readonly (readonly [string, string, Item])[] = [
  ['hexadecimal integer', '<BatchCount type="Integer" value="0xffffffff"/>', integer(TAG.BatchCount, -1)],
  ['mask as a number', '<CryptographicUsageMask type="Integer" value="0x0000000c"/>', integer(TAG.CryptographicUsageMask, 12)],
  [
    'mask of names and numbers',
    '<CryptographicUsageMask type="Integer" value="Sign   0x0000008"/>',
    integer(TAG.CryptographicUsageMask, 9),
  ],
  [
    'other spelling',
    '<HashingAlgorithm type="Enumeration" value="SHA_3_256"/>',
    enumeration(TAG.HashingAlgorithm, ENUM.HashingAlgorithm.SHA3_256),
  ],
  ['enumeration as a number', '<ObjectType type="Enumeration" value="0x00000002"/>', enumeration(TAG.ObjectType, 2)],
  ['tag as a name', '<TTLV tag="BatchCount" name="BatchCount" type="Integer" value="1"/>', integer(TAG.BatchCount, 1)],
  ['tag as a number', '<TTLV tag="0x42000d" type="Integer" value="1"/>', integer(TAG.BatchCount, 1)],
  [
    'namespace and declaration',
    '<?xml version="1.0"?>\n<BatchCount xmlns="urn:oasis:tc:kmip:xmlns" type="Integer" value="1"/>',
    integer(TAG.BatchCount, 1),
  ],
  ['comment', '<!-- a --><ResponsePayload type="Structure"><!-- b --></ResponsePayload>', structure(TAG.ResponsePayload, [])],
  ['date in another zone', '<ArchiveDate type="DateTime" value="2001-01-01T12:00:00.999+02:00"/>', dateTime(TAG.ArchiveDate, 0x3a505520)],
  ['date in UTC', '<ArchiveDate type="DateTime" value="2001-01-01T10:00:00Z"/>', dateTime(TAG.ArchiveDate, 0x3a505520)],
  ['date before 1970', '<ArchiveDate type="DateTime" value="1969-12-31T23:59:59-00:00"/>', dateTime(TAG.ArchiveDate, -1)],
  ['one of the five entities', '<NameValue type="TextString" value="&apos;&#65;"/>', text(TAG.NameValue, "'A")],
]

t.test('a structure of very many fields is read in no more than its share of time', async t => {
  const fields = 100_000
  const began = performance.now()
  t.match(decodeJson(`{"tag":"Attributes","value":[${Array(fields).fill('{"tag":"Data"}').join()}]}`).value, { length: fields })
  t.match(decodeXml(`<Attributes>${'<Data/>'.repeat(fields)}</Attributes>`).value, { length: fields })
  t.ok(performance.now() - began < 5_000, 'a twentieth of it is usual; with the square of their number it took 13 s')
})

t.test('XML is read in its other permitted forms', async t => {
  for (const [name, xml, item] of READS) t.same(decodeXml(xml), item, name)
})

const nest = (depth: number): string => `${'<Attributes>'.repeat(depth)}${'</Attributes>'.repeat(depth)}`
const REFUSED_XML: readonly (readonly [string, string, RegExp])[] = [
  ['empty text', '', /malformed XML|no element/],
  ['cut off', '<RequestMessage>', /malformed XML/],
  ['DOCTYPE', '<!DOCTYPE a [<!ENTITY b "c">]><NameValue type="TextString" value="&b;"/>', /DOCTYPE/],
  ['unknown entity', '<NameValue type="TextString" value="&nbsp;"/>', /malformed XML/],
  ['processing instruction', '<?go now?><ResponsePayload/>', /processing instructions/],
  ['duplicate XML attribute', '<BatchCount type="Integer" value="1" value="2"/>', /malformed XML/],
  ['unknown XML attribute', '<BatchCount type="Integer" value="1" length="4"/>', /unknown XML attribute length/],
  ['text between items', '<RequestMessage>hello</RequestMessage>', /text between items/],
  ['CDATA between items', '<RequestMessage><![CDATA[hello]]></RequestMessage>', /text between items/],
  ['two roots', '<ResponsePayload/><ResponsePayload/>', /malformed XML/],
  ['unknown tag', '<Unheard/>', /Unheard is no tag/],
  ['tag out of range', '<TTLV tag="0x430000"/>', /no tag/],
  ['tag of an inherited property', '<constructor/>', /no tag/],
  ['unknown type', '<BatchCount type="Float" value="1"/>', /Float is no item type/],
  ['value of an inherited property', '<ObjectType type="Enumeration" value="constructor"/>', /no value of ObjectType/],
  ['no value', '<BatchCount type="Integer"/>', /no value/],
  ['structure with a value', '<RequestMessage value="1"/>', /structure with a value/],
  [
    'value with elements inside',
    '<BatchCount type="Integer" value="1"><BatchCount type="Integer" value="1"/></BatchCount>',
    /elements inside/,
  ],
  ['too large an integer', '<BatchCount type="Integer" value="2147483648"/>', /no Integer/],
  ['too large a long', '<UsageLimitsCount type="LongInteger" value="9223372036854775808"/>', /64-bit/],
  ['odd hexadecimal', '<MACSignature type="ByteString" value="abc"/>', /no Byte String/],
  ['big integer of seven bytes', '<Modulus type="BigInteger" value="00112233445566"/>', /no Big Integer/],
  ['mask with an unknown name', '<CryptographicUsageMask type="Integer" value="Encrypt Sing"/>', /no mask/],
  ['date without a zone', '<ArchiveDate type="DateTime" value="2001-01-01T10:00:00"/>', /time zone/],
  ['30 February', '<ArchiveDate type="DateTime" value="2001-02-30T10:00:00Z"/>', /no Date-Time/],
  ['negative interval', '<Offset type="Interval" value="-1"/>', /no Interval/],
  ['33 structures deep', nest(33), /nested deeper than 32/],
  ['a million deep', '<Attributes>'.repeat(100_000), /nested deeper/],
]

t.test('XML that is unsafe or wrong is refused with the path to the fault', async t => {
  for (const [name, xml, message] of REFUSED_XML) t.throws(() => decodeXml(xml), { name: 'EncodingError', message }, name)
  t.same(decodeXml(nest(32)).tag, TAG.Attributes)
  t.throws(() => decodeXml('<RequestMessage><BatchItem><Operation type="Enumeration" value="Fly"/></BatchItem></RequestMessage>'), {
    path: 'RequestMessage/BatchItem/Operation',
    message: '"Fly" is no value of Operation in RequestMessage/BatchItem/Operation',
  })
  t.throws(() => encodeXml(text(TAG.NameValue, 'bell \x07')), { name: 'EncodingError' }, 'XML cannot carry control characters')
})

const REFUSED_JSON: readonly (readonly [string, string, RegExp])[] = [
  ['empty text', '', /malformed JSON/],
  ['cut off', '{"tag":"RequestMessage","value":[', /malformed JSON/],
  ['text after the end', '{"tag":"ResponsePayload"} 1', /after the end/],
  ['no object', '[1]', /must be an object/],
  ['no tag', '{"type":"Integer","value":1}', /without a tag/],
  ['duplicate property', '{"tag":"BatchCount","type":"Integer","value":1,"value":2}', /given twice/],
  ['unknown property', '{"tag":"BatchCount","type":"Integer","value":1,"__proto__":{}}', /unknown property/],
  ['unknown tag', '{"tag":"toString"}', /no tag/],
  ['unknown type', '{"tag":"BatchCount","type":null,"value":1}', /null is no item type|does not fit/],
  ['fraction', '{"tag":"BatchCount","type":"Integer","value":1.5}', /does not fit/],
  ['number beyond its precision', '{"tag":"UsageLimitsCount","type":"LongInteger","value":9007199254740993}', /does not fit/],
  ['number out of range', '{"tag":"Offset","type":"Interval","value":-1}', /out of range/],
  ['number for a text', '{"tag":"NameValue","type":"TextString","value":1}', /needs a string/],
  ['boolean for a number', '{"tag":"BatchCount","type":"Integer","value":true}', /does not fit/],
  ['half a surrogate pair', '{"tag":"NameValue","type":"TextString","value":"\\ud800"}', /well-formed/],
  ['control character', '{"tag":"NameValue","type":"TextString","value":"\n"}', /bad character/],
  ['trailing comma', '{"tag":"ResponsePayload","value":[],}', /expected a string/],
  ['leading zero', '{"tag":"BatchCount","type":"Integer","value":01}', /malformed JSON/],
  ['structure of a text', '{"tag":"ResponsePayload","value":"x"}', /must be an array/],
  ['33 structures deep', `${'{"tag":"Attributes","value":['.repeat(33)}${']}'.repeat(33)}`, /nested deeper than 32/],
  ['a million deep', '['.repeat(1_000_000), /nested deeper/],
  ['a backslash at the end', '"\\', /without an end/],
]

t.test('JSON that is unsafe or wrong is refused', async t => {
  for (const [name, json, message] of REFUSED_JSON) t.throws(() => decodeJson(json), { name: 'EncodingError', message }, name)
  t.same(decodeJson('{"tag":"ResponsePayload","value":null}'), structure(TAG.ResponsePayload, []))
  t.same(decodeJson('{"tag":"BatchOrderOption","type":"Boolean","value":"0x0000000000000001"}'), boolean(TAG.BatchOrderOption, true))
  t.same(decodeJson('{"tag":"Modulus","type":"BigInteger","value":-1}'), bigInteger(TAG.Modulus, Buffer.alloc(8, 0xff)))
  t.same(decodeJson(' { "value" : 1 , "type":"Integer","name":"x", "tag":"BatchCount" } '), integer(TAG.BatchCount, 1))
})

const tags = fc.constantFrom(
  TAG.AttributeValue,
  TAG.NameValue,
  TAG.CryptographicUsageMask,
  TAG.Operation,
  TAG.AttributeReference,
  0x540001,
  0x42fffe,
)
const int64 = fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n })
const buffers = fc.uint8Array({ maxLength: 20 }).map(array => Buffer.from(array))
const leaves: fc.Arbitrary<Item> = fc.oneof(
  fc.tuple(tags, fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })).map(([tag, value]) => integer(tag, value)),
  fc.tuple(tags, fc.integer({ min: 0, max: 2 ** 32 - 1 })).map(([tag, value]) => enumeration(tag, value)),
  fc.tuple(tags, fc.integer({ min: 0, max: 70 })).map(([tag, value]) => enumeration(tag, value)),
  fc.tuple(tags, fc.integer({ min: 0, max: 2 ** 32 - 1 })).map(([tag, value]) => interval(tag, value)),
  fc.tuple(tags, int64).map(([tag, value]) => long(tag, value)),
  fc.tuple(tags, int64).map(([tag, value]) => dateTime(tag, value)),
  fc.tuple(tags, int64).map(([tag, value]): Item => ({ tag, type: TYPE.DateTimeExtended, value })),
  fc.tuple(tags, fc.boolean()).map(([tag, value]) => boolean(tag, value)),
  fc.tuple(tags, buffers).map(([tag, value]) => bytes(tag, value)),
  fc.tuple(tags, fc.uint8Array({ minLength: 8, maxLength: 8 })).map(([tag, value]) => bigInteger(tag, Buffer.from(value))),
  fc
    .tuple(
      tags,
      fc.string({ unit: 'binary' }).filter(value => !/[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/.test(value)),
    )
    .map(([tag, value]) => text(tag, value)),
  fc.constantFrom('State', 'Cryptographic Usage Mask', 'Object Type', 'x-Own', 'toString').map(name => text(TAG.AttributeName, name)),
)
const trees = fc.letrec<{ item: Item }>(tie => ({
  item: fc.oneof(
    { depthSize: 'small' },
    leaves,
    fc.array(tie('item'), { maxLength: 5 }).map(fields => structure(TAG.Attribute, fields)),
  ),
})).item

t.test('any tree of items survives XML, JSON and binary', async t => {
  const survives = fc.property(trees, item =>
    [decodeXml(encodeXml(item)), decodeXml(encodeXml(item, { indent: 2 })), decodeJson(encodeJson(item)), decode(encode(item))].every(
      copy => isDeepStrictEqual(copy, item),
    ),
  )
  t.doesNotThrow(() => fc.assert(survives, { numRuns: 200 }))
})

t.test('any text gives items or an EncodingError', async t => {
  const pieces = `< > / " & ; <Attribute> </Attribute> type="Integer" value="1" { } [ ] , : "tag" \\ x`.split(' ')
  const texts = fc.oneof(
    fc.array(fc.constantFrom(...pieces, ' ')).map(parts => parts.join('')),
    fc.string(),
  )
  const answers = fc.property(texts, input => {
    for (const read of [decodeXml, decodeJson]) {
      try {
        read(input)
      } catch (error) {
        if (!(error instanceof EncodingError)) throw error
      }
    }
  })
  t.doesNotThrow(() => fc.assert(answers, { numRuns: 500 }))
})

t.test('messages of the fixtures keep their bytes in every encoding', async t => {
  const folder = 'fixtures/messages'
  for (const file of readdirSync(folder)) {
    const message = Buffer.from(readFileSync(`${folder}/${file}`, 'utf8').replace(/\s/g, ''), 'hex')
    const item = decode(message)
    t.same(encode(item), message, file)
    t.same(encode(decodeXml(encodeXml(item, { indent: 2 }))), message, `${file} in XML`)
    t.same(encode(decodeJson(encodeJson(item))), message, `${file} in JSON`)
  }
})

t.test('people read a tree without secrets', async t => {
  const key = structure(TAG.KeyBlock, [
    enumeration(TAG.KeyFormatType, ENUM.KeyFormatType.Raw),
    structure(TAG.KeyValue, [bytes(TAG.KeyMaterial, Buffer.from('00112233', 'hex'))]),
  ])
  t.equal(print(key), 'KeyBlock\n  KeyFormatType (Enumeration): Raw\n  KeyValue\n    KeyMaterial (ByteString): 4 bytes, hidden\n')
  t.match(print(key, { secrets: true }), 'KeyMaterial (ByteString): 00112233')

  const hidden: readonly Item[] = [
    text(TAG.Password, 'hunter2'),
    bytes(TAG.KeyValue, Buffer.from('hunter2')),
    bytes(TAG.Data, Buffer.from('hunter2')),
    bytes(TAG.OpaqueDataValue, Buffer.from('hunter2')),
    bytes(TAG.TicketValue, Buffer.from('hunter2')),
    structure(TAG.KeyMaterial, [bigInteger(TAG.PrivateExponent, Buffer.from('hunter2!'))]),
    structure(TAG.KeyMaterial, [structure(TAG.Attribute, [text(TAG.NameValue, 'hunter2')])]),
  ]
  for (const item of hidden) {
    const shown = print(item)
    t.notMatch(shown, 'hunter2')
    t.notMatch(shown, Buffer.from('hunter2').toString('hex'))
  }
  t.match(print(structure(TAG.KeyMaterial, [bigInteger(TAG.Modulus, Buffer.alloc(8, 1))])), '0101010101010101', 'a modulus is public')
  t.equal(
    print(text(TAG.NameValue, 'a\n\x1b[2J\u202eb')),
    'NameValue (TextString): "a\\n\\u001b[2J\\u202eb"\n',
    'no control of the terminal',
  )
})
