import fc from 'fast-check'
import t from 'tap'
import { createDecryptStream, createEncryptStream, decrypt, encrypt, isAuthenticated, ivNeeded, randomIv } from '../../src/crypto/cipher.ts'
import { CryptoError } from '../../src/crypto/errors.ts'
import type { CryptographicParameters } from '../../src/crypto/parameters.ts'
import { rc2Decrypt } from '../../src/crypto/rc2.ts'

const hex = (text: string): Buffer => Buffer.from(text.replace(/\s/g, ''), 'hex')
const run = (from: number, to: number): string => Buffer.from(Array.from({ length: to - from + 1 }, (_, i) => from + i)).toString('hex')
const params = (
  cryptographicAlgorithm: string,
  blockCipherMode?: string,
  rest: Partial<CryptographicParameters> = {},
): CryptographicParameters => ({
  cryptographicAlgorithm,
  blockCipherMode,
  ...rest,
})
const codeOf = (work: () => unknown): string => {
  try {
    work()
    return 'none'
  } catch (e) {
    return e instanceof CryptoError ? e.code : String(e)
  }
}

const NIST_KEY = '2b7e151628aed2a6abf7158809cf4f3c'
const NIST_TEXT =
  '6bc1bee22e409f96e93d7e117393172a ae2d8a571e03ac9c9eb76fac45af8e51 30c81c46a35ce411e5fbc1191a0a52ef f69f2445df4f9b17ad2b417be66c3710'
const GCM_TEXT = 'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39'
const GCM_AAD = 'feedfacedeadbeeffeedfacedeadbeefabaddad2'
const SUNSCREEN = Buffer.from(
  "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
).toString('hex')

interface Vector {
  readonly name: string
  readonly p: CryptographicParameters
  readonly key: string
  readonly plain: string
  readonly cipher: string
  readonly iv?: string
  readonly aad?: string
  readonly tag?: string
}

const VECTORS: readonly Vector[] = [
  {
    name: 'FIPS 197 C.1',
    p: params('AES', 'ECB'),
    key: run(0, 15),
    plain: '00112233445566778899aabbccddeeff',
    cipher: '69c4e0d86a7b0430d8cdb78070b4c55a',
  },
  {
    name: 'FIPS 197 C.2',
    p: params('AES', 'ECB'),
    key: run(0, 23),
    plain: '00112233445566778899aabbccddeeff',
    cipher: 'dda97ca4864cdfe06eaf70a0ec0d7191',
  },
  {
    name: 'FIPS 197 C.3',
    p: params('AES', 'ECB'),
    key: run(0, 31),
    plain: '00112233445566778899aabbccddeeff',
    cipher: '8ea2b7ca516745bfeafc49904b496089',
  },
  {
    name: 'SP 800-38A F.1.1',
    p: params('AES', 'ECB'),
    key: NIST_KEY,
    plain: NIST_TEXT,
    cipher:
      '3ad77bb40d7a3660a89ecaf32466ef97 f5d3d58503b9699de785895a96fdbaaf 43b1cd7f598ece23881b00e3ed030688 7b0c785e27e8ad3f8223207104725dd4',
  },
  {
    name: 'SP 800-38A F.2.1',
    p: params('AES', 'CBC'),
    key: NIST_KEY,
    iv: run(0, 15),
    plain: NIST_TEXT,
    cipher:
      '7649abac8119b246cee98e9b12e9197d 5086cb9b507219ee95db113a917678b2 73bed6b8e3c1743b7116e69e22229516 3ff1caa1681fac09120eca307586e1a7',
  },
  {
    name: 'SP 800-38A F.3.13',
    p: params('AES', 'CFB'),
    key: NIST_KEY,
    iv: run(0, 15),
    plain: NIST_TEXT,
    cipher:
      '3b3fd92eb72dad20333449f8e83cfb4a c8a64537a0b3a93fcde3cdad9f1ce58b 26751f67a3cbb140b1808cf187a4f4df c04b05357c5d1c0eeac4c66f9ff7f2e6',
  },
  {
    name: 'SP 800-38A F.4.1',
    p: params('AES', 'OFB'),
    key: NIST_KEY,
    iv: run(0, 15),
    plain: NIST_TEXT,
    cipher:
      '3b3fd92eb72dad20333449f8e83cfb4a 7789508d16918f03f53c52dac54ed825 9740051e9c5fecf64344f7a82260edcc 304c6528f659c77866a510d9c1d6ae5e',
  },
  {
    name: 'SP 800-38A F.5.1',
    p: params('AES', 'CTR'),
    key: NIST_KEY,
    iv: run(0xf0, 0xff),
    plain: NIST_TEXT,
    cipher:
      '874d6191b620e3261bef6864990db6ce 9806f66b7970fdff8617187bb9fffdff 5ae4df3edbd5d35e5b4f09020db03eab 1e031dda2fbe03d1792170a0f3009cee',
  },
  {
    name: 'RFC 3686 test vector 1: nonce and IV, counter apart',
    p: params('AES', 'CTR', { counterLength: 32, initialCounterValue: 1 }),
    key: 'ae6852f8121067cc4bf7a5765577f39e',
    iv: '00000030 0000000000000000',
    plain: '53696e676c6520626c6f636b206d7367',
    cipher: 'e4095d4fb7a7b3792d6175a3261311b8',
  },
  {
    name: 'GCM specification, test case 2',
    p: params('AES', 'GCM', { tagLength: 16 }),
    key: '00'.repeat(16),
    iv: '00'.repeat(12),
    plain: '00'.repeat(16),
    cipher: '0388dace60b6a392f328c2b971b2fe78',
    tag: 'ab6e47d42cec13bdf53a67b21257bddf',
  },
  {
    name: 'GCM specification, test case 4',
    p: params('AES', 'GCM', { tagLength: 16 }),
    key: 'feffe9928665731c6d6a8f9467308308',
    iv: 'cafebabefacedbaddecaf888',
    aad: GCM_AAD,
    plain: GCM_TEXT,
    cipher: '42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091',
    tag: '5bc94fbc3221a5db94fae95ae7121a47',
  },
  {
    name: 'GCM specification, test case 5: 8-byte IV',
    p: params('AES', 'GCM', { tagLength: 16 }),
    key: 'feffe9928665731c6d6a8f9467308308',
    iv: 'cafebabefacedbad',
    aad: GCM_AAD,
    plain: GCM_TEXT,
    cipher: '61353b4c2806934a777ff51fa22a4755699b2a714fcdc6f83766e5f97b6c742373806900e49f24b22b097544d4896b424989b5e1ebac0f07c23f4598',
    tag: '3612d2e79e3b0785561be14aaca2fccb',
  },
  {
    name: 'GCM specification, test case 1: no text',
    p: params('AES', 'GCM', { tagLength: 12 }),
    key: '00'.repeat(16),
    iv: '00'.repeat(12),
    plain: '',
    cipher: '',
    tag: '58e2fccefa7e3061367f1d57',
  },
  {
    name: 'SP 800-38C example 1',
    p: params('AES', 'CCM', { tagLength: 4 }),
    key: run(0x40, 0x4f),
    iv: run(0x10, 0x16),
    aad: run(0, 7),
    plain: run(0x20, 0x23),
    cipher: '7162015b',
    tag: '4dac255d',
  },
  {
    name: 'SP 800-38C example 2',
    p: params('AES', 'CCM', { tagLength: 6 }),
    key: run(0x40, 0x4f),
    iv: run(0x10, 0x17),
    aad: run(0, 15),
    plain: run(0x20, 0x2f),
    cipher: 'd2a1f0e051ea5f62081a7792073d593d',
    tag: '1fc64fbfaccd',
  },
  {
    name: 'SP 800-38C example 3',
    p: params('AES', 'CCM', { tagLength: 8 }),
    key: run(0x40, 0x4f),
    iv: run(0x10, 0x1b),
    aad: run(0, 19),
    plain: run(0x20, 0x37),
    cipher: 'e3b201a9f5b71a7a9b1ceaeccd97e70b6176aad9a4428aa5',
    tag: '484392fbc1b09951',
  },
  {
    name: 'IEEE 1619 vector 2',
    p: params('AES', 'XTS'),
    key: '11'.repeat(16) + '22'.repeat(16),
    iv: '3333333333 0000000000000000000000',
    plain: '44'.repeat(32),
    cipher: 'c454185e6a16936e39334038acef838bfb186fff7480adc4289382ecd6d394f0',
  },
  {
    name: 'IEEE 1619 vector 15: a stolen block',
    p: params('AES', 'XTS'),
    key: 'fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0 bfbebdbcbbbab9b8b7b6b5b4b3b2b1b0',
    iv: '9a78563412 0000000000000000000000',
    plain: run(0, 16),
    cipher: '6c1625db4671522d3d7599601de7ca09ed',
  },
  {
    name: 'RFC 3394 section 4.1',
    p: params('AES', 'NISTKeyWrap'),
    key: run(0, 15),
    plain: '00112233445566778899aabbccddeeff',
    cipher: '1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5',
  },
  {
    name: 'RFC 3394 section 4.6',
    p: params('AES', 'NISTKeyWrap'),
    key: run(0, 31),
    plain: '00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f',
    cipher: '28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21',
  },
  {
    name: 'RFC 5649 section 6, 20 bytes',
    p: params('AES', 'AESKeyWrapPadding'),
    key: '5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8',
    plain: 'c37b7e6492584340bed12207808941155068f738',
    cipher: '138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a',
  },
  {
    name: 'RFC 5649 section 6, 7 bytes',
    p: params('AES', 'AESKeyWrapPadding'),
    key: '5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8',
    plain: '466f7250617369',
    cipher: 'afbeb0f07dfbf5419200f2ccb50bb24f',
  },
  {
    name: 'SP 800-67 appendix B',
    p: params('DES3', 'ECB'),
    key: '0123456789abcdef 23456789abcdef01 456789abcdef0123',
    plain: '5468652071756663 6b2062726f776e20 666f78206a756d70',
    cipher: 'a826fd8ce53b855f cce21c8112256fe6 68d5c05dd9b6b900',
  },
  {
    name: 'FIPS 81 table B1: single DES as DES3 with one key',
    p: params('DES3', 'ECB'),
    key: '0123456789abcdef',
    plain: '4e6f772069732074 68652074696d6520',
    cipher: '3fa40e8a984d4815 6a271787ab8883f9',
  },
  {
    name: 'FIPS 81 table B1: DES',
    p: params('DES', 'ECB'),
    key: '0123456789abcdef',
    plain: '4e6f772069732074',
    cipher: '3fa40e8a984d4815',
  },
  {
    name: 'RFC 3713, 128 bits',
    p: params('Camellia', 'ECB'),
    key: '0123456789abcdeffedcba9876543210',
    plain: '0123456789abcdeffedcba9876543210',
    cipher: '67673138549669730857065648eabe43',
  },
  {
    name: 'RFC 3713, 256 bits',
    p: params('Camellia', 'ECB'),
    key: '0123456789abcdeffedcba987654321000112233445566778899aabbccddeeff',
    plain: '0123456789abcdeffedcba9876543210',
    cipher: '9acc237dff16d76c20ef7c919e3a7509',
  },
  {
    name: 'RFC 5794',
    p: params('ARIA', 'ECB'),
    key: run(0, 15),
    plain: '00112233445566778899aabbccddeeff',
    cipher: 'd718fbd6ab644c739da95f3be6451778',
  },
  {
    name: 'GB/T 32907',
    p: params('SM4', 'ECB'),
    key: '0123456789abcdeffedcba9876543210',
    plain: '0123456789abcdeffedcba9876543210',
    cipher: '681edf34d206965e86b3e94f536e4246',
  },
  {
    name: 'RFC 8439 section 2.4.2: 12-byte nonce, counter 1',
    p: params('ChaCha20', undefined, { initialCounterValue: 1 }),
    key: run(0, 31),
    iv: '000000000000004a00000000',
    plain: SUNSCREEN,
    cipher:
      '6e2e359a2568f98041ba0728dd0d6981e97e7aec1d4360c20a27afccfd9fae0bf91b65c5524733ab8f593dabcd62b3571639d624e65152ab8f530c359f0861d807ca0dbf500d6a6156a38e088a22b65e52bc514d16ccf806818ce91ab77937365af90bbf74a35be6b40b8eedf2785e42874d',
  },
  {
    name: 'ChaCha20 with all zeros and the original 8-byte nonce',
    p: params('ChaCha20'),
    key: '00'.repeat(32),
    iv: '00'.repeat(8),
    plain: '00'.repeat(64),
    cipher:
      '76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586',
  },
  {
    name: 'RFC 8439 section 2.8.2',
    p: params('ChaCha20Poly1305', 'AEAD', { tagLength: 16 }),
    key: run(0x80, 0x9f),
    iv: '070000004041424344454647',
    aad: '50515253c0c1c2c3c4c5c6c7',
    plain: SUNSCREEN,
    cipher:
      'd31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b6116',
    tag: '1ae10b594f09e26a7e902ecbd0600691',
  },
]

t.test('published vectors', async t => {
  for (const { name, p, key, plain, cipher, iv, aad, tag } of VECTORS) {
    const input = { iv: iv === undefined ? undefined : hex(iv), aad: aad === undefined ? undefined : hex(aad) }
    const out = encrypt(hex(key), hex(plain), p, input)
    t.equal(out.data.toString('hex'), cipher.replace(/\s/g, ''), `${name}: encrypts`)
    t.equal(out.tag?.toString('hex'), tag, `${name}: tag`)
    t.same(decrypt(hex(key), hex(cipher), p, { ...input, tag: out.tag }), hex(plain), `${name}: decrypts`)
  }
})

t.test('key wrap', async t => {
  const by = (blockCipherMode: string): CryptographicParameters => ({ cryptographicAlgorithm: 'AES', blockCipherMode })
  const wrapKey = (kek: Buffer, material: Buffer, mode = 'NISTKeyWrap'): Buffer => encrypt(kek, material, by(mode)).data
  const unwrapKey = (kek: Buffer, wrapped: Buffer, mode = 'NISTKeyWrap'): Buffer => decrypt(kek, wrapped, by(mode))
  t.same(wrapKey(hex(run(0, 15)), hex('00112233445566778899aabbccddeeff')), hex('1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5'))
  t.same(unwrapKey(hex(run(0, 15)), hex('1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5')), hex('00112233445566778899aabbccddeeff'))
  const odd = Buffer.from('seventeen bytes..')
  t.same(unwrapKey(hex(run(0, 31)), wrapKey(hex(run(0, 31)), odd, 'AESKeyWrapPadding'), 'AESKeyWrapPadding'), odd)
  t.equal(
    codeOf(() => unwrapKey(hex(run(1, 16)), hex('1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5'))),
    'failed',
    'another key',
  )
  t.equal(
    codeOf(() => unwrapKey(hex(run(0, 15)), hex('1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5'), 'AESKeyWrapPadding')),
    'failed',
    'another mode',
  )
  t.equal(
    codeOf(() => wrapKey(hex(run(0, 15)), Buffer.alloc(15))),
    'invalid',
  )
  t.equal(
    codeOf(() => wrapKey(hex(run(0, 15)), Buffer.alloc(8))),
    'invalid',
  )
  t.equal(
    codeOf(() => unwrapKey(hex(run(0, 15)), Buffer.alloc(16))),
    'invalid',
  )
  t.equal(
    codeOf(() => wrapKey(hex(run(0, 15)), Buffer.alloc(0), 'AESKeyWrapPadding')),
    'invalid',
  )
  const iv = hex('1122334455667788')
  const wrapped = encrypt(hex(run(0, 15)), Buffer.alloc(16, 5), params('AES', 'NISTKeyWrap'), { iv }).data
  t.same(decrypt(hex(run(0, 15)), wrapped, params('AES', 'NISTKeyWrap'), { iv }), Buffer.alloc(16, 5), 'an initial value of the client')
})

const KEYS: Readonly<Record<string, number>> = { AES: 32, DES3: 24, DES: 8, Camellia: 24, ARIA: 32, SM4: 16 }
const STREAM_MODES = [['CFB'], ['OFB'], ['CTR']] as const
const PADDED_MODES = ['ECB', 'CBC', 'PCBC'].flatMap(mode =>
  ['PKCS5', 'ANSIX9_23', 'ISO10126', 'SSL3'].map(padding => [mode, padding] as const),
)
const key = (algorithm: string): Buffer => Buffer.from(Array.from({ length: KEYS[algorithm] ?? 32 }, (_, i) => (i * 37 + 11) & 0xff))
const cut = (data: Buffer, at: readonly number[]): Buffer[] => {
  const places = [0, ...at.map(n => n % (data.length + 1)).sort((a, b) => a - b), data.length]
  return places.slice(1).map((end, i) => data.subarray(places[i], end))
}

t.test('any message comes back, whole or in parts, in every mode', async t => {
  const data = fc.uint8Array({ maxLength: 100 })
  const cuts = fc.array(fc.nat(100), { maxLength: 4 })
  for (const algorithm of Object.keys(KEYS))
    for (const [mode, paddingMethod] of [...STREAM_MODES, ...PADDED_MODES]) {
      const p = params(algorithm, mode, { paddingMethod })
      const iv = randomIv(p)
      fc.assert(
        fc.property(data, cuts, cuts, (bytes, a, b) => {
          const plain = Buffer.from(bytes)
          const enc = createEncryptStream(key(algorithm), p, { iv })
          const cipher = Buffer.concat([...cut(plain, a).map(part => enc.update(part)), enc.final().data])
          const dec = createDecryptStream(key(algorithm), p, { iv })
          const back = Buffer.concat([...cut(cipher, b).map(part => dec.update(part)), dec.final().data])
          const whole = encrypt(key(algorithm), plain, p, { iv }).data
          const random = paddingMethod === 'ISO10126' || paddingMethod === 'SSL3'
          return (
            back.equals(plain) &&
            decrypt(key(algorithm), cipher, p, { iv }).equals(plain) &&
            (random ? decrypt(key(algorithm), whole, p, { iv }).equals(plain) : whole.equals(cipher))
          )
        }),
        { numRuns: 15 },
      )
      t.pass(`${algorithm} ${mode} ${paddingMethod}`)
    }
})

t.test('authenticated modes in parts: no plaintext before the tag is checked', async t => {
  for (const p of [
    params('AES', 'GCM', { tagLength: 13 }),
    params('AES', 'CCM', { tagLength: 10 }),
    params('ARIA', 'GCM'),
    params('ChaCha20Poly1305'),
    params('ChaCha20Poly1305', 'AEAD', { tagLength: 12 }),
  ]) {
    const name = `${p.cryptographicAlgorithm} ${p.blockCipherMode} ${p.tagLength}`
    const input = { iv: randomIv(p), aad: Buffer.from('aad') }
    const enc = createEncryptStream(key('AES'), p, input)
    const parts = [enc.update(Buffer.from('some ')), enc.update(Buffer.from('text')), enc.final()] as const
    const cipher = Buffer.concat([parts[0], parts[1], parts[2].data])
    const tag = parts[2].tag ?? Buffer.alloc(0)
    t.equal(tag.length, p.tagLength ?? 16, name)
    t.equal(isAuthenticated(p), true)
    const open = (wrong: object = {}, data: Buffer = cipher): string => {
      const dec = createDecryptStream(key('AES'), p, { ...input, tag, ...wrong })
      t.equal(dec.update(data.subarray(0, 3)).length + dec.update(data.subarray(3)).length, 0, 'nothing yet')
      return dec.final().data.toString()
    }
    t.equal(open(), 'some text')
    const flipped = (bytes: Buffer | undefined): Buffer =>
      Buffer.from((bytes ?? Buffer.alloc(0)).map((byte, i) => (i === 0 ? byte ^ 1 : byte)))
    t.equal(
      codeOf(() => open({ tag: flipped(tag) })),
      'failed',
      'tag',
    )
    t.equal(
      codeOf(() => open({ iv: flipped(input.iv) })),
      'failed',
      'iv',
    )
    t.equal(
      codeOf(() => open({ aad: Buffer.from('aae') })),
      'failed',
      'aad',
    )
    t.equal(
      codeOf(() => open({}, flipped(cipher))),
      'failed',
      'ciphertext',
    )
    t.equal(
      codeOf(() => open({ tag: undefined })),
      'invalid',
      'no tag',
    )
    t.equal(
      codeOf(() => open({ tag: tag.subarray(1) })),
      'bad-tag-length',
      'a shorter tag is no tag',
    )
    const empty = encrypt(key('AES'), Buffer.alloc(0), p, input)
    t.equal(decrypt(key('AES'), empty.data, p, { ...input, tag: empty.tag }).length, 0, 'empty text')
    for (const text of ['', 'text']) {
      const bare = encrypt(key('AES'), Buffer.from(text), p, { iv: input.iv })
      const stream = createEncryptStream(key('AES'), p, { iv: input.iv, aad: Buffer.alloc(0) })
      stream.update(Buffer.from(text))
      t.same(stream.final().tag, bare.tag, `${name}: no aad is an empty one`)
      t.equal(decrypt(key('AES'), bare.data, p, { iv: input.iv, tag: bare.tag }).toString(), text)
    }
  }
})

t.test('paddings', async t => {
  const p = params('AES', 'CBC', { paddingMethod: 'None' })
  const iv = Buffer.alloc(16)
  const padded = (method: string, data: string): Buffer =>
    decrypt(key('AES'), encrypt(key('AES'), Buffer.from(data), { ...p, paddingMethod: method }, { iv }).data, p, { iv })
  t.equal(padded('PKCS5', 'abc').toString('hex'), `616263${'0d'.repeat(13)}`)
  t.equal(padded('PKCS5', '0123456789abcdef').length, 32)
  t.equal(padded('ANSIX9_23', 'abc').toString('hex'), `616263${'00'.repeat(12)}0d`)
  t.equal(padded('ISO10126', 'abc')[15], 13)
  t.equal(padded('SSL3', 'abc')[15], 12)
  t.equal(padded('SSL3', '0123456789abcdef')[31], 15)
  t.equal(padded('Zeros', 'abc').toString('hex'), `616263${'00'.repeat(13)}`)
  t.equal(padded('Zeros', '0123456789abcdef').length, 16, 'whole blocks get none')
  const zeros = { ...p, paddingMethod: 'Zeros' }
  t.equal(decrypt(key('AES'), encrypt(key('AES'), Buffer.from('abc'), zeros, { iv }).data, zeros, { iv }).toString(), 'abc')
  t.equal(decrypt(key('AES'), encrypt(key('AES'), Buffer.alloc(0), zeros, { iv }).data, zeros, { iv }).length, 0)

  const WRONG: [method: string, last: string][] = [
    ['PKCS5', '00'.repeat(16)],
    ['PKCS5', `${'00'.repeat(15)}11`],
    ['PKCS5', `${'00'.repeat(13)}020303`],
    ['ANSIX9_23', `${'00'.repeat(13)}010003`],
    ['ANSIX9_23', '00'.repeat(16)],
    ['ISO10126', `${'00'.repeat(15)}11`],
    ['SSL3', `${'00'.repeat(15)}10`],
  ]
  for (const [method, last] of WRONG) {
    const cipher = encrypt(key('AES'), hex(last), p, { iv }).data
    t.equal(
      codeOf(() => decrypt(key('AES'), cipher, { ...p, paddingMethod: method }, { iv })),
      'failed',
      `${method} ${last}`,
    )
  }
  t.equal(
    codeOf(() => decrypt(key('AES'), Buffer.alloc(0), { ...p, paddingMethod: 'PKCS5' }, { iv })),
    'invalid',
    'no block, no padding',
  )
})

t.test('RC2, RFC 2268 section 5', async t => {
  const long = '88bca90e90875a7f0f79c384627bafb2'
  const RC2: [bits: number, key: string, plain: string, cipher: string][] = [
    [63, '00'.repeat(8), '00'.repeat(8), 'ebb773f993278eff'],
    [64, 'ff'.repeat(8), 'ff'.repeat(8), '278b27e42e2f0d49'],
    [64, '3000000000000000', '1000000000000001', '30649edf9be7d2c2'],
    [64, '88', '00'.repeat(8), '61a8a244adacccf0'],
    [64, '88bca90e90875a', '00'.repeat(8), '6ccf4308974c267f'],
    [64, long, '00'.repeat(8), '1a807d272bbe5db1'],
    [128, long, '00'.repeat(8), '2269552ab0f85ca6'],
    [129, `${long}16f80a6f85920584c42fceb0be255daf1e`, '00'.repeat(8), '5b78d3a43dfff1f1'],
  ]
  for (const [bits, k, plain, cipher] of RC2) {
    // The IV turns the last byte into a padding of one.
    const iv = Buffer.alloc(8)
    iv[7] = (hex(plain)[7] ?? 0) ^ 1
    t.equal(rc2Decrypt(hex(k), bits, iv, hex(cipher)).toString('hex'), plain.slice(0, 14), `${bits} bits, key of ${k.length / 2}`)
    t.equal(
      codeOf(() => rc2Decrypt(hex(k), bits, Buffer.alloc(8, 0x55), hex(cipher))),
      'failed',
      'a wrong padding',
    )
  }
  for (const length of [0, 7, 12])
    t.equal(
      codeOf(() => rc2Decrypt(hex(long), 128, Buffer.alloc(8), Buffer.alloc(length))),
      'failed',
    )
})

t.test('the one-time pad', async t => {
  const p = params('OneTimePad')
  const pad = key('a pad')
  const plain = Buffer.from('used once')
  const cipher = encrypt(pad, plain, p).data
  t.same(cipher, Buffer.from(plain.map((byte, i) => byte ^ (pad[i] ?? 0))))
  t.same(decrypt(pad, cipher, p), plain)
  t.same(encrypt(pad, Buffer.alloc(32), p).data, pad, 'as long as the key')
  t.equal(encrypt(pad, Buffer.alloc(0), p).data.length, 0)
  const pads = Buffer.from(pad)
  const stream = createEncryptStream(pads, p)
  pads.fill(0)
  t.same(Buffer.concat([...cut(plain, [2, 5]).map(part => stream.update(part)), stream.final().data]), cipher, 'in parts, along the pad')
  t.equal(
    codeOf(() => stream.update(Buffer.alloc(24))),
    'too-long',
    'used up by the parts before',
  )
  t.equal(randomIv(p), undefined)
  t.equal(isAuthenticated(p), false)
  const REFUSED: [code: string, key: Buffer, data: number, p: CryptographicParameters][] = [
    ['too-long', pad, 33, p],
    ['invalid', Buffer.alloc(0), 1, p],
    ['unsupported', pad, 16, params('OneTimePad', 'CBC')],
  ]
  for (const [code, k, length, asked] of REFUSED)
    t.equal(
      codeOf(() => encrypt(k, Buffer.alloc(length), asked)),
      code,
    )
})

t.test('two-key DES3 is K1 K2 K1', async t => {
  const k = key('DES3')
  const p = params('DES3', 'CBC')
  const input = { iv: Buffer.alloc(8, 7) }
  t.same(
    encrypt(k.subarray(0, 16), Buffer.alloc(16), p, input),
    encrypt(Buffer.concat([k.subarray(0, 16), k.subarray(0, 8)]), Buffer.alloc(16), p, input),
  )
})

t.test('the counter of CTR carries and wraps', async t => {
  const iv = Buffer.alloc(8, 0xff)
  const p = params('DES3', 'CTR')
  const out = encrypt(key('DES3'), Buffer.alloc(24), p, { iv }).data
  const blocks = [iv, Buffer.alloc(8), hex('0000000000000001')].map(block => encrypt(key('DES3'), block, params('DES3', 'ECB')).data)
  t.same(out, Buffer.concat(blocks))
})

t.test('IVs wanted', async t => {
  const WANTED: [p: CryptographicParameters, bytes: number | undefined][] = [
    [params('AES', 'ECB'), undefined],
    [params('AES', 'CBC'), 16],
    [params('DES3', 'CBC'), 8],
    [params('AES', 'GCM'), 12],
    [params('AES', 'GCM', { ivLength: 64 }), 8],
    [params('AES', 'CCM'), 12],
    [params('AES', 'XTS'), 16],
    [params('ChaCha20'), 12],
    [params('ChaCha20', undefined, { ivLength: 64 }), 8],
    [params('ChaCha20Poly1305', 'AEAD'), 12],
  ]
  for (const [p, bytes] of WANTED) {
    t.same(ivNeeded(p), bytes === undefined ? undefined : { bytes, required: true })
    t.equal(randomIv(p)?.length, bytes)
  }
  t.same(ivNeeded(params('AES', 'NISTKeyWrap')), { bytes: 8, required: false })
  t.equal(randomIv(params('AES', 'NISTKeyWrap')), undefined)
  t.equal(
    codeOf(() => ivNeeded(params('AES', 'CBC', { ivLength: 96 }))),
    'invalid',
  )
})

t.test('refusals', async t => {
  const aes = key('AES')
  const REFUSED: [name: string, code: string, key: Buffer, data: number, p: CryptographicParameters, input: object][] = [
    ['no algorithm', 'invalid', aes, 16, {}, {}],
    ['no mode', 'invalid', aes, 16, params('AES'), {}],
    ['a legacy cipher', 'unsupported', aes, 16, params('RC4'), {}],
    ['a name of Object', 'unsupported', aes, 16, params('constructor'), {}],
    ['a mode of Object', 'unsupported', aes, 16, params('AES', 'toString'), {}],
    ['a mode that the cipher lacks', 'unsupported', key('DES3'), 16, params('DES3', 'GCM'), {}],
    ['a MAC mode', 'unsupported', aes, 16, params('AES', 'CMAC'), {}],
    ['an unknown padding', 'unsupported', aes, 16, params('AES', 'ECB', { paddingMethod: 'OAEP' }), {}],
    ['key length', 'invalid', aes.subarray(1), 16, params('AES', 'ECB'), {}],
    ['XTS key length', 'invalid', Buffer.alloc(48, 1), 16, params('AES', 'XTS'), { iv: Buffer.alloc(16) }],
    ['XTS with equal halves', 'invalid', Buffer.alloc(32, 1), 16, params('AES', 'XTS'), { iv: Buffer.alloc(16) }],
    ['XTS below a block', 'invalid', Buffer.concat([aes, Buffer.alloc(32)]), 15, params('AES', 'XTS'), { iv: Buffer.alloc(16) }],
    ['a broken block', 'invalid', aes, 15, params('AES', 'ECB'), {}],
    ['no IV for CBC', 'missing-iv', aes, 16, params('AES', 'CBC'), {}],
    ['no IV for GCM', 'missing-iv', aes, 16, params('AES', 'GCM'), {}],
    ['no nonce', 'missing-iv', aes, 16, params('ChaCha20'), {}],
    ['IV length of CBC', 'invalid', aes, 16, params('AES', 'CBC'), { iv: Buffer.alloc(12) }],
    ['IV length of CTR', 'invalid', aes, 16, params('AES', 'CTR'), { iv: Buffer.alloc(12) }],
    ['IV length of GCM', 'invalid', aes, 16, params('AES', 'GCM'), { iv: Buffer.alloc(0) }],
    ['IV length of CCM', 'invalid', aes, 16, params('AES', 'CCM'), { iv: Buffer.alloc(14) }],
    ['nonce length', 'invalid', aes, 16, params('ChaCha20'), { iv: Buffer.alloc(10) }],
    ['tag of 1', 'bad-tag-length', aes, 16, params('AES', 'GCM', { tagLength: 1 }), { iv: Buffer.alloc(12) }],
    ['tag of 32', 'bad-tag-length', aes, 16, params('AES', 'GCM', { tagLength: 32 }), { iv: Buffer.alloc(12) }],
    ['odd tag of CCM', 'bad-tag-length', aes, 16, params('AES', 'CCM', { tagLength: 5 }), { iv: Buffer.alloc(12) }],
    [
      'tag of 32, ChaCha20-Poly1305',
      'bad-tag-length',
      aes,
      16,
      params('ChaCha20Poly1305', 'AEAD', { tagLength: 32 }),
      { iv: Buffer.alloc(12) },
    ],
    ['CCM with a long nonce', 'too-long', aes, 65536, params('AES', 'CCM'), { iv: Buffer.alloc(13) }],
  ]
  for (const [name, code, k, length, p, input] of REFUSED)
    t.equal(
      codeOf(() => encrypt(k, Buffer.alloc(length), p, input)),
      code,
      name,
    )
  t.equal(
    codeOf(() => decrypt(aes, Buffer.alloc(15), params('AES', 'CBC'), { iv: Buffer.alloc(16) })),
    'invalid',
  )
})
