import { vaultSeconds } from '../config/vault-values.ts'
import { AdminError } from './error.ts'

/**
 * The longest life in seconds that a setting of a mount gives; 0: as the system has it. Vault's command sends an empty text for what it
 * leaves alone.
 * @returns nothing, if nothing is said
 * @throws AdminError 400
 */
export function leaseOf(field: string, value: unknown): number | undefined {
  if (value === undefined || value === null || value === '') return undefined
  if (value === 'system') return 0
  const seconds = vaultSeconds(value)
  if (seconds === undefined || seconds < 0) throw new AdminError(400, `unable to parse ${field} of ${JSON.stringify(value)}`)
  return seconds
}
