import t from 'tap'
import { ENUM } from '../../src/ttlv/enumerations.ts'
import { enumeration, type Item, integer, structure } from '../../src/ttlv/item.ts'
import { TAG } from '../../src/ttlv/tags.ts'
import { makeLab, type Name, objectType, uid } from './harness.ts'

// What is not understood is refused: nothing of a request is passed over as if it were not there.

t.test('a structure that is no structure is not an absent one', async t => {
  const c = (await makeLab()).client({ version: 21 })
  const id = await c.create()
  const none = (tag: number): Item => integer(tag, 5)
  const CASES: readonly (readonly [Name, ...Item[]])[] = [
    ['Locate', none(TAG.Attributes)],
    ['Create', objectType('SymmetricKey'), none(TAG.Attributes)],
    ['CreateKeyPair', none(TAG.CommonAttributes)],
    ['ReKey', uid(id), none(TAG.Attributes)],
    ['GetAttributes', uid(id), none(TAG.AttributeReference)],
    ['DeleteAttribute', uid(id), none(TAG.AttributeReference)],
    ['DeleteAttribute', uid(id), none(TAG.CurrentAttribute)],
    ['AddAttribute', uid(id), none(TAG.NewAttribute)],
    ['SetConstraints', structure(TAG.Constraints, [structure(TAG.Constraint, [none(TAG.Attributes)])])],
    [
      'SetDefaults',
      structure(TAG.DefaultsInformation, [structure(TAG.ObjectDefaults, [objectType('SymmetricKey'), none(TAG.Attributes)])]),
    ],
    ['Query', enumeration(TAG.QueryFunction, ENUM.QueryFunction.QueryOperations), none(TAG.ObjectGroups)],
    // An Interval or a Date-Time: a ticket without either has no end.
    ['Login', none(TAG.LeaseTime)],
  ]
  for (const version of [20, 21])
    for (const [operation, ...payload] of CASES)
      if (version === 21 || !operation.startsWith('Set'))
        t.equal(await c.in(version).result(operation, ...payload), 'InvalidMessage', `${operation} in ${version}`)
})
