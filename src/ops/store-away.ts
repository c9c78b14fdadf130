import { KmipError } from '../objects/errors.ts'

/** What a client is told of a request that was not begun because the store cannot be asked. */
export const storeAway = (cause: unknown): KmipError =>
  new KmipError('GeneralFailure', 'the store is not reachable, and nothing was done; ask again later', { cause })
