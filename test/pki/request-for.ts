import type { KeyObject } from 'node:crypto'
import * as der from '../../src/pki/der.ts'
import { spkiOf } from '../../src/pki/keys.ts'
import { encodeName } from '../../src/pki/name.ts'
import { signatureWith } from '../../src/pki/signatures.ts'

/** A PKCS#10 request, built here and not by the code under test; `signer` differs from `key` for one that must be refused. */
export function requestFor(key: KeyObject, signer = key, attributes: Buffer = der.item(0xa0)): Buffer {
  const signature = signatureWith(signer)
  const info = der.sequence(der.unsigned(Buffer.of(0)), encodeName([['CN', 'asked']]), spkiOf(key), attributes)
  return der.sequence(info, signature.algorithm, signature.sign(info))
}
