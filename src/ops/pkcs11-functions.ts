import { random } from '../crypto/random.ts'
import { ENUM, MASK } from '../ttlv/enumerations.ts'
import { bytes, enumeration, type Item, integer, structure } from '../ttlv/item.ts'
import { ATTRIBUTE as A, CLASS } from '../ttlv/pkcs11.ts'
import { TAG } from '../ttlv/tags.ts'
import type { Context } from './context.ts'
import { symmetricKeyItem } from './create.ts'
import { type Answer, allowed, type Call, isReachable, mayGet, objectOf, type Pkcs11Function, run, sessionOf } from './pkcs11-call.ts'
import { begin, decrypt, digest, encrypt, sign, verify } from './pkcs11-cryptography.ts'
import { MECHANISMS, meaningOf, rowOf } from './pkcs11-mechanisms.ts'
import { attributeValue, fits, Template } from './pkcs11-objects.ts'
import { array, attribute, count, data, Pkcs11Error, padded, UNAVAILABLE, ulong, version } from './pkcs11-wire.ts'

const SLOT = 1
const Usage = MASK.CryptographicUsageMask
const { ObjectType } = ENUM
/** One major and minor number from a version such as `0.1.0`. */
const versionOf = (context: Context): Buffer => {
  const [major = 0, minor = 0] = context.settings.productVersion.split('.').map(Number)
  return version(major, minor)
}

// Flags of slots, tokens, sessions and mechanisms.
const TOKEN_PRESENT = 0x01
const TOKEN_FLAGS = 0x01 | 0x100 | 0x400 // random numbers, login by another way than a PIN, initialized
const RW_SESSION = 0x02
const SERIAL_SESSION = 0x04
const MECHANISM_FLAGS: Readonly<Record<string, number>> = {
  generate: 0x8000,
  cipher: 0x100 | 0x200,
  digest: 0x400,
  sign: 0x800 | 0x2000,
  mac: 0x800 | 0x2000,
}

function slot({ input }: Call): void {
  if (input.ulong() !== SLOT) throw new Pkcs11Error('SLOT_ID_INVALID')
}
function getInfo({ context }: Call): Answer {
  const { productName, serverName } = context.settings
  return Buffer.concat([version(2, 40), padded(productName, 32), ulong(0), padded(serverName, 32), versionOf(context)])
}

function getSlotList({ input }: Call): Answer {
  input.byte()
  return array([ulong(SLOT)], input.room())
}

function getSlotInfo(call: Call): Answer {
  slot(call)
  const { context } = call
  const { productName, serverName } = context.settings
  return Buffer.concat([padded(serverName, 64), padded(productName, 32), ulong(TOKEN_PRESENT), versionOf(context), versionOf(context)])
}

function getTokenInfo(call: Call): Answer {
  slot(call)
  const { context, application } = call
  const { productName } = context.settings
  const writable = [...application.sessions.values()].filter(session => session.writable).length
  return Buffer.concat([
    padded(context.peer.scopeName, 32),
    padded(productName, 32),
    padded('KMIP', 16),
    padded(context.peer.scope, 16),
    ulong(TOKEN_FLAGS),
    ulong(0),
    ulong(application.sessions.size),
    ulong(0),
    ulong(writable),
    ulong(0),
    ulong(0),
    UNAVAILABLE,
    UNAVAILABLE,
    UNAVAILABLE,
    UNAVAILABLE,
    versionOf(context),
    versionOf(context),
    padded('', 16),
  ])
}

function getMechanismList(call: Call): Answer {
  slot(call)
  return array([...MECHANISMS.keys()].map(ulong), call.input.room())
}

function getMechanismInfo(call: Call): Answer {
  slot(call)
  const row = MECHANISMS.get(call.input.ulong())
  if (!row) throw new Pkcs11Error('MECHANISM_INVALID')
  return Buffer.concat([ulong(row.least), ulong(row.most), ulong(MECHANISM_FLAGS[row.use] ?? 0)])
}

function openSession(call: Call): Answer {
  slot(call)
  const flags = call.input.ulong()
  if ((flags & SERIAL_SESSION) === 0) throw new Pkcs11Error('SESSION_PARALLEL_NOT_SUPPORTED')
  return ulong(call.application.open((flags & RW_SESSION) !== 0).handle)
}

function closeSession(call: Call): Answer {
  const { handle } = sessionOf(call)
  call.application.sessions.delete(handle)
  if (call.application.sessions.size === 0) call.application.loggedIn = false
  return undefined
}

function closeAllSessions(call: Call): Answer {
  slot(call)
  call.application.sessions.clear()
  call.application.loggedIn = false
  return undefined
}

function getSessionInfo(call: Call): Answer {
  const { writable } = sessionOf(call)
  const state = (writable ? 2 : 0) + (call.application.loggedIn ? 1 : 0)
  return Buffer.concat([ulong(SLOT), ulong(state), ulong(SERIAL_SESSION | (writable ? RW_SESSION : 0)), ulong(0)])
}

/** The certificate has said who asks; there is no PIN beside it. */
function login(call: Call): Answer {
  sessionOf(call)
  if (call.input.ulong() !== 1) throw new Pkcs11Error('USER_TYPE_INVALID')
  const pin = call.input.left > 0 ? call.input.data() : undefined
  if (pin && pin.length > 0) throw new Pkcs11Error('PIN_INCORRECT')
  if (call.application.loggedIn) throw new Pkcs11Error('USER_ALREADY_LOGGED_IN')
  call.application.loggedIn = true
  return undefined
}

function logout(call: Call): Answer {
  sessionOf(call)
  if (!call.application.loggedIn) throw new Pkcs11Error('USER_NOT_LOGGED_IN')
  call.application.loggedIn = false
  return undefined
}

/** Objects that a search finds at most; more would hold up other clients. */
const MAX_FOUND = 10_000

async function findObjectsInit(call: Call): Promise<Answer> {
  const session = sessionOf(call)
  const template = call.input.template()
  if (session.found) throw new Pkcs11Error('OPERATION_ACTIVE')
  const { context, application } = call
  allowed('Locate', context)
  const found: number[] = []
  for await (const object of context.unit.candidates([])) {
    if (found.length >= MAX_FOUND) break
    if (isReachable(object, context) && fits(object, template, mayGet(context))) found.push(application.handleOf(object.id))
  }
  session.found = found
  return undefined
}

function findObjects(call: Call): Answer {
  const session = sessionOf(call)
  const most = call.input.count()
  if (!session.found) throw new Pkcs11Error('OPERATION_NOT_INITIALIZED')
  const handles = session.found.splice(0, most)
  return Buffer.concat([count(handles.length), ...handles.map(ulong)])
}

function findObjectsFinal(call: Call): Answer {
  const session = sessionOf(call)
  if (!session.found) throw new Pkcs11Error('OPERATION_NOT_INITIALIZED')
  session.found = undefined
  return undefined
}

/** The template with what can be told of it; what cannot makes the return code, and the rest is told all the same. */
export interface Partly {
  readonly output: Buffer
  readonly code: 'ATTRIBUTE_SENSITIVE' | 'ATTRIBUTE_TYPE_INVALID'
}
async function getAttributeValue(call: Call): Promise<Answer> {
  sessionOf(call)
  const object = await objectOf(call.input.ulong(), call, 'OBJECT_HANDLE_INVALID')
  allowed('GetAttributes', call.context)
  const template = call.input.template()
  let code: Partly['code'] | undefined
  const items = template.map(({ type, counted }) => {
    const value = attributeValue(object, type, mayGet(call.context))
    if (value === 'sensitive') code ??= 'ATTRIBUTE_SENSITIVE'
    else if (!value) code ??= 'ATTRIBUTE_TYPE_INVALID'
    return attribute(type, value === 'sensitive' ? undefined : value, counted)
  })
  const output = Buffer.concat([count(items.length), ...items])
  if (code) throw new PartlyDone({ output, code })
  return output
}

/** A function that fails and answers with what it could tell. */
export class PartlyDone extends Error {
  override readonly name = 'PartlyDone'
  readonly partly: Partly
  constructor(partly: Partly) {
    super(`CKR_${partly.code}`)
    this.partly = partly
  }
}

function generateRandom(call: Call): Answer {
  sessionOf(call)
  const length = call.input.count()
  if (length > call.context.settings.maxRandom) throw new Pkcs11Error('ARGUMENTS_BAD')
  allowed('RNGRetrieve', call.context)
  return data(random(length))
}

/** @throws Pkcs11Error Session Read Only */
function writing(call: Call): void {
  if (!sessionOf(call).writable) throw new Pkcs11Error('SESSION_READ_ONLY')
}

async function generateKey(call: Call): Promise<Answer> {
  writing(call)
  const mechanism = call.input.mechanism()
  const { parameters } = meaningOf(mechanism, ['generate'])
  const template = new Template(call.input.template())
  const { least, most } = rowOf(mechanism, ['generate'])
  const length = template.ulong(A.VALUE_LEN) ?? (least === most ? least : undefined)
  if (length === undefined) throw new Pkcs11Error('TEMPLATE_INCOMPLETE')
  if (length < least || length > most) throw new Pkcs11Error('KEY_SIZE_RANGE')
  const algorithm = parameters.cryptographicAlgorithm ?? 0
  // Three keys of eight bytes are 168 bits to KMIP: the bits of parity do not count.
  const bits = algorithm === ENUM.CryptographicAlgorithm.DES3 ? 168 : length * 8
  const described = [enumeration(TAG.CryptographicAlgorithm, algorithm), integer(TAG.CryptographicLength, bits)]
  const usual = algorithm === ENUM.CryptographicAlgorithm.HMAC_SHA256 ? Usage.MACGenerate | Usage.MACVerify : Usage.Encrypt | Usage.Decrypt
  const attributes = template.attributes(call.context, described, usual)
  const made = await run('Create', { objectType: ObjectType.SymmetricKey, attributes }, call.context)
  return ulong(call.application.handleOf(String(made.uniqueIdentifier)))
}

async function createObject(call: Call): Promise<Answer> {
  writing(call)
  const template = new Template(call.input.template())
  const value = template.needed(A.VALUE)
  const kind = template.ulong(A.CLASS)
  let object: Item
  let objectType: number
  let usual = 0
  if (kind === CLASS.SECRET_KEY) {
    object = symmetricKeyItem(value, template.algorithm(), value.length * 8)
    objectType = ObjectType.SymmetricKey
    usual = Usage.Encrypt | Usage.Decrypt
  } else if (kind === CLASS.CERTIFICATE) {
    object = structure(TAG.Certificate, [enumeration(TAG.CertificateType, ENUM.CertificateType.X_509), bytes(TAG.CertificateValue, value)])
    objectType = ObjectType.Certificate
  } else if (kind === CLASS.DATA) {
    object = structure(TAG.OpaqueObject, [enumeration(TAG.OpaqueDataType, 0x8000_0000), bytes(TAG.OpaqueDataValue, value)])
    objectType = ObjectType.OpaqueObject
  } else throw new Pkcs11Error(kind === undefined ? 'TEMPLATE_INCOMPLETE' : 'TEMPLATE_INCONSISTENT')
  const attributes = template.attributes(call.context, [], usual)
  const made = await run('Register', { objectType, attributes, object }, call.context)
  return ulong(call.application.handleOf(String(made.uniqueIdentifier)))
}

/** PKCS#11 destroys what KMIP would first have deactivated. */
async function destroyObject(call: Call): Promise<Answer> {
  writing(call)
  const { context } = call
  const object = await objectOf(call.input.ulong(), call, 'OBJECT_HANDLE_INVALID')
  allowed('Destroy', context)
  if (object.state(context.now()) === ENUM.State.Active) {
    const revocationReason = { revocationReasonCode: ENUM.RevocationReasonCode.CessationOfOperation }
    await run('Revoke', { uniqueIdentifier: object.id, revocationReason }, context)
  }
  await run('Destroy', { uniqueIdentifier: object.id }, context)
  return undefined
}

/** The functions that are done here, but for C_Initialize and C_Finalize; the others answer that they are not supported. */
export const FUNCTIONS: Readonly<Record<string, Pkcs11Function>> = {
  C_GetInfo: getInfo,
  C_GetSlotList: getSlotList,
  C_GetSlotInfo: getSlotInfo,
  C_GetTokenInfo: getTokenInfo,
  C_GetMechanismList: getMechanismList,
  C_GetMechanismInfo: getMechanismInfo,
  C_OpenSession: openSession,
  C_CloseSession: closeSession,
  C_CloseAllSessions: closeAllSessions,
  C_GetSessionInfo: getSessionInfo,
  C_Login: login,
  C_Logout: logout,
  C_FindObjectsInit: findObjectsInit,
  C_FindObjects: findObjects,
  C_FindObjectsFinal: findObjectsFinal,
  C_GetAttributeValue: getAttributeValue,
  C_GenerateRandom: generateRandom,
  C_GenerateKey: generateKey,
  C_CreateObject: createObject,
  C_DestroyObject: destroyObject,
  C_EncryptInit: begin('encrypt'),
  C_Encrypt: encrypt,
  C_DecryptInit: begin('decrypt'),
  C_Decrypt: decrypt,
  C_SignInit: begin('sign'),
  C_Sign: sign,
  C_VerifyInit: begin('verify'),
  C_Verify: verify,
  C_DigestInit: begin('digest'),
  C_Digest: digest,
}
