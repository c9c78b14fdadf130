import { readdirSync, readFileSync } from 'node:fs'
import { decode } from '../../src/ttlv/binary.ts'
import { encodeJson } from '../../src/ttlv/json.ts'
import { encodeXml } from '../../src/ttlv/xml.ts'

/** How a target's inputs are written, from a message's bytes. */
export const WRITTEN = {
  ttlv: (bytes: Buffer) => bytes,
  engine: (bytes: Buffer) => bytes,
  json: (bytes: Buffer) => Buffer.from(encodeJson(decode(bytes))),
  xml: (bytes: Buffer) => Buffer.from(encodeXml(decode(bytes))),
}
export type Target = keyof typeof WRITTEN
export const isTarget = (name: string): name is Target => Object.hasOwn(WRITTEN, name)

/** Recorded messages that a target's inputs are made of, as bytes. */
export const messagesFor = (name: Target): Buffer[] =>
  readdirSync('fixtures/clients').flatMap(file =>
    readFileSync(`fixtures/clients/${file}`, 'utf8')
      .split('\n')
      // Making an RSA key takes as long as it takes, and a malformed client's messages have no other encoding.
      .filter(line => line !== '' && !/^(#|create-key-pair)/.test(line) && !(file.startsWith('cyphera') && name !== 'ttlv'))
      .map(line => Buffer.from(line.split(' ')[1] ?? '', 'hex')),
  )

/** The same as the target reads them. */
export const seedsFor = (name: Target): Buffer[] => messagesFor(name).map(WRITTEN[name])
