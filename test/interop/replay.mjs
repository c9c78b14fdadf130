// Says again what a client said to another server. A recording is a list of messages {direction, operation, hex, kmip, conn, seq}; what the
// recorded server had made (identifiers, ciphertexts, signatures) is replaced by what this one makes in the same place.
import { decode, encode } from '../../dist/ttlv/binary.js'
import { ENUM } from '../../dist/ttlv/enumerations.js'
import { child, TYPE } from '../../dist/ttlv/item.js'
import { TAG } from '../../dist/ttlv/tags.js'
import { checkAnswer } from './connection.mjs'

const IDENTIFIERS = new Set([
  TAG.UniqueIdentifier,
  TAG.PrivateKeyUniqueIdentifier,
  TAG.PublicKeyUniqueIdentifier,
  TAG.LinkedObjectIdentifier,
])
const MADE = new Set([TAG.Data, TAG.IVCounterNonce, TAG.SignatureData, TAG.MACData, TAG.AuthenticatedEncryptionTag])

/**
 * Each answer must have the form that every client needs and, where the recorded server succeeded, must be a success; of a client that sends
 * malformed messages only the form counts.
 */
export async function replay(client, messages, { open, check }) {
  const isMalformed = client.startsWith('malformed')
  const known = new Map()
  const connections = new Map()
  for (let index = 0; index + 1 < messages.length; index += 2) {
    const [request, response] = [messages[index], messages[index + 1]]
    await check(`${index / 2 + 1} ${request.operation} in ${request.kmip}`, async () => {
      let connection = connections.get(request.conn)
      if (connection === undefined) {
        connection = await open()
        connections.set(request.conn, connection)
      }
      const recorded = decode(Buffer.from(response.hex, 'hex'))
      const message = translated(decode(Buffer.from(request.hex, 'hex')), known)
      let answer
      try {
        const { message: bytes, records } = await connection.send(encode(message))
        if (records !== 1) throw new Error(`the answer came in ${records} TLS records`)
        answer = decode(bytes)
      } catch (error) {
        connections.delete(request.conn)
        throw error
      }
      const replies = checkAnswer(message, answer)
      learn(recorded, answer, known)
      if (isMalformed) return
      for (const [place, item] of recorded.value.filter(one => one.tag === TAG.BatchItem).entries()) {
        if (child(item, TAG.ResultStatus).value !== ENUM.ResultStatus.Success) continue
        if (replies[place] === undefined) throw new Error('an item of the answer is missing')
        const reply = replies[place].succeeded()
        if (request.operation === 'Decrypt') sameBytes(reply.at('Data'), child(child(item, TAG.ResponsePayload), TAG.Data).value)
      }
    })
  }
}

function sameBytes(actual, expected) {
  if (!actual?.equals(expected)) throw new Error(`${actual?.toString('hex')} instead of ${expected.toString('hex')}`)
}

const keyOf = item => `${item.tag}:${Buffer.isBuffer(item.value) ? item.value.toString('hex') : item.value}`

function translated(item, known) {
  if (item.type === TYPE.Structure) return { ...item, value: item.value.map(one => translated(one, known)) }
  if (item.type === TYPE.TextString && IDENTIFIERS.has(item.tag)) return { ...item, value: known.get(`id:${item.value}`) ?? item.value }
  if (item.type === TYPE.ByteString && MADE.has(item.tag)) return { ...item, value: known.get(keyOf(item)) ?? item.value }
  return item
}

/** Remember what stands where the recorded answer has something of its server's. */
function learn(recorded, answer, known) {
  if (recorded.type !== TYPE.Structure || answer.type !== TYPE.Structure) {
    if (recorded.tag !== answer.tag) return
    if (IDENTIFIERS.has(recorded.tag)) known.set(`id:${recorded.value}`, answer.value)
    else if (MADE.has(recorded.tag)) known.set(keyOf(recorded), answer.value)
    return
  }
  const seen = new Map()
  for (const item of recorded.value) {
    const nth = seen.get(item.tag) ?? 0
    seen.set(item.tag, nth + 1)
    const other = answer.value.filter(one => one.tag === item.tag)[nth]
    if (other !== undefined) learn(item, other, known)
  }
}
