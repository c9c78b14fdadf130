import { type Item, TYPE, tagName } from './item.ts'
import { subjectOf, titleAfter, typeNameOf } from './notation.ts'
import { TAG } from './tags.ts'
import { valueText } from './xml.ts'

// Tags whose value is a secret, or may be one, wherever they stand.
const SECRET: ReadonlySet<number> = new Set([
  TAG.KeyMaterial,
  TAG.KeyValue,
  TAG.Password,
  TAG.HashedPassword,
  TAG.ServerHashedPassword,
  TAG.OneTimePassword,
  TAG.TicketValue,
  TAG.OpaqueDataValue,
  TAG.Data,
  TAG.DerivationData,
  TAG.AttestationMeasurement,
  TAG.AttestationAssertion,
  TAG.PKCS_11InputParameters,
  TAG.PKCS_11OutputParameters,
  TAG.OTPSeed,
])
// What is public in a transparent key.
const PUBLIC: ReadonlySet<number> = new Set([TAG.Modulus, TAG.PublicExponent, TAG.RecommendedCurve, TAG.QString, TAG.Y, TAG.G])

/**
 * An item as an indented tree for people, a line for each item: name, type and value.
 * @param options.secrets show key material, passwords, plain texts and the like; otherwise only their length is shown
 */
export function print(item: Item, options: { readonly secrets?: boolean | undefined } = {}): string {
  const lines: string[] = []
  walk(item, undefined, '', false)
  return `${lines.join('\n')}\n`

  function walk(one: Item, title: string | undefined, margin: string, inSecret: boolean): void {
    const name = `${margin}${tagName(one.tag)}`
    if (one.type === TYPE.Structure) {
      lines.push(name)
      let childTitle: string | undefined
      const secret = inSecret || one.tag === TAG.KeyMaterial || one.tag === TAG.HashedPasswordCredential
      for (const field of one.value) {
        walk(field, childTitle, `${margin}  `, secret)
        childTitle = titleAfter(childTitle, field)
      }
      return
    }
    const hidden = options.secrets !== true && (SECRET.has(one.tag) || (inSecret && !PUBLIC.has(one.tag)))
    lines.push(`${name} (${typeNameOf(one.type)}): ${hidden ? hide(one) : show(one, subjectOf(one.tag, title))}`)
  }
}

function hide(item: Exclude<Item, { type: 1 }>): string {
  if (Buffer.isBuffer(item.value)) return `${item.value.length} bytes, hidden`
  return 'hidden'
}

/** Texts are quoted, so that none can draw lines or move the cursor of a terminal. */
function show(item: Exclude<Item, { type: 1 }>, subject: number): string {
  if (typeof item.value !== 'string') return valueText(item, subject)
  return JSON.stringify(item.value).replace(
    /[\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
