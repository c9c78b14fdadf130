import { KmipError } from '../objects/errors.ts'
import type { Context } from './context.ts'

/** What an operator can allow although it is weak, by name. */
export const WEAK = {
  des: 'single DES, and triple DES with 56 bits of key',
  md5: 'signatures and MACs by MD5',
  'rsa-1024': 'RSA keys of less than 2048 bits, and DSA and DH keys of less than 2048 bits',
  ecb: 'block ciphers in mode ECB',
  'two-key-3des': 'triple DES with two keys',
} as const
export type Weak = keyof typeof WEAK

/**
 * Allowed unless the operator says otherwise, because a profile demands it: ECB by Basic Cryptographic (CS-BC), two-key triple DES by
 * Symmetric Key Foundry (SKFF-O). All other weak things are off. What is merely kept, decrypted or verified is never refused: old data
 * must be readable.
 */
export const DEFAULT_WEAK: readonly Weak[] = ['ecb', 'two-key-3des']

/** What is about to be made, or used to protect something; names as in the XML encoding, lengths in bits. */
export interface Use {
  readonly algorithm?: string | undefined
  readonly length?: number | undefined
  readonly mode?: string | undefined
  readonly hash?: string | undefined
}

const SHORT: ReadonlySet<string> = new Set(['RSA', 'DSA', 'DH'])
const STRONG_BITS = 2048

const TESTS = Object.entries({
  des: ({ algorithm, length }) => algorithm === 'DES' || (algorithm === 'DES3' && length !== undefined && length <= 64),
  md5: ({ algorithm, hash }) => hash === 'MD5' || hash?.startsWith('MD5With') === true || algorithm === 'HMAC_MD5',
  'rsa-1024': ({ algorithm, length }) => algorithm !== undefined && SHORT.has(algorithm) && length !== undefined && length < STRONG_BITS,
  ecb: ({ mode }) => mode === 'ECB',
  'two-key-3des': ({ algorithm, length }) => algorithm === 'DES3' && length !== undefined && length > 64 && length <= 128,
} satisfies Record<Weak, (use: Use) => boolean>) as readonly [Weak, (use: Use) => boolean][]

/** @throws KmipError Permission Denied if the operator does not allow something this weak */
export function refuseWeak(use: Use, { settings }: Context): void {
  for (const [name, test] of TESTS)
    if (test(use) && !settings.allowWeak.includes(name))
      throw new KmipError('PermissionDenied', `the server does not allow ${WEAK[name]}; its operator can, by the setting crypto.allowWeak`)
}
