import { decode, encode } from '../ttlv/binary.ts'
import { ENUM } from '../ttlv/enumerations.ts'
import { child, dateTime, enumeration, type Item, integer, structure, TYPE, text } from '../ttlv/item.ts'
import { TAG } from '../ttlv/tags.ts'
import { AttributeSet, type Instance } from './attribute-set.ts'

const { State } = ENUM

/** Which managed object stands under which tag in a message. */
export const OBJECT_TAG: Readonly<Record<number, number>> = {
  [ENUM.ObjectType.Certificate]: TAG.Certificate,
  [ENUM.ObjectType.SymmetricKey]: TAG.SymmetricKey,
  [ENUM.ObjectType.PublicKey]: TAG.PublicKey,
  [ENUM.ObjectType.PrivateKey]: TAG.PrivateKey,
  [ENUM.ObjectType.SplitKey]: TAG.SplitKey,
  [ENUM.ObjectType.Template]: TAG.Template,
  [ENUM.ObjectType.SecretData]: TAG.SecretData,
  [ENUM.ObjectType.OpaqueObject]: TAG.OpaqueObject,
  [ENUM.ObjectType.PGPKey]: TAG.PGPKey,
  [ENUM.ObjectType.CertificateRequest]: TAG.CertificateRequest,
  [ENUM.ObjectType.PasswordCredential]: TAG.PasswordCredential,
}

/** Objects that stand for those who use the server, in the 3.0 draft. */
const SYSTEM_TYPES: ReadonlySet<number> = new Set<number>([ENUM.ObjectType.User, ENUM.ObjectType.Group, ENUM.ObjectType.PasswordCredential])

/** Stands around a stored object; the extension tags never appear on the wire. */
const RECORD = { Object: 0x54f001, Format: 0x54f002, Owner: 0x54f003 } as const
const FORMAT = 1

/** A Managed Object: its attributes and, until it is destroyed, what it is made of. Spec: KMIP 1.4 section 2.2, 2.1 section 2 */
export class ManagedObject {
  readonly id: string
  readonly type: number
  readonly attributes: AttributeSet
  /** The object as the client registered it or the server made it, under its own tag; none once it is destroyed. */
  object: Item | undefined
  /** User whom the credentials of the request named that made it; absent: all who see the scope may use it. */
  readonly owner: string | undefined
  /** Revision in the store that this was read from; 0: not stored yet. */
  readonly revision: number
  constructor(id: string, type: number, attributes: AttributeSet, object: Item | undefined, revision = 0, owner?: string) {
    this.id = id
    this.type = type
    this.attributes = attributes
    this.object = object
    this.revision = revision
    this.owner = owner
  }

  copy(): ManagedObject {
    return new ManagedObject(this.id, this.type, this.attributes.copy(), this.object, this.revision, this.owner)
  }

  /** State by the dates that have passed at `now`, in seconds. Spec: KMIP 1.4 section 3.22, 2.1 section 4.57 */
  state(now: bigint): number {
    const { attributes } = this
    const passed = (tag: number): boolean => {
      const date = attributes.date(tag)
      return date !== undefined && date <= now
    }
    const compromised = attributes.has(TAG.CompromiseDate)
    if (attributes.has(TAG.DestroyDate)) return compromised ? State.DestroyedCompromised : State.Destroyed
    if (compromised) return State.Compromised
    if (passed(TAG.DeactivationDate)) return State.Deactivated
    return passed(TAG.ActivationDate) ? State.Active : State.PreActive
  }

  get destroyed(): boolean {
    return this.attributes.has(TAG.DestroyDate)
  }

  get archived(): boolean {
    return this.attributes.has(TAG.ArchiveDate)
  }

  /** Whether objects of this type go through states. Spec: KMIP 1.4 section 3.22: all but templates; opaque objects by errata 01. */
  get hasState(): boolean {
    return this.type !== ENUM.ObjectType.Template
  }

  /** Every attribute that a client may read: those stored, and those that follow from them, from the clock and from the lease. */
  visible(now: bigint, leaseTime: number): Instance[] {
    const instances: Instance[] = [
      { key: TAG.UniqueIdentifier, index: 0, item: text(TAG.UniqueIdentifier, this.id) },
      { key: TAG.ObjectType, index: 0, item: enumeration(TAG.ObjectType, this.type) },
      ...this.attributes,
    ]
    const derive = (item: Item): void => {
      instances.push({ key: item.tag, index: 0, item })
    }
    if (this.hasState) derive(enumeration(TAG.State, this.state(now)))
    derive(enumeration(TAG.ObjectClass, SYSTEM_TYPES.has(this.type) ? ENUM.ObjectClass.System : ENUM.ObjectClass.User))
    if (leaseTime > 0) derive({ tag: TAG.LeaseTime, type: TYPE.Interval, value: leaseTime })
    return instances
  }

  touch(now: bigint): void {
    this.attributes.set(dateTime(TAG.LastChangeDate, now))
  }

  /** What the store keeps, before it is sealed. */
  toBody(): Buffer {
    return encode(
      structure(RECORD.Object, [
        integer(RECORD.Format, FORMAT),
        enumeration(TAG.ObjectType, this.type),
        ...(this.owner === undefined ? [] : [text(RECORD.Owner, this.owner)]),
        this.attributes.toItem(),
        ...(this.object ? [this.object] : []),
      ]),
    )
  }

  /** @throws Error if the record is none that this version of kmipd can read */
  static fromBody(id: string, body: Buffer, revision: number): ManagedObject {
    const record = decode(body)
    const format = child(record, RECORD.Format)?.value
    const type = child(record, TAG.ObjectType)?.value
    if (record.type !== TYPE.Structure || format !== FORMAT || typeof type !== 'number')
      throw new Error(`object ${id} was stored in format ${format}, which this version of kmipd does not read: use a newer one`)
    const owner = child(record, RECORD.Owner)?.value
    const attributes = AttributeSet.from(child(record, TAG.Attributes))
    return new ManagedObject(
      id,
      type,
      attributes,
      child(record, OBJECT_TAG[type] ?? 0),
      revision,
      typeof owner === 'string' ? owner : undefined,
    )
  }
}
