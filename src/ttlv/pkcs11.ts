// Numbers of PKCS#11 that KMIP's PKCS#11 operation carries. Spec: KMIP 2.1 section 11.38 and 11.39, PKCS#11 3.0

/** Functions in the order of the function list, which numbers them from 1. */
const FUNCTIONS = `Initialize Finalize GetInfo GetFunctionList GetSlotList GetSlotInfo GetTokenInfo GetMechanismList GetMechanismInfo
  InitToken InitPIN SetPIN OpenSession CloseSession CloseAllSessions GetSessionInfo GetOperationState SetOperationState Login Logout CreateObject
  CopyObject DestroyObject GetObjectSize GetAttributeValue SetAttributeValue FindObjectsInit FindObjects FindObjectsFinal EncryptInit Encrypt
  EncryptUpdate EncryptFinal DecryptInit Decrypt DecryptUpdate DecryptFinal DigestInit Digest DigestUpdate DigestKey DigestFinal SignInit Sign
  SignUpdate SignFinal SignRecoverInit SignRecover VerifyInit Verify VerifyUpdate VerifyFinal VerifyRecoverInit VerifyRecover DigestEncryptUpdate
  DecryptDigestUpdate SignEncryptUpdate DecryptVerifyUpdate GenerateKey GenerateKeyPair WrapKey UnwrapKey DeriveKey SeedRandom GenerateRandom
  GetFunctionStatus CancelFunction WaitForSlotEvent GetInterfaceList GetInterface LoginUser SessionCancel MessageEncryptInit EncryptMessage
  EncryptMessageBegin EncryptMessageNext MessageEncryptFinal MessageDecryptInit DecryptMessage DecryptMessageBegin DecryptMessageNext
  MessageDecryptFinal MessageSignInit SignMessage SignMessageBegin SignMessageNext MessageSignFinal MessageVerifyInit VerifyMessage
  VerifyMessageBegin VerifyMessageNext MessageVerifyFinal`.split(/\s+/)

/** Name of a function, `C_Initialize`, or nothing. */
export const functionName = (value: number): string | undefined => (FUNCTIONS[value - 1] ? `C_${FUNCTIONS[value - 1]}` : undefined)

/** Number of a function by its name, or nothing. */
export function functionNumber(name: string): number | undefined {
  const index = name.startsWith('C_') ? FUNCTIONS.indexOf(name.slice(2)) : -1
  return index < 0 ? undefined : index + 1
}

/** Return codes by their names without CKR. */
export const RETURN_CODE = {
  OK: 0x00,
  SLOT_ID_INVALID: 0x03,
  GENERAL_ERROR: 0x05,
  FUNCTION_FAILED: 0x06,
  ARGUMENTS_BAD: 0x07,
  ATTRIBUTE_READ_ONLY: 0x10,
  ATTRIBUTE_SENSITIVE: 0x11,
  ATTRIBUTE_TYPE_INVALID: 0x12,
  ATTRIBUTE_VALUE_INVALID: 0x13,
  ACTION_PROHIBITED: 0x1b,
  DATA_INVALID: 0x20,
  DATA_LEN_RANGE: 0x21,
  ENCRYPTED_DATA_INVALID: 0x40,
  FUNCTION_NOT_SUPPORTED: 0x54,
  KEY_HANDLE_INVALID: 0x60,
  KEY_SIZE_RANGE: 0x62,
  KEY_TYPE_INCONSISTENT: 0x63,
  KEY_FUNCTION_NOT_PERMITTED: 0x68,
  MECHANISM_INVALID: 0x70,
  MECHANISM_PARAM_INVALID: 0x71,
  OBJECT_HANDLE_INVALID: 0x82,
  OPERATION_ACTIVE: 0x90,
  OPERATION_NOT_INITIALIZED: 0x91,
  PIN_INCORRECT: 0xa0,
  SESSION_COUNT: 0xb1,
  SESSION_HANDLE_INVALID: 0xb3,
  SESSION_PARALLEL_NOT_SUPPORTED: 0xb4,
  SESSION_READ_ONLY: 0xb5,
  SIGNATURE_INVALID: 0xc0,
  SIGNATURE_LEN_RANGE: 0xc1,
  TEMPLATE_INCOMPLETE: 0xd0,
  TEMPLATE_INCONSISTENT: 0xd1,
  USER_ALREADY_LOGGED_IN: 0x100,
  USER_NOT_LOGGED_IN: 0x101,
  USER_TYPE_INVALID: 0x103,
  RANDOM_SEED_NOT_SUPPORTED: 0x120,
  BUFFER_TOO_SMALL: 0x150,
  CRYPTOKI_NOT_INITIALIZED: 0x190,
} as const
export type ReturnCode = keyof typeof RETURN_CODE

const NAME_OF_RETURN_CODE = new Map<number, string>(Object.entries(RETURN_CODE).map(([name, value]) => [value, name]))
/** Name of a return code without CKR, or nothing. */
export const returnCodeName = (value: number): string | undefined => NAME_OF_RETURN_CODE.get(value)
export const returnCodeNumber = (name: string): number | undefined =>
  Object.hasOwn(RETURN_CODE, name) ? RETURN_CODE[name as ReturnCode] : undefined

/** Object classes, key types, attributes and flags, by their names without CKO, CKK, CKA and CKF. */
export const CLASS = { DATA: 0, CERTIFICATE: 1, PUBLIC_KEY: 2, PRIVATE_KEY: 3, SECRET_KEY: 4 } as const
export const KEY_TYPE = {
  RSA: 0x00,
  DSA: 0x01,
  EC: 0x03,
  GENERIC_SECRET: 0x10,
  DES3: 0x15,
  AES: 0x1f,
  SHA_1_HMAC: 0x28,
  SHA256_HMAC: 0x2b,
  SHA384_HMAC: 0x2c,
  SHA512_HMAC: 0x2d,
  SHA224_HMAC: 0x2e,
  CHACHA20: 0x33,
} as const
export const ATTRIBUTE = {
  CLASS: 0x00,
  TOKEN: 0x01,
  PRIVATE: 0x02,
  LABEL: 0x03,
  UNIQUE_ID: 0x04,
  VALUE: 0x11,
  CERTIFICATE_TYPE: 0x80,
  KEY_TYPE: 0x100,
  ID: 0x102,
  SENSITIVE: 0x103,
  ENCRYPT: 0x104,
  DECRYPT: 0x105,
  WRAP: 0x106,
  UNWRAP: 0x107,
  SIGN: 0x108,
  VERIFY: 0x10a,
  DERIVE: 0x10c,
  MODULUS: 0x120,
  MODULUS_BITS: 0x121,
  PUBLIC_EXPONENT: 0x122,
  VALUE_LEN: 0x161,
  EXTRACTABLE: 0x162,
  LOCAL: 0x163,
  NEVER_EXTRACTABLE: 0x164,
  ALWAYS_SENSITIVE: 0x165,
  MODIFIABLE: 0x170,
  DESTROYABLE: 0x172,
} as const
/** How wide an attribute's value is on the wire; all others are byte strings with a length in front. */
export const ATTRIBUTE_WIDTH: ReadonlyMap<number, 1 | 8> = new Map<number, 1 | 8>([
  ...(['CLASS', 'CERTIFICATE_TYPE', 'KEY_TYPE', 'MODULUS_BITS', 'VALUE_LEN'] as const).map(name => [ATTRIBUTE[name], 8] as const),
  ...(
    'TOKEN PRIVATE SENSITIVE ENCRYPT DECRYPT WRAP UNWRAP SIGN VERIFY DERIVE EXTRACTABLE LOCAL NEVER_EXTRACTABLE ALWAYS_SENSITIVE MODIFIABLE DESTROYABLE'.split(
      ' ',
    ) as (keyof typeof ATTRIBUTE)[]
  ).map(name => [ATTRIBUTE[name], 1] as const),
])
