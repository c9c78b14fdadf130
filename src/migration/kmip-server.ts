import { ClientError, type KmipClient } from '../client/client.ts'
import { KmipFailure } from '../client/message.ts'
import { perform } from '../client/operations.ts'
import { OBJECT_TAG } from '../objects/managed-object.ts'
import { attributeOfTitle } from '../ttlv/attributes.ts'
import { ENUM } from '../ttlv/enumerations.ts'
import { child, enumeration, type Item, integer, type Structure, structure, text } from '../ttlv/item.ts'
import type { Version } from '../ttlv/spec.ts'
import { TAG } from '../ttlv/tags.ts'
import { type Found, type Readable, Unreadable } from './importer.ts'

/** Told by the server, and not to be taken over. */
const OWN = new Set(['Unique Identifier', 'Object Type', 'Lease Time', 'Last Change Date', 'Digest', 'Fresh'])
const OBJECT_TAGS: ReadonlySet<number> = new Set(Object.values(OBJECT_TAG))
/** Versions in which this asks, newest first. Attributes have names in all of them. */
const ASKED: readonly Version[] = [14, 13, 12, 11, 10]

/**
 * The newest version before 2.0 that the server speaks.
 * @throws ClientError `malformed`: none
 */
export async function versionSpoken(client: KmipClient): Promise<Version> {
  for (const version of ASKED) {
    try {
      await perform(
        client,
        { operation: 'Query', payload: [enumeration(TAG.QueryFunction, ENUM.QueryFunction.QueryOperations)] },
        { version },
      )
      return version
    } catch (e) {
      if (!(e instanceof KmipFailure)) throw e
      // A server that knows the version and refuses the question knows the version all the same.
      if (e.item.operation !== undefined && e.reason !== 'InvalidMessage' && e.reason !== 'UnsupportedProtocolVersion') return version
    }
  }
  throw new ClientError('malformed', 'the server speaks none of KMIP 1.0 to 1.4, by which objects are imported')
}

/** All objects that the client may locate. What cannot be had is told when it is read. @throws ClientError, KmipFailure */
export async function* objectsOf(client: KmipClient, version: Version): AsyncGenerator<Found> {
  const seen = new Set<string>()
  for (;;) {
    const offset = seen.size > 0 ? [integer(TAG.OffsetItems, seen.size)] : []
    const payload = await perform(client, { operation: 'Locate', payload: offset }, { version })
    const ids = payload.value.flatMap(item => (item.tag === TAG.UniqueIdentifier && typeof item.value === 'string' ? [item.value] : []))
    const fresh = ids.filter(id => !seen.has(id))
    for (const id of fresh) {
      seen.add(id)
      yield { id, read: () => read(client, version, id) }
    }
    // Offset Items came with KMIP 1.3; before, and where it is not heeded, the first answer is all.
    if (fresh.length === 0 || version < 13) return
  }
}

async function read(client: KmipClient, version: Version, id: string): Promise<Readable> {
  const one = [text(TAG.UniqueIdentifier, id)]
  try {
    const got = await perform(client, { operation: 'Get', payload: one }, { version })
    const object = got.value.find(item => OBJECT_TAGS.has(item.tag))
    if (!object) throw new Unreadable('the answer to Get holds no object')
    const { value } = await perform(client, { operation: 'GetAttributes', payload: one }, { version })
    return { object, ...taken(value) }
  } catch (e) {
    if (e instanceof KmipFailure) throw new Unreadable(e.message, { cause: e })
    throw e
  }
}

/** The attributes that can be taken over, without the index that they had. */
function taken(items: readonly Item[]): { attributes: Structure[]; notes: string[] } {
  const attributes: Structure[] = []
  const notes: string[] = []
  for (const item of items) {
    const name = child(item, TAG.AttributeName)
    const value = child(item, TAG.AttributeValue)
    if (typeof name?.value !== 'string' || !value || OWN.has(name.value)) continue
    if (attributeOfTitle(name.value) || /^[xy]-/.test(name.value)) attributes.push(structure(TAG.Attribute, [name, value]))
    else notes.push(`its attribute ${name.value.replace(/[^\w .-]/g, '?')} is not known here, and left behind`)
  }
  return { attributes, notes }
}
