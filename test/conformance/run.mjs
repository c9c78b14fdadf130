#!/usr/bin/env node
// Runs published cases against a KMIP server: node test/conformance/run.mjs FOLDER --port 5696 --clients DIR
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { readCases } from '../../dist/conformance/folder.js'
import { isWithin, needs } from '../../dist/conformance/needs.js'
import { countByVersion, jsonReport, junitReport, line } from '../../dist/conformance/report.js'
import { choose, runCases, versionsIn } from '../../dist/conformance/run-cases.js'
import { openTransport } from '../../dist/conformance/transport.js'

const USAGE = `usage: node test/conformance/run.mjs FOLDER [options]
  FOLDER             folder of cases, XML files below it
  --host HOST        default 127.0.0.1
  --port PORT        the server's KMIP port
  --https PORT       its HTTPS port, instead of --port
  --encoding NAME    ttlv, json or xml; the last two with --https
  --clients DIR      DIR/default, DIR/b and DIR/c, each with ca.pem, cert.pem and key.pem
  --versions LIST    such as 1.0,1.1; all unless told
  --only NAME        cases whose name begins so; may be given several times
  --due              only the cases that the operations below should pass
  --operations LIST  operations of the server; those of KMIP 1.x without certification, splitting and archiving unless told
  --list-needs       print what each case needs and how many are due, and stop
  --skip-slow        leave out cases that wait for minutes
  --verbose          a line for each case, not only for those that fail
  --json FILE, --junit FILE
exit: 0 all that are due pass, 1 one of them fails, 2 wrong usage`

// What a server without streaming, asynchronous processing and users of its own is measured by.
const OPERATIONS = `Create CreateKeyPair Register ReKey ReKeyKeyPair DeriveKey Locate Check Get GetAttributes GetAttributeList AddAttribute
  ModifyAttribute DeleteAttribute Activate Revoke Destroy Query DiscoverVersions Encrypt Decrypt Sign SignatureVerify MAC MACVerify Hash
  RNGRetrieve RNGSeed Import Export`.split(/\s+/)

function options() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        host: { type: 'string', default: '127.0.0.1' },
        port: { type: 'string' },
        https: { type: 'string' },
        encoding: { type: 'string', default: 'ttlv' },
        clients: { type: 'string' },
        versions: { type: 'string' },
        only: { type: 'string', multiple: true },
        due: { type: 'boolean', default: false },
        operations: { type: 'string' },
        'list-needs': { type: 'boolean', default: false },
        'skip-slow': { type: 'boolean', default: false },
        verbose: { type: 'boolean', default: false },
        json: { type: 'string' },
        junit: { type: 'string' },
      },
    })
    if (positionals.length !== 1) throw new Error('one folder is needed')
    if (values.versions && !versionsIn(values.versions)) throw new Error(`--versions ${values.versions}: write a list such as 1.0,1.4`)
    const hasPort = values.https || (values.port && values.encoding === 'ttlv')
    if (!values['list-needs'] && !(hasPort && values.clients)) throw new Error('--clients, and --port or --https are needed')
    return { ...values, folder: positionals[0] }
  } catch (error) {
    console.error(`${error.message}\n\n${USAGE}`)
    process.exit(2)
  }
}

const args = options()
const cases = readCases(args.folder)
const operations = new Set(args.operations?.split(',') ?? OPERATIONS)
const isDue = one => isWithin(one, operations, cases)
const versions = args.versions && versionsIn(args.versions)
const chosen = choose(cases, { ...(versions && { versions }), ...(args.only && { only: args.only }) }).filter(
  one => !args.due || isDue(one),
)

if (args['list-needs']) {
  for (const one of chosen) {
    const { operations: names, encodings, ...flags } = needs(one)
    const marks = Object.keys(flags).filter(flag => flags[flag])
    console.log([one.name, isDue(one) ? 'due' : 'later', names.join(','), ...marks, ...encodings].join(' '))
  }
  console.log(`${chosen.length} cases, ${chosen.filter(isDue).length} due`)
} else {
  process.exitCode = await run()
}

async function run() {
  const connection = folder => ({
    host: args.host,
    port: Number(args.https ?? args.port),
    ca: readFileSync(join(args.clients, folder, 'ca.pem')),
    cert: readFileSync(join(args.clients, folder, 'cert.pem')),
    key: readFileSync(join(args.clients, folder, 'key.pem')),
  })
  const clients = { A: connection('default'), B: connection('b'), C: connection('c') }
  const transport = openTransport(clients, { encoding: args.encoding, https: args.https !== undefined })
  const due = new Set(chosen.filter(isDue).map(one => one.name))
  let dueFailures = 0
  const results = await runCases(chosen, { transport, cases, now: Date.now, sleep, skipSlow: args['skip-slow'] }, result => {
    const isDueResult = due.has(result.name)
    if (isDueResult && result.status === 'failed') dueFailures++
    const mark = isDueResult || result.status === 'passed' ? '' : ' (not due)'
    if (args.verbose || result.status === 'failed') console.log(`${line(result)}${mark}`)
  })
  transport.close()
  console.log()
  for (const { version, passed, failed, skipped, total } of countByVersion(results)) {
    const theirs = results.filter(result => due.has(result.name) && result.version === versionsIn(version)[0])
    const duePassed = theirs.filter(result => result.status === 'passed').length
    console.log(`KMIP ${version}: ${passed} of ${total} passed, ${failed} failed, ${skipped} skipped; ${duePassed} of ${theirs.length} due`)
  }
  const passed = results.filter(result => result.status === 'passed').length
  const failed = results.filter(result => result.status === 'failed').length
  console.log(`${passed} passed, ${failed} failed, ${dueFailures} of them due`)
  if (args.json) writeFileSync(args.json, jsonReport(results))
  if (args.junit) writeFileSync(args.junit, junitReport(results))
  return dueFailures === 0 ? 0 : 1
}
