import { hash } from 'node:crypto'

/** SHA-256 in one call. By way of a text, since Node makes the Buffer of a short digest out of its C++ in five times the time of the hash. */
export const sha256 = (content: Uint8Array | string): Buffer => Buffer.from(hash('sha256', content, 'binary'), 'latin1')
