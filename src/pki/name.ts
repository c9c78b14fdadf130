import type { BaseBlock } from 'asn1js'
import * as der from './der.ts'
import { PkiError } from './error.ts'

/** Attribute types of a distinguished name that KMIP knows, by the names it gives them. Spec: KMIP 2.1 section 4.7, RFC 4519 */
const TYPES = {
  CN: '2.5.4.3',
  O: '2.5.4.10',
  OU: '2.5.4.11',
  Email: '1.2.840.113549.1.9.1',
  C: '2.5.4.6',
  ST: '2.5.4.8',
  L: '2.5.4.7',
  UID: '0.9.2342.19200300.100.1.1',
  SerialNumber: '2.5.4.5',
  Title: '2.5.4.12',
  DC: '0.9.2342.19200300.100.1.25',
  DNQualifier: '2.5.4.46',
} as const
export type NameType = keyof typeof TYPES
const BY_OID = new Map<string, NameType>(Object.entries(TYPES).map(([name, id]) => [id, name as NameType]))

// Their types in a certificate are fixed; all others are a DirectoryString. Spec: RFC 5280 appendix A.1
const IA5: ReadonlySet<NameType> = new Set(['Email', 'DC'])
const PRINTABLE = /^[A-Za-z0-9 '()+,./:=?-]*$/
const TAG = { utf8: 0x0c, printable: 0x13, ia5: 0x16 }

/** A distinguished name as it was read. */
export interface Name {
  /** The DER of the whole Name. */
  readonly der: Buffer
  /** RFC 4514: most specific first, such as `CN=a,OU=b`. */
  readonly text: string
  /** Values by type, in their order in the name; types that KMIP does not know are left out. */
  readonly values: { readonly [type in NameType]?: readonly string[] }
}

/**
 * DER of a Name with one SET for each attribute, as Go and OpenSSL write it (one SET of them all would be another name).
 * @param attributes  type and value, outermost first
 */
export function encodeName(attributes: readonly (readonly [type: NameType, value: string])[]): Buffer {
  return der.sequence(
    ...attributes.map(([type, value]) => {
      const tag = IA5.has(type) ? TAG.ia5 : PRINTABLE.test(value) ? TAG.printable : TAG.utf8
      return der.set(der.sequence(der.oid(TYPES[type]), der.item(tag, Buffer.from(value, 'utf8'))))
    }),
  )
}

const textOf = (block: BaseBlock): string | undefined => {
  const value: unknown = 'getValue' in block && typeof block.getValue === 'function' ? block.getValue() : undefined
  return typeof value === 'string' ? value : undefined
}

const escaped = (value: string): string =>
  value
    .replace(/[\\"+,;<>]/g, '\\$&')
    .replace(/^[ #]/, '\\$&')
    .replace(/ $/, '\\ ')
    .replaceAll('\0', '\\00')

/** Read a Name. @throws PkiError `malformed` */
export function parseName(block: BaseBlock): Name {
  const values: { [type in NameType]?: string[] } = {}
  const parts: string[] = []
  for (const rdn of der.inside(block, 'name')) {
    const pieces: string[] = []
    for (const attribute of der.inside(rdn, 'relative distinguished name')) {
      const [type, value] = der.inside(attribute, 'attribute of a name')
      const id = der.dotted(type, 'type of a name attribute')
      const name = BY_OID.get(id)
      if (!value) throw new PkiError('malformed', `attribute ${id} of a name has no value`)
      const text = textOf(value)
      const hex = `#${der.raw(value).toString('hex')}`
      if (name) values[name] = [...(values[name] ?? []), text ?? hex]
      pieces.push(`${name ?? id}=${text === undefined ? hex : escaped(text)}`)
    }
    parts.unshift(pieces.join('+'))
  }
  return { der: der.raw(block), text: parts.join(','), values }
}
