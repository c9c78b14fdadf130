import { type Api, ApiError, path } from '../api.ts'

/** What is known of a scope; nothing of it where the token may not read the scope. */
export interface ScopeInfo {
  readonly roles?: number
  readonly credentials?: number
  readonly objects?: number
  readonly createdMs?: number
  readonly force?: boolean
}

interface ScopeAnswer {
  readonly roles?: number
  readonly credentials?: number
  readonly objects?: number
  readonly created?: string
  readonly force?: boolean
}

export async function scopeInfo(api: Api, mount: string, scope: string): Promise<ScopeInfo> {
  try {
    const { created, ...counts } = await api.read<ScopeAnswer>(path(mount, 'scope', scope))
    return { ...counts, ...(created !== undefined && { createdMs: Date.parse(created) }) }
  } catch (err) {
    // Policies written for Vault do not allow this read, which Vault has not.
    if (err instanceof ApiError && (err.status === 403 || err.status === 405)) return {}
    throw err
  }
}
