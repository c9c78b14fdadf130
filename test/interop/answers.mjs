// What the products look at in the answers.
import { randomBytes } from 'node:crypto'
import { ENUM } from '../../dist/ttlv/enumerations.js'
import { equal } from './connection.mjs'
import { algorithm, length, mask, TAG } from './messages.mjs'

export const AES256 = [algorithm('AES'), length(256), mask('Encrypt', 'Decrypt')]
const IDENTIFIER_BYTES = 127

/** One operation that must succeed. */
export const one = async (connection, operation, options) => (await connection.ask([operation], options))[0].succeeded()

/** The same on a connection of its own, as clients do that connect for each call. */
async function alone(lab, operation, options, tls) {
  const connection = await lab.open(tls)
  try {
    return (await connection.ask([operation], options))[0]
  } finally {
    connection.close()
  }
}
export const done = async (lab, operation, options) => (await alone(lab, operation, options)).succeeded()

export function identified(reply, id) {
  if (id !== undefined) equal(reply.id, id, 'Unique Identifier')
  if (!(reply.id?.length > 0 && Buffer.byteLength(reply.id) <= IDENTIFIER_BYTES)) throw new Error(`identifier ${reply.id}`)
  return reply.id
}

/** A plain key: fields in the order that a positional decoder wants, Key Value with the material alone. */
export function plainKey(reply, id, { type = 'SymmetricKey', bits = 256, material, kind = 'AES' } = {}) {
  equal(reply.fields, ['ObjectType', 'UniqueIdentifier', type])
  identified(reply, id)
  const block = [type, 'KeyBlock']
  equal(
    reply.at(...block).map(item => item.tag),
    [TAG.KeyFormatType, TAG.KeyValue, TAG.CryptographicAlgorithm, TAG.CryptographicLength],
    'fields of the key block',
  )
  equal(reply.at(...block, 'KeyFormatType'), ENUM.KeyFormatType.Raw, 'Key Format Type')
  equal(reply.at(...block, 'CryptographicAlgorithm'), ENUM.CryptographicAlgorithm[kind])
  equal(reply.at(...block, 'CryptographicLength'), bits, 'Cryptographic Length')
  equal(reply.at(...block, 'KeyValue').length, 1, 'fields of Key Value')
  const found = reply.at(...block, 'KeyValue', 'KeyMaterial')
  equal(found.length, bits / 8, 'bytes of the key')
  if (material !== undefined && !found.equals(material)) throw new Error('it is another key')
  return found
}

const stateOf = reply => reply.attributes.State?.[0].value
export const isIn = (wanted, reply) => equal(stateOf(reply), ENUM.State[wanted], 'State')
export const name = () => `interop-${randomBytes(6).toString('hex')}`
