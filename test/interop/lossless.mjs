#!/usr/bin/env node
// Every published case and every captured message must survive each encoding: node test/interop/lossless.mjs FOLDER...
// Cases are XML files, captures JSON lines with the message in `hex`; files whose name begins with `malformed` are left out.
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { readCase } from '../../dist/conformance/case.js'
import { resolve } from '../../dist/conformance/pattern.js'
import { decode, encode } from '../../dist/ttlv/binary.js'
import { TYPE } from '../../dist/ttlv/item.js'
import { decodeJson, encodeJson } from '../../dist/ttlv/json.js'
import { print } from '../../dist/ttlv/print.js'
import { decodeXml, encodeXml } from '../../dist/ttlv/xml.js'

const folders = process.argv.slice(2)
if (folders.length === 0) {
  console.error('usage: node test/interop/lossless.mjs FOLDER...')
  process.exit(2)
}

const counts = { cases: 0, messages: 0, captures: 0 }
const failures = []

// What a placeholder of each type is filled with: only the form of the message is looked at here.
function filler(placeholder, tag, type) {
  if (type === TYPE.DateTime) return { tag, type, value: 1_600_000_000n + BigInt(placeholder.offset) }
  if (type === TYPE.ByteString) return { tag, type, value: Buffer.from(placeholder.name) }
  return { tag, type, value: `$${placeholder.name}` }
}

function check(where, item) {
  const bytes = encode(item)
  const forms = {
    binary: () => decode(bytes),
    XML: () => decodeXml(encodeXml(item)),
    'indented XML': () => decodeXml(encodeXml(item, { indent: 2 })),
    JSON: () => decodeJson(encodeJson(item)),
  }
  for (const [form, again] of Object.entries(forms)) {
    try {
      const copy = again()
      if (!isDeepStrictEqual(copy, item)) failures.push(`${where}: ${form} changes the items`)
      else if (!encode(copy).equals(bytes)) failures.push(`${where}: ${form} changes the bytes`)
    } catch (error) {
      failures.push(`${where}: ${form}: ${error.message}`)
    }
  }
  if (!print(item).endsWith('\n')) failures.push(`${where}: nothing to print`)
}

function checkCase(file) {
  const one = readCase(basename(file, '.xml'), readFileSync(file, 'utf8'))
  counts.cases++
  for (const [index, step] of one.steps.entries()) {
    for (const message of [step.request, step.response]) {
      counts.messages++
      check(`${one.name} step ${index + 1}`, resolve(message, filler))
    }
  }
}

function checkCaptures(file) {
  for (const [index, line] of readFileSync(file, 'utf8').split('\n').entries()) {
    if (line.trim() === '') continue
    const where = `${basename(file)} line ${index + 1}`
    const bytes = Buffer.from(JSON.parse(line).hex, 'hex')
    counts.captures++
    const item = decode(bytes)
    if (!encode(item).equals(bytes)) failures.push(`${where}: other bytes`)
    check(where, item)
  }
}

for (const folder of folders) {
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
    const file = join(folder, name)
    try {
      if (name.endsWith('.xml')) checkCase(file)
      else if (name.endsWith('.jsonl') && !basename(name).startsWith('malformed')) checkCaptures(file)
    } catch (error) {
      failures.push(`${name}: ${error.message}`)
    }
  }
}
for (const failure of failures) console.log(failure)
console.log(`${counts.cases} cases with ${counts.messages} messages, ${counts.captures} captured messages: ${failures.length} failures`)
if (failures.length > 0 || counts.messages + counts.captures === 0) process.exitCode = 1
