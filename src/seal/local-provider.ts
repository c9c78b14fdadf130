import { createHmac, randomBytes } from 'node:crypto'
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { createFile } from '../store/durable-files.ts'
import { decryptGcm, encryptGcm, NONCE_BYTES } from './aead.ts'
import { SealError } from './error.ts'
import type { KeyProvider } from './provider.ts'

const PREFIX = 'hsm:aes256:'
const KEY_BYTES = 32
const FORM = `a key is written ${PREFIX}<${KEY_BYTES} bytes in base64>`

/** @returns a new random key in the form that `localProvider` takes */
export function newLocalKey(): string {
  const key = randomBytes(KEY_BYTES)
  const text = PREFIX + key.toString('base64')
  key.fill(0)
  return text
}

/**
 * A provider whose key is given: the content of a key file, or an environment value.
 * @param text `hsm:aes256:<base64>`; white space around it does not matter
 * @throws SealError `malformed-key`
 */
export function localProvider(text: string): KeyProvider {
  const key = parse(text.trim())
  return {
    kind: 'local',
    key: createHmac('sha256', key).update('kmipd local key').digest('hex').slice(0, 16),
    async wrap(rootKey, context) {
      const nonce = randomBytes(NONCE_BYTES)
      return Buffer.concat([nonce, ...encryptGcm(key, nonce, context, rootKey)]).toString('base64')
    },
    async unwrap(wrapped, context) {
      const bytes = Buffer.from(wrapped, 'base64')
      const rootKey = decryptGcm(key, bytes.subarray(0, NONCE_BYTES), context, bytes.subarray(NONCE_BYTES))
      if (rootKey?.length !== KEY_BYTES)
        throw new SealError('damaged', 'the root key in the store was changed since it was sealed: restore a backup')
      return rootKey
    },
  }
}

/**
 * A provider whose key is in a file that nobody but its owner can read.
 * @throws SealError `malformed-key`; `sealed`: the file cannot be read, or others can read it
 */
export function localProviderFromFile(path: string): KeyProvider {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (e) {
    throw new SealError('sealed', `the key file ${path} cannot be read${reason(e)}`, { cause: e })
  }
  try {
    if (fstatSync(file).mode & 0o077) throw new SealError('sealed', `others can read the key file ${path}: run: chmod 600 ${path}`)
    return localProvider(readFileSync(file, 'latin1'))
  } catch (e) {
    if (e instanceof SealError && e.code === 'malformed-key') throw new SealError(e.code, `${path}: ${e.message}`)
    throw e
  } finally {
    closeSync(file)
  }
}

/** Make a file with a new key, durably; there must be none. @throws SealError `sealed`: the file is there, or cannot be written */
export function createLocalKeyFile(path: string): void {
  try {
    createFile(path, `${newLocalKey()}\n`)
  } catch (e) {
    if (e instanceof Error && 'code' in e && e.code === 'EEXIST')
      throw new SealError('sealed', `there is a ${path} already, and no key is overwritten: give another name`)
    throw new SealError('sealed', `the key file ${path} cannot be made${reason(e)}`, { cause: e })
  }
}

function parse(text: string): Buffer {
  if (!text.startsWith(PREFIX)) throw new SealError('malformed-key', `the key does not begin with ${PREFIX}; ${FORM}`)
  const base64 = text.slice(PREFIX.length)
  const key = Buffer.from(base64, 'base64')
  if (key.toString('base64') !== base64) throw new SealError('malformed-key', `what follows ${PREFIX} is not base64; ${FORM}`)
  if (key.length !== KEY_BYTES) throw new SealError('malformed-key', `the key has ${key.length} bytes and not ${KEY_BYTES}; ${FORM}`)
  return key
}

const reason = (e: unknown): string => (e instanceof Error && 'code' in e ? ` (${e.code})` : '')
