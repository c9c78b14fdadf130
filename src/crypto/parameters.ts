/**
 * KMIP's Cryptographic Parameters as the functions of this folder take them: enumerations are the names of KMIP's XML encoding
 * ('AES', 'CBC', 'SHA_256'), numbers keep KMIP's units. Spec: KMIP 1.4 section 3.6, 2.1 section 4.16.
 */
export interface CryptographicParameters {
  readonly cryptographicAlgorithm?: string | undefined
  readonly blockCipherMode?: string | undefined
  readonly paddingMethod?: string | undefined
  readonly hashingAlgorithm?: string | undefined
  readonly digitalSignatureAlgorithm?: string | undefined
  /** bits */
  readonly ivLength?: number | undefined
  /** bytes */
  readonly tagLength?: number | undefined
  /** bits; the counter at the end of a CTR block, or of the counter of an SP 800-108 derivation */
  readonly counterLength?: number | undefined
  readonly initialCounterValue?: number | undefined
  /** bytes */
  readonly saltLength?: number | undefined
  readonly maskGenerator?: string | undefined
  readonly maskGeneratorHashingAlgorithm?: string | undefined
  readonly pSource?: Uint8Array | undefined
  readonly trailerField?: number | undefined
}
