import { TYPE, tagTitle } from './item.ts'
import type { Version } from './spec.ts'
import { TAG } from './tags.ts'

/** Who may give an attribute its first value in a request. */
type Setter = 'client' | 'server'

/** What kmipd knows of one attribute; the rules of `src/objects` walk this table. */
export interface AttributeRow {
  readonly tag: number
  /** The name that 1.x messages carry. */
  readonly title: string
  readonly type: number
  /** Several instances may stand on one object. */
  readonly multi: boolean
  /** `client`: a request may set it; `server`: only the server does. */
  readonly setBy: Setter
  /** A client may change, or delete, a value once it is set. */
  readonly modify: boolean
  readonly remove: boolean
  readonly since: Version
  readonly until: Version
  /** Equal values are found by an index, not by opening every object. */
  readonly indexed: boolean
}

const { Structure, Integer, Enumeration, Boolean: Bool, TextString, ByteString, DateTime, Interval } = TYPE

type Letters = string
// Letters: m multi-instance, c set by the client, w modifiable and d deletable by the client, i indexed for Locate.
const ROWS: readonly (readonly [tag: number, type: number, letters: Letters, since: Version, until?: Version])[] = [
  [TAG.UniqueIdentifier, TextString, '', 10],
  [TAG.Name, Structure, 'mcwdi', 10],
  [TAG.ObjectType, Enumeration, 'i', 10],
  [TAG.CryptographicAlgorithm, Enumeration, 'ci', 10],
  [TAG.CryptographicLength, Integer, 'c', 10],
  [TAG.CryptographicParameters, Structure, 'mcwd', 10],
  [TAG.CryptographicDomainParameters, Structure, 'c', 10],
  [TAG.CertificateType, Enumeration, 'c', 10],
  [TAG.CertificateLength, Integer, '', 11],
  [TAG.X_509CertificateIdentifier, Structure, 'i', 11],
  [TAG.X_509CertificateSubject, Structure, 'i', 11],
  [TAG.X_509CertificateIssuer, Structure, 'i', 11],
  [TAG.CertificateIdentifier, Structure, 'i', 10, 14],
  [TAG.CertificateSubject, Structure, 'i', 10, 14],
  [TAG.CertificateIssuer, Structure, 'i', 10, 14],
  [TAG.CertificateSubjectCN, TextString, 'i', 14],
  [TAG.CertificateSubjectO, TextString, 'mi', 14],
  [TAG.CertificateSubjectOU, TextString, 'mi', 14],
  [TAG.CertificateSubjectEmail, TextString, 'mi', 14],
  [TAG.CertificateSubjectC, TextString, 'i', 14],
  [TAG.CertificateSubjectST, TextString, 'i', 14],
  [TAG.CertificateSubjectL, TextString, 'i', 14],
  [TAG.CertificateSubjectUID, TextString, 'mi', 14],
  [TAG.CertificateSubjectSerialNumber, TextString, 'mi', 14],
  [TAG.CertificateSubjectTitle, TextString, 'mi', 14],
  [TAG.CertificateSubjectDC, TextString, 'mi', 14],
  [TAG.CertificateSubjectDNQualifier, TextString, 'mi', 14],
  [TAG.CertificateIssuerCN, TextString, 'i', 14],
  [TAG.CertificateIssuerO, TextString, 'mi', 14],
  [TAG.CertificateIssuerOU, TextString, 'mi', 14],
  [TAG.CertificateIssuerEmail, TextString, 'mi', 14],
  [TAG.CertificateIssuerC, TextString, 'i', 14],
  [TAG.CertificateIssuerST, TextString, 'i', 14],
  [TAG.CertificateIssuerL, TextString, 'i', 14],
  [TAG.CertificateIssuerUID, TextString, 'mi', 14],
  [TAG.CertificateIssuerSerialNumber, TextString, 'mi', 14],
  [TAG.CertificateIssuerTitle, TextString, 'mi', 14],
  [TAG.CertificateIssuerDC, TextString, 'mi', 14],
  [TAG.CertificateIssuerDNQualifier, TextString, 'mi', 14],
  [TAG.DigitalSignatureAlgorithm, Enumeration, 'mc', 11],
  [TAG.Digest, Structure, 'm', 10],
  [TAG.OperationPolicyName, TextString, 'c', 10, 14],
  [TAG.CryptographicUsageMask, Integer, 'c', 10],
  [TAG.LeaseTime, Interval, '', 10],
  [TAG.UsageLimits, Structure, 'cwd', 10],
  [TAG.State, Enumeration, '', 10],
  [TAG.InitialDate, DateTime, '', 10],
  [TAG.ActivationDate, DateTime, 'cw', 10],
  [TAG.ProcessStartDate, DateTime, 'cw', 10],
  [TAG.ProtectStopDate, DateTime, 'cw', 10],
  [TAG.DeactivationDate, DateTime, 'cw', 10],
  [TAG.DestroyDate, DateTime, '', 10],
  [TAG.CompromiseOccurrenceDate, DateTime, '', 10],
  [TAG.CompromiseDate, DateTime, '', 10],
  [TAG.RevocationReason, Structure, '', 10],
  [TAG.ArchiveDate, DateTime, '', 10],
  [TAG.ObjectGroup, TextString, 'mcwdi', 10],
  [TAG.Fresh, Bool, 'c', 11],
  [TAG.Link, Structure, 'mcwdi', 10],
  [TAG.ApplicationSpecificInformation, Structure, 'mcwdi', 10],
  [TAG.ContactInformation, TextString, 'cwdi', 10],
  [TAG.LastChangeDate, DateTime, '', 10],
  [TAG.AlternativeName, Structure, 'mcwdi', 12],
  [TAG.KeyValuePresent, Bool, '', 12],
  [TAG.KeyValueLocation, Structure, 'mcwd', 12],
  [TAG.OriginalCreationDate, DateTime, 'c', 12],
  [TAG.RandomNumberGenerator, Structure, 'c', 13],
  [TAG.PKCS_12FriendlyName, TextString, 'cwdi', 14],
  [TAG.Description, TextString, 'cwd', 14],
  [TAG.Comment, TextString, 'cwd', 14],
  [TAG.Sensitive, Bool, 'cw', 14],
  [TAG.AlwaysSensitive, Bool, '', 14],
  [TAG.Extractable, Bool, 'cw', 14],
  [TAG.NeverExtractable, Bool, '', 14],
  [TAG.KeyFormatType, Enumeration, 'c', 20],
  [TAG.NISTKeyType, Enumeration, 'mc', 20],
  [TAG.OpaqueDataType, Enumeration, 'c', 20],
  [TAG.ProtectionLevel, Enumeration, 'cwd', 20],
  [TAG.ProtectionPeriod, Interval, 'cwd', 20],
  [TAG.ProtectionStorageMask, Integer, '', 20],
  [TAG.QuantumSafe, Bool, 'cwd', 20],
  [TAG.ShortUniqueIdentifier, ByteString, '', 20],
  [TAG.ObjectClass, Enumeration, '', 30],
  [TAG.RotateInterval, Interval, 'c', 21],
  [TAG.RotateAutomatic, Bool, 'c', 21],
  [TAG.RotateOffset, Interval, 'c', 21],
  [TAG.RotateDate, DateTime, '', 21],
  [TAG.RotateGeneration, Integer, '', 21],
  [TAG.RotateName, Structure, 'cwd', 21],
  [TAG.RotateLatest, Bool, '', 21],
]

/** Every attribute but vendor attributes, in the order of the specification. Spec: KMIP 1.4 section 3, 2.1 section 4 */
export const ATTRIBUTES: readonly AttributeRow[] = ROWS.map(([tag, type, letters, since, until = 30]) => ({
  tag,
  title: tagTitle(tag),
  type,
  multi: letters.includes('m'),
  setBy: letters.includes('c') ? 'client' : 'server',
  modify: letters.includes('w'),
  remove: letters.includes('d'),
  since,
  until,
  indexed: letters.includes('i'),
}))

/** An array, since this is asked for each attribute many times. */
const BY_TAG: AttributeRow[] = []
const FIRST_TAG = 0x420000
for (const row of ATTRIBUTES) BY_TAG[row.tag - FIRST_TAG] = row
const BY_TITLE = new Map(ATTRIBUTES.map(row => [row.title, row]))

export const attributeOfTag = (tag: number): AttributeRow | undefined => BY_TAG[tag - FIRST_TAG]
export const attributeOfTitle = (title: string): AttributeRow | undefined => BY_TITLE.get(title)

/** A vendor attribute: what 1.x calls a custom attribute, `x-Foo` there being vendor `x` and name `Foo`. Spec: KMIP 2.1 section 4.60 */
export const VENDOR_ATTRIBUTE: Omit<AttributeRow, 'type'> = {
  tag: TAG.Attribute,
  title: 'Custom Attribute',
  multi: true,
  setBy: 'client',
  modify: true,
  remove: true,
  since: 10,
  until: 30,
  indexed: true,
}
