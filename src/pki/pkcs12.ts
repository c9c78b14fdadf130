/**
 * PKCS #12 files: private keys and certificates under a password.
 *
 *   const { privateKeys, certificates } = await parsePkcs12(file, 'password')
 *   const file = await makePkcs12({ privateKeys, certificates }, 'password')
 *
 * Spec: RFC 7292; KMIP 1.4 section 9.1.3.2.3 (Key Format Type PKCS#12).
 */
import type { BaseBlock } from 'asn1js'
import * as der from './der.ts'
import { PkiError } from './error.ts'
import { decryptBy, encryptBy, macData, macHolds, octetsOf, type Secret, secretOf, wrongPassword } from './password.ts'

/** What a file says of a key or certificate; the same Local Key ID ties a key to its certificate. */
export interface Pkcs12Attributes {
  readonly friendlyName?: string
  readonly localKeyId?: Buffer
}

/** Contents of a file, in its order. Byte strings may be views into what was read. */
export interface Pkcs12 {
  /** PKCS #8 PrivateKeyInfo, byte for byte as it was in the file */
  readonly privateKeys: readonly (Pkcs12Attributes & { readonly pkcs8: Buffer })[]
  /** X.509, DER */
  readonly certificates: readonly (Pkcs12Attributes & { readonly der: Buffer })[]
}

const OID = {
  data: '1.2.840.113549.1.7.1',
  encryptedData: '1.2.840.113549.1.7.6',
  keyBag: '1.2.840.113549.1.12.10.1.1',
  shroudedKeyBag: '1.2.840.113549.1.12.10.1.2',
  certificateBag: '1.2.840.113549.1.12.10.1.3',
  safeContentsBag: '1.2.840.113549.1.12.10.1.6',
  x509: '1.2.840.113549.1.9.22.1',
  friendlyName: '1.2.840.113549.1.9.20',
  localKeyId: '1.2.840.113549.1.9.21',
} as const

/** Iterations spent on reading one file, all derivations together; a hostile file could ask for hours. */
const MAX_ITERATIONS = 5_000_000
const MAX_NESTING = 4
/** Iterations of each derivation of a file that is written: as many as keytool's. */
const ITERATIONS = 10_000

interface Found {
  readonly privateKeys: (Pkcs12Attributes & { pkcs8: Buffer })[]
  readonly certificates: (Pkcs12Attributes & { der: Buffer })[]
}

/**
 * Read a file. Bags of CRLs and other secrets are passed over.
 * @param password  '' for none
 * @throws PkiError `password` when it does not open the file; `malformed`; `unsupported` for a file that is protected by a public key,
 *         an algorithm that is not known, or more iterations than are spent on one file
 */
export async function parsePkcs12(file: Uint8Array, password: string, maxIterations = MAX_ITERATIONS): Promise<Pkcs12> {
  const [version, authenticated, mac] = der.inside(der.read(file, 'PKCS#12'), 'PKCS#12')
  if (!version || der.content(version).toString('hex') !== '03') throw new PkiError('malformed', 'PKCS#12: not a file of version 3')
  const content = dataOf(authenticated)
  const secret = await fitting(password, maxIterations, mac, content)
  const found: Found = { privateKeys: [], certificates: [] }
  for (const part of der.inside(der.read(content, 'PKCS#12'), 'PKCS#12')) await readSafe(await opened(part, secret), secret, found, 0)
  return found
}

/** The secret that the MAC holds for. Of no password some writers make two zero bytes, and some none. */
async function fitting(password: string, maxIterations: number, mac: BaseBlock | undefined, content: Buffer): Promise<Secret> {
  const secret = secretOf(password, maxIterations)
  if (!mac || (await macHolds(mac, content, secret))) return secret
  const none = { ...secret, bmp: Buffer.alloc(0) }
  if (password === '' && (await macHolds(mac, content, none))) return none
  throw wrongPassword()
}

/** Type and content of a ContentInfo, or of a bag: an object identifier, and [0] around something. */
function typed(block: BaseBlock | undefined, what: string): { type: string; value: BaseBlock; rest: readonly BaseBlock[] } {
  const [id, wrapped, ...rest] = der.inside(block, what)
  const [value] = der.isContext(wrapped, 0) ? der.inside(wrapped, what) : []
  if (!value) throw new PkiError('malformed', `${what}: a part of it is missing`)
  return { type: der.dotted(id, what), value, rest }
}

function dataOf(block: BaseBlock | undefined): Buffer {
  const { type, value } = typed(block, 'PKCS#12')
  if (type !== OID.data) throw new PkiError('unsupported', 'PKCS#12: files that are signed with a key pair are not read')
  return octetsOf(value, 'content')
}

/** A part of the file in clear text. */
async function opened(part: BaseBlock, secret: Secret): Promise<Buffer> {
  const { type, value } = typed(part, 'PKCS#12 part')
  if (type === OID.data) return octetsOf(value, 'content')
  if (type !== OID.encryptedData) throw new PkiError('unsupported', 'PKCS#12: parts that are encrypted to a key pair are not read')
  const [, info] = der.inside(value, 'PKCS#12 part')
  const [, algorithm, content] = der.inside(info, 'PKCS#12 part')
  return decryptBy(algorithm, octetsOf(content, 'content'), secret)
}

/** What was decrypted and is no DER was decrypted by a wrong key. */
function readDecrypted(bytes: Buffer): BaseBlock {
  try {
    return der.read(bytes, 'PKCS#12 part')
  } catch (cause) {
    throw wrongPassword(cause)
  }
}

async function readSafe(contents: Buffer, secret: Secret, found: Found, depth: number): Promise<void> {
  await readBags(der.inside(readDecrypted(contents), 'PKCS#12 part'), secret, found, depth)
}

async function readBags(bags: readonly BaseBlock[], secret: Secret, found: Found, depth: number): Promise<void> {
  if (depth > MAX_NESTING) throw new PkiError('malformed', `PKCS#12: bags are nested more than ${MAX_NESTING} deep`)
  for (const bag of bags) {
    const { type, value, rest } = typed(bag, 'PKCS#12 bag')
    const attributes = attributesOf(rest[0])
    if (type === OID.keyBag) found.privateKeys.push({ pkcs8: der.raw(value), ...attributes })
    if (type === OID.shroudedKeyBag) found.privateKeys.push({ pkcs8: await shrouded(value, secret), ...attributes })
    if (type === OID.certificateBag) found.certificates.push({ der: certificateOf(value), ...attributes })
    if (type === OID.safeContentsBag) await readBags(der.inside(value, 'PKCS#12 bag'), secret, found, depth + 1)
  }
}

async function shrouded(value: BaseBlock, secret: Secret): Promise<Buffer> {
  const [algorithm, data] = der.inside(value, 'PKCS#12 key')
  const pkcs8 = await decryptBy(algorithm, octetsOf(data, 'key'), secret)
  readDecrypted(pkcs8)
  return pkcs8
}

function certificateOf(value: BaseBlock): Buffer {
  const { type, value: certificate } = typed(value, 'PKCS#12 certificate')
  if (type !== OID.x509) throw new PkiError('unsupported', 'PKCS#12: only certificates of X.509 are read')
  return octetsOf(certificate, 'certificate')
}

function attributesOf(set: BaseBlock | undefined): Pkcs12Attributes {
  const attributes: { friendlyName?: string; localKeyId?: Buffer } = {}
  for (const attribute of set ? der.inside(set, 'PKCS#12 attributes') : []) {
    const [id, values] = der.inside(attribute, 'PKCS#12 attribute')
    const type = der.dotted(id, 'PKCS#12 attribute')
    const [value] = der.inside(values, 'PKCS#12 attribute')
    if (value && type === OID.localKeyId) attributes.localKeyId = octetsOf(value, 'Local Key ID')
    if (value && type === OID.friendlyName) attributes.friendlyName = textOf(der.content(value))
  }
  return attributes
}

/** A BMPString: UTF-16, big-endian. */
function textOf(bytes: Buffer): string {
  if (bytes.length % 2 !== 0) throw new PkiError('malformed', 'PKCS#12: a Friendly Name is not of whole characters')
  return Buffer.from(bytes).swap16().toString('utf16le')
}

const bag = (type: string, value: Buffer, { friendlyName, localKeyId }: Pkcs12Attributes): Buffer => {
  const attribute = (id: string, content: Buffer): Buffer => der.sequence(der.oid(id), der.set(content))
  const attributes = [
    ...(friendlyName === undefined ? [] : [attribute(OID.friendlyName, der.item(0x1e, Buffer.from(friendlyName, 'utf16le').swap16()))]),
    ...(localKeyId === undefined ? [] : [attribute(OID.localKeyId, der.octets(localKeyId))]),
  ].sort(Buffer.compare)
  return der.sequence(der.oid(type), der.item(0xa0, value), ...(attributes.length > 0 ? [der.set(...attributes)] : []))
}

const part = (type: string, value: Buffer): Buffer => der.sequence(der.oid(type), der.item(0xa0, value))

/**
 * Write a file: keys and certificates by PBES2 (PBKDF2 with HMAC-SHA-256, AES-256-CBC), the whole under a MAC by SHA-256.
 * @param iterations  of each derivation
 * @returns DER
 */
export async function makePkcs12(contents: Pkcs12, password: string, iterations = ITERATIONS): Promise<Buffer> {
  const secret = secretOf(password, 0)
  const parts: Buffer[] = []
  if (contents.certificates.length > 0) {
    const bags = contents.certificates.map(one =>
      bag(OID.certificateBag, der.sequence(der.oid(OID.x509), der.item(0xa0, der.octets(one.der))), one),
    )
    const { algorithm, data } = await encryptBy(der.sequence(...bags), secret, iterations)
    const info = der.sequence(der.oid(OID.data), algorithm, der.item(0x80, data))
    parts.push(part(OID.encryptedData, der.sequence(der.unsigned(Buffer.of(0)), info)))
  }
  if (contents.privateKeys.length > 0) {
    const bags: Buffer[] = []
    for (const one of contents.privateKeys) {
      const { algorithm, data } = await encryptBy(one.pkcs8, secret, iterations)
      bags.push(bag(OID.shroudedKeyBag, der.sequence(algorithm, der.octets(data)), one))
    }
    parts.push(part(OID.data, der.octets(der.sequence(...bags))))
  }
  const content = der.sequence(...parts)
  const mac = await macData(content, secret, iterations)
  return der.sequence(der.unsigned(Buffer.of(3)), part(OID.data, der.octets(content)), mac)
}
