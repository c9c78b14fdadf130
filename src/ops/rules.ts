import type { Version } from '../ttlv/spec.ts'

/** Rules that themselves changed between versions; operations ask for the rule, never for the version. */
export interface Rules {
  /** An instance of an attribute is selected by its index, otherwise by its value. Spec: KMIP 1.4 section 4.15, 2.1 section 6.1.34 */
  readonly attributesHaveIndex: boolean
  /** A failed Check tells the fields that are the reason. Spec: KMIP 1.4 section 4.10; the published cases of 2.1 have no payload there. */
  readonly failuresTellFields: boolean
  /** Get Attributes of what is not there answers Item Not Found, as the published cases of 3.0 have it. */
  readonly attributesOfNothing: 'ItemNotFound' | 'ObjectNotFound'
  /** A PKCS#12 file stands in Key Value itself, as the published cases of 1.4 have it. */
  readonly pkcs12InKeyValue: boolean
  /** PKCS#11 tells the Correlation Value in every answer, as the published cases of 3.0 have it, and not only where it is given out. */
  readonly correlationComesBack: boolean
  /** Keys come in these formats unless another is asked for. Spec: KMIP 2.1 section 4.26 */
  readonly defaultFormats: boolean
  /** An object that is registered wrapped is linked to the key that wraps it. Spec: KMIP 2.1 section 6.1.43 */
  readonly linksWrappingKey: boolean
}

const cache = new Map<Version, Rules>()

export function rulesOf(version: Version): Rules {
  let rules = cache.get(version)
  if (!rules) {
    rules = {
      attributesHaveIndex: version < 20,
      failuresTellFields: version < 20,
      attributesOfNothing: version < 30 ? 'ObjectNotFound' : 'ItemNotFound',
      pkcs12InKeyValue: version < 20,
      correlationComesBack: version >= 30,
      defaultFormats: version >= 20,
      linksWrappingKey: version >= 20,
    }
    cache.set(version, rules)
  }
  return rules
}
