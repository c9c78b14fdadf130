import { ENUM } from '../ttlv/enumerations.ts'
import { child, enumeration, type Item, integer, structure } from '../ttlv/item.ts'
import { TAG } from '../ttlv/tags.ts'
import type { Transport } from './run-case.ts'
import { batchItems, type Left, numberIn } from './session.ts'

const { Operation, ResultStatus, ResultReason } = ENUM

/**
 * Destroy objects that a case left behind, revoking and recovering them first where that is needed. What cannot be destroyed stays:
 * the outcome of the case is not to depend on it.
 */
export async function cleanUp(left: readonly Left[], transport: Transport): Promise<void> {
  for (const object of left) {
    try {
      const first = await send(object, Operation.Destroy, [], transport)
      if (first === 'done') continue
      if (first === ResultReason.ObjectArchived) await send(object, Operation.Recover, [], transport)
      const reason = enumeration(TAG.RevocationReasonCode, ENUM.RevocationReasonCode.CessationOfOperation)
      await send(object, Operation.Revoke, [structure(TAG.RevocationReason, [reason])], transport)
      await send(object, Operation.Destroy, [], transport)
    } catch {
      // A server that no longer answers cannot be cleaned up; the case has failed for that already.
      return
    }
  }
}

/** `done`, or the reason why not. */
async function send(object: Left, operation: number, fields: readonly Item[], transport: Transport): Promise<'done' | number | undefined> {
  const { id, version, sender, authentication } = object
  const header: Item[] = [
    structure(TAG.ProtocolVersion, [
      integer(TAG.ProtocolVersionMajor, Math.floor(version / 10)),
      integer(TAG.ProtocolVersionMinor, version % 10),
    ]),
  ]
  if (authentication !== undefined) header.push(authentication)
  if (version < 30) header.push(integer(TAG.BatchCount, 1))
  const payload = structure(TAG.RequestPayload, [{ ...id, tag: TAG.UniqueIdentifier } as Item, ...fields])
  const item = structure(TAG.BatchItem, [enumeration(TAG.Operation, operation), payload])
  const response = await transport.exchange(sender, structure(TAG.RequestMessage, [structure(TAG.RequestHeader, header), item]))
  const [answer] = batchItems(response)
  if (answer === undefined) return undefined
  if (numberIn(answer, TAG.ResultStatus) === ResultStatus.Success) return 'done'
  return child(answer, TAG.ResultReason) && numberIn(answer, TAG.ResultReason)
}
