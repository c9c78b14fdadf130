import { availableParallelism } from 'node:os'

/**
 * How many processes `auto` is: one for each processor but one, which is left to the process that writes and keeps them together, and to all
 * else on the machine. Measured on two processors with a client beside: two processes answer a tenth less than one, and later.
 */
export const automaticProcesses = (): number => Math.max(1, availableParallelism() - 1)
