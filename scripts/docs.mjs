// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the page tells what to write in a configuration
// Writes the pages that are made from the code: docs/configuration.md, docs/kmipd.schema.json, docs/command-line.md
// and docs/conformance.md.
// With --check it writes nothing, and fails when one of them is not as it would be written.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const DOCS = fileURLToPath(new URL('../docs/', import.meta.url))
const dist = name => import(new URL(`../dist/${name}`, import.meta.url).href)

if (!existsSync(fileURLToPath(new URL('../dist/cli/main.js', import.meta.url)))) {
  process.stderr.write('run first: npm run build\n')
  process.exit(1)
}

const pages = {
  'configuration.md': await configurationPage(),
  'kmipd.schema.json': `${JSON.stringify((await dist('config/describe.js')).jsonSchema(), undefined, 2)}\n`,
  'command-line.md': await commandLinePage(),
  'conformance.md': await conformancePage(),
}

const isCheck = process.argv.includes('--check')
const stale = Object.entries(pages).filter(([name, text]) => !existsSync(DOCS + name) || readFileSync(DOCS + name, 'utf8') !== text)
mkdirSync(DOCS, { recursive: true })
for (const [name, text] of stale) {
  if (isCheck) process.stderr.write(`docs/${name} is stale; run: npm run build && npm run docs\n`)
  else writeFileSync(DOCS + name, text)
}
if (isCheck && stale.length > 0) process.exitCode = 1

async function configurationPage() {
  const { settings } = await dist('config/describe.js')
  const all = settings()
  const top = all.filter(({ path }) => !/[.[]/.test(path))
  const lines = [
    '# Configuration',
    '',
    '<!-- Made by scripts/docs.mjs from src/config/schema.ts: change it there. -->',
    '',
    '`kmipd server --config FILE` reads a YAML file. Every setting has a default, so an empty file is a configuration; an unknown setting is',
    'refused, with the nearest known one. `kmipd config check` says what is wrong and in which line, `kmipd config show` prints the result,',
    'and `kmipd config schema` the JSON Schema for an editor ([kmipd.schema.json](kmipd.schema.json)).',
    '',
    '- A duration is a whole number and a unit: `500ms`, `30s`, `10m`, `336h`, `14d`.',
    '- `${NAME}` stands for an environment variable, `${NAME:-text}` for it or a text if it is not set, `$$` for a dollar sign. What a variable',
    '  holds is taken as it is, not as YAML.',
    '- A secret setting may be `file:NAME`: the content of that file, such as a container secret or a systemd credential. `kmipd config show`',
    '  shows no secret.',
    '- Relative file names stand in `dataDir`, which itself stands beside the configuration file.',
    '- Settings of addresses, names and keys (`kmip.listen`, `kmip.serverHostnames`, `kmip.serverIps`, `kmip.tlsMinVersion`, `ca`, `credentials`)',
    '  can be left to `kmipd listener write`, which keeps them in the store. What the file says goes before that.',
    '',
    '```yaml',
    readFileSync(fileURLToPath(new URL('../examples/kmipd.yaml', import.meta.url)), 'utf8').trimEnd(),
    '```',
  ]
  const plain = top.filter(({ type }) => type !== 'section' && !type.startsWith('list of sections'))
  if (plain.length > 0) lines.push('', ...table(plain, ''))
  for (const section of top.filter(one => !plain.includes(one))) {
    const rows = all.filter(({ path }) => path.startsWith(`${section.path}.`) || path.startsWith(`${section.path}[].`))
    lines.push('', `## ${section.path}`, '', section.text)
    if (section.default !== undefined) lines.push(`A ${section.type}; default \`${section.default}\`.`)
    lines.push('', ...table(rows, section.path))
  }
  return `${lines.join('\n')}\n`
}

function table(rows, section) {
  const cells = ({ path, type, text, default: value, secret }) => [
    `\`${section === '' ? path : path.slice(section.length).replace(/^(\[\])?\./, '')}\``,
    type.replaceAll('|', 'or') + (secret ? ', secret' : ''),
    value === undefined ? '' : `\`${value}\``,
    text,
  ]
  const line = values => `| ${values.map(value => value.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(['setting', 'value', 'default', 'what it is']), '|---|---|---|---|', ...rows.map(row => line(cells(row)))]
}

async function commandLinePage() {
  const { main } = await dist('cli/main.js')
  async function help(words) {
    let text = ''
    // Help of KES's commands goes where KES sends it, with its exit code.
    const isKes = words[0] === 'kes'
    const collector = { write: part => (text += part) }
    const io = {
      stdout: collector,
      stderr: isKes ? collector : process.stderr,
      stdin: [],
      env: {},
      cwd: '/',
      untilStopped: async () => {},
    }
    const code = await main([...words, '--help'], io)
    if (code !== (isKes ? 2 : 0)) throw new Error(`kmipd ${words.join(' ')} --help ends with ${code}`)
    return text.trimEnd()
  }
  const lines = [
    '# Command line',
    '',
    '<!-- Made by scripts/docs.mjs from the help of each command in src/cli: change it there. -->',
    '',
    "Results go to standard output, trouble to standard error. Exit codes: 0 done, 1 failed, 2 wrong usage. Commands on a server's data find it by",
    '`--config FILE`, `--data-dir DIR`, the variable `KMIPD_CONFIG`, `./kmipd-data` or `/etc/kmipd/kmipd.yaml`, in this order, and work while the',
    'server runs: it notices at once. `KMIPD_TRACE=1` prints the stack of an error.',
  ]
  await add([])
  return `${lines.join('\n')}\n`

  async function add(words) {
    const text = await help(words)
    lines.push('', `## ${['kmipd', ...words].join(' ')}`, '', '```', text, '```')
    const path = ['kmipd', ...words].join(' ')
    // What stands under Examples are no commands.
    const names = [...text.split('\n\nExamples:')[0].matchAll(/^ {2}(kmipd [a-z -]+?)(?: [<[]| {2}|$)/gm)]
      .map(match => match[1])
      .filter(name => name.startsWith(`${path} `) && name.split(' ').length === words.length + 2)
    for (const name of new Set(names)) await add(name.split(' ').slice(1))
  }
}

async function conformancePage() {
  const { OPERATIONS } = await dist('ops/index.js')
  const { ENUM, ENUM_VERSIONS } = await dist('ttlv/enumerations.js')
  const { DEFECTS } = await dist('conformance/defects.js')
  const versions = [10, 11, 12, 13, 14, 20, 21, 30]
  const served = new Map(OPERATIONS.map(operation => [operation.code, operation]))
  const isIn = (range, version) => version >= range[0] && version <= range[1]
  const rows = Object.entries(ENUM.Operation).map(([name, code]) => {
    const known = ENUM_VERSIONS.Operation?.[name] ?? [10, 30]
    const operation = served.get(code)
    const cell = version => {
      if (!isIn(known, version)) return ''
      return operation && version >= operation.since ? 'yes' : 'no'
    }
    return `| ${[name, ...versions.map(cell)].join(' | ')} |`
  })
  const slips = DEFECTS.map(({ cases, reason, contradictsSpecification }) => {
    const names = cases.source
      .replace(/^\^|\$$/g, '')
      .replaceAll('\\d', 'n')
      .replaceAll('|', '\\|')
    return `| \`${names}\` | ${reason.replaceAll('|', '\\|')}${contradictsSpecification ? ' **Not passed.**' : ''} |`
  })
  const lines = [
    '# Conformance',
    '',
    '<!-- Made by scripts/docs.mjs from src/ops/index.ts and src/conformance/defects.ts: change it there. -->',
    '',
    'Which operation is served in which version of the protocol. An empty cell: the version does not have the operation. *no*: it is answered with',
    'Operation Not Supported. 3.0 is a draft, spoken only where the operator asks for it. Query tells the same at run time, cut to what the role may do.',
    '',
    `| operation | ${versions.map(version => `${Math.floor(version / 10)}.${version % 10}`).join(' | ')} |`,
    `|---|${versions.map(() => '---').join('|')}|`,
    ...rows,
    '',
    '## Published cases',
    '',
    '`kmipd conformance FOLDER` runs the test cases that OASIS publishes with each version against any KMIP server, compares by the rules of the',
    'profile documents, and prints the first difference of each case that fails.',
    '',
    'Some published cases have slips. These are read as follows, for every server alike:',
    '',
    '| cases | what is wrong, or may differ |',
    '|---|---|',
    ...slips,
  ]
  return `${lines.join('\n')}\n`
}
