import { readdirSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { nodeCommand } from './node-command.ts'

// All files of tests, each a process of its own that Node runs as it is: what tap starts itself gets a loader that takes as long again as the
// loading of what is tested.

const JOBS = 3
const LONGEST_MS = 240_000

const here = dirname(fileURLToPath(import.meta.url))
const files = readdirSync(here, { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.test.js'))

t.jobs = JOBS
for (const file of files.sort())
  void t.spawn(
    ...nodeCommand('--enable-source-maps', join(here, file)),
    { buffered: true, timeout: LONGEST_MS },
    relative('.', join(here, file)),
  )
