import type { KmipError } from '../objects/errors.ts'
import type { Item, Structure } from '../ttlv/item.ts'

/** Who sent a message: what the listener read from the client's certificate, checked anew before each message. */
export interface Peer {
  /** Partition of the objects that this client sees: the scope's id. */
  readonly scope: string
  readonly scopeName: string
  readonly role: string
  /** Serial number of the certificate, decimal. */
  readonly serial: string
  /** Whether the role allows an operation, by its KMIP XML name such as `CreateKeyPair`. */
  may(operation: string): boolean
  /** What it may use; absent: nothing is limited. */
  readonly limits?: PeerLimits
  /** Its refused requests are to be traced. */
  readonly isTraced?: boolean
}

export interface PeerLimits {
  readonly rates: readonly { readonly key: string; readonly of: string; readonly perSecond: number; readonly burst: number }[]
  /** Objects that the scope may have. */
  readonly maxObjects?: number
}

/** What the audit log says of one batch item; never a value of key material, of an attribute or of a credential. */
export interface AuditEntry {
  readonly operation: string
  readonly object?: string | undefined
  /** Whom credentials inside the request name. */
  readonly user?: string | undefined
  /** What the client asked to be logged, without control characters. */
  readonly remark?: string | undefined
  readonly status: string
  readonly reason?: string | undefined
  readonly latencyMs: number
  /** What happened inside, for the log alone: the cause of a General Failure. */
  readonly cause?: unknown
}

export interface Answer {
  /** One whole response message, to be written at once. */
  readonly bytes: Buffer
  /** The framing is lost: close the connection after the answer. */
  readonly close: boolean
  readonly entries: readonly AuditEntry[]
}

/** An answer before it is encoded. */
export interface Reply {
  /** A Response Message. */
  readonly message: Structure
  readonly entries: readonly AuditEntry[]
}

/** The connection that a message came on, as far as an operation may change it. */
export interface Channel {
  /** Let the server be the client on it once the answer has left. @returns false where that is not to be */
  turn(): boolean
}

/** Answers KMIP messages. It never rejects: what goes wrong is in the answer. */
export interface Engine {
  /**
   * @param request one whole message in TTLV
   * @param channel absent: the roles on it are fixed
   * @param refused why nothing of it may be done, whatever it is; then the store is not asked for anything
   */
  answer(request: Buffer, peer: Peer, channel?: Channel, refused?: KmipError): Promise<Answer>
  /**
   * The answer at once, where it was worked out before and nothing was stored since; nothing: `answer` has to.
   * @throws StoreError
   */
  recall(request: Buffer, peer: Peer): Answer | undefined
  /** The same for a message that came in another encoding and is decoded already. Sizes inside it count TTLV all the same. */
  answerItem(message: Item, peer: Peer, refused?: KmipError): Promise<Reply>
  /** Store what may be stored after its answer has left. */
  finish(): Promise<void>
  /**
   * The refusal of a message that cannot be decoded, or whose answer cannot be encoded.
   * @param problem what is wrong with it, as the client is told
   * @param version of the message, if it can be made out
   */
  answerUnreadable(problem: string, version?: { readonly major: number; readonly minor: number }): Reply
}
