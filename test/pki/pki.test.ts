import { createHash, createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer, type SecureVersion } from 'node:tls'
import fc from 'fast-check'
import t from 'tap'
import { type Authority, fingerprint, issueClient, issueServer, makeAuthority } from '../../src/pki/authority.ts'
import { type Certificate, certificatePem, parseCertificate, parseCertificatePem } from '../../src/pki/certificate.ts'
import { verifyChain } from '../../src/pki/chain.ts'
import * as der from '../../src/pki/der.ts'
import { authorityConstraints, keyUsage, subjectAlternativeNames } from '../../src/pki/extensions.ts'
import { issueCertificate } from '../../src/pki/issue.ts'
import { generateKey, KEY_BITS, type KeySpec, parsePrivateKey, privateKeyPem, specOf, spkiOf } from '../../src/pki/keys.ts'
import { encodeName, parseName } from '../../src/pki/name.ts'
import { parseRequest, parseRequestPem } from '../../src/pki/request.ts'
import { requestFor } from './request-for.ts'

const NOW = Date.now()
const HOUR = 3_600_000
const issuerOf = ({ intermediate }: Authority) => ({ name: parseCertificate(intermediate.certificate).subject.der, key: intermediate.key })

t.test('DER items', async t => {
  const CASES: [name: string, bytes: Buffer, hex: string][] = [
    ['short length', der.octets(Buffer.from('ab')), '04026162'],
    ['long length', der.octets(Buffer.alloc(200)).subarray(0, 3), '0481c8'],
    ['longer length', der.octets(Buffer.alloc(70_000)).subarray(0, 5), '0483011170'],
    ['integer with a high bit', der.unsigned(Buffer.of(0x80)), '02020080'],
    ['integer with leading zeros', der.unsigned(Buffer.of(0, 0, 5)), '020105'],
    ['zero', der.unsigned(Buffer.of(0)), '020100'],
    ['object identifier', der.oid('1.2.840.113549.1.1.11'), '06092a864886f70d01010b'],
    ['UTC time', der.time(new Date('2049-12-31T23:59:59.999Z')), '170d3439313233313233353935395a'],
    ['generalized time', der.time(new Date('2050-01-01T00:00:00Z')), '180f32303530303130313030303030305a'],
    ['digitalSignature, keyEncipherment, keyAgreement', keyUsage('digitalSignature', 'keyEncipherment', 'keyAgreement').value, '030203a8'],
    ['keyCertSign, cRLSign', keyUsage('keyCertSign', 'cRLSign').value, '03020106'],
    ['decipherOnly', keyUsage('decipherOnly').value, '0303070080'],
    ['path length', authorityConstraints(10).value, '30060101ff02010a'],
    ['addresses', subjectAlternativeNames(['a'], ['127.0.0.1', '::1']).value, `301b82016187047f0000018710${'0'.repeat(31)}1`],
    ['mapped address', subjectAlternativeNames([], ['::ffff:1.2.3.4']).value, `30128710${'0'.repeat(20)}ffff01020304`],
  ]
  for (const [name, bytes, hex] of CASES) t.equal(bytes.toString('hex'), hex, name)
})

t.test('distinguished names', async t => {
  const name = encodeName([
    ['C', 'US'],
    ['O', 'Ä'],
    ['OU', 'a, b'],
    ['OU', '#2'],
    ['CN', 'x'],
    ['Email', 'e@x'],
  ])
  const read = parseName(der.read(name, 'name'))
  t.same(read.values, { C: ['US'], O: ['Ä'], OU: ['a, b', '#2'], CN: ['x'], Email: ['e@x'] })
  t.equal(read.text, 'Email=e@x,CN=x,OU=\\#2,OU=a\\, b,O=Ä,C=US')
  t.same(read.der, name)
  t.equal(
    encodeName([
      ['OU', 'ilV63'],
      ['CN', '2FyVN'],
    ]).toString('hex'),
    `3020310e300c060355040b1305${Buffer.from('ilV63').toString('hex')}310e300c06035504031305${Buffer.from('2FyVN').toString('hex')}`,
    'one SET for each attribute, outermost first',
  )
})

t.test('the chain and a client certificate are what Vault makes', async t => {
  const authority = await makeAuthority({ type: 'ec', bits: 256 }, 'kmipd-default', NOW)
  const key = await generateKey({ type: 'ec', bits: 256 })
  const [root, intermediate, client] = [
    authority.root.certificate,
    authority.intermediate.certificate,
    issueClient(issuerOf(authority), { scope: 'ilV63', role: '2FyVN' }, { spki: spkiOf(key), nowMs: NOW, lifeMs: 336 * HOUR }),
  ].map(parseCertificate) as [Certificate, Certificate, Certificate]
  t.equal(root.subject.text, 'CN=kmipd-default')
  t.equal(intermediate.subject.text, 'CN=kmipd-default-intermediate')
  t.equal(client.subject.text, 'CN=2FyVN,OU=ilV63')
  t.match([root.authority, root.pathLength, intermediate.pathLength, client.authority], [true, 10, 9, false])
  t.same([...(root.keyUsage ?? [])], ['keyCertSign', 'cRLSign'])
  t.same([...(client.keyUsage ?? [])], ['digitalSignature', 'keyEncipherment', 'keyAgreement'])
  const second = (ms: number) => Math.floor(ms / 1000) * 1000
  t.equal(root.notBefore.getTime(), second(NOW - 30_000), 'back-dated by 30 s')
  t.equal(root.notAfter.getTime(), second(NOW + 3650 * 24 * HOUR))
  t.equal(client.notAfter.getTime(), second(NOW + 336 * HOUR))
  t.equal(client.signatureAlgorithm, 'ECDSAWithSHA256')

  const node = new X509Certificate(client.der)
  t.equal(node.subject, 'OU=ilV63\nCN=2FyVN')
  t.same(node.keyUsage, ['1.3.6.1.5.5.7.3.2'], 'clientAuth')
  t.equal(BigInt(`0x${node.serialNumber}`).toString(), client.serial)
  t.equal(client.serialNumber.toString('hex'), der.unsigned(Buffer.from(node.serialNumber, 'hex')).toString('hex'))
  t.ok(node.verify(createPublicKey({ key: intermediate.spki, format: 'der', type: 'spki' })))
  t.ok(node.checkIssued(new X509Certificate(intermediate.der)), 'key identifiers and names fit')
  t.equal(fingerprint(client.der), createHash('sha256').update(client.der).digest('hex'))
  t.same(parseCertificatePem(certificatePem(client.der)).der, client.der)
})

t.test('keys', async t => {
  for (const type of ['ec', 'rsa'] as const)
    for (const bits of KEY_BITS[type].slice(0, type === 'rsa' ? 1 : 4)) {
      const pem = privateKeyPem(await generateKey({ type, bits }))
      t.match(pem, new RegExp(`^-----BEGIN ${type.toUpperCase()} PRIVATE KEY-----`))
      t.same(specOf(parsePrivateKey(pem)), { type, bits })
    }
  await t.rejects(generateKey({ type: 'rsa', bits: 1024 }), { name: 'PkiError', code: 'unsupported' })
  t.throws(() => parsePrivateKey('-----BEGIN'), { name: 'PkiError', code: 'malformed' })
  t.equal(specOf(generateKeyPairSync('ed25519').publicKey), undefined)
})

t.test('the chain holds in TLS handshakes', async t => {
  const KINDS: [name: string, spec: KeySpec][] = [
    ['EC P-256', { type: 'ec', bits: 256 }],
    ['EC P-521', { type: 'ec', bits: 521 }],
    ['RSA 2048', { type: 'rsa', bits: 2048 }],
  ]
  for (const [name, spec] of KINDS) {
    const authority = await makeAuthority(spec, 'kmipd-default', NOW)
    const issuer = issuerOf(authority)
    const [serverKey, clientKey] = await Promise.all([generateKey(spec), generateKey(spec)])
    const leaf = (key: typeof serverKey) => ({ spki: spkiOf(key), nowMs: NOW, lifeMs: HOUR })
    const ca = [authority.intermediate, authority.root].map(({ certificate }) => certificatePem(certificate))
    const names = { hostnames: ['kmip.test'], ips: ['127.0.0.1', '::1'] }
    const server = createServer({
      cert: [certificatePem(issueServer(issuer, names, leaf(serverKey))), ca[0] ?? ''].join('\n'),
      key: privateKeyPem(serverKey),
      ca,
      requestCert: true,
      rejectUnauthorized: true,
    })
    server.on('secureConnection', socket => socket.end(String(socket.getPeerCertificate().subject.CN)))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    for (const version of ['TLSv1.2', 'TLSv1.3'] satisfies SecureVersion[])
      for (const servername of ['kmip.test', undefined]) {
        const socket = connect({
          host: '127.0.0.1',
          port: (server.address() as AddressInfo).port,
          ...(servername ? { servername } : {}),
          ca: ca[1] ?? '',
          cert: certificatePem(issueClient(issuer, { scope: 'aaaaa', role: 'bbbbb' }, leaf(clientKey))),
          key: privateKeyPem(clientKey),
          minVersion: version,
          maxVersion: version,
        })
        const [data] = await once(socket, 'data')
        t.equal(String(data), 'bbbbb', `${name}, ${version}, ${servername ?? 'by address'}`)
        t.ok(socket.authorized)
        socket.destroy()
      }
    server.close()
  }
})

t.test('requests', async t => {
  for (const spec of [
    { type: 'ec', bits: 384 },
    { type: 'rsa', bits: 2048 },
  ] satisfies KeySpec[]) {
    const key = await generateKey(spec)
    const names = subjectAlternativeNames(['a.test'], [])
    const list = der.sequence(der.sequence(der.oid(names.oid), der.octets(names.value)))
    const wanted = der.item(0xa0, der.sequence(der.oid('1.2.840.113549.1.9.14'), der.set(list)))
    const request = parseRequest(requestFor(key, key, wanted))
    t.equal(request.subject.text, 'CN=asked')
    t.same(request.spki, spkiOf(key))
    t.match(request.extensions, [{ oid: names.oid, critical: false }])
    const pem = der.toPem('NEW CERTIFICATE REQUEST', requestFor(key))
    t.same(parseRequestPem(pem).spki, spkiOf(key), 'the older label')
    const other = await generateKey(spec)
    t.throws(() => parseRequest(requestFor(key, other)), { name: 'PkiError', code: 'untrusted' })
  }
  t.throws(() => parseRequestPem('x'), { name: 'PkiError', code: 'malformed' })
})

t.test('chains are verified', async t => {
  const authority = await makeAuthority({ type: 'ec', bits: 256 }, 'kmipd-default', NOW)
  const other = await makeAuthority({ type: 'ec', bits: 256 }, 'kmipd-default', NOW)
  const key = await generateKey({ type: 'ec', bits: 256 })
  const fields = { spki: spkiOf(key), nowMs: NOW, lifeMs: HOUR }
  const client = parseCertificate(issueClient(issuerOf(authority), { scope: 'a', role: 'b' }, fields))
  const [root, intermediate, otherRoot, otherIntermediate] = [authority.root, authority.intermediate, other.root, other.intermediate].map(
    one => parseCertificate(one.certificate),
  ) as [Certificate, Certificate, Certificate, Certificate]
  const below = parseCertificate(
    issueCertificate(
      {
        subject: encodeName([['CN', 'below']]),
        spki: spkiOf(key),
        notBefore: new Date(NOW),
        notAfter: new Date(NOW + HOUR),
        extensions: [],
      },
      { name: client.subject.der, key },
    ),
  )
  const changed = Buffer.from(client.der)
  changed[changed.length - 1] = changed[changed.length - 1]! ^ 1
  const now = new Date(NOW)
  const CASES: [name: string, chain: Certificate[], at: Date, anchors: Certificate[], validity: string, reason: RegExp][] = [
    ['whole', [client, intermediate, root], now, [], 'Valid', /ends at CN=kmipd-default/],
    ['in another order', [root, client, intermediate], now, [], 'Valid', /./],
    ['with the root as anchor', [client, intermediate], now, [root], 'Valid', /./],
    ['with a foreign anchor', [client, intermediate, root], now, [otherRoot], 'Invalid', /was not made by|trusted issuer/],
    ['without its root', [client, intermediate], now, [], 'Unknown', /no trusted issuer/],
    ['too late', [client, intermediate, root], new Date(NOW + 2 * HOUR), [], 'Invalid', /was valid until/],
    ['too early', [client, intermediate, root], new Date(NOW - HOUR), [], 'Invalid', /not valid before/],
    ['by a namesake', [client, otherIntermediate, otherRoot], now, [], 'Invalid', /was not made by/],
    ['two CAs of one name', [client, otherIntermediate, intermediate, root], now, [], 'Valid', /./],
    ['by a leaf', [below, client, intermediate, root], now, [], 'Invalid', /is not a CA/],
    ['changed', [parseCertificate(changed), intermediate, root], now, [], 'Invalid', /was not made by/],
    ['two leaves', [client, below, otherIntermediate], now, [], 'Invalid', /./],
    ['nothing', [], now, [], 'Invalid', /no certificate/],
  ]
  for (const [name, chain, at, anchors, validity, reason] of CASES) {
    const verdict = verifyChain(chain, at, anchors)
    t.equal(verdict.validity, validity, name)
    t.match(verdict.reason, reason, name)
  }
})

t.test('bytes that are no certificate are refused', async t => {
  const authority = await makeAuthority({ type: 'ec', bits: 256 }, 'kmipd-default', NOW)
  const whole = authority.root.certificate
  for (const bytes of [Buffer.alloc(0), Buffer.of(0x30), whole.subarray(0, 100), Buffer.concat([whole, Buffer.of(0)])])
    t.throws(() => parseCertificate(bytes), { name: 'PkiError', code: 'malformed' })
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.nat(255), (position, value) => {
      const bytes = Buffer.from(whole)
      bytes[position] = value
      try {
        parseCertificate(bytes)
      } catch (error) {
        if (!(error instanceof Error) || error.name !== 'PkiError') throw error
      }
    }),
    { numRuns: 2000 },
  )
})
