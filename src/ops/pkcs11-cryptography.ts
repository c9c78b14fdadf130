import { ENUM } from '../ttlv/enumerations.ts'
import type { Context } from './context.ts'
import type { Begun, Session, Work } from './pkcs11-applications.ts'
import { type Call, objectOf, type Pkcs11Function, run, sessionOf } from './pkcs11-call.ts'
import { meaningOf, rowOf } from './pkcs11-mechanisms.ts'
import { count, data, Pkcs11Error } from './pkcs11-wire.ts'

// Cryptography by PKCS#11: Init names mechanism and key, the next call works on the whole of the data.

const USES = { encrypt: ['cipher'], decrypt: ['cipher'], sign: ['sign', 'mac'], verify: ['sign', 'mac'], digest: ['digest'] } as const

export const begin =
  (work: Work): Pkcs11Function =>
  async call => {
    const session = sessionOf(call)
    const mechanism = call.input.mechanism()
    meaningOf(mechanism, USES[work])
    const begun = session.begun.get(work)
    if (begun && !begun.endedBy) throw new Pkcs11Error('OPERATION_ACTIVE')
    const key = work === 'digest' ? undefined : (await objectOf(call.input.ulong(), call, 'KEY_HANDLE_INVALID')).id
    session.begun.set(work, { mechanism, key })
    return undefined
  }

/** What Init began. @throws Pkcs11Error Operation Not Initialized */
function begunOf(session: Session, work: Work, context: Context): Begun {
  const begun = session.begun.get(work)
  if (!begun || (begun.endedBy && begun.endedBy !== context.item)) throw new Pkcs11Error('OPERATION_NOT_INITIALIZED')
  return begun
}

/** A result that ends what Init began, unless only its length is asked for or there is no room for it. */
async function ending(begun: Begun, call: Call, work: () => Promise<Buffer>): Promise<Buffer> {
  const room = call.input.room()
  call.input.end()
  begun.endedBy = call.context.item
  const result = await work()
  if (room.wanted && result.length <= room.limit) return data(result)
  begun.endedBy = undefined
  if (room.wanted) throw new Pkcs11Error('BUFFER_TOO_SMALL')
  return count(result.length)
}

const GCM_TAG_BYTES = 16

export const encrypt: Pkcs11Function = async call => {
  const begun = begunOf(sessionOf(call), 'encrypt', call.context)
  const plain = call.input.data()
  return ending(begun, call, async () => {
    const { parameters, iv, aad } = meaningOf(begun.mechanism, USES.encrypt)
    const request = { uniqueIdentifier: begun.key, cryptographicParameters: parameters, data: plain, ivCounterNonce: iv }
    const done = await run('Encrypt', { ...request, authenticatedEncryptionAdditionalData: aad }, call.context)
    return Buffer.concat([(done.data as Buffer) ?? Buffer.alloc(0), (done.authenticatedEncryptionTag as Buffer) ?? Buffer.alloc(0)])
  })
}

export const decrypt: Pkcs11Function = async call => {
  const begun = begunOf(sessionOf(call), 'decrypt', call.context)
  const input = call.input.data()
  return ending(begun, call, async () => {
    const { parameters, iv, aad } = meaningOf(begun.mechanism, USES.decrypt)
    const tagged = parameters.blockCipherMode === ENUM.BlockCipherMode.GCM
    const cut = tagged ? input.length - (parameters.tagLength ?? GCM_TAG_BYTES) : input.length
    if (cut < 0) throw new Pkcs11Error('DATA_LEN_RANGE')
    const request = { uniqueIdentifier: begun.key, cryptographicParameters: parameters, data: input.subarray(0, cut), ivCounterNonce: iv }
    const more = { authenticatedEncryptionAdditionalData: aad, ...(tagged ? { authenticatedEncryptionTag: input.subarray(cut) } : {}) }
    return ((await run('Decrypt', { ...request, ...more }, call.context)).data as Buffer) ?? Buffer.alloc(0)
  })
}

export const sign: Pkcs11Function = async call => {
  const begun = begunOf(sessionOf(call), 'sign', call.context)
  const message = call.input.data()
  return ending(begun, call, async () => {
    const { parameters } = meaningOf(begun.mechanism, USES.sign)
    const request = { uniqueIdentifier: begun.key, cryptographicParameters: parameters, data: message }
    if (rowOf(begun.mechanism, USES.sign).use === 'mac') return (await run('MAC', request, call.context)).macData as Buffer
    return (await run('Sign', request, call.context)).signatureData as Buffer
  })
}

export const verify: Pkcs11Function = async call => {
  const begun = begunOf(sessionOf(call), 'verify', call.context)
  const message = call.input.data()
  const signature = call.input.data()
  call.input.end()
  begun.endedBy = call.context.item
  const { parameters } = meaningOf(begun.mechanism, USES.verify)
  const request = { uniqueIdentifier: begun.key, cryptographicParameters: parameters, data: message }
  const mac = rowOf(begun.mechanism, USES.verify).use === 'mac'
  const done = mac
    ? await run('MACVerify', { ...request, macData: signature }, call.context)
    : await run('SignatureVerify', { ...request, signatureData: signature }, call.context)
  if (done.validityIndicator !== ENUM.ValidityIndicator.Valid) throw new Pkcs11Error('SIGNATURE_INVALID')
  return undefined
}

export const digest: Pkcs11Function = async call => {
  const begun = begunOf(sessionOf(call), 'digest', call.context)
  const message = call.input.data()
  return ending(begun, call, async () => {
    const { parameters } = meaningOf(begun.mechanism, USES.digest)
    return (await run('Hash', { cryptographicParameters: parameters, data: message }, call.context)).data as Buffer
  })
}
