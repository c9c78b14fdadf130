import { KmipError, reasonFor } from '../objects/errors.ts'
import { ObjectCache } from '../objects/object-cache.ts'
import type { Records } from '../seal/records.ts'
import { decode, encode, TtlvError } from '../ttlv/binary.ts'
import { ENUM } from '../ttlv/enumerations.ts'
import type { Item } from '../ttlv/item.ts'
import { MessageError } from '../ttlv/spec.ts'
import { BatchRunner, type Change, type Sourced } from './batch-runner.ts'
import { Certifier } from './certifier.ts'
import type { Environment, Replace, Settings } from './context.ts'
import type { AuditEntry, Channel, Engine, Peer, Reply } from './engine.ts'
import { GroupMembers } from './group-members.ts'
import { HashedPasswords } from './hashed-passwords.ts'
import { OPERATIONS } from './index.ts'
import { Jobs } from './jobs.ts'
import { type Request, readRequest, responseItem, responseMessage, versionInBytes, versionOf } from './message.ts'
import { Applications } from './pkcs11-applications.ts'
import { Policies } from './policies.ts'
import { reProvision } from './re-provision.ts'
import { RememberedAnswers } from './remembered-answers.ts'
import { ServedMarks } from './served-marks.ts'
import { Streams } from './streams.ts'
import { Tickets } from './tickets.ts'
import { SUPPORTED_VERSIONS, versionsSpoken } from './versions.ts'
import { DEFAULT_WEAK } from './weak.ts'

const DEFAULT_SETTINGS: Settings = {
  leaseTime: 0,
  locatePage: 1000,
  maxBatch: 100,
  maxIterations: 10_000_000,
  maxRandom: 65_536,
  accounts: [],
  interop: false,
  hasHttps: false,
  experimental: false,
  allowWeak: DEFAULT_WEAK,
  freshGroups: [],
  productName: 'kmipd',
  productVersion: '0.1.0',
  serverName: 'kmipd',
}

export interface EngineOptions {
  readonly records: Records
  readonly settings?: Partial<Settings>
  /** Seconds since 1970. */
  now(): bigint
  randomBytes(size: number): Buffer
  newId(): string
  /** Answers that are remembered at most. */
  readonly answersKept?: number
  /** Run something soon, but not now: what clients asked to be done asynchronously. */
  defer?(work: () => Promise<void>): void
  /** Run something a few milliseconds later: what need not be stored before an answer leaves. */
  soon?(work: () => Promise<void>): void
  /** For Re-Provision; without it that is not supported. */
  readonly replace?: Replace
  /** Why a client may not have another object, if it may not. */
  quota?(peer: Peer): Promise<KmipError | undefined>
  /** Is told of each change to objects once it is stored, at once and in the order of the commits. It must not throw. */
  onChange?(change: Change): void
}

/** How long the end of Fresh may wait to be stored: what a client does next with an object mostly stores it along. */
const MARKS_MS = 20

/** How long an asynchronous operation can be cancelled before it begins. */
const ASYNCHRONOUS_DELAY_MS = 250

/** The part of kmipd between the socket and the store: a message in, a message out. */
export function createEngine(options: EngineOptions): Engine {
  const { records, now, randomBytes, newId } = options
  const cache = new ObjectCache(records)
  const environment: Environment = {
    settings: { ...DEFAULT_SETTINGS, ...options.settings },
    now,
    randomBytes,
    newId,
    streams: new Streams(),
    groups: new GroupMembers(),
    marks: new ServedMarks(cache, options.soon ?? (work => void setTimeout(() => void work(), MARKS_MS).unref())),
    jobs: new Jobs(),
    tickets: new Tickets(records),
    hashedPasswords: new HashedPasswords(records),
    certifier: new Certifier(records, () => Number(now()) * 1000),
    policies: new Policies(records),
    applications: new Applications(),
    defer: options.defer ?? (work => void setTimeout(() => void work(), ASYNCHRONOUS_DELAY_MS)),
    ...(options.quota && { quota: (peer: Peer) => options.quota?.(peer) ?? Promise.resolve(undefined) }),
    ...(options.replace
      ? { replace: options.replace, operations: OPERATIONS }
      : { operations: OPERATIONS.filter(one => one !== reProvision) }),
  }
  const runner = new BatchRunner(environment, records, cache, options.onChange)
  const remembered = new RememberedAnswers(records, now, options.answersKept)
  return {
    recall: (bytes, peer) => remembered.recall(bytes, peer),
    async answer(bytes, peer, channel, refused) {
      const started = performance.now()
      try {
        const recalled = refused === undefined ? remembered.recallChecked(bytes, peer) : undefined
        const known = recalled && (await recalled)
        if (known !== undefined) return known
        const version = refused === undefined ? records.version() : Number.NaN
        const message = decoded(bytes)
        const {
          message: response,
          entries,
          source,
        } = message instanceof TtlvError
          ? refuse(new KmipError('CodecError', message.message), versionInBytes(bytes), environment, started)
          : await reply(message, peer, environment, runner, started, channel, refused)
        const answer = { bytes: encode(response), close: false, entries }
        if (source !== undefined) remembered.remember(bytes, peer, answer, source, version)
        return answer
      } catch (cause) {
        const { message, entries } = failure(cause, environment, started)
        return { bytes: encode(message), close: false, entries }
      }
    },
    async answerItem(message, peer, refused) {
      const started = performance.now()
      try {
        return await reply(message, peer, environment, runner, started, undefined, refused)
      } catch (cause) {
        return failure(cause, environment, started)
      }
    },
    finish: () => environment.marks.settle(),
    answerUnreadable: (problem, version) => refuse(new KmipError('CodecError', problem), version, environment, performance.now()),
  }
}

function decoded(bytes: Buffer): Item | TtlvError {
  try {
    return decode(bytes)
  } catch (error) {
    if (error instanceof TtlvError) return error
    throw error
  }
}

const failure = (cause: unknown, environment: Environment, started: number): Reply =>
  refuse(new KmipError('GeneralFailure', 'internal error; the server’s log says more', { cause }), undefined, environment, started)

function reply(
  message: Item,
  peer: Peer,
  environment: Environment,
  runner: BatchRunner,
  started: number,
  channel?: Channel,
  refused?: KmipError,
): Sourced | Promise<Sourced> {
  const asked = versionOf(message)
  if (!asked) return refuse(new KmipError('InvalidMessage', 'the message has no protocol version'), undefined, environment, started)
  if (!versionsSpoken(environment.settings.experimental).some(([major, minor]) => major === asked.major && minor === asked.minor)) {
    const text = `KMIP ${asked.major}.${asked.minor} is not spoken here; ask Discover Versions`
    return refuse(new KmipError('UnsupportedProtocolVersion', text), asked, environment, started)
  }
  let request: Request
  try {
    request = readRequest(message)
  } catch (error) {
    if (!(error instanceof MessageError)) throw error
    return refuse(new KmipError(error.reason, error.message), asked, environment, started)
  }
  if (request.items.length > environment.settings.maxBatch) {
    const text = `a batch may hold ${environment.settings.maxBatch} items; this one has ${request.items.length}`
    return refuse(new KmipError('ServerLimitExceeded', text, { v1: 'InvalidMessage' }), asked, environment, started)
  }
  return runner.run(request, peer, channel, refused)
}

/** A header and one batch item without Operation, for a message that is not a request that we can run. Spec: KMIP 1.4 section 11.1 */
function refuse(
  error: KmipError,
  version: { major: number; minor: number } | undefined,
  environment: Environment,
  started: number,
): Sourced {
  const [newestMajor, newestMinor] = SUPPORTED_VERSIONS[0]!
  const { major, minor } = version ?? { major: newestMajor, minor: newestMinor }
  const { code, name } = reasonFor(error, Math.min(Math.max(major * 10 + minor, 10), 30))
  const item = responseItem({ status: ENUM.ResultStatus.OperationFailed, reason: code, message: error.message })
  const entry: AuditEntry = {
    operation: '-',
    status: 'OperationFailed',
    reason: name,
    latencyMs: performance.now() - started,
    ...(error.cause === undefined ? {} : { cause: error.cause }),
  }
  return { message: responseMessage({ major, minor, timeStamp: environment.now() }, [item]), entries: [entry] }
}
