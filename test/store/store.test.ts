import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openLog } from '../../src/store/log-open.ts'
import { openMemory } from '../../src/store/memory.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import { compile } from './compiled.ts'
import { contract } from './contract.ts'
import { SharedSlots } from './memory-slots.ts'

const file = (t: Test): string => join(t.testdir(), 'store.db')
const compiled: { openSqlite: typeof openSqlite } = await import(compile(t.testdir(), ['src/store'])('src/store/sqlite.ts').href)

contract(t, { name: 'memory', open: () => openMemory() })
contract(t, { name: 'sqlite, direct', open: t => openSqlite({ path: file(t), directWriter: true }) })
// The thread of the source starts with a loader of its own, which takes long; `sqlite.test.ts` has it too.
contract(t, { name: 'sqlite', open: t => compiled.openSqlite({ path: file(t) }) })
contract(t, { name: 'log', open: t => openLog({ slots: new SharedSlots().open(), dir: t.testdir(), expect: 'new' }) })
