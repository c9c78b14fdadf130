import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openLog } from '../../src/store/log-open.ts'
import { openMemory } from '../../src/store/memory.ts'
import { openSqlite } from '../../src/store/sqlite.ts'
import { contract } from './contract.ts'
import { copyOf } from './copy-of.ts'
import { SharedSlots } from './memory-slots.ts'

const file = (t: Test): string => join(t.testdir(), 'store.db')

contract(t, { name: 'memory', open: () => openMemory() })
contract(t, { name: 'sqlite, direct', open: t => openSqlite({ path: file(t), directWriter: true }) })
contract(t, { name: 'sqlite', open: t => openSqlite({ path: file(t) }) })
contract(t, { name: 'log', open: t => openLog({ slots: new SharedSlots().open(), dir: t.testdir(), expect: 'new' }) })
contract(t, {
  name: 'copy of a log',
  async open(t) {
    const log = await openLog({ slots: new SharedSlots().open(), dir: t.testdir(), expect: 'new' })
    t.teardown(() => log.close())
    return copyOf(log)
  },
})
