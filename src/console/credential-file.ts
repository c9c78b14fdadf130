import type { CredentialAnswer } from './answers.ts'

/** A credential as a file to save. */
export interface CredentialFile {
  readonly name: string
  readonly type: string
  readonly contents: string | Uint8Array<ArrayBuffer>
}

const withEnd = (pem: string): string => (pem.endsWith('\n') ? pem : `${pem}\n`)

/** Key, certificate and chain one after another, each on lines of its own. */
export const bundleOf = ({ private_key, certificate, ca_chain }: CredentialAnswer): string =>
  [private_key ?? '', certificate, ...ca_chain]
    .filter(pem => pem !== '')
    .map(withEnd)
    .join('')

/** Names go into a file's name, so only what every system takes is left of them. */
const plain = (name: string): string => name.replace(/[^\w.-]+/g, '_').replace(/^\.+/, '_')

/** @param answer in format `pem` or `pkcs12` */
export function credentialFile(scope: string, role: string, answer: CredentialAnswer): CredentialFile {
  const base = `${plain(scope)}-${plain(role)}-${answer.serial_number.slice(0, 8)}`
  if (answer.pkcs12 === undefined) return { name: `${base}.pem`, type: 'application/x-pem-file', contents: bundleOf(answer) }
  const contents = Uint8Array.from(atob(answer.pkcs12), letter => letter.charCodeAt(0))
  return { name: `${base}.p12`, type: 'application/x-pkcs12', contents }
}
