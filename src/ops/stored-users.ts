import { nameTerms } from '../objects/index-terms.ts'
import type { UnitOfWork } from '../objects/unit-of-work.ts'
import { CREDENTIAL_LINK } from '../ttlv/dialect-v3.ts'
import { ENUM } from '../ttlv/enumerations.ts'
import { child, enumeration, structure, text } from '../ttlv/item.ts'
import { TAG } from '../ttlv/tags.ts'
import { linksOf } from './creation.ts'

const { ObjectType, NameType } = ENUM

/** The user of this name among the objects of a scope, with the passwords that it links to; 3.0 keeps users so. */
export async function findUser(unit: UnitOfWork, name: string): Promise<{ id: string; passwords: string[] } | undefined> {
  const wanted = structure(TAG.Name, [text(TAG.NameValue, name), enumeration(TAG.NameType, NameType.UninterpretedTextString)])
  for await (const user of unit.candidates(nameTerms(wanted))) {
    if (user.type !== ObjectType.User || user.destroyed) continue
    const passwords: string[] = []
    for (const id of linksOf(user, CREDENTIAL_LINK)) {
      const credential = await unit.find(id)
      const password = credential?.object && child(credential.object, TAG.Password)?.value
      if (credential?.type === ObjectType.PasswordCredential && typeof password === 'string') passwords.push(password)
    }
    return { id: user.id, passwords }
  }
  return undefined
}
