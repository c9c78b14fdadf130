import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto'
import { answer, errors, type FakeAnswer, type FakeRequest } from './fake-answers.ts'

interface Key {
  readonly versions: Buffer[]
  minDecryption: number
}

/** What a fake engine refuses, with the words of the real one. */
class Refused extends Error {}

/** A transit engine with AES-256-GCM keys. */
export class FakeTransit {
  readonly keys = new Map<string, Key>()

  create(name: string): void {
    this.keys.set(name, { versions: [randomBytes(32)], minDecryption: 1 })
  }

  rotate(name: string): void {
    this.keys.get(name)?.versions.push(randomBytes(32))
  }

  handle({ body }: FakeRequest, path: string): FakeAnswer {
    const name = path.split('/').at(-1) ?? ''
    const verb = path.slice(0, path.length - name.length - 1)
    const key = this.keys.get(name)
    // To encrypt with it would make it, which our policies do not allow.
    if (!key && verb === 'encrypt') return errors(403, '1 error occurred:\n\t* permission denied\n\n')
    if (!key) return errors(400, 'encryption key not found')
    const items = body.batch_input
    if (!Array.isArray(items)) {
      const result = this.#one(verb, key, body)
      return 'error' in result ? errors(400, `${result.error}`) : answer(200, { data: result })
    }
    const results = items.map(item => this.#one(verb, key, item))
    return answer(results.some(result => 'error' in result) ? 400 : 200, { data: { batch_results: results } })
  }

  #one(verb: string, key: Key, item: { readonly [field: string]: unknown }): { readonly [field: string]: unknown } {
    try {
      if (verb === 'encrypt') return { ciphertext: encrypt(key, Buffer.from(`${item.plaintext}`, 'base64')) }
      if (verb === 'decrypt') return { plaintext: decrypt(key, `${item.ciphertext}`).toString('base64') }
      if (verb === 'rewrap') return { ciphertext: encrypt(key, decrypt(key, `${item.ciphertext}`)) }
      if (verb === 'hmac') return { hmac: hmac(key, `${item.input}`, item.key_version) }
      if (verb === 'datakey/plaintext') {
        const made = randomBytes(32)
        return { plaintext: made.toString('base64'), ciphertext: encrypt(key, made) }
      }
      throw new Refused('unsupported path')
    } catch (error) {
      if (error instanceof Refused) return { error: error.message }
      throw error
    }
  }
}

function encrypt({ versions }: Key, plaintext: Buffer): string {
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', versions.at(-1)!, nonce)
  const text = Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
  return `vault:v${versions.length}:${text.toString('base64')}`
}

function decrypt({ versions, minDecryption }: Key, ciphertext: string): Buffer {
  const [, digits, base64 = ''] = /^vault:v(\d+):(.*)$/.exec(ciphertext) ?? []
  if (digits === undefined) throw new Refused('invalid ciphertext: no prefix')
  const version = Number(digits)
  const key = versions[version - 1]
  if (!key) throw new Refused('invalid ciphertext: version is too new')
  if (version < minDecryption) throw new Refused('ciphertext or signature version is disallowed by policy (too old)')
  const bytes = Buffer.from(base64, 'base64')
  if (bytes.length < 28) throw new Refused('invalid ciphertext length')
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12))
  decipher.setAuthTag(bytes.subarray(-16))
  try {
    return Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()])
  } catch {
    throw new Refused('cipher: message authentication failed')
  }
}

function hmac({ versions, minDecryption }: Key, input: string, wanted: unknown): string {
  const version = typeof wanted === 'number' && wanted > 0 ? wanted : versions.length
  const key = versions[version - 1]
  if (!key) throw new Refused(`key version does not exist; latest key version is ${versions.length}`)
  if (version < minDecryption) throw new Refused('no such key version')
  return `vault:v${version}:${createHmac('sha256', key).update(Buffer.from(input, 'base64')).digest('base64')}`
}
