import type { Answer, Caller, LogicalRequest, WrapAnswer } from './route.ts'

export interface Needs {
  readonly sudo: boolean
  /** The path as it is stored, where the one that was sent is another spelling of it. */
  readonly stored: string
}

/** Who may do what. Each function rejects with AdminError (403 as a rule) to refuse. */
export interface Guard {
  /** Whose the token is; uses of counted tokens are counted here. @throws AdminError */
  authenticate(request: LogicalRequest): Promise<Caller>
  /** Whether the caller may: `request.operation` on `request.path` with `request.data`. @throws AdminError */
  authorize(caller: Caller, request: LogicalRequest, needs: Needs): Promise<void>
  /**
   * Keep an answer for a token of one use instead of sending it.
   * @param envelope  what the client would have got, as an object that becomes JSON
   */
  wrap(caller: Caller | undefined, request: LogicalRequest, envelope: Readonly<Record<string, unknown>>): Promise<WrapAnswer>
}

/** The record of what was asked and answered. While it cannot be written, nothing is done and nothing answered. */
export interface Trail {
  /** Before anything is done; also of what was refused. */
  asked(request: LogicalRequest, caller: Caller | undefined, refusal: string | undefined): Promise<void>
  /** Before the answer leaves. `answer` is as the client will see it, wrapped if it is. */
  answered(request: LogicalRequest, caller: Caller | undefined, answer: Answer | undefined, outcome: Outcome): Promise<void>
}

export interface Outcome {
  readonly status: number
  readonly errors: readonly string[]
}
