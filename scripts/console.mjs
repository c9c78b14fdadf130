// Builds the console: everything under src/console becomes a page, one script and one style sheet in dist/console. Script and style carry a
// hash of their contents in their names, so that a browser may keep them for ever.
import { createHash } from 'node:crypto'
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const from = join(root, 'src', 'console')
const to = join(root, 'dist', 'console')

rmSync(to, { recursive: true, force: true })
mkdirSync(to, { recursive: true })
const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: [join(from, 'main.tsx'), join(from, 'style.css')],
  tsconfig: join(from, 'tsconfig.json'),
  outdir: to,
  entryNames: '[name]-[hash]',
  bundle: true,
  format: 'esm',
  target: ['chrome111', 'firefox113', 'safari16.4'],
  minify: true,
  metafile: true,
  logLevel: 'warning',
})
const made = Object.keys(metafile.outputs).map(file => basename(file))
const icon = readFileSync(join(from, 'icon.svg'))
const names = {
  script: made.find(name => name.endsWith('.js')),
  style: made.find(name => name.endsWith('.css')),
  icon: `icon-${createHash('sha256').update(icon).digest('hex').slice(0, 8).toUpperCase()}.svg`,
}
writeFileSync(join(to, names.icon), icon)
const page = readFileSync(join(from, 'index.html'), 'utf8').replace(/\{(\w+)\}/g, (_, name) => names[name])
writeFileSync(join(to, 'index.html'), page)
// The library's license asks that its text goes with it.
copyFileSync(join(root, 'node_modules', 'preact', 'LICENSE'), join(to, 'preact-license.txt'))
