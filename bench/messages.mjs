import { randomBytes } from 'node:crypto'
import { pathToFileURL } from 'node:url'

/** @typedef {'create' | 'get' | 'locate' | 'encrypt' | 'register'} Operation */

const ID = '00000000-0000-0000-0000-000000000000'
const NAME = 'bench-0000000000'

/** Where the value of Operation stands in a request, and what an answer to a request with one batch item has where. */
export const REQUEST_OPERATION = 88
export const ANSWER = { statusTag: 112, status: 120, createdId: 160, head: 200 }
export const RESULT_STATUS = 0x42007f05

/** @param {number} n */
export const nameOf = n => `bench-${String(n).padStart(10, '0')}`

/**
 * Requests of one batch item each, encoded once, in KMIP 1.4.
 * @param {string} dist folder of the built kmipd
 */
export async function messages(dist) {
  const load = name => import(pathToFileURL(`${dist}/${name}.js`).href)
  const [{ encode }, { boolean, bytes, dateTime, enumeration, integer, structure, text }, { TAG }, { ENUM, MASK }] = await Promise.all(
    ['ttlv/binary', 'ttlv/item', 'ttlv/tags', 'ttlv/enumerations'].map(load),
  )
  const [{ requestMessage }, { attribute, nameItem }] = await Promise.all(['client/message', 'client/operations'].map(load))

  const id = text(TAG.UniqueIdentifier, ID)
  const named = attribute(nameItem(NAME))
  const aes = enumeration(TAG.CryptographicAlgorithm, ENUM.CryptographicAlgorithm.AES)
  const bits = integer(TAG.CryptographicLength, 256)
  const usage = integer(TAG.CryptographicUsageMask, MASK.CryptographicUsageMask.Encrypt | MASK.CryptographicUsageMask.Decrypt)
  const symmetric = enumeration(TAG.ObjectType, ENUM.ObjectType.SymmetricKey)
  const template = attributes => structure(TAG.TemplateAttribute, attributes)
  const key = [
    enumeration(TAG.KeyFormatType, ENUM.KeyFormatType.Raw),
    structure(TAG.KeyValue, [bytes(TAG.KeyMaterial, randomBytes(32))]),
    aes,
    bits,
  ]
  const gcm = structure(TAG.CryptographicParameters, [
    enumeration(TAG.BlockCipherMode, ENUM.BlockCipherMode.GCM),
    boolean(TAG.RandomIV, true),
    integer(TAG.TagLength, 16),
  ])
  // The keys are active, or nothing could be encrypted with them.
  const active = attribute(dateTime(TAG.ActivationDate, 1_000_000_000n))
  const rows = {
    create: ['Create', [symmetric, template([attribute(aes), attribute(bits), attribute(usage), named, active])]],
    get: ['Get', [id]],
    locate: ['Locate', [named]],
    encrypt: ['Encrypt', [id, gcm, bytes(TAG.Data, randomBytes(1024))]],
    register: ['Register', [symmetric, template([attribute(usage), named]), structure(TAG.SymmetricKey, [structure(TAG.KeyBlock, key)])]],
  }
  return Object.fromEntries(
    Object.entries(rows).map(([name, [operation, payload]]) => [name, new Template(encode(requestMessage([{ operation, payload }])))]),
  )
}

/** A request with a place for an identifier, or for a name. */
class Template {
  /** @param {Buffer} bytes */
  constructor(bytes) {
    this.bytes = bytes
    this.holdsId = bytes.includes(ID)
    this.at = bytes.indexOf(this.holdsId ? ID : NAME)
  }

  /** Bytes that one connection may patch. */
  copy() {
    return Buffer.from(this.bytes)
  }
}
