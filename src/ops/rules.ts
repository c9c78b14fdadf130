import type { Version } from '../ttlv/spec.ts'

/** Rules that themselves changed between versions; operations ask for the rule, never for the version. */
export interface Rules {
  /** Without a Storage Status Mask a Locate finds on-line objects only, and destroyed ones are not on-line. Spec: KMIP 2.1 section 6.1.28 */
  readonly locateFindsOnlineOnly: boolean
  /** Algorithm and usage mask must be given when an object is created. Spec: KMIP 1.4 section 4.1; in 2.x the server has defaults. */
  readonly createNeedsMask: boolean
  /** An instance of an attribute is selected by its index, otherwise by its value. Spec: KMIP 1.4 section 4.15, 2.1 section 6.1.34 */
  readonly attributesHaveIndex: boolean
  /** In 1.0 Delete Attribute must name the index; from 1.1 on a missing one means 0. Spec: KMIP 1.1 section 4.15 */
  readonly deleteNeedsIndex: boolean
  /** Batches are in order unless the request says otherwise. Spec: KMIP 1.4 section 6.12, 2.1 section 9.6 */
  readonly batchesAreOrdered: boolean
  /** Keys come in these formats unless another is asked for. Spec: KMIP 2.1 section 4.26 */
  readonly defaultFormats: boolean
  /** Server Correlation Value is known to the client. */
  readonly hasServerCorrelation: boolean
}

const cache = new Map<Version, Rules>()

export function rulesOf(version: Version): Rules {
  let rules = cache.get(version)
  if (!rules) {
    rules = {
      locateFindsOnlineOnly: version >= 20,
      createNeedsMask: version < 20,
      attributesHaveIndex: version < 20,
      deleteNeedsIndex: version < 11,
      batchesAreOrdered: version >= 20,
      defaultFormats: version >= 20,
      hasServerCorrelation: version >= 14,
    }
    cache.set(version, rules)
  }
  return rules
}
