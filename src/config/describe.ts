import { z } from 'zod'
import { Config } from './schema.ts'

/** One setting, as documentation shows it. */
export interface Setting {
  /** Such as `kmip.listen`; an element of a list is `seal[].keyFile`. */
  readonly path: string
  readonly text: string
  /** `section` has settings below it; the others are what is written in the file. */
  readonly type: string
  /** As JSON; absent: there is none. */
  readonly default?: string
  readonly secret: boolean
  /** A secret whose `file:` is read when it is used, each time. */
  readonly later: boolean
}

interface Node {
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly properties?: { readonly [key: string]: Node }
  readonly items?: Node
  readonly oneOf?: readonly Node[]
  readonly anyOf?: readonly Node[]
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly format?: string
  readonly secret?: boolean
  readonly later?: boolean
}

/** JSON Schema (2020-12) of the configuration file, for editors. */
export const jsonSchema = (): object => ({
  title: 'Configuration of kmipd',
  ...z.toJSONSchema(Config, { io: 'input', override: nameDefault }),
})

function nameDefault({ jsonSchema }: { readonly jsonSchema: { [key: string]: unknown } }): void {
  if (jsonSchema.usual === undefined) return
  jsonSchema.default = jsonSchema.usual
  delete jsonSchema.usual
}

/** All settings in the order of the schema. */
export function settings(): Setting[] {
  const found: Setting[] = []
  walk(jsonSchema() as Node, '')
  return found

  function walk(node: Node, path: string): void {
    for (const variant of node.oneOf ?? []) walk(variant, path)
    if (node.items !== undefined) walk(node.items, `${path}[]`)
    for (const [key, child] of Object.entries(node.properties ?? {})) {
      const below = path === '' ? key : `${path}.${key}`
      add(below, child)
      walk(child, below)
    }
  }

  function add(path: string, node: Node): void {
    const twin = found.findIndex(setting => setting.path === path)
    const setting = {
      path,
      text: node.const === undefined ? (node.description ?? '') : `\`${String(node.const)}\`: ${node.description ?? ''}`,
      type: typeOf(node),
      ...(node.default === undefined || isSection(node) ? {} : { default: JSON.stringify(node.default) }),
      secret: node.secret === true,
      later: node.later === true,
    }
    // The variants of a union share their `kind`.
    if (twin === -1) found.push(setting)
    else found[twin] = { ...setting, text: `${found[twin]!.text} ${setting.text}`, type: `${found[twin]!.type} | ${setting.type}` }
  }
}

const isSection = (node: Node): boolean => node.properties !== undefined || (node.oneOf !== undefined && node.items === undefined)

function typeOf(node: Node): string {
  if (isSection(node)) return 'section'
  if (node.anyOf !== undefined) return node.anyOf.map(typeOf).join(' | ')
  if (node.items !== undefined) return isSection(node.items) ? 'list of sections' : `list of ${typeOf(node.items)}`
  if (node.const !== undefined) return `\`${String(node.const)}\``
  if (node.enum !== undefined) return node.enum.map(value => `\`${String(value)}\``).join(' | ')
  return node.format ?? node.type ?? ''
}
