import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Config } from '../config/schema.ts'
import type { KeyProvider } from '../seal/provider.ts'
import type { Check, Finding } from '../server/checkup.ts'
import { type Command, type Io, printJson, printLines } from './io.ts'
import { isVaultStoreThere, nameOf } from './opened-store.ts'
import { jsonOption, type PlaceArguments, placeOptions } from './options.ts'
import { loadConfig } from './settings.ts'
import { vaultUses } from './vault-uses.ts'

interface DoctorArguments extends PlaceArguments {
  readonly json?: boolean
}

/** kmipd doctor: what keeps a server from working, before it is started. */
export const doctorCommand = (io: Io): Command => ({
  command: 'doctor',
  describe: 'Check configuration, key files, store, seals, and each permission that is needed in Vault',
  builder: y =>
    jsonOption(placeOptions(y)).example('$0 doctor --config /etc/kmipd/kmipd.yaml', 'prints the lines that a policy in Vault lacks'),
  async handler({ json, ...place }: DoctorArguments) {
    const { file, isThere, config } = await loadConfig(place, io)
    const { checkUp, vaultChecks } = await import('../server/checkup.ts')
    const { closeAll, providersOf } = await import('./data.ts')
    const uses = await vaultUses(config)
    const providers: KeyProvider[] = []
    try {
      const vault = await checkUp(uses.flatMap(vaultChecks))
      let isNew = false
      const found: Check = {
        name: 'the store',
        async look() {
          isNew = await isUnmade(config)
          return []
        },
      }
      // Where Vault cannot be asked, that is the problem to tell.
      const store = areGood(vault) ? await checkUp([found]) : []
      const keys = await checkUp([keyFiles(config, isNew)])
      const canOpen = config.store.kind !== 'memory' && !isNew && areGood([...store, ...keys])
      if (canOpen) providers.push(...(await providersOf(config)))
      const findings: Finding[] = [
        { state: 'good', what: isThere ? `${file} is right` : `there is no ${file}: everything is at its default` },
        ...keys,
        ...(await checkUp([folders(config)])),
        ...vault,
        ...store,
        ...(canOpen ? await checkUp([await sealOf(config, providers)]) : []),
      ]
      if (json) printJson(io, findings)
      else printLines(io, findings.flatMap(findingLines))
      refuse(findings.filter(({ state }) => state === 'bad').length)
    } finally {
      closeAll(providers)
      for (const { client } of uses) client.close()
    }
  },
})

const MARKS = { good: 'ok       ', warn: 'note     ', bad: 'PROBLEM  ' } as const

const findingLines = ({ state, what, add }: Finding): string[] => [
  `${MARKS[state]}${what}`,
  ...(add === undefined ? [] : add.split('\n').map(line => `    ${line}`)),
]

const areGood = (findings: readonly Finding[]): boolean => findings.every(({ state }) => state !== 'bad')

const keyFiles = ({ seal, store }: Config, isNew: boolean): Check => ({
  name: 'the key files',
  async look() {
    const { localProviderFromFile } = await import('../seal/local-provider.ts')
    const files = seal.flatMap(entry => (entry.kind === 'local' && entry.keyFile !== undefined ? [entry.keyFile] : []))
    const unmade: Finding[] = isNew
      ? [{ state: 'warn', what: `the store ${nameOf(store)} is not there yet; the first start makes it` }]
      : []
    const found = files.map((file): Finding => {
      if (isNew && !existsSync(file)) return { state: 'warn', what: `the key file ${file} is not there yet; the first start makes it` }
      localProviderFromFile(file)
      return { state: 'good', what: `the key file ${file} can be read by its owner alone` }
    })
    return [...found, ...unmade]
  },
})

const folders = ({ dataDir, store, audit }: Config): Check => ({
  name: 'the data directory',
  async look() {
    const wanted = [
      dataDir,
      ...(store.kind === 'sqlite' ? [dirname(store.path)] : []),
      ...(audit.file === '-' ? [] : [dirname(audit.file)]),
    ]
    return [...new Set(wanted)].map(folder => {
      if (!existsSync(folder)) return { state: 'warn', what: `${folder} is not there yet` }
      accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK)
      if (folder === dataDir && statSync(folder).mode & 0o007)
        return { state: 'warn', what: `others can look into ${folder}: run: chmod o-rwx ${folder}` }
      return { state: 'good', what: `${folder} can be written` }
    })
  },
})

async function sealOf(config: Config, providers: readonly KeyProvider[]): Promise<Check> {
  const { sealCheck } = await import('../server/checkup.ts')
  const { openStore } = await import('./opened-store.ts')
  return sealCheck(() => openStore(config, 'reader'), providers)
}

/** Whether there is no store yet, so that the first start makes it. @throws StoreError, VaultError */
async function isUnmade({ store }: Config): Promise<boolean> {
  if (store.kind === 'sqlite') return !existsSync(store.path)
  return store.kind === 'vault' && !(await isVaultStoreThere(store))
}

class DoctorError extends Error {
  override readonly name = 'DoctorError'
  readonly code = 'problems'
}

function refuse(count: number): void {
  if (count > 0) throw new DoctorError(`${count} ${count === 1 ? 'problem was' : 'problems were'} found`)
}
