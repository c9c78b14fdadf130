import type { Address } from '../config/value-types.ts'
import { UsageError } from './usage-error.ts'

/** The address that an option names, or nothing for `off`. @throws UsageError */
export async function addressArgument(option: string, text: string): Promise<Address | undefined> {
  const { addressOrOff } = await import('../config/value-types.ts')
  const { success, data } = addressOrOff.safeParse(text)
  if (!success) throw new UsageError(`--${option} ${text}: write host:port, such as 127.0.0.1:5696`)
  return data
}

/** The same, of a listener that there has to be. @throws UsageError */
export async function listenerArgument(option: string, text: string): Promise<Address> {
  const address = await addressArgument(option, text)
  if (address === undefined) throw new UsageError(`--${option} ${text}: write host:port, such as 127.0.0.1:0`)
  return address
}
