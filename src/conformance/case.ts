import { ENUM } from '../ttlv/enumerations.ts'
import { EncodingError } from '../ttlv/notation.ts'
import type { Version } from '../ttlv/spec.ts'
import { TAG } from '../ttlv/tags.ts'
import { readXml, type XmlElement } from '../ttlv/xml.ts'
import { defectOf } from './defects.ts'
import { fieldOf, fieldsOf, type Pattern, patternOf, valueAt } from './pattern.ts'

const { GetAttributes, Notify, Poll, Put } = ENUM.Operation

/** Who sends: each letter has a certificate of its own. */
export type Sender = 'A' | 'B' | 'C'

/** One request and the response that it should get. */
export interface Step {
  readonly sender: Sender
  /** The server asks and the client answers. */
  readonly serverToClient: boolean
  /** Send again until the response comes. */
  readonly repeat: boolean
  readonly request: Pattern
  readonly response: Pattern
}

/** A script of requests and expected responses. */
export interface Case {
  /** As in the file's name: `SKLC-M-1-14`. */
  readonly name: string
  /** Name without the version: `SKLC-M-1`. */
  readonly stem: string
  readonly version: Version
  readonly steps: readonly Step[]
}

/**
 * Read a case from its XML.
 * @param name file name without `.xml`; its last part is the version
 * @throws EncodingError
 * Spec: KMIP Additional Message Encodings 1.0 section 6.1; Profiles 2.1 section 4.1
 */
export function readCase(name: string, xml: string): Case {
  const root = readXml(xml, { remarks: true, maxDepth: 40 })
  const defect = defectOf(name)
  const first = root.children.find(child => child.name === 'RequestMessage')
  if (first === undefined) throw new EncodingError('a case without a request', [name])
  const version = versionOf(patternOf(first.children.find(child => child.name === 'RequestHeader') ?? first))
  const options = { collapseSpaces: version <= 12, ...(defect?.replace !== undefined && { replace: defect.replace }) }

  const steps: Step[] = []
  const open: { element: XmlElement; request: Pattern }[] = []
  for (const element of root.children) {
    const pattern = (defect?.repair ?? (same => same))(patternOf(element, options))
    if (element.name === 'RequestMessage') {
      open.push({ element, request: pattern })
    } else if (element.name === 'ResponseMessage') {
      // Answers come in the order of their requests, save where a published case has them crossed.
      const index = Math.max(
        0,
        open.findIndex(({ request }) => operations(request) === operations(pattern)),
      )
      const [asked] = open.splice(index, 1)
      if (asked === undefined) throw new EncodingError(`line ${element.line}: a response without a request`, [name])
      steps.push(step(name, asked.element, asked.request, pattern))
    } else {
      throw new EncodingError(`line ${element.line}: ${element.name} is no message`, [name])
    }
  }
  if (open.length > 0) throw new EncodingError(`line ${open[0]!.element.line}: a request without a response`, [name])
  return { name, stem: name.replace(/-\d\d$/, ''), version, steps }
}

function step(name: string, element: XmlElement, request: Pattern, response: Pattern): Step {
  const { remark } = element
  const sender = /\[Client-([BC])\]/.exec(remark)?.[1] as Sender | undefined
  const items = fieldsOf(request, TAG.BatchItem)
  const all = (...operations: number[]): boolean => items.every(item => operations.includes(operationOf(item) ?? 0))
  return {
    sender: sender ?? 'A',
    // Not every file marks the direction; these are what only servers ask.
    serverToClient: remark.includes('[Server-to-Client]') || all(Put, Notify) || name.startsWith('TC-Q-S2C-'),
    // Cases of 1.0 poll without saying that it may take more than once.
    repeat: remark.includes('[REPEAT]') || all(Poll) || (defectOf(name)?.repeat === true && all(GetAttributes)),
    request,
    response,
  }
}

/** Operation number of a batch item. */
export function operationOf(item: Pattern): number | undefined {
  const value = valueAt(item, TAG.Operation)
  return typeof value === 'number' ? value : undefined
}

const operations = (message: Pattern): string => fieldsOf(message, TAG.BatchItem).map(operationOf).join()

/** Protocol version in a header, as major * 10 + minor. */
function versionOf(header: Pattern | undefined): Version {
  const version = fieldOf(header, TAG.ProtocolVersion)
  return Number(valueAt(version, TAG.ProtocolVersionMajor)) * 10 + Number(valueAt(version, TAG.ProtocolVersionMinor))
}

/** The case of that stem in this version, or else in the nearest one. */
export function nearestCase(cases: readonly Case[], stem: string, version: Version): Case | undefined {
  const distance = (one: Case): number => Math.abs(one.version - version)
  return cases.filter(one => one.stem === stem).sort((one, other) => distance(one) - distance(other))[0]
}
