import { Blinder } from './blinder.ts'
import { childKey } from './header.ts'
import { RecordCipher } from './record-cipher.ts'

/** What a root key gives: how bodies are sealed and terms blinded. */
export interface Keys {
  readonly cipher: RecordCipher
  readonly blinder: Blinder
  close(): void
}

/** @param rootKey the caller's, to be zeroed there: not kept */
export function keysOf(rootKey: Buffer): Keys {
  const cipher = new RecordCipher(childKey(rootKey, 'records'))
  const blinder = new Blinder(childKey(rootKey, 'terms'))
  return {
    cipher,
    blinder,
    close() {
      cipher.close()
      blinder.close()
    },
  }
}
