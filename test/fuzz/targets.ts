import { decode, encode, TtlvError } from '../../src/ttlv/binary.ts'
import type { Item } from '../../src/ttlv/item.ts'
import { decodeJson, encodeJson } from '../../src/ttlv/json.ts'
import { EncodingError } from '../../src/ttlv/notation.ts'
import { decodeXml, encodeXml } from '../../src/ttlv/xml.ts'
import { type Client, Message, makeLab } from '../ops/harness.ts'

// What a fuzzer calls: each returns for any input, or throws because a promise of the code is broken. scripts/fuzz.mjs runs them.

/** @returns what `read` gave, or nothing when it refused the input as its contract says */
function unlessRefused<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof TtlvError || error instanceof EncodingError) return undefined
    throw error
  }
}

/** Any bytes: refused, or an item that encodes to the same bytes. */
export function ttlv(input: Buffer): void {
  const item = unlessRefused(() => decode(input))
  if (item && !encode(item).equals(input)) throw new Error('decoded bytes encode to others')
}

/** Any text: refused, or an item that the encoding writes so that it reads as the same item again. */
const textual = (read: (text: string) => Item, write: (item: Item) => string) => (input: Buffer) => {
  const item = unlessRefused(() => read(input.toString()))
  const again = item && unlessRefused(() => write(item))
  if (item && again !== undefined && !encode(read(again)).equals(encode(item)))
    throw new Error('an item is another one when it is read again')
}

export const json = textual(decodeJson, encodeJson)
export const xml = textual(decodeXml, encodeXml)

let lab: Promise<Client> | undefined
let answered = 0

/** Any message: one well-formed answer. Objects of earlier inputs stay for some time, so that identifiers and names in them are found. */
export async function engine(input: Buffer): Promise<void> {
  if (lab === undefined || answered++ % 2000 === 0) lab = makeLab({ maxIterations: 1000 }).then(made => made.client())
  const { engine, peer } = await lab
  const message = new Message(await engine.answer(input, peer))
  for (const { cause } of message.entries) if (cause !== undefined && message.results.includes('GeneralFailure')) throw cause
}
