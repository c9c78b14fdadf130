import fc from 'fast-check'
import t from 'tap'
import { decode, decodeAll, encode, sizeOf, TtlvError } from '../../src/ttlv/binary.ts'
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
import { CAPTURED_CLIENTS, captured } from '../ops/harness.ts'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/[ |]/g, ''), 'hex')
const T = 0x420020

// tag | type | length | value, padding
const ITEMS: [what: string, item: Item, wire: string][] = [
  ['Integer', integer(T, 8), '420020 | 02 | 00000004 | 00000008 00000000'],
  ['negative Integer', integer(T, -2), '420020 | 02 | 00000004 | fffffffe 00000000'],
  ['trap 7: a mask with bit 31', integer(T, -2147483648), '420020 | 02 | 00000004 | 80000000 00000000'],
  ['Long Integer', long(T, 123456789000000000n), '420020 | 03 | 00000008 | 01b69b4ba5749200'],
  ['negative Long Integer', long(T, -1n), '420020 | 03 | 00000008 | ffffffffffffffff'],
  ['trap 3: Big Integer', bigInteger(T, hex('00000000 03fd35eb 6bc2df46 18080000')), '420020 | 04 | 00000010 | 0000000003fd35eb6bc2df4618080000'],
  ['negative Big Integer', bigInteger(T, hex('ffffffff fffffffe')), '420020 | 04 | 00000008 | fffffffffffffffe'],
  ['Enumeration', enumeration(T, 255), '420020 | 05 | 00000004 | 000000ff 00000000'],
  ['trap 7: Enumeration of a vendor', enumeration(T, 0x80000001), '420020 | 05 | 00000004 | 80000001 00000000'],
  ['trap 1: Boolean', boolean(T, true), '420020 | 06 | 00000008 | 0000000000000001'],
  ['Text String', text(T, 'Hello World'), '420020 | 07 | 0000000b | 48656c6c6f20576f 726c64 0000000000'],
  ['trap 2: empty Text String', text(T, ''), '420020 | 07 | 00000000'],
  ['Text String of eight bytes', text(T, '12345678'), '420020 | 07 | 00000008 | 3132333435363738'],
  ['trap 6: Text String beyond ASCII', text(T, 'ü𝄞'), '420020 | 07 | 00000006 | c3bcf09d849e 0000'],
  ['Byte String', bytes(T, hex('010203')), '420020 | 08 | 00000003 | 010203 0000000000'],
  ['trap 2: empty Byte String', bytes(T, hex('')), '420020 | 08 | 00000000'],
  ['Date-Time', dateTime(T, 0x47da67f8n), '420020 | 09 | 00000008 | 0000000047da67f8'],
  ['trap 9: Date-Time before 1970', dateTime(T, -1n), '420020 | 09 | 00000008 | ffffffffffffffff'],
  ['Interval', interval(T, 864000), '420020 | 0a | 00000004 | 000d2f00 00000000'],
  ['trap 8: the longest Interval', interval(T, 0xffffffff), '420020 | 0a | 00000004 | ffffffff 00000000'],
  ['trap 9: Date-Time Extended', { tag: T, type: 11, value: 1n << 60n }, '420020 | 0b | 00000008 | 1000000000000000'],
  ['Structure', structure(T, [enumeration(0x420004, 254), integer(0x420005, 255)]), '420020 | 01 | 00000020 | 420004 05 00000004 000000fe00000000 420005 02 00000004 000000ff00000000'],
  ['trap 2: empty Structure', structure(T, []), '420020 | 01 | 00000000'],
  ['trap 13: an extension', integer(0x54ffff, 1), '54ffff | 02 | 00000004 | 00000001 00000000'],
] // biome-ignore format: one item a line
for (const [what, item, wire] of ITEMS)
  t.test(what, async t => {
    t.equal(encode(item).toString('hex'), hex(wire).toString('hex'), 'encodes')
    t.same(decode(hex(wire)), item, 'decodes')
    t.equal(sizeOf(item), hex(wire).length)
  })

const MALFORMED: [what: string, wire: string, problem: RegExp][] = [
  ['nothing', '', /cut off/],
  ['half a header', '420020 02', /cut off/],
  ['no value', '420020 02 00000004', /claims 4 bytes where 0 are left/],
  ['no padding', '420020 02 00000004 00000001', /padding/],
  ['padding that is not zero', '420020 02 00000004 00000001 00000001', /padding .* is not zero at byte 15/],
  ['trap 13: no tag', '410020 02 00000004 00000001 00000000', /no tag/],
  ['trap 13: tag 55', '550020 02 00000004 00000001 00000000', /no tag/],
  ['type 0', '420020 00 00000000', /no item type/],
  ['type 15', '420020 0f 00000000', /no item type/],
  ['Integer of 8 bytes', '420020 02 00000008 0000000000000001', /length 8 where the type has 4/],
  ['Enumeration of 8 bytes', '420020 05 00000008 0000000000000001', /length 8/],
  ['trap 1: Boolean of 1 byte', '420020 06 00000001 01 00000000000000', /length 1/],
  ['trap 5: Boolean 2', '420020 06 00000008 0000000000000002', /neither 0 nor 1/],
  ['trap 5: Boolean with a high bit', '420020 06 00000008 0100000000000001', /neither 0 nor 1/],
  ['Long Integer of 4 bytes', '420020 03 00000004 00000001 00000000', /length 4/],
  ['trap 3: Big Integer of 4 bytes', '420020 04 00000004 00000001 00000000', /Big Integer of 4/],
  ['empty Big Integer', '420020 04 00000000', /Big Integer of 0/],
  ['trap 6: text that is not UTF-8', '420020 07 00000002 c328 000000000000', /UTF-8/],
  ['trap 6: a surrogate', '420020 07 00000003 eda080 0000000000', /UTF-8/],
  ['trap 16: 4 GiB', '420020 08 ffffffff 0000000000000000', /claims 4294967295 bytes/],
  ['trap 16: 2 GiB', '420020 08 7fffffff 0000000000000000', /claims 2147483647 bytes/],
  ['bytes after the end', '420020 02 00000004 00000001 00000000 00', /after the end/],
  ['a child that reaches out of its structure', '420020 01 00000008 420021 02 00000004 00000001 00000000', /claims 4 bytes where 0 are left|after/],
  ['a structure cut in a header', '420020 01 00000004 42002102', /cut off/],
] // biome-ignore format: one message a line
for (const [what, wire, problem] of MALFORMED)
  t.test(what, async t => {
    t.throws(() => decode(hex(wire)), { name: 'TtlvError', message: problem })
  })

t.test('an error says where it is', async t => {
  const wire = hex('420078 01 00000018 420077 01 00000010 420069 06 00000008 0000000000000003')
  t.throws(() => decode(wire), { name: 'TtlvError', message: /at byte 24 in RequestMessage\/RequestHeader$/ })
})

t.test('trap 16: nesting is bounded', async t => {
  const nested = (depth: number): Item => (depth === 0 ? structure(T, []) : structure(T, [nested(depth - 1)]))
  t.doesNotThrow(() => decode(encode(nested(31))))
  t.throws(() => decode(encode(nested(33))), { name: 'TtlvError', message: /nested deeper/ })
  t.throws(() => decode(encode(nested(3000))), { name: 'TtlvError' })
})

const LEAVES: fc.Arbitrary<Item>[] = [
  fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }).map(value => integer(0, value)),
  fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }).map(value => long(0, value)),
  fc.array(fc.uint8Array({ minLength: 8, maxLength: 8 }), { minLength: 1, maxLength: 5 }).map(parts => bigInteger(0, Buffer.concat(parts))),
  fc.nat(2 ** 32 - 1).map(value => enumeration(0, value)),
  fc.boolean().map(value => boolean(0, value)),
  fc.string({ unit: 'binary', maxLength: 40 }).map(value => text(0, value)),
  fc.uint8Array({ maxLength: 40 }).map(value => bytes(0, Buffer.from(value))),
  fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }).map(value => dateTime(0, value)),
  fc.nat(2 ** 32 - 1).map(value => interval(0, value)),
  fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }).map(value => ({ tag: 0, type: TYPE.DateTimeExtended, value })),
  fc
    .constantFrom(TYPE.Identifier, TYPE.Reference, TYPE.NameReference)
    .chain(type => fc.string({ maxLength: 20 }).map(value => ({ tag: 0, type, value }))),
]
const tag = fc.oneof(fc.integer({ min: 0x420000, max: 0x42ffff }), fc.integer({ min: 0x540000, max: 0x54ffff }))
const { item } = fc.letrec<{ item: Item }>(tie => ({
  item: fc
    .tuple(
      tag,
      fc.oneof(
        { maxDepth: 4 },
        ...LEAVES,
        fc.array(tie('item') as fc.Arbitrary<Item>, { maxLength: 5 }).map(items => structure(0, items)),
      ),
    )
    .map(([tag, value]) => ({ ...value, tag }) as Item),
}))

t.test('decode gives back what encode was given', async t => {
  fc.assert(
    fc.property(item, one => {
      const wire = encode(one)
      if (wire.length !== sizeOf(one) || wire.length % 8 !== 0) throw new Error('size')
      t.strictSame(decode(wire), one)
    }),
    { numRuns: 300 },
  )
  fc.assert(
    fc.property(fc.array(item, { maxLength: 4 }), items => t.strictSame(decodeAll(Buffer.concat(items.map(encode))), items)),
    { numRuns: 50 },
  )
})

t.test('whatever decodes encodes to the same bytes, and the rest is a TtlvError', async t => {
  const recorded = CAPTURED_CLIENTS.flatMap(client => [...captured(client).values()])
  for (const message of recorded) if (!encode(decode(message)).equals(message)) t.fail(message.toString('hex'))
  const check = (wire: Buffer): void => {
    try {
      if (!encode(decode(wire)).equals(wire)) throw new Error(`not the same bytes: ${wire.toString('hex')}`)
    } catch (error) {
      if (!(error instanceof TtlvError)) throw error
    }
  }
  fc.assert(
    fc.property(
      fc.oneof(item.map(encode), fc.constantFrom(...recorded)),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }),
      (wire, changes) => {
        const bytes = Buffer.from(wire)
        for (const [at, to] of changes) bytes[at % bytes.length] = to
        check(bytes)
        check(bytes.subarray(0, bytes.length - 8))
      },
    ),
    { numRuns: 2000 },
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), wire => check(Buffer.from(wire))),
    { numRuns: 500 },
  )
  t.pass()
})

t.test('byte strings of a decoded message are views into it', async t => {
  const wire = encode(bytes(T, Buffer.from('abc')))
  const value = decode(wire).value as Buffer
  t.equal(value.buffer, wire.buffer)
})
