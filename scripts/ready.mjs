// Makes the tree ready to run: installs the dependencies when they are missing or older than the lock file, and builds when the sources are
// newer than what was built. Plain Node without dependencies, since it is what brings them.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const at = (...names) => join(root, ...names)

const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 19))
  fail(`kmipd needs Node 20.19 or newer, and 24 is recommended; this is ${process.versions.node}`)

// Contents rather than dates: a fresh clone has the date of the clone on everything. The version of Node is part of it, since the SQLite
// driver is built for one.
const STAMP = at('node_modules', '.kmipd-installed')
const wanted = createHash('sha256')
  .update(readFileSync(at('package-lock.json')))
  .update(process.versions.modules)
  .digest('hex')
const hasInstalled = existsSync(STAMP) ? readFileSync(STAMP, 'utf8') === wanted : existsSync(at('node_modules')) && lockIsInstalled()

if (!hasInstalled) {
  say('installing dependencies …')
  run(['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'])
}
// Newer versions of Node have a driver that is compiled already. Looked for each time: a compilation that failed is tried again.
if (major < 22 && !existsSync(at('node_modules', 'better-sqlite3', 'build', 'Release', 'better_sqlite3.node'))) {
  say('compiling the SQLite driver, for which there must be a C++ compiler, make and Python 3; it takes a minute or two …')
  run(['rebuild', 'better-sqlite3', '--loglevel=error'])
}
if (!existsSync(STAMP) || readFileSync(STAMP, 'utf8') !== wanted) writeFileSync(STAMP, wanted)

const BUILT = at('dist', '.built')
if (!existsSync(BUILT) || !existsSync(at('dist', 'cli', 'main.js')) || newest() > statSync(BUILT).mtimeMs) {
  say('building …')
  // What was built from a source that is gone must go too.
  rmSync(at('dist'), { recursive: true, force: true })
  run(['run', '--silent', 'build'])
  writeFileSync(BUILT, '')
}

/** Whether npm itself says that what is installed is what the lock file names. */
function lockIsInstalled() {
  const written = at('node_modules', '.package-lock.json')
  return existsSync(written) && statSync(written).mtimeMs >= statSync(at('package-lock.json')).mtimeMs
}

/** Latest change of anything that a build is made from, in milliseconds. */
function newest() {
  const sources = readdirSync(at('src'), { recursive: true, withFileTypes: true }).map(entry => join(entry.parentPath, entry.name))
  return Math.max(
    ...[at('tsconfig.json'), at('package.json'), at('scripts', 'console.mjs'), ...sources].map(file => statSync(file).mtimeMs),
  )
}

/** Run npm: the one that runs us, if one does. */
function run(args) {
  const npm = process.env.npm_execpath
  const { status, error } =
    npm?.endsWith('.js') === true
      ? spawnSync(process.execPath, [npm, ...args], { cwd: root, stdio: 'inherit' })
      : spawnSync(process.platform === 'win32' ? 'npm.cmd' : 'npm', args, {
          cwd: root,
          stdio: 'inherit',
          shell: process.platform === 'win32',
        })
  if (error) fail(error.message)
  if (status !== 0) fail(`npm ${args[0]} failed`)
}

function say(text) {
  process.stderr.write(`kmipd: ${text}\n`)
}

function fail(text) {
  say(text)
  process.exit(1)
}
