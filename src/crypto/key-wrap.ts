/**
 * Wrapping of key material by AES. Spec: KMIP 1.4 section 2.1.5; RFC 3394 (NISTKeyWrap), RFC 5649 (AESKeyWrapPadding).
 * Other modes of Key Wrapping Data go through `encrypt` and `decrypt` of cipher.ts.
 */
import { decrypt, encrypt } from './cipher.ts'

/** Block Cipher Modes that wrap keys. */
export type KeyWrapMode = 'NISTKeyWrap' | 'AESKeyWrapPadding'

/**
 * @param kek       AES key of 16, 24 or 32 bytes
 * @param material  for NISTKeyWrap at least 16 bytes and a multiple of 8; for AESKeyWrapPadding at least 1
 * @throws CryptoError `invalid`
 */
export const wrapKey = (kek: Uint8Array, material: Uint8Array, mode: KeyWrapMode = 'NISTKeyWrap'): Buffer =>
  encrypt(kek, material, { cryptographicAlgorithm: 'AES', blockCipherMode: mode }).data

/** @throws CryptoError `invalid` for a length that no wrapped key has, `failed` when it does not check */
export const unwrapKey = (kek: Uint8Array, wrapped: Uint8Array, mode: KeyWrapMode = 'NISTKeyWrap'): Buffer =>
  decrypt(kek, wrapped, { cryptographicAlgorithm: 'AES', blockCipherMode: mode })
