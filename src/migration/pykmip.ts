import { attribute, nameItem } from '../client/operations.ts'
import type { ForeignDatabase } from '../store/foreign-database.ts'
import { StoreError } from '../store/store.ts'
import { ENUM } from '../ttlv/enumerations.ts'
import { boolean, bytes, dateTime, enumeration, type Item, integer, type Structure, structure, TYPE, text } from '../ttlv/item.ts'
import { TAG } from '../ttlv/tags.ts'
import { type Found, type Readable, Unreadable } from './importer.ts'

// The database of a PyKMIP server, 0.9 to 0.11: each object has a row in managed_objects, and rows with the same uid in the tables of its
// kind. Enumerations stand as KMIP's numbers, -1 for none.

type Row = { readonly [column: string]: unknown }

const { ObjectType, State } = ENUM

/** Tables that have at most one row for an object, with a prefix for their columns where two tables would clash. */
const DETAILS = ['crypto_objects', 'keys', 'split_keys', 'certificates', 'secret_data_objects', 'opaque_objects'] as const

export class NoPykmip extends Error {
  override readonly name = 'NoPykmip'
  readonly code = 'no_pykmip'
}

/**
 * The objects of a PyKMIP server, oldest first.
 * @param owner only those of this owner, the CN of a client's certificate there
 * @throws NoPykmip, StoreError
 */
export function pykmipObjects(database: ForeignDatabase, owner?: string): Found[] {
  if (!isPykmip(database)) throw new NoPykmip('the file is no database of a PyKMIP server, or of a version that is not known here')
  const details = DETAILS.map(table => byId(database.rows(`select * from ${table}`), 'uid'))
  const names = database.rows('select * from managed_object_names order by mo_uid, name_index')
  const groups = linked(database, 'object_groups', 'object_group_map', 'object_group_id')
  const infos = linked(database, 'app_specific_info', 'app_specific_info_map', 'app_specific_info_id')
  return database
    .rows('select * from managed_objects order by uid')
    .filter(row => owner === undefined || row.owner === owner)
    .map(row => ({
      id: String(row.uid),
      read: async () => {
        const whole = Object.assign({}, ...details.map(table => table.get(row.uid)?.[0] ?? {}), row) as Row
        const of = (rows: readonly Row[], id: string): Row[] => rows.filter(one => one[id] === row.uid)
        return readable(whole, of(names, 'mo_uid'), of(groups, 'object'), of(infos, 'object'))
      },
    }))
}

function byId(rows: readonly Row[], column: string): Map<unknown, Row[]> {
  const map = new Map<unknown, Row[]>()
  for (const row of rows) map.set(row[column], [...(map.get(row[column]) ?? []), row])
  return map
}

/** Rows that objects share, each with the `object` that has it; none in the databases of old versions. */
function linked(database: ForeignDatabase, table: string, map: string, id: string): Row[] {
  if (!database.hasTable(table) || !database.hasTable(map)) return []
  return database.rows(`select t.*, m.managed_object_id as object from ${table} t join ${map} m on m.${id} = t.id order by t.id`)
}

function readable(row: Row, names: readonly Row[], groups: readonly Row[], infos: readonly Row[]): Readable {
  const initial = BigInt(numberOf(row.initial_date) ?? 0)
  const state = numberOf(row.state)
  const dates = state === undefined || state === State.PreActive ? [] : [attribute(dateTime(TAG.ActivationDate, initial))]
  const mask = numberOf(row.cryptographic_usage_mask)
  const attributes: Structure[] = [
    ...names.map(({ name }) => attribute(nameItem(String(name)))),
    ...(mask === undefined ? [] : [attribute(integer(TAG.CryptographicUsageMask, mask))]),
    ...(initial > 0n ? [attribute(dateTime(TAG.InitialDate, initial))] : []),
    ...(state === undefined ? [] : [attribute(enumeration(TAG.State, state)), ...dates]),
    ...(typeof row.operation_policy_name === 'string' ? [attribute(text(TAG.OperationPolicyName, row.operation_policy_name))] : []),
    ...(row.sensitive === 1 ? [attribute(boolean(TAG.Sensitive, true))] : []),
    ...groups.map(({ object_group }) => attribute(text(TAG.ObjectGroup, String(object_group)))),
    ...infos.map(one =>
      attribute(
        structure(TAG.ApplicationSpecificInformation, [
          text(TAG.ApplicationNamespace, String(one.application_namespace)),
          text(TAG.ApplicationData, String(one.application_data)),
        ]),
      ),
    ),
  ]
  return { object: objectOf(row), attributes, notes: state === undefined ? [] : notesOf(state) }
}

/** PyKMIP keeps the state alone, and KMIP derives it from dates. */
function notesOf(state: number): string[] {
  if (state === State.Active) return ['PyKMIP does not keep its Activation Date: its Initial Date stands in']
  if (state === State.Deactivated || state === State.Compromised)
    return ['PyKMIP does not keep when its state changed: the time of the import stands in']
  return []
}

/** As PyKMIP itself answers it to a Get. */
function objectOf(row: Row): Item {
  switch (row.object_type) {
    case ObjectType.SymmetricKey:
      return structure(TAG.SymmetricKey, [keyBlock(row)])
    case ObjectType.PublicKey:
      return structure(TAG.PublicKey, [keyBlock(row)])
    case ObjectType.PrivateKey:
      return structure(TAG.PrivateKey, [keyBlock(row)])
    case ObjectType.SplitKey:
      return structure(TAG.SplitKey, [...splitFields(row), keyBlock(row)])
    case ObjectType.SecretData:
      return structure(TAG.SecretData, [
        ...field(row.data_type, value => enumeration(TAG.SecretDataType, value)),
        keyBlock({ value: row.value, key_format_type: ENUM.KeyFormatType.Opaque }),
      ])
    case ObjectType.Certificate:
      return structure(TAG.Certificate, [
        ...field(row.certificate_type, value => enumeration(TAG.CertificateType, value)),
        bytes(TAG.CertificateValue, contentOf(row)),
      ])
    case ObjectType.OpaqueObject:
      return structure(TAG.OpaqueObject, [
        ...field(row.opaque_type, value => enumeration(TAG.OpaqueDataType, value)),
        bytes(TAG.OpaqueDataValue, contentOf(row)),
      ])
    default:
      throw new Unreadable(`it is of an Object Type that is not known: ${row.object_type}`)
  }
}

function contentOf({ value }: Row): Buffer {
  if (Buffer.isBuffer(value)) return value
  throw new Unreadable('it has no value')
}

const numberOf = (value: unknown): number | undefined => (typeof value === 'number' && value >= 0 ? value : undefined)

/** A field if the column has a value. */
function field(value: unknown, item: (value: number) => Item): Item[] {
  const number = numberOf(value)
  return number === undefined ? [] : [item(number)]
}

function splitFields(row: Row): Item[] {
  const prime = row._prime_field_size
  return [
    ...field(row._split_key_parts, value => integer(TAG.SplitKeyParts, value)),
    ...field(row._key_part_identifier, value => integer(TAG.KeyPartIdentifier, value)),
    ...field(row._split_key_threshold, value => integer(TAG.SplitKeyThreshold, value)),
    ...field(row._split_key_method, value => enumeration(TAG.SplitKeyMethod, value)),
    ...(typeof prime === 'number' ? [primeField(prime)] : []),
  ]
}

function primeField(prime: number): Item {
  if (!Number.isSafeInteger(prime)) throw new Unreadable('its Prime Field Size is too large to be read from the database')
  const value = Buffer.alloc(8)
  value.writeBigInt64BE(BigInt(prime))
  return { tag: TAG.PrimeFieldSize, type: TYPE.BigInteger, value }
}

function keyBlock(row: Row): Item {
  return structure(TAG.KeyBlock, [
    ...field(row.key_format_type, value => enumeration(TAG.KeyFormatType, value)),
    structure(TAG.KeyValue, [bytes(TAG.KeyMaterial, contentOf(row))]),
    ...field(row.cryptographic_algorithm, value => enumeration(TAG.CryptographicAlgorithm, value)),
    ...field(row.cryptographic_length, value => integer(TAG.CryptographicLength, value)),
    ...wrapping(row),
  ])
}

/** A key that was wrapped when it was registered. Spec: KMIP 1.4 section 2.1.5 */
function wrapping(row: Row): Item[] {
  const method = numberOf(row._kdw_wrapping_method)
  if (method === undefined) return []
  return [
    structure(TAG.KeyWrappingData, [
      enumeration(TAG.WrappingMethod, method),
      ...keyInformation(row, '_kdw_eki', TAG.EncryptionKeyInformation),
      ...keyInformation(row, '_kdw_mski', TAG.MACSignatureKeyInformation),
      ...(Buffer.isBuffer(row._kdw_mac_signature) ? [bytes(TAG.MACSignature, row._kdw_mac_signature)] : []),
      ...(Buffer.isBuffer(row._kdw_iv_counter_nonce) ? [bytes(TAG.IVCounterNonce, row._kdw_iv_counter_nonce)] : []),
      ...field(row._kdw_encoding_option, value => enumeration(TAG.EncodingOption, value)),
    ]),
  ]
}

/** In the order of Cryptographic Parameters. Spec: KMIP 1.4 section 3.6 */
const PARAMETERS: readonly [column: string, item: (value: number) => Item][] = [
  ['block_cipher_mode', value => enumeration(TAG.BlockCipherMode, value)],
  ['padding_method', value => enumeration(TAG.PaddingMethod, value)],
  ['hashing_algorithm', value => enumeration(TAG.HashingAlgorithm, value)],
  ['key_role_type', value => enumeration(TAG.KeyRoleType, value)],
  ['digital_signature_algorithm', value => enumeration(TAG.DigitalSignatureAlgorithm, value)],
  ['cryptographic_algorithm', value => enumeration(TAG.CryptographicAlgorithm, value)],
  ['random_iv', value => boolean(TAG.RandomIV, value !== 0)],
  ['iv_length', value => integer(TAG.IVLength, value)],
  ['tag_length', value => integer(TAG.TagLength, value)],
  ['fixed_field_length', value => integer(TAG.FixedFieldLength, value)],
  ['invocation_field_length', value => integer(TAG.InvocationFieldLength, value)],
  ['counter_length', value => integer(TAG.CounterLength, value)],
  ['initial_counter_value', value => integer(TAG.InitialCounterValue, value)],
]

function keyInformation(row: Row, prefix: string, tag: number): Item[] {
  const id = row[`${prefix}_unique_identifier`]
  if (typeof id !== 'string') return []
  const parameters = PARAMETERS.flatMap(([column, item]) => field(row[`${prefix}_cp_${column}`], item))
  return [
    structure(tag, [
      text(TAG.UniqueIdentifier, id),
      ...(parameters.length > 0 ? [structure(TAG.CryptographicParameters, parameters)] : []),
    ]),
  ]
}

function isPykmip(database: ForeignDatabase): boolean {
  try {
    return ['managed_objects', 'managed_object_names', ...DETAILS].every(table => database.hasTable(table))
  } catch (error) {
    // A file of another kind: its error speaks of a store, and would mean our own.
    if (error instanceof StoreError && error.code === 'damaged') return false
    throw error
  }
}
