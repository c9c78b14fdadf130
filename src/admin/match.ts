import type { Mounted, Route } from './route.ts'

/** One part of a path that names something: word characters, dots and dashes within. */
const NAME = String.raw`\w(?:[\w.-]*\w)?`

/** The expression that a path pattern stands for, with a group for each name; help shows it. */
export const expressionOf = (pattern: string): string =>
  `^${pattern
    .split('/')
    .map(part => {
      const [, name, several] = /^:(\w+)(\+?)$/.exec(part) ?? []
      if (name === undefined) return part.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
      return `(?<${name}>${several ? '.+?' : NAME})`
    })
    .join('/')}$`

const EXPRESSIONS = new Map<string, RegExp>()
function compiled(pattern: string): RegExp {
  const known = EXPRESSIONS.get(pattern) ?? new RegExp(expressionOf(pattern))
  EXPRESSIONS.set(pattern, known)
  return known
}

/** The mount whose path is the longest beginning of a path. */
export function mountOf(mounts: readonly Mounted[], path: string): Mounted | undefined {
  const within = mounts.filter(mount => `${path}/`.startsWith(mount.path))
  return within.sort((a, b) => b.path.length - a.path.length)[0]
}

export interface Match {
  readonly route: Route
  readonly params: Readonly<Record<string, string>>
}

/** The first row that a path within the mount fits. Rows stand from the special to the general. */
export function matchOf(routes: readonly Route[], path: string): Match | undefined {
  for (const route of routes) {
    const found = compiled(route.path).exec(path)
    if (found) return { route, params: { ...found.groups } }
  }
  return undefined
}
