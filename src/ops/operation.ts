import type { Fields, Value, Version } from '../ttlv/spec.ts'
import type { Context } from './context.ts'
import type { ResponseItem } from './message.ts'

/** One operation of KMIP as a value: tables in, a function, table out. */
export interface Operation {
  /** Value of the Operation enumeration. */
  readonly code: number
  /** XML name, by which roles allow it and the audit log names it. */
  readonly name: string
  /** First version that has the operation. */
  readonly since: Version
  readonly request: Fields
  readonly response: Fields
  run(request: Value<Fields>, context: Context): Promise<Value<Fields>>
  /** Instead of `run`, for an operation whose answer is that of another one. */
  answer?(request: Value<Fields>, context: Context): Promise<ResponseItem>
  /** Never done later, whatever the request's Asynchronous Indicator says. */
  readonly immediate?: boolean
}

interface Definition<Q extends Fields, A extends Fields> {
  readonly code: number
  readonly name: string
  readonly since: Version
  readonly immediate?: boolean
  readonly request: Q
  readonly response: A
  /** @throws KmipError to fail the batch item */
  run(request: Value<Q>, context: Context): Promise<Value<A>>
}

/** An operation that answers with another operation's outcome. */
export const relay = <Q extends Fields>(
  definition: Omit<Definition<Q, Record<string, never>>, 'run' | 'response'> & {
    answer(request: Value<Q>, context: Context): Promise<ResponseItem>
  },
): Operation => ({ response: {}, immediate: true, run: async () => ({}), ...definition }) as unknown as Operation

/** The one place where an operation's own types are forgotten; `read` and `write` of its tables keep them true. */
export const operation = <Q extends Fields, A extends Fields>(definition: Definition<Q, A>): Operation => definition as unknown as Operation
