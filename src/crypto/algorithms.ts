/**
 * What is known of each algorithm, under the names of KMIP's XML encoding. The other files of this folder walk these tables and
 * do not list names of their own: to add an algorithm, add a row.
 * Sources: KMIP 2.1 section 11 (enumerations), RFC 8017 appendix B.1 (digest info), RFC 5480 and RFC 5639 (curves).
 */

/** A mode of operation: what IV, padding and tag it takes. Lengths are bytes. */
export interface ModeRow {
  /** IV lengths allowed; `block` the cipher's block; absent: the mode takes none */
  readonly iv?: 'block' | readonly number[]
  /** length to draw when the server makes the IV; absent: the first of `iv` */
  readonly ivWanted?: number
  /** an IV may be given but there is a default */
  readonly ivOptional?: true
  /** whole blocks only, so Padding Method matters */
  readonly blocks?: true
  /** tag lengths allowed of an authenticated mode */
  readonly tags?: readonly number[]
  /** the whole message must be at hand before any of it can be processed */
  readonly whole?: true
  /** smallest message, and the unit its length must be a multiple of, when encrypting and when decrypting */
  readonly input?: readonly [plain: number, cipher: number, unit: number]
  /** the key is two keys of the cipher, one after the other */
  readonly twoKeys?: true
}

const range = (from: number, to: number, step = 1): number[] => Array.from({ length: (to - from) / step + 1 }, (_, i) => from + i * step)
const GCM_TAGS = [4, 8, ...range(12, 16)]

export const MODES: Readonly<Record<string, ModeRow>> = {
  ECB: { blocks: true },
  CBC: { blocks: true, iv: 'block' },
  PCBC: { blocks: true, iv: 'block' },
  CFB: { iv: 'block' },
  OFB: { iv: 'block' },
  CTR: { iv: 'block' },
  GCM: { iv: range(1, 128), ivWanted: 12, tags: GCM_TAGS },
  CCM: { iv: range(7, 13), ivWanted: 12, tags: range(4, 16, 2), whole: true },
  XTS: { iv: [16], whole: true, input: [16, 16, 1], twoKeys: true },
  NISTKeyWrap: { iv: [8], ivOptional: true, whole: true, input: [16, 24, 8] },
  AESKeyWrapPadding: { iv: [4], ivOptional: true, whole: true, input: [1, 16, 1] },
  AEAD: { iv: [12], tags: GCM_TAGS },
  stream: { iv: [12, 8, 16] },
  pad: {},
}

/** A symmetric cipher. `names` maps a mode to OpenSSL's name, with `#` for the key's bits; a mode composed here of ECB maps to ECB's. */
export interface CipherRow {
  /** bytes; 1 for a stream cipher */
  readonly block: number
  /** lengths of key; any for the one-time pad */
  readonly keyBytes: readonly number[] | 'any'
  /** mode taken when Block Cipher Mode is absent */
  readonly defaultMode?: string
  readonly names: Readonly<Record<string, string>>
  /** modes that OpenSSL lacks and that are built on ECB */
  readonly composed: readonly string[]
  /** brings a key to the length that OpenSSL's name wants */
  readonly expand?: (key: Uint8Array) => Uint8Array
}

const block128 = (prefix: string, ...modes: string[]): Readonly<Record<string, string>> =>
  Object.fromEntries(modes.map(mode => [mode, `${prefix}-${mode === 'PCBC' ? 'ecb' : mode.toLowerCase()}`]))

/** Two-key and single DES as three-key DES: K1 K2 K1, and K1 K1 K1. */
const tripleDesKey = (key: Uint8Array): Uint8Array => (key.length === 24 ? key : Buffer.concat([key, key, key]).subarray(0, 24))

const DES3_NAMES = { ECB: 'des-ede3', CBC: 'des-ede3-cbc', PCBC: 'des-ede3', CFB: 'des-ede3-cfb', OFB: 'des-ede3-ofb', CTR: 'des-ede3' }

export const CIPHERS: Readonly<Record<string, CipherRow>> = {
  AES: {
    block: 16,
    keyBytes: [16, 24, 32],
    names: {
      ...block128('aes-#', 'ECB', 'CBC', 'PCBC', 'CFB', 'OFB', 'CTR', 'GCM', 'CCM', 'XTS'),
      NISTKeyWrap: 'id-aes#-wrap',
      AESKeyWrapPadding: 'id-aes#-wrap-pad',
    },
    composed: ['PCBC'],
  },
  DES3: { block: 8, keyBytes: [8, 16, 24], names: DES3_NAMES, composed: ['PCBC', 'CTR'], expand: tripleDesKey },
  DES: { block: 8, keyBytes: [8], names: DES3_NAMES, composed: ['PCBC', 'CTR'], expand: tripleDesKey },
  Camellia: {
    block: 16,
    keyBytes: [16, 24, 32],
    names: block128('camellia-#', 'ECB', 'CBC', 'PCBC', 'CFB', 'OFB', 'CTR'),
    composed: ['PCBC'],
  },
  ARIA: {
    block: 16,
    keyBytes: [16, 24, 32],
    names: block128('aria-#', 'ECB', 'CBC', 'PCBC', 'CFB', 'OFB', 'CTR', 'GCM', 'CCM'),
    composed: ['PCBC'],
  },
  SM4: { block: 16, keyBytes: [16], names: block128('sm4', 'ECB', 'CBC', 'PCBC', 'CFB', 'OFB', 'CTR'), composed: ['PCBC'] },
  ChaCha20: { block: 1, keyBytes: [32], defaultMode: 'stream', names: { stream: 'chacha20' }, composed: [] },
  ChaCha20Poly1305: { block: 1, keyBytes: [32], defaultMode: 'AEAD', names: { AEAD: 'chacha20-poly1305' }, composed: [] },
  OneTimePad: { block: 1, keyBytes: 'any', defaultMode: 'pad', names: { pad: '' }, composed: ['pad'] },
}

/**
 * Key lengths of symmetric algorithms: Cryptographic Length in bits to bytes of material, for all that can be made, also those whose
 * cipher is not here. A DES key is counted with or without its parity bits.
 */
export const SYMMETRIC_KEYS: Readonly<Record<string, { readonly bits: Readonly<Record<number, number>> | 'any'; readonly parity?: true }>> =
  {
    AES: { bits: { 128: 16, 192: 24, 256: 32, 512: 64 } },
    DES: { bits: { 56: 7 + 1, 64: 8 }, parity: true },
    DES3: { bits: { 56: 8, 64: 8, 112: 16, 128: 16, 168: 24, 192: 24 }, parity: true },
    Camellia: { bits: { 128: 16, 192: 24, 256: 32 } },
    ARIA: { bits: { 128: 16, 192: 24, 256: 32 } },
    SM4: { bits: { 128: 16 } },
    SEED: { bits: { 128: 16 } },
    IDEA: { bits: { 128: 16 } },
    MARS: { bits: { 128: 16, 192: 24, 256: 32 } },
    Twofish: { bits: { 128: 16, 192: 24, 256: 32 } },
    SKIPJACK: { bits: { 80: 10 } },
    GOST28147_89: { bits: { 256: 32 } },
    GOSTR34_13_2015: { bits: { 256: 32 } },
    ChaCha20: { bits: { 128: 16, 256: 32 } },
    ChaCha20Poly1305: { bits: { 256: 32 } },
    Poly1305: { bits: { 256: 32 } },
    Blowfish: { bits: 'any' },
    CAST5: { bits: 'any' },
    RC2: { bits: 'any' },
    RC4: { bits: 'any' },
    RC5: { bits: 'any' },
    OneTimePad: { bits: 'any' },
    HMAC_MD5: { bits: 'any' },
    HMAC_SHA1: { bits: 'any' },
    HMAC_SHA224: { bits: 'any' },
    HMAC_SHA256: { bits: 'any' },
    HMAC_SHA384: { bits: 'any' },
    HMAC_SHA512: { bits: 'any' },
    HMAC_SHA3_224: { bits: 'any' },
    HMAC_SHA3_256: { bits: 'any' },
    HMAC_SHA3_384: { bits: 'any' },
    HMAC_SHA3_512: { bits: 'any' },
  }

/** A hash: OpenSSL's name, digest bytes, and the DER in front of a digest in a PKCS #1 v1.5 signature (hex). */
export interface HashRow {
  readonly name: string
  readonly bytes: number
  readonly digestInfo: string
}

const nistInfo = (arc: number, bytes: number): string => {
  const hex = (n: number): string => n.toString(16).padStart(2, '0')
  return `30${hex(17 + bytes)}300d0609608648016503040${'2'}${hex(arc)}050004${hex(bytes)}`
}

export const HASHES: Readonly<Record<string, HashRow>> = {
  MD5: { name: 'md5', bytes: 16, digestInfo: '3020300c06082a864886f70d020505000410' },
  SHA_1: { name: 'sha1', bytes: 20, digestInfo: '3021300906052b0e03021a05000414' },
  SHA_224: { name: 'sha224', bytes: 28, digestInfo: nistInfo(4, 28) },
  SHA_256: { name: 'sha256', bytes: 32, digestInfo: nistInfo(1, 32) },
  SHA_384: { name: 'sha384', bytes: 48, digestInfo: nistInfo(2, 48) },
  SHA_512: { name: 'sha512', bytes: 64, digestInfo: nistInfo(3, 64) },
  SHA_512_224: { name: 'sha512-224', bytes: 28, digestInfo: nistInfo(5, 28) },
  SHA_512_256: { name: 'sha512-256', bytes: 32, digestInfo: nistInfo(6, 32) },
  SHA3_224: { name: 'sha3-224', bytes: 28, digestInfo: nistInfo(7, 28) },
  SHA3_256: { name: 'sha3-256', bytes: 32, digestInfo: nistInfo(8, 32) },
  SHA3_384: { name: 'sha3-384', bytes: 48, digestInfo: nistInfo(9, 48) },
  SHA3_512: { name: 'sha3-512', bytes: 64, digestInfo: nistInfo(10, 64) },
  RIPEMD_160: { name: 'ripemd160', bytes: 20, digestInfo: '3021300906052b2403020105000414' },
}

/** The hash of each HMAC algorithm. */
export const HMACS: Readonly<Record<string, string>> = {
  HMAC_MD5: 'MD5',
  HMAC_SHA1: 'SHA_1',
  HMAC_SHA224: 'SHA_224',
  HMAC_SHA256: 'SHA_256',
  HMAC_SHA384: 'SHA_384',
  HMAC_SHA512: 'SHA_512',
  HMAC_SHA3_224: 'SHA3_224',
  HMAC_SHA3_256: 'SHA3_256',
  HMAC_SHA3_384: 'SHA3_384',
  HMAC_SHA3_512: 'SHA3_512',
}

/** What a Digital Signature Algorithm fixes: the kind of key, the hash and, for RSA, the padding. */
export interface SignatureRow {
  readonly key: 'RSA' | 'DSA' | 'EC'
  readonly hash?: string
  readonly padding?: 'PKCS1V1_5' | 'PSS'
}

const rsa = (hash: string): SignatureRow => ({ key: 'RSA', hash, padding: 'PKCS1V1_5' })

export const SIGNATURES: Readonly<Record<string, SignatureRow>> = {
  MD5WithRSAEncryption: rsa('MD5'),
  SHA_1WithRSAEncryption: rsa('SHA_1'),
  SHA_224WithRSAEncryption: rsa('SHA_224'),
  SHA_256WithRSAEncryption: rsa('SHA_256'),
  SHA_384WithRSAEncryption: rsa('SHA_384'),
  SHA_512WithRSAEncryption: rsa('SHA_512'),
  SHA3_256WithRSAEncryption: rsa('SHA3_256'),
  SHA3_384WithRSAEncryption: rsa('SHA3_384'),
  SHA3_512WithRSAEncryption: rsa('SHA3_512'),
  RSASSA_PSS: { key: 'RSA', padding: 'PSS' },
  DSAWithSHA_1: { key: 'DSA', hash: 'SHA_1' },
  DSAWithSHA224: { key: 'DSA', hash: 'SHA_224' },
  DSAWithSHA256: { key: 'DSA', hash: 'SHA_256' },
  ECDSAWithSHA_1: { key: 'EC', hash: 'SHA_1' },
  ECDSAWithSHA224: { key: 'EC', hash: 'SHA_224' },
  ECDSAWithSHA256: { key: 'EC', hash: 'SHA_256' },
  ECDSAWithSHA384: { key: 'EC', hash: 'SHA_384' },
  ECDSAWithSHA512: { key: 'EC', hash: 'SHA_512' },
}
