import { totalmem } from 'node:os'

/** Bytes that a remembered answer takes, its request included. */
const ANSWER_BYTES = 1_024
/** The part of the memory that all of them may take. */
const SHARE = 1 / 16
const FEWEST = 4_096
const MOST = 262_144

/** Bytes that there are: of the machine, or of the container. */
const available = (): number => Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY)

/**
 * How many answers a process remembers at most.
 * @param processes that share the memory
 * @param bytes of memory
 */
export const answersKept = (processes: number, bytes: number = available()): number =>
  Math.min(MOST, Math.max(FEWEST, Math.floor((bytes * SHARE) / ANSWER_BYTES / processes)))
