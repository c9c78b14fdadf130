import { ScopeError, type ScopeErrorCode } from '../scopes/error.ts'
import { StoreError } from '../store/store.ts'
import { AdminError } from './error.ts'
import type { Outcome } from './guard.ts'

const SCOPE_STATUS: Readonly<Record<ScopeErrorCode, number>> = { 'not-found': 404, exists: 400, invalid: 400, 'not-empty': 400 }

/** What a client hears of an error. Only what was thrown for it says anything about itself. */
export function failureOf(error: unknown): Outcome & { readonly foreseen: boolean } {
  if (error instanceof AdminError) return { status: error.status, errors: error.errors, foreseen: true }
  if (error instanceof ScopeError) return { status: SCOPE_STATUS[error.code], errors: [error.message], foreseen: true }
  if (error instanceof StoreError) return { status: 503, errors: ['the store cannot be used now'], foreseen: false }
  return { status: 500, errors: ['internal error'], foreseen: false }
}
