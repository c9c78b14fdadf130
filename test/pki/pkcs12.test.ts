import { createHmac, createPrivateKey, pbkdf2Sync, X509Certificate } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import t from 'tap'
import * as der from '../../src/pki/der.ts'
import { PkiError } from '../../src/pki/error.ts'
import { makePkcs12, parsePkcs12 } from '../../src/pki/pkcs12.ts'

const FOLDER = 'fixtures/pkcs12'
const PASSWORD = 'pässword'
const file = (name: string): Buffer => readFileSync(`${FOLDER}/${name}`)
const pkcs8 = file('key.pk8')
const certificate = file('certificate.der')
const FILES = readdirSync(FOLDER).filter(name => name.endsWith('.p12'))
const error = (code: string) => ({ name: 'PkiError', code })

/** What is signed by the MAC of a file in clear text, so that a test can wrap it anew. */
const clearContent = (): Buffer => {
  const [, authenticated] = der.inside(der.read(file('clear.p12'), 'file'), 'file')
  const [, wrapped] = der.inside(authenticated, 'content')
  const [octets] = der.inside(wrapped, 'content')
  return der.content(octets!)
}
const DATA = '1.2.840.113549.1.7.1'
const content = (value: Buffer, type = DATA): Buffer => der.sequence(der.oid(type), der.item(0xa0, value))
const whole = (...parts: readonly Buffer[]): Buffer => der.sequence(der.unsigned(Buffer.of(3)), ...parts)
const bag = (type: number, value: Buffer): Buffer => der.sequence(der.oid(`1.2.840.113549.1.12.10.1.${type}`), der.item(0xa0, value))

t.test('files of OpenSSL', async t => {
  t.equal(FILES.length, 8)
  for (const name of FILES) {
    const found = await parsePkcs12(file(name), name === 'no-password.p12' ? '' : PASSWORD)
    const friendlyName = name.startsWith('rc2-40') ? 'Größe' : 'sample'
    t.same(found.privateKeys.length, 1, name)
    t.same(found.certificates.length, 1, name)
    const [key, one] = [found.privateKeys[0], found.certificates[0]]
    t.same(key?.pkcs8, pkcs8, `${name}: key, byte for byte`)
    t.same(one?.der, certificate, `${name}: certificate`)
    t.equal(key?.friendlyName, friendlyName)
    t.equal(one?.friendlyName, friendlyName)
    t.equal(key?.localKeyId?.length, 20)
    t.same(key?.localKeyId, one?.localKeyId, `${name}: they belong together`)
    await t.rejects(parsePkcs12(file(name), 'password'), error('password'), `${name}: another password`)
    await t.rejects(parsePkcs12(file(name).subarray(0, -1), PASSWORD), error('malformed'), `${name}: cut`)
  }
})

t.test('what is written is read again', async t => {
  const localKeyId = Buffer.from('0102', 'hex')
  const full = {
    privateKeys: [{ pkcs8, friendlyName: 'schlüssel 🔑', localKeyId }, { pkcs8 }],
    certificates: [
      { der: certificate, friendlyName: '', localKeyId },
      { der: certificate, localKeyId: Buffer.alloc(0) },
      { der: certificate },
    ],
  }
  for (const [name, contents] of Object.entries({
    full,
    'keys only': { ...full, certificates: [] },
    'certificates only': { ...full, privateKeys: [] },
    nothing: { privateKeys: [], certificates: [] },
  }))
    for (const password of ['', 'a', PASSWORD, '🔑'.repeat(100)]) {
      const made = await makePkcs12(contents, password, 10)
      t.same(await parsePkcs12(made, password), contents, `${name}, password of ${password.length}`)
      await t.rejects(parsePkcs12(made, `${password}x`), error('password'))
    }
  const [made, again] = [await makePkcs12(full, 'a', 1), await makePkcs12(full, 'a', 1)]
  t.notOk(made.equals(again), 'salts and IVs are new')
  t.notOk(made.includes(pkcs8.subarray(-40)), 'the key is not in clear')
  const { privateKeys, certificates } = await parsePkcs12(await makePkcs12(full, 'a'), 'a')
  const key = createPrivateKey({ key: privateKeys[0]!.pkcs8, format: 'der', type: 'pkcs8' })
  t.equal(new X509Certificate(certificates[0]!.der).checkPrivateKey(key), true)
})

t.test('forms that other writers use', async t => {
  const clear = clearContent()
  const expected = await parsePkcs12(file('clear.p12'), PASSWORD)
  t.same(await parsePkcs12(whole(content(der.octets(clear))), ''), expected, 'no MAC')
  const pieces = der.item(0x24, der.octets(clear.subarray(0, 100)), der.octets(clear.subarray(100)))
  t.same(await parsePkcs12(whole(content(pieces)), ''), expected, 'octets in pieces')
  const indefinite = Buffer.concat([
    Buffer.from('2480', 'hex'),
    der.octets(clear.subarray(0, 9)),
    der.octets(clear.subarray(9)),
    Buffer.alloc(2),
  ])
  t.same(await parsePkcs12(whole(content(indefinite)), ''), expected, 'octets of indefinite length')

  // RFC 9579: MAC by PBKDF2.
  const salt = Buffer.alloc(8, 7)
  const hmac = der.sequence(der.oid('1.2.840.113549.2.9'), der.nothing())
  const numbers = der.sequence(der.octets(salt), der.unsigned(Buffer.of(100)), der.unsigned(Buffer.of(32)), hmac)
  const pbmac1 = (mac: Buffer): Buffer => {
    const parameters = der.sequence(der.sequence(der.oid('1.2.840.113549.1.5.12'), numbers), hmac)
    const info = der.sequence(der.sequence(der.oid('1.2.840.113549.1.5.14'), parameters), der.octets(mac))
    return whole(content(der.octets(clear)), der.sequence(info, der.octets(Buffer.from('unused')), der.unsigned(Buffer.of(1))))
  }
  const mac = createHmac('sha256', pbkdf2Sync(PASSWORD, salt, 100, 32, 'sha256'))
    .update(clear)
    .digest()
  t.same(await parsePkcs12(pbmac1(mac), PASSWORD), expected, 'PBMAC1')
  await t.rejects(parsePkcs12(pbmac1(mac), 'password'), error('password'), 'PBMAC1, another password')
  await t.rejects(parsePkcs12(pbmac1(Buffer.alloc(0)), PASSWORD), error('password'), 'PBMAC1, empty')

  const nested = (depth: number): Buffer => {
    let bags = der.sequence(bag(1, pkcs8), bag(5, der.octets(pkcs8)))
    for (let i = 0; i < depth; i++) bags = der.sequence(bag(6, bags))
    return whole(content(der.octets(der.sequence(content(der.octets(bags))))))
  }
  t.same((await parsePkcs12(nested(3), '')).privateKeys, [{ pkcs8 }], 'bags in bags; a secret bag is passed over')
  await t.rejects(parsePkcs12(nested(9), ''), error('malformed'), 'too deep')
})

t.test('refusals', async t => {
  const safe = (part: Buffer): Buffer => whole(content(der.octets(der.sequence(part))))
  const encrypted = (algorithm: Buffer): Buffer =>
    safe(
      content(
        der.sequence(der.unsigned(Buffer.of(0)), der.sequence(der.oid(DATA), algorithm, der.item(0x80, Buffer.alloc(16)))),
        '1.2.840.113549.1.7.6',
      ),
    )
  const old = (arc: number, iterations: Buffer): Buffer =>
    encrypted(der.sequence(der.oid(`1.2.840.113549.1.12.1.${arc}`), der.sequence(der.octets(Buffer.alloc(8)), iterations)))
  const one = der.unsigned(Buffer.of(1))
  const REFUSED: [name: string, code: string, file: Buffer][] = [
    ['nothing', 'malformed', Buffer.alloc(0)],
    ['text', 'malformed', Buffer.from('-----BEGIN')],
    ['an empty sequence', 'malformed', der.sequence()],
    ['another version', 'malformed', der.sequence(one, content(der.octets(Buffer.alloc(0))))],
    ['signed by a key', 'unsupported', whole(content(der.sequence(), '1.2.840.113549.1.7.2'))],
    ['enveloped to a key', 'unsupported', safe(content(der.sequence(), '1.2.840.113549.1.7.3'))],
    ['RC4', 'unsupported', old(1, one)],
    ['no iterations', 'malformed', old(3, der.unsigned(Buffer.of(0)))],
    ['negative iterations', 'malformed', old(3, der.item(2, Buffer.of(0xff)))],
    ['iterations for years', 'unsupported', old(3, der.unsigned(Buffer.alloc(6, 0x7f)))],
    ['iterations beyond numbers', 'malformed', old(3, der.unsigned(Buffer.alloc(60, 0x7f)))],
    ['what does not decrypt', 'password', old(3, one)],
    ['what does not decrypt by RC2', 'password', old(6, one)],
    ['a certificate of another kind', 'unsupported', safe(content(der.octets(der.sequence(bag(3, content(der.octets(pkcs8)))))))],
    ['a bag without a value', 'malformed', safe(content(der.octets(der.sequence(der.sequence(der.oid('1.2.3'))))))],
  ]
  for (const [name, code, bytes] of REFUSED) await t.rejects(parsePkcs12(bytes, PASSWORD), error(code), name)
  await t.rejects(parsePkcs12(file('aes-256-sha256.p12'), PASSWORD, 2048 * 3 - 1), error('unsupported'), 'more iterations than allowed')
  t.ok(await parsePkcs12(file('aes-256-sha256.p12'), PASSWORD, 2048 * 3))
})

t.test('a changed file gives an error of this folder, or is read', async () => {
  const contents = { privateKeys: [{ pkcs8, friendlyName: 'a' }], certificates: [{ der: certificate }] }
  const files = [await makePkcs12(contents, 'a', 1), whole(content(der.octets(clearContent()))), file('clear.p12')]
  await fc.assert(
    fc.asyncProperty(fc.nat(2), fc.nat(2000), fc.nat(255), fc.boolean(), async (which, at, byte, cut) => {
      const bytes = Buffer.from(files[which]!)
      bytes[at % bytes.length] = byte
      try {
        await parsePkcs12(cut ? bytes.subarray(0, at % bytes.length) : bytes, 'a', 10_000)
      } catch (e) {
        if (!(e instanceof PkiError)) throw e
      }
    }),
    { numRuns: 250 },
  )
})
