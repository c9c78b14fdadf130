import { ENUM } from '../ttlv/enumerations.ts'
import { TYPE } from '../ttlv/item.ts'
import { TAG } from '../ttlv/tags.ts'
import { fieldOf, fieldsOf, type Pattern, valueAt } from './pattern.ts'

/** What to do about a slip in a published case. */
export interface Defect {
  readonly cases: RegExp
  readonly reason: string
  /** Values to read in place of others. */
  readonly replace?: ReadonlyMap<string, string>
  /** Mend a message. */
  readonly repair?: (message: Pattern) => Pattern
  /** Fields of which only the length is compared. */
  readonly lengthOnly?: ReadonlySet<number>
  /** Fields whose content, and whose presence, is not compared. */
  readonly free?: ReadonlySet<number>
  /** The case contradicts the specification, and no server that follows it can pass. */
  readonly contradictsSpecification?: boolean
  /** The cases contradict each other: one that passes is enough for all of a version. */
  readonly contradiction?: boolean
  /** Every Get Attributes may be sent again until its response comes, although the case does not say so. */
  readonly repeat?: boolean
  /** Headers show the version of the case's exchange, whatever the message says. */
  readonly echoVersion?: boolean
}

/** Every slip that is known, with the reason. */
export const DEFECTS: readonly Defect[] = [
  {
    cases: /^CS-AC-M-(3|8)-12$/,
    reason: 'the second Register has an Attribute without a name; it is the Cryptographic Parameters',
    repair: nameAttributes,
  },
  {
    cases: /^CS-BC-M-6-1[23]$/,
    reason: 'cipher text and plain text were made with another key than the one registered',
    lengthOnly: new Set([TAG.Data]),
  },
  {
    cases: /^TC-ECC-3-1[01]$/,
    reason: 'the keys that Get shows are other ones than those registered (KMIP 1.1 section 4.11: as registered)',
    free: new Set([TAG.KeyMaterial]),
  },
  {
    cases: /^TC-95-1[01]$/,
    reason: 'shows the lease of another server; later versions of the case show the maximum',
    free: new Set([TAG.LeaseTime]),
  },
  {
    cases: /^TC-SJ-[24]-\d\d$/,
    reason: 'the answer to the Get of the last part shows the identifier of the first',
    repair: nameLastPart,
  },
  {
    cases: /^TC-OFFSET-1-13$/,
    reason: 'lists the newest first, yet pages through the same objects from the oldest; 1.4 and later have the newest first in both',
    repair: turnPages,
  },
  {
    cases: /^TC-134-1[0-2]$/,
    reason: 'shows the CA of one server as the issuer; and the order of names and links is another one in each version',
    free: new Set([
      TAG.AttributeIndex,
      TAG.Issuer,
      TAG.SerialNumber,
      TAG.CertificateIssuerDistinguishedName,
      TAG.IssuerDistinguishedName,
      TAG.CertificateSerialNumber,
    ]),
  },
  {
    cases: /^AKLC-O-1-30$/,
    reason: 'one placeholder stands for the digests of two keys',
    free: new Set([TAG.DigestValue]),
  },
  {
    cases: /^TC-RNG-ATTR-2-13$/,
    reason: 'the response binds one identifier and the requests use another for the same object',
    replace: new Map([['$UNIQUE_IDENTIFIER_1', '$UNIQUE_IDENTIFIER_0']]),
  },
  { cases: /^TC-NP-2-12$/, reason: 'the Notify messages say 1.0, the others 1.2', echoVersion: true },
  { cases: /^OMOS-O-1-14$/, reason: 'the last response shows another protocol version than its request', echoVersion: true },
  {
    cases: /^TC-92-10$/,
    reason: 'the dates are those of a run in 2010, and one differs between request and response; later versions say now and in two minutes',
    replace: new Map([
      ['2009-02-11T13:01:59+00:00', '$NOW'],
      ['2010-02-11T13:03:59+00:00', '$NOW+120'],
      ['2070-02-11T13:03:59+00:00', '$NOW+120'],
    ]),
  },
  { cases: /^TC-92-1[01]$/, reason: 'the mark to repeat the wait for Deactivated is missing, or stands at the step before', repeat: true },
  {
    cases: /^CS-RNG-O-[1-4]-\d\d$/,
    reason: 'four server policies are shown for one request: all of the seed is used, part, none, or it is refused; any is right',
    contradiction: true,
  },
  {
    cases: /^TC-OTP-[34]-\d\d$/,
    reason: 'the same Get succeeds in one case and is refused in the other',
    contradiction: true,
  },
  {
    cases: /^TC-PKCS12-2-(14|20)$/,
    reason:
      'shows serial numbers without their DER tag and a digest without format, which Locate in the same case and TC-CERTATTR-1 show with them',
    free: new Set([TAG.CertificateSerialNumber, TAG.SerialNumber, TAG.KeyFormatType]),
  },
  {
    cases: /^TC-OTP-5-\d\d$/,
    reason:
      'encrypts with a one-time pad whose Key Value is not on the server, which must fail: Key Value Not Present (KMIP 1.4 section 11.29)',
    contradictsSpecification: true,
  },
  {
    cases: /^TC-Q-(RNGS|VAL)-\d-\d\d$/,
    reason: 'one request, answered by different imaginary servers',
    free: new Set([TAG.RNGParameters, TAG.ValidationInformation]),
  },
  { cases: /^PKCS11-M-1-\d\d$/, reason: 'shows the strings of one vendor', lengthOnly: new Set([TAG.PKCS_11OutputParameters]) },
]

/** All that is known of a case, in one. */
export function defectOf(name: string): Defect | undefined {
  const known = DEFECTS.filter(defect => defect.cases.test(name))
  return known.length === 0 ? undefined : (Object.assign({}, ...known) as Defect)
}

/** Cases that need the objects of others: those run first, and all are cleaned up together. */
const SETUP: readonly (readonly [cases: RegExp, setup: readonly string[]])[] = [
  [/^TL-M-3$/, ['TL-M-2']],
  [/^SASED-M-3$/, ['SASED-M-2']],
  [/^TC-OTP-[12]$/, ['TC-OTP-SETUP-1']],
  [/^TC-OTP-[345]$/, ['TC-OTP-SETUP-2']],
  [/^TC-OTP-CLEANUP-1$/, ['TC-OTP-SETUP-1']],
  [/^TC-CREG-[23]$/, ['TC-CREG-1']],
]

/** Stems of the cases that must run before one with this stem. */
export const setupOf = (stem: string): readonly string[] => SETUP.find(([cases]) => cases.test(stem))?.[1] ?? []

/** Stems of cases that wait for minutes. */
export const isSlow = (stem: string): boolean => stem === 'TC-92'

function nameAttributes(message: Pattern): Pattern {
  if (message.kind !== 'structure') return message
  const fields = message.fields.map(nameAttributes)
  const isNameless =
    message.tag === TAG.Attribute &&
    valueAt(message, TAG.AttributeName) === undefined &&
    fieldOf(message, TAG.AttributeValue)?.kind === 'structure'
  if (!isNameless) return { ...message, fields }
  const name: Pattern = {
    kind: 'value',
    tag: TAG.AttributeName,
    item: { tag: TAG.AttributeName, type: TYPE.TextString, value: 'Cryptographic Parameters' },
  }
  return { ...message, fields: [name, ...fields] }
}

/** The same message with every placeholder and text inside put through `change`. */
function changed(message: Pattern, change: (text: string) => string): Pattern {
  if (message.kind === 'structure') return { ...message, fields: message.fields.map(field => changed(field, change)) }
  if (message.kind === 'placeholder') return { ...message, placeholder: { ...message.placeholder, name: change(message.placeholder.name) } }
  return message.item.type === TYPE.TextString ? { ...message, item: { ...message.item, value: change(message.item.value) } } : message
}

/** Pages of the five objects, from the newest of the five instead of from the oldest. */
function turnPages(message: Pattern): Pattern {
  const first = fieldOf(message, TAG.BatchItem)
  const count = fieldsOf(fieldOf(first, TAG.ResponsePayload), TAG.UniqueIdentifier).length
  const isPage = valueAt(first, TAG.Operation) === ENUM.Operation.Locate && (count === 1 || count === 2)
  if (!isPage) return message
  return changed(message, text =>
    text
      .replace(/^(UNIQUE_IDENTIFIER_)(\d)$/, (_, name, n) => `${name}${4 - Number(n)}`)
      .replace(/(-key)(\d)$/, (_, name, n) => `${name}${6 - Number(n)}`),
  )
}

/** The identifier of the fourth part, where the case shows that of the first. */
function nameLastPart(message: Pattern): Pattern {
  const payload = fieldOf(fieldOf(message, TAG.BatchItem), TAG.ResponsePayload)
  if (valueAt(payload, TAG.SplitKey, TAG.KeyPartIdentifier) !== 4) return message
  return changed(message, text => text.replace(/^UNIQUE_IDENTIFIER_1$/, 'UNIQUE_IDENTIFIER_4'))
}
