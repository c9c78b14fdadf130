import { isIPv4 } from 'node:net'
import type { BaseBlock } from 'asn1js'
import * as der from './der.ts'
import { PkiError } from './error.ts'
import { parseName } from './name.ts'

/** An extension of a certificate or of a request. */
export interface Extension {
  readonly oid: string
  readonly critical: boolean
  /** DER of the value inside its OCTET STRING. */
  readonly value: Buffer
}

/** One alternative name of a subject or an issuer. */
export interface AlternativeName {
  readonly kind: 'email' | 'dns' | 'uri' | 'ip' | 'directory' | 'other'
  readonly text: string
  /** DER of the GeneralName. */
  readonly der: Buffer
}

export const OID = {
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAlternativeName: '2.5.29.17',
  issuerAlternativeName: '2.5.29.18',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
} as const

/** Bits of the key usage extension, from its first. Spec: RFC 5280 section 4.2.1.3 */
const USAGES = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
] as const
export type KeyUsage = (typeof USAGES)[number]
const PURPOSES = { serverAuth: '1.3.6.1.5.5.7.3.1', clientAuth: '1.3.6.1.5.5.7.3.2' } as const

export const encodeExtension = ({ oid, critical, value }: Extension): Buffer =>
  der.sequence(der.oid(oid), ...(critical ? [der.bool(true)] : []), der.octets(value))

export function keyUsage(...usages: readonly KeyUsage[]): Extension {
  let mask = 0
  let last = 0
  for (const usage of usages) {
    const position = USAGES.indexOf(usage)
    mask |= 0x8000 >> position
    last = Math.max(last, position)
  }
  const bytes = last < 8 ? Buffer.of(mask >> 8) : Buffer.of(mask >> 8, mask & 0xff)
  return { oid: OID.keyUsage, critical: true, value: der.bits(bytes, 7 - (last % 8)) }
}

export const extendedKeyUsage = (...purposes: readonly (keyof typeof PURPOSES)[]): Extension => ({
  oid: OID.extendedKeyUsage,
  critical: false,
  value: der.sequence(...purposes.map(purpose => der.oid(PURPOSES[purpose]))),
})

/** A CA that may have `pathLength` further CAs below it. */
export const authorityConstraints = (pathLength: number): Extension => ({
  oid: OID.basicConstraints,
  critical: true,
  value: der.sequence(der.bool(true), der.unsigned(Buffer.of(pathLength))),
})

/** @param ips  addresses of version 4 or 6 in their text forms, without a zone */
export const subjectAlternativeNames = (hostnames: readonly string[], ips: readonly string[]): Extension => ({
  oid: OID.subjectAlternativeName,
  critical: false,
  value: der.sequence(
    ...hostnames.map(name => der.item(0x82, Buffer.from(name, 'ascii'))),
    ...ips.map(ip => der.item(0x87, addressBytes(ip))),
  ),
})

export const keyIdentifiers = (subject: Buffer, issuer: Buffer): readonly Extension[] => [
  { oid: OID.subjectKeyIdentifier, critical: false, value: der.octets(subject) },
  { oid: OID.authorityKeyIdentifier, critical: false, value: der.sequence(der.item(0x80, issuer)) },
]

function addressBytes(ip: string): Buffer {
  if (isIPv4(ip)) return Buffer.from(ip.split('.').map(Number))
  const [head = '', tail] = new URL(`http://[${ip}]`).hostname.slice(1, -1).split('::')
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':')).map(group => group.padStart(4, '0'))
  const [left, right] = [groups(head), groups(tail ?? '')]
  return Buffer.from([...left, ...Array<string>(8 - left.length - right.length).fill('0000'), ...right].join(''), 'hex')
}

function addressText(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.')
  if (bytes.length !== 16) return `#${bytes.toString('hex')}`
  return new URL(`http://[${bytes.toString('hex').match(/..../g)!.join(':')}]`).hostname.slice(1, -1)
}

/** Read an Extensions sequence. @throws PkiError `malformed` */
export function parseExtensions(block: BaseBlock): readonly Extension[] {
  return der.inside(block, 'extensions').map(extension => {
    const fields = der.inside(extension, 'extension')
    const [value] = fields.slice(-1)
    if (fields.length < 2 || !value || value.idBlock.tagNumber !== 4) throw new PkiError('malformed', 'an extension holds no value')
    return {
      oid: der.dotted(fields[0], 'type of an extension'),
      critical: fields.length > 2 && der.content(fields[1]!)[0] !== 0,
      value: der.content(value),
    }
  })
}

/** The names in a subject or issuer alternative name extension. @throws PkiError `malformed` */
export function parseAlternativeNames(extension: Extension | undefined): readonly AlternativeName[] {
  if (!extension) return []
  return der.inside(der.read(extension.value, 'alternative names'), 'alternative names').map(block => {
    const [bytes, content] = [der.raw(block), der.content(block)]
    switch (block.idBlock.tagClass === 3 ? block.idBlock.tagNumber : -1) {
      case 1:
        return { kind: 'email', text: content.toString('latin1'), der: bytes }
      case 2:
        return { kind: 'dns', text: content.toString('latin1'), der: bytes }
      case 4: {
        const [name] = der.inside(block, 'directory name')
        if (!name) throw new PkiError('malformed', 'a directory name is empty')
        return { kind: 'directory', text: parseName(name).text, der: bytes }
      }
      case 6:
        return { kind: 'uri', text: content.toString('latin1'), der: bytes }
      case 7:
        return { kind: 'ip', text: addressText(content), der: bytes }
      default:
        return { kind: 'other', text: `#${bytes.toString('hex')}`, der: bytes }
    }
  })
}

/** Whether the extension makes its subject a CA, and how many CAs may follow it. */
export function parseConstraints(extension: Extension | undefined): { readonly authority: boolean; readonly pathLength?: number } {
  if (!extension) return { authority: false }
  const [authority, length] = der.inside(der.read(extension.value, 'basic constraints'), 'basic constraints')
  if (!authority || der.content(authority)[0] === 0) return { authority: false }
  return length ? { authority: true, pathLength: Number(`0x${der.content(length).toString('hex') || '0'}`) } : { authority: true }
}

/** The usages that the extension allows; nothing when there is no such extension: then all are allowed. */
export function parseKeyUsage(extension: Extension | undefined): ReadonlySet<KeyUsage> | undefined {
  if (!extension) return undefined
  const bytes = der.content(der.read(extension.value, 'key usage')).subarray(1)
  return new Set(USAGES.filter((_, position) => ((bytes[position >> 3] ?? 0) & (0x80 >> (position % 8))) !== 0))
}
