import { type Command, type Io, readInput } from './io.ts'
import { UsageError } from './usage-error.ts'

interface DecodeArguments {
  readonly file?: string
  readonly hex?: string
  readonly base64?: string
  readonly json?: boolean
  readonly xml?: boolean
  readonly secrets?: boolean
}

/** kmipd decode: print TTLV messages as trees with names. */
export const decodeCommand = (io: Io): Command => ({
  command: 'decode [file]',
  describe: 'Print TTLV messages as an indented tree with names',
  builder: y =>
    y
      .positional('file', { type: 'string', describe: 'messages in binary, hex, base64, KMIP XML or JSON; absent or -: standard input' })
      .option('hex', { type: 'string', describe: 'messages in hex; without a text, the input is in hex' })
      .option('base64', { type: 'string', describe: 'messages in base64; without a text, the input is in base64' })
      .option('json', { type: 'boolean', describe: 'as KMIP JSON, secrets included' })
      .option('xml', { type: 'boolean', describe: 'as KMIP XML, secrets included' })
      .option('secrets', { type: 'boolean', describe: 'show key material, passwords and data in the tree' })
      .conflicts('hex', 'base64')
      .conflicts('json', 'xml')
      .example('$0 decode capture.bin', 'a captured message')
      .example('$0 decode --hex 42006a02000000040000000100000000', 'one item'),
  async handler(argv: DecodeArguments) {
    const items = await read(argv, io)
    const { print } = await import('../ttlv/print.ts')
    const { encodeJson } = await import('../ttlv/json.ts')
    const { encodeXml } = await import('../ttlv/xml.ts')
    for (const item of items) {
      if (argv.json) io.stdout.write(`${encodeJson(item, { indent: 2 })}\n`)
      else if (argv.xml) io.stdout.write(`${encodeXml(item, { indent: 2 })}\n`)
      else io.stdout.write(print(item, { secrets: argv.secrets === true }))
    }
  },
})

async function read(argv: DecodeArguments, io: Io) {
  const { decodeAll } = await import('../ttlv/binary.ts')
  if ((argv.hex || argv.base64) && argv.file !== undefined) throw new UsageError('give a text or a file, not both')
  if (argv.hex) return decodeAll(fromHex(argv.hex))
  if (argv.base64) return decodeAll(fromBase64(argv.base64))
  const input = await readInput(argv.file, io)
  const text = input.toString('latin1').trim()
  if (text === '') throw new UsageError('there is nothing to decode')
  if (argv.hex !== undefined) return decodeAll(fromHex(text))
  if (argv.base64 !== undefined) return decodeAll(fromBase64(text))
  if (text.startsWith('<')) return [(await import('../ttlv/xml.ts')).decodeXml(input.toString('utf8'))]
  if (text.startsWith('{')) return [(await import('../ttlv/json.ts')).decodeJson(input.toString('utf8'))]
  // Every tag begins with 0x42 or 0x54: as a byte that is B or T, in hex 4 or 5, in base64 Q or V.
  if (/^[45]/.test(text)) return decodeAll(fromHex(text))
  if (/^[QV]/.test(text)) return decodeAll(fromBase64(text))
  return decodeAll(input)
}

function fromHex(text: string): Buffer {
  const digits = text.replace(/0x|[\s:|,.]/g, '')
  if (digits.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(digits)) throw new UsageError('this is not hex')
  return Buffer.from(digits, 'hex')
}

function fromBase64(text: string): Buffer {
  const digits = text.replace(/\s/g, '')
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(digits)) throw new UsageError('this is not base64')
  return Buffer.from(digits, 'base64')
}
