import t from 'tap'
import { type Case, readCase, type Sender } from '../../src/conformance/case.ts'
import { DEFECTS, defectOf, setupOf } from '../../src/conformance/defects.ts'
import { readCases } from '../../src/conformance/folder.ts'
import { countByVersion, jsonReport, junitReport, line } from '../../src/conformance/report.ts'
import { type CaseResult, runCase, type Transport } from '../../src/conformance/run-case.ts'
import { TlsTransport } from '../../src/conformance/tls-transport.ts'
import { decode, encode } from '../../src/ttlv/binary.ts'
import type { Item } from '../../src/ttlv/item.ts'
import { decodeXml, encodeXml, readXml } from '../../src/ttlv/xml.ts'
import { FakeServer } from '../client/fake-server.ts'

const NOW = 1_700_000_000_000
const cases = readCases('fixtures/conformance')
const byName = (name: string): Case => cases.find(one => one.name === name)!

/** A batch item of a response, as XML. */
const item = (operation: string, payload: string, id = ''): string =>
  `<BatchItem><Operation type="Enumeration" value="${operation}"/>${id}<ResultStatus type="Enumeration" value="Success"/><ResponsePayload>${payload}</ResponsePayload></BatchItem>`
const failure = (operation: string, reason: string): string =>
  `<BatchItem><Operation type="Enumeration" value="${operation}"/><ResultStatus type="Enumeration" value="OperationFailed"/><ResultReason type="Enumeration" value="${reason}"/></BatchItem>`
const batchId = (value: string): string => `<UniqueBatchItemID type="ByteString" value="${value}"/>`
const uid = (value: string): string => `<UniqueIdentifier type="TextString" value="${value}"/>`
const attribute = (name: string, type: string, value: string): string =>
  `<Attribute><AttributeName type="TextString" value="${name}"/><AttributeValue type="${type}" value="${value}"/></Attribute>`

function response(minor: number, ...items: readonly string[]): Item {
  return decodeXml(
    `<ResponseMessage><ResponseHeader><ProtocolVersion><ProtocolVersionMajor type="Integer" value="1"/><ProtocolVersionMinor type="Integer" value="${minor}"/></ProtocolVersion>` +
      `<TimeStamp type="DateTime" value="2023-11-14T22:13:20Z"/><BatchCount type="Integer" value="${items.length}"/></ResponseHeader>${items.join('')}</ResponseMessage>`,
  )
}

/** Answers in turn, then success for whatever else is asked; keeps what was asked. */
class Script implements Transport {
  readonly asked: { readonly sender: Sender; readonly xml: string }[] = []
  readonly #answers: (Item | Error)[]
  constructor(...answers: (Item | Error)[]) {
    this.#answers = answers
  }
  async exchange(sender: Sender, request: Item): Promise<Item> {
    this.asked.push({ sender, xml: encodeXml(request) })
    const answer = this.#answers.shift() ?? response(4, item('Destroy', ''))
    if (answer instanceof Error) throw answer
    return answer
  }
}

const run = (
  name: string,
  transport: Transport,
  sleep: (milliseconds: number) => Promise<void> = async () => undefined,
): Promise<CaseResult> => runCase(byName(name), { transport, cases, now: () => NOW, sleep, repeatSeconds: 1 })

const created = response(4, item('Create', `<ObjectType type="Enumeration" value="SymmetricKey"/>${uid('key-1')}`))
const keyBlock = (format: string, material: string): string =>
  `<SymmetricKey><KeyBlock><KeyFormatType type="Enumeration" value="${format}"/><KeyValue><KeyMaterial type="ByteString" value="${material}"/></KeyValue>` +
  '<CryptographicAlgorithm type="Enumeration" value="AES"/><CryptographicLength type="Integer" value="128"/></KeyBlock></SymmetricKey>'
const MATERIAL = 'ffeeddccbbaa99887766554433221100'
const get = (format = 'Raw', material = MATERIAL): string =>
  item('Get', `<ObjectType type="Enumeration" value="SymmetricKey"/>${uid('key-1')}${keyBlock(format, material)}`, batchId('01'))
const ATTRIBUTES = [
  attribute('Activation Date', 'DateTime', '2023-11-14T22:12:20Z'),
  attribute('Contact Information', 'TextString', 'someone'),
  attribute('State', 'Enumeration', 'Active'),
]
const attributes = (...values: readonly string[]): string => item('GetAttributes', uid('key-1') + values.join(''), batchId('02'))
const denied = response(4, failure('MAC', 'PermissionDenied'))

t.test('a case is read with its senders, versions and waits', async t => {
  t.same(
    cases.map(one => [one.name, one.version, one.stem]),
    [
      ['OWN-WAIT-10', 10, 'OWN-WAIT'],
      ['OWN-MAC-12', 12, 'OWN-MAC'],
      ['OWN-KEY-14', 14, 'OWN-KEY'],
      ['OWN-QUERY-14', 14, 'OWN-QUERY'],
    ],
  )
  t.same(
    byName('OWN-KEY-14').steps.map(step => [step.sender, step.repeat, step.serverToClient]),
    [
      ['A', false, false],
      ['A', false, false],
      ['B', false, false],
    ],
  )
  t.same(
    byName('OWN-WAIT-10').steps.map(step => step.repeat),
    [false, true],
  )
  t.throws(() => readCase('X-10', '<KMIP><RequestMessage/></KMIP>'), { name: 'EncodingError', message: /request without a response/ })
  t.throws(() => readCase('X-10', '<KMIP/>'), { name: 'EncodingError' })
  t.throws(() => readCase('X-10', '<KMIP><RequestMessage/><Other/></KMIP>'), { name: 'EncodingError', message: /Other/ })
})

t.test('a server that answers otherwise than the sample, within the rules, passes', async t => {
  const script = new Script(
    created,
    response(
      4,
      get(),
      attributes(...ATTRIBUTES.toReversed(), attribute('y-Own', 'TextString', 'extra'), attribute('Lease Time', 'Interval', '3600')),
    ),
    denied,
  )
  const result = await run('OWN-KEY-14', script)
  t.equal(result.status, 'passed', line(result))
  t.match(script.asked[0]!.xml, 'value="2023-11-14T22:12:20+00:00"', '$NOW-60 is a minute ago')
  t.match(script.asked[1]!.xml, uid('key-1'), 'the identifier is the one that the server gave')
  t.equal(script.asked[2]!.sender, 'B')
  t.match(script.asked[2]!.xml, `<Data type="ByteString" value="${MATERIAL}"/>`, 'a sample that was quoted')
  t.match(script.asked[3]!.xml, 'value="Destroy"', 'the key that the case left behind is destroyed')
  t.match(script.asked[3]!.xml, uid('key-1'))
})

// what the server answers in the second step, and the difference that shows
const DIFFERENCES: readonly (readonly [string, readonly string[], string, string, string])[] = [
  [
    'another value',
    [get(), attributes(ATTRIBUTES[0]!, ATTRIBUTES[1]!, attribute('State', 'Enumeration', 'PreActive'))],
    'ResponseMessage/BatchItem[2]/ResponsePayload/Attribute(State)/AttributeValue',
    'Active',
    'PreActive',
  ],
  [
    'a missing attribute',
    [get(), attributes(ATTRIBUTES[0]!, ATTRIBUTES[1]!)],
    'ResponseMessage/BatchItem[2]/ResponsePayload/Attribute(State)',
    'present',
    'Attribute(Activation Date), Attribute(Contact Information)',
  ],
  [
    'a date that the request had fixed',
    [get(), attributes(attribute('Activation Date', 'DateTime', '2023-11-14T22:00:00Z'), ATTRIBUTES[1]!, ATTRIBUTES[2]!)],
    'ResponseMessage/BatchItem[2]/ResponsePayload/Attribute(Activation Date)/AttributeValue',
    '$NOW-60',
    '2023-11-14T22:00:00+00:00',
  ],
  [
    'another type',
    [get(), attributes(ATTRIBUTES[0]!, attribute('Contact Information', 'ByteString', '00'), ATTRIBUTES[2]!)],
    'ResponseMessage/BatchItem[2]/ResponsePayload/Attribute(Contact Information)/AttributeValue',
    'TextString',
    'ByteString',
  ],
  [
    'a shorter key',
    [get('Raw', 'ff'), attributes(...ATTRIBUTES)],
    'ResponseMessage/BatchItem[1]/ResponsePayload/SymmetricKey/KeyBlock/KeyValue/KeyMaterial',
    '000102030405060708090a0b0c0d0e0f',
    'ff',
  ],
  [
    'a batch item without its identifier',
    [get().replace(batchId('01'), ''), attributes(...ATTRIBUTES)],
    'ResponseMessage/BatchItem[1]/UniqueBatchItemID',
    '01',
    'ResultStatus Success',
  ],
  [
    'a batch item with the identifier of another',
    [get().replace(batchId('01'), batchId('02')), attributes(...ATTRIBUTES)],
    'ResponseMessage/BatchItem[1]/UniqueBatchItemID',
    '01',
    '02',
  ],
  ['one batch item too few', [get()], 'ResponseMessage/BatchItem[2]', 'a batch item', 'nothing'],
  ['one batch item too many', [get(), attributes(...ATTRIBUTES), failure('Get', 'ItemNotFound')], 'ResponseMessage', '2 batch items', '3'],
  [
    'another object',
    [get().replace('key-1', 'key-2'), attributes(...ATTRIBUTES)],
    'ResponseMessage/BatchItem[1]/ResponsePayload/UniqueIdentifier',
    '$UNIQUE_IDENTIFIER_0, which is key-1',
    'key-2',
  ],
  [
    'a failure',
    [failure('Get', 'ItemNotFound'), attributes(...ATTRIBUTES)],
    'ResponseMessage/BatchItem[1]/UniqueBatchItemID',
    '01',
    'ResultStatus OperationFailed',
  ],
  [
    'fields in another order',
    [
      item('Get', `${uid('key-1')}<ObjectType type="Enumeration" value="SymmetricKey"/>${keyBlock('Raw', MATERIAL)}`, batchId('01')),
      attributes(...ATTRIBUTES),
    ],
    'ResponseMessage/BatchItem[1]/ResponsePayload/ObjectType',
    'SymmetricKey',
    'UniqueIdentifier key-1',
  ],
]

t.test('the first difference is shown with its path', async t => {
  for (const [name, items, path, expected, actual] of DIFFERENCES) {
    const result = await run('OWN-KEY-14', new Script(created, response(4, ...items), denied))
    t.match(result, { status: 'failed', step: 2, difference: { path, expected, actual } }, name)
  }
  const wrongReason = await run(
    'OWN-KEY-14',
    new Script(created, response(4, get(), attributes(...ATTRIBUTES)), response(4, failure('MAC', 'ItemNotFound'))),
  )
  t.match(wrongReason, { step: 3, difference: { path: 'ResponseMessage/BatchItem[1]/ResultReason', expected: 'PermissionDenied' } })
  const wrongVersion = await run(
    'OWN-KEY-14',
    new Script(response(3, item('Create', `<ObjectType type="Enumeration" value="SymmetricKey"/>${uid('key-1')}`))),
  )
  t.match(wrongVersion, {
    step: 1,
    difference: { path: 'ResponseMessage/ResponseHeader/ProtocolVersion/ProtocolVersionMinor', expected: '4', actual: '3' },
  })
})

t.test('whatever goes wrong, a result comes back and the objects are destroyed', async t => {
  const script = new Script(created, new Error('the line is dead'))
  const result = await run('OWN-KEY-14', script)
  t.match(result, { status: 'failed', step: 2, reason: /the line is dead/ })
  t.match(script.asked.at(-1)!.xml, 'value="Destroy"')

  const stubborn = new Script(created, response(4, get()), response(4, failure('Destroy', 'WrongKeyLifecycleState')))
  t.equal((await run('OWN-KEY-14', stubborn)).status, 'failed')
  t.same(
    stubborn.asked.slice(2).map(({ xml }) => /Operation type="Enumeration" value="(\w+)"/.exec(xml)?.[1]),
    ['Destroy', 'Revoke', 'Destroy'],
    'an active key is revoked first',
  )
  const failed = await run('OWN-KEY-14', new Script(response(4, failure('Create', 'InvalidField'))))
  t.match(failed, { step: 1, difference: { path: 'ResponseMessage/BatchItem[1]/ResultStatus', actual: 'OperationFailed (InvalidField)' } })
})

t.test('a case whose set-up is not in the folder is skipped: that says nothing of the server', async t => {
  const orphan = { ...byName('OWN-QUERY-14'), name: 'TC-OTP-1-14', stem: 'TC-OTP-1' }
  const transport = { exchange: () => t.fail('nothing is asked') } as unknown as Transport
  const result = await runCase(orphan, { transport, cases, now: () => NOW, sleep: async () => undefined })
  t.match(result, { status: 'skipped', reason: 'the case TC-OTP-SETUP-1 that sets it up is not in the folder' })
})

t.test('what follows from a registered key must be exact, what chance gives need not be', async t => {
  const registered = response(2, item('Register', uid('key-1')))
  const random = response(2, item('RNGRetrieve', '<Data type="ByteString" value="99887766"/>'))
  const seeded = response(2, item('RNGSeed', '<DataLength type="Integer" value="4"/>'))
  const mac = (value: string): Item => response(2, item('MAC', `${uid('key-1')}<MACData type="ByteString" value="${value}"/>`))
  const script = new Script(registered, mac('c0ffee00'), random, seeded)
  t.equal((await run('OWN-MAC-12', script)).status, 'passed')
  t.match(script.asked[3]!.xml, '<Data type="ByteString" value="99887766"/>', 'the seed is what the server had returned')
  t.match(await run('OWN-MAC-12', new Script(registered, mac('c0ffee01'))), {
    status: 'failed',
    step: 2,
    difference: { expected: 'c0ffee00', actual: 'c0ffee01' },
  })
})

t.test('a step that may take its time is repeated', async t => {
  const correlation = '<AsynchronousCorrelationValue type="ByteString" value="0a0b"/>'
  const pending = response(
    0,
    `<BatchItem><Operation type="Enumeration" value="Locate"/><ResultStatus type="Enumeration" value="OperationPending"/>${correlation}</BatchItem>`,
  )
  const found = response(0, item('Locate', uid('b') + uid('a')))
  const script = new Script(pending, pending, pending, found)
  let slept = 0
  const result = await run('OWN-WAIT-10', script, async milliseconds => {
    slept += milliseconds
  })
  t.equal(result.status, 'passed', line(result))
  t.equal(slept, 500)
  t.match(
    script.asked[0]!.xml,
    '<AttributeName type="TextString" value="Cryptographic Usage Mask"/><AttributeValue type="Integer" value="Sign Verify"/>',
    'runs of spaces are one',
  )
  t.match(script.asked[3]!.xml, correlation)

  let time = NOW
  const late = await runCase(byName('OWN-WAIT-10'), {
    transport: { exchange: async () => pending },
    cases,
    now: () => time,
    sleep: async milliseconds => {
      time += milliseconds
    },
  })
  t.match(late, { status: 'failed', step: 2, difference: { actual: 'OperationPending' } }, 'but not for ever')
  const refused = await run('OWN-WAIT-10', new Script(pending, response(0, failure('Locate', 'ItemNotFound'))))
  t.match(refused, { status: 'failed', step: 2 }, 'and not after a failure')
})

t.test('Query answers are compared as the profiles say', async t => {
  const query = (payload: string): Promise<CaseResult> => run('OWN-QUERY-14', new Script(response(4, item('Query', payload))))
  const operation = (name: string): string => `<Operation type="Enumeration" value="${name}"/>`
  const rest =
    '<ObjectType type="Enumeration" value="SymmetricKey"/><VendorIdentification type="TextString" value="us"/><ServerInformation/>'
  t.equal(
    (await query(operation('Get') + operation('Query') + rest)).status,
    'passed',
    'more operations, and not those that no profile demands',
  )
  t.match(await query(operation('Get') + rest), { difference: { path: /Operation$/, expected: 'Query' } })
  t.match(await query(operation('Query') + rest.replace('<ServerInformation/>', '')), { difference: { path: /ServerInformation$/ } })
  t.match(await query(`<ObjectType type="Enumeration" value="SymmetricKey"/>${operation('Query')}<ServerInformation/>`), {
    difference: { expected: 'earlier in the answer' },
  })
})

t.test('slips of published cases are data with reasons', async t => {
  for (const defect of DEFECTS) t.ok(defect.reason.length > 20, String(defect.cases))
  t.equal(defectOf('OWN-KEY-14'), undefined)
  t.equal(defectOf('OMOS-O-1-14')?.echoVersion, true)
  t.same(setupOf('TL-M-3'), ['TL-M-2'])
  t.same(setupOf('TL-M-2'), [])
  const nameless = readCase(
    'CS-AC-M-3-12',
    '<KMIP><RequestMessage><RequestHeader/><BatchItem><RequestPayload><Attribute><AttributeValue><Salt type="ByteString" value=""/></AttributeValue></Attribute></RequestPayload></BatchItem></RequestMessage><ResponseMessage/></KMIP>',
  )
  t.match(JSON.stringify(nameless.steps[0]!.request), 'Cryptographic Parameters')
})

t.test('results as lines, JSON and JUnit', async t => {
  const results: CaseResult[] = [
    { name: 'A-10', version: 10, status: 'passed', milliseconds: 5 },
    {
      name: 'B-10',
      version: 10,
      status: 'failed',
      step: 2,
      difference: { path: 'X/Y', expected: '<1>', actual: '"2"\x07' },
      milliseconds: 1500,
    },
    { name: 'C-14', version: 14, status: 'skipped', reason: 'waits for minutes', milliseconds: 0 },
  ]
  t.equal(line(results[0]!), 'A-10 passed')
  t.equal(line(results[1]!), 'B-10 failed at step 2: X/Y: expected <1>, got "2"\x07')
  t.equal(line(results[2]!), 'C-14 skipped: waits for minutes')
  t.same(countByVersion(results), [
    { version: '1.0', passed: 1, failed: 1, skipped: 0, total: 2 },
    { version: '1.4', passed: 0, failed: 0, skipped: 1, total: 1 },
  ])
  t.match(JSON.parse(jsonReport(results)), { cases: [{ name: 'A-10', version: '1.0' }, { step: 2 }, {}] })
  const suites = readXml(junitReport(results)).children
  t.same(
    suites.map(suite => [suite.attributes.name, suite.attributes.tests, suite.attributes.failures, suite.attributes.skipped]),
    [
      ['KMIP 1.0', '2', '1', '0'],
      ['KMIP 1.4', '1', '0', '1'],
    ],
  )
  t.match(suites[0]!.children[1]!.children[0]!.attributes.message, 'expected <1>, got "2"')
})

t.test('over TLS each sender has a connection of its own, opened again when it was closed', async t => {
  let count = 0
  const server = await FakeServer.start((chunk, socket) => {
    count++
    if (count === 2) socket.destroy()
    else socket.write(encode(decode(chunk)))
  })
  t.teardown(() => server.stop())
  const transport = new TlsTransport({ A: server.options, B: server.options, C: server.options })
  t.teardown(() => transport.close())
  const message = response(4)
  t.same(await transport.exchange('A', message), message)
  await t.rejects(transport.exchange('A', message), { name: 'ClientError', code: 'closed' })
  t.same(await transport.exchange('A', message), message)
  t.same(await transport.exchange('B', message), message)
})
