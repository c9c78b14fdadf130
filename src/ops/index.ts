import { cancel, poll, process, queryAsynchronousRequests } from './asynchronous.ts'
import { addAttribute, deleteAttribute, getAttributeList, getAttributes, modifyAttribute } from './attributes.ts'
import { certify, reCertify, validate } from './certify.ts'
import { getConstraints, setConstraints } from './constraints.ts'
import { create } from './create.ts'
import { setDefaults } from './defaults.ts'
import { deriveKey } from './derive-key.ts'
import { discoverVersions, query } from './discovery.ts'
import { decrypt, encrypt } from './encrypt.ts'
import { exportObject, get } from './get.ts'
import { importObject } from './import.ts'
import { createKeyPair } from './key-pair.ts'
import { activate, archive, deactivate, destroy, obliterate, recover, revoke } from './lifecycle.ts'
import { locate } from './locate.ts'
import { delegatedLogin, login, logout } from './login.ts'
import { hash, mac, macVerify } from './mac.ts'
import type { Operation } from './operation.ts'
import { pkcs11 } from './pkcs11.ts'
import { rngRetrieve, rngSeed } from './random.ts'
import { reProvision } from './re-provision.ts'
import { register } from './register.ts'
import { reKey, reKeyKeyPair } from './rekey.ts'
import { adjustAttribute, setAttribute } from './set-attribute.ts'
import { sign, signatureVerify } from './sign.ts'
import { createSplitKey, joinSplitKey } from './split-key.ts'
import { interop, log, ping, setEndpointRole } from './talk.ts'
import { check, getUsageAllocation, obtainLease } from './usage.ts'
import { createCredential, createGroup, createUser } from './users.ts'

/** Every operation that kmipd does; what is not here is answered with Operation Not Supported, and Query does not name it. */
export const OPERATIONS: readonly Operation[] = [
  create,
  createKeyPair,
  register,
  reKey,
  reKeyKeyPair,
  deriveKey,
  locate,
  check,
  get,
  getAttributes,
  getAttributeList,
  addAttribute,
  modifyAttribute,
  deleteAttribute,
  obtainLease,
  getUsageAllocation,
  activate,
  revoke,
  destroy,
  archive,
  recover,
  query,
  discoverVersions,
  encrypt,
  decrypt,
  sign,
  signatureVerify,
  mac,
  macVerify,
  hash,
  rngRetrieve,
  rngSeed,
  importObject,
  exportObject,
  poll,
  cancel,
  process,
  queryAsynchronousRequests,
  createSplitKey,
  joinSplitKey,
  setAttribute,
  adjustAttribute,
  login,
  delegatedLogin,
  logout,
  log,
  ping,
  interop,
  setEndpointRole,
  certify,
  reCertify,
  validate,
  reProvision,
  pkcs11,
  setDefaults,
  setConstraints,
  getConstraints,
  deactivate,
  obliterate,
  createUser,
  createGroup,
  createCredential,
]
