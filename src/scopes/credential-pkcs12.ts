import { createPrivateKey } from 'node:crypto'
import { fromPem } from '../pki/der.ts'
import { makePkcs12 } from '../pki/pkcs12.ts'
import type { CredentialAnswer } from './credentials.ts'
import { ScopeError } from './error.ts'

/** A new credential as one file under a password; the key is in it alone. */
export type Pkcs12Answer = Omit<CredentialAnswer, 'private_key'> & {
  /** Base64. */
  readonly pkcs12: string
}

/** @throws ScopeError `invalid` for anything but a text that is not empty */
export function pkcs12Password(value: unknown): string {
  if (typeof value !== 'string' || value === '') throw new ScopeError('invalid', 'format pkcs12 needs a password')
  return value
}

/** @param answer in format `pem`, with its key */
export async function asPkcs12({ private_key, ...answer }: CredentialAnswer, name: string, password: string): Promise<Pkcs12Answer> {
  if (private_key === undefined) throw new ScopeError('invalid', 'format pkcs12 is for credentials whose key is made here')
  const own = { localKeyId: Buffer.of(1), friendlyName: name }
  const derOf = (pem: string): { readonly der: Buffer } => ({ der: fromPem(pem, 'CERTIFICATE') })
  const pkcs8 = createPrivateKey(private_key).export({ type: 'pkcs8', format: 'der' })
  const file = await makePkcs12(
    {
      privateKeys: [{ pkcs8, ...own }],
      certificates: [{ ...derOf(answer.certificate), ...own }, ...answer.ca_chain.map(derOf)],
    },
    password,
  )
  return { ...answer, pkcs12: file.toString('base64') }
}
