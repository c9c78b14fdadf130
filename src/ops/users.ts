import { KmipError } from '../objects/errors.ts'
import type { ManagedObject } from '../objects/managed-object.ts'
import { ENUM } from '../ttlv/enumerations.ts'
import { type Item, TYPE } from '../ttlv/item.ts'
import { UniqueIdentifierResponse } from '../ttlv/payloads/objects.ts'
import { Certificate } from '../ttlv/payloads/structures.ts'
import { CreateCredentialRequest, CreateUserRequest, PasswordCredential } from '../ttlv/payloads/users.ts'
import { read } from '../ttlv/spec.ts'
import { TAG } from '../ttlv/tags.ts'
import { addCertificateFacts } from './certificates.ts'
import type { Context } from './context.ts'
import { makeObject, requestedAttributes } from './creation.ts'
import { operation } from './operation.ts'

const { Operation, ObjectType, CredentialType } = ENUM

// Users, groups and credentials of the 3.0 draft: system objects that administrators make. Experimental.

function requireAdministrator(context: Context): void {
  if (context.inner.isAdministrator !== true)
    throw new KmipError('PermissionDenied', 'only an administrator may do this; send credentials of one')
}

async function makeSystemObject(
  type: number,
  object: Item | undefined,
  attributes: Item | undefined,
  context: Context,
): Promise<ManagedObject> {
  requireAdministrator(context)
  const requested = await requestedAttributes([attributes], context)
  const made = await makeObject(context, { type, object, requested, serverMade: false })
  context.place(made.id)
  return made
}

export const createUser = operation({
  code: Operation.CreateUser,
  name: 'CreateUser',
  since: 30,
  request: CreateUserRequest,
  response: UniqueIdentifierResponse,
  async run(request, context) {
    const names = request.attributes?.type === TYPE.Structure ? request.attributes.value.filter(item => item.tag === TAG.Name) : []
    if (names.length === 0) throw new KmipError('InvalidMessage', 'a user needs a Name')
    return { uniqueIdentifier: (await makeSystemObject(ObjectType.User, undefined, request.attributes, context)).id }
  },
})

export const createGroup = operation({
  code: Operation.CreateGroup,
  name: 'CreateGroup',
  since: 30,
  request: CreateUserRequest,
  response: UniqueIdentifierResponse,
  async run(request, context) {
    return { uniqueIdentifier: (await makeSystemObject(ObjectType.Group, undefined, request.attributes, context)).id }
  },
})

/** Credentials that users can link to: passwords, and certificates. */
export const createCredential = operation({
  code: Operation.CreateCredential,
  name: 'CreateCredential',
  since: 30,
  request: CreateCredentialRequest,
  response: UniqueIdentifierResponse,
  async run(request, context) {
    const { credentialType, credential, attributes } = request
    if (credentialType === CredentialType.Certificate && credential.tag === TAG.Certificate) {
      read(credential, Certificate)
      const made = await makeSystemObject(ObjectType.Certificate, credential, attributes, context)
      addCertificateFacts(made)
      return { uniqueIdentifier: made.id }
    }
    if (credentialType === CredentialType.Password && credential.tag === TAG.PasswordCredential) {
      read(credential, PasswordCredential)
      return { uniqueIdentifier: (await makeSystemObject(ObjectType.PasswordCredential, credential, attributes, context)).id }
    }
    throw new KmipError('FeatureNotSupported', 'credentials are passwords or certificates here, each with its own Credential Type')
  },
})
