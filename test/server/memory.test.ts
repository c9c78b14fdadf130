import { test } from 'tap'
import { answersKept } from '../../src/server/memory.ts'

const MiB = 2 ** 20

test('a sixteenth of the memory is for remembered answers, shared by all processes', async t => {
  t.equal(answersKept(1, 1024 * MiB), 65_536)
  t.equal(answersKept(4, 1024 * MiB), 16_384)
})

test('however much or little memory there is, within bounds', async t => {
  t.equal(answersKept(1, 2 ** 40), 262_144)
  t.equal(answersKept(8, 64 * MiB), 4_096)
})

test('of this machine', async t => {
  t.ok(answersKept(1) >= 4_096)
  t.ok(answersKept(1) <= 262_144)
})
