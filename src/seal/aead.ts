import { createCipheriv, createDecipheriv } from 'node:crypto'

/** Bytes that AES-256-GCM needs for one sealing: nonce before, tag after the content. */
export const NONCE_BYTES = 12
export const TAG_BYTES = 16

/** AES-256-GCM. @param nonce 12 bytes, never twice with one key. @returns ciphertext and tag in one piece */
export function encryptGcm(key: Buffer, nonce: Buffer, context: Buffer, content: Buffer): Buffer[] {
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  cipher.setAAD(context)
  const text = cipher.update(content)
  cipher.final()
  return [text, cipher.getAuthTag()]
}

/** @returns the content, or nothing if a bit of key, nonce, context or ciphertext is another one */
export function decryptGcm(key: Buffer, nonce: Buffer, context: Buffer, sealed: Buffer): Buffer | undefined {
  if (sealed.length < TAG_BYTES) return undefined
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
  decipher.setAAD(context)
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES))
  const content = decipher.update(sealed.subarray(0, -TAG_BYTES))
  try {
    decipher.final()
  } catch {
    content.fill(0)
    return undefined
  }
  return content
}

/** Texts one after the other so that no two lists of texts give the same bytes. */
export function frame(...texts: readonly string[]): Buffer {
  let size = 0
  for (const text of texts) size += 4 + Buffer.byteLength(text)
  const framed = Buffer.allocUnsafe(size)
  let at = 0
  for (const text of texts) {
    const length = framed.write(text, at + 4)
    framed.writeUInt32BE(length, at)
    at += 4 + length
  }
  return framed
}
