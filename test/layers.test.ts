import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import t from 'tap'

// A folder may import from itself and from folders of earlier rows: requests go down, answers come up, and nothing below knows what is above.
const LAYERS: readonly (readonly string[])[] = [
  ['ttlv', 'crypto', 'config', 'http'],
  ['vault'],
  ['pki', 'store', 'client'],
  ['conformance', 'seal'],
  ['objects', 'scopes'],
  ['ops'],
  ['keystore'],
  ['kes', 'admin'],
  ['server', 'migration'],
  ['cli'],
  // It runs in a browser: nothing imports it, and all it has of the others is what they say on the wire.
  ['console'],
]
// Tables of data may be longer.
const TABLES = new Set(['ttlv/tags.ts', 'ttlv/enumerations.ts'])
const LONGEST = 400

const SRC = resolve('src')
const rankOf = (folder: string): number => LAYERS.findIndex(layer => layer.includes(folder))
const folderOf = (file: string): string => relative(SRC, file).split(sep)[0] ?? ''
const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter(name => /\.tsx?$/.test(name))
  .map(name => join(SRC, name))

/** Modules that a file names: static, dynamic, for types and for workers. */
function importsOf(text: string): string[] {
  const patterns = [
    /^(?:import|export)\b[^'"`;]*?from '([^']+)'/gm,
    /^import '([^']+)'/gm,
    /\bimport\('([^']+)'\)/g,
    /new URL\('([^']+\.[jt]s)'/g,
  ]
  return patterns.flatMap(pattern => [...text.matchAll(pattern)].map(match => match[1]!))
}

t.test('imports go down', async t => {
  for (const file of files) {
    const from = folderOf(file)
    t.not(rankOf(from), -1, `${from}/ has a place in LAYERS`)
    for (const name of importsOf(readFileSync(file, 'utf8')).filter(name => name.startsWith('.'))) {
      const to = folderOf(resolve(dirname(file), name))
      if (to !== from && rankOf(to) >= rankOf(from)) t.fail(`${relative(SRC, file)} imports ${name}, which is not below it`)
    }
  }
})

t.test('what is not for everybody is imported in one place', async t => {
  const PLACES: readonly [module: RegExp, where: RegExp][] = [
    [/^better-sqlite3(-13)?$/, /^store\//],
    [/^yargs$/, /^cli\//],
    [/^zod$/, /^config\//],
    [/^(pino|prom-client)$/, /^server\//],
    [/^(asn1js|pkijs)$/, /^(pki|crypto)\//],
    [/^node:(tls|http|https|http2|cluster)$/, /^(http\/|server\/|client\/|cli\/|conformance\/endpoint)/],
    [/^node-vault$/, /^vault\//],
    [/^preact$/, /^console\//],
  ]
  for (const file of files)
    for (const name of importsOf(readFileSync(file, 'utf8')))
      for (const [module, where] of PLACES)
        if (module.test(name) && !where.test(relative(SRC, file))) t.fail(`${relative(SRC, file)} imports ${name}`)
})

t.test('files are short, named in kebab case and after what they hold', async t => {
  for (const file of files) {
    const name = relative(SRC, file)
    t.match(name, /^([a-z0-9-]+\/)+[a-z0-9-]+\.tsx?$/, name)
    t.notMatch(name, /\b(utils?|helpers?|common|manager|service)\b/, name)
    const lines = readFileSync(file, 'utf8').split('\n').length - 1
    if (!TABLES.has(name)) t.ok(lines <= LONGEST, `${name} has ${lines} lines`)
  }
})

t.test('the command line catches in one place', async t => {
  const catching = files.filter(file => folderOf(file) === 'cli' && /\bcatch\b/.test(readFileSync(file, 'utf8')))
  t.same(
    catching.map(file => relative(SRC, file)),
    ['cli/main.ts'],
  )
})
