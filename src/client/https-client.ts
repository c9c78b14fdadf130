import type { IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import { decode, encode } from '../ttlv/binary.ts'
import type { Item } from '../ttlv/item.ts'
import { decodeJson, encodeJson } from '../ttlv/json.ts'
import { decodeXml, encodeXml } from '../ttlv/xml.ts'
import { ClientError, type ConnectOptions } from './client.ts'

export type EncodingName = 'ttlv' | 'json' | 'xml'

interface Codec {
  readonly contentType: string
  encode(item: Item): Buffer
  decode(body: Buffer): Item
}

// Spec: KMIP Additional Message Encodings 1.0 section 2.4, Profiles 2.1 section 5.3
const CODECS: Readonly<Record<EncodingName, Codec>> = {
  ttlv: { contentType: 'application/octet-stream', encode, decode },
  json: {
    contentType: 'application/json',
    encode: item => Buffer.from(encodeJson(item)),
    decode: body => decodeJson(body.toString()),
  },
  xml: {
    contentType: 'text/xml',
    encode: item => Buffer.from(encodeXml(item)),
    decode: body => decodeXml(body.toString()),
  },
}

export interface HttpsOptions extends ConnectOptions {
  /** Default `ttlv`. */
  readonly encoding?: EncodingName
  /** Default `/kmip`. */
  readonly path?: string
}

/** A KMIP server behind HTTPS, in any of the encodings. The connection is opened at the first request and kept. */
export class HttpsClient {
  readonly #options: HttpsOptions
  readonly #codec: Codec
  readonly #agent: Agent

  constructor(options: HttpsOptions) {
    const { ca, cert, key, serverName } = options
    this.#options = options
    this.#codec = CODECS[options.encoding ?? 'ttlv']
    this.#agent = new Agent({
      keepAlive: true,
      maxSockets: 1,
      ...(ca !== undefined && { ca }),
      ...(cert !== undefined && { cert }),
      ...(key !== undefined && { key }),
      ...(serverName !== undefined && { servername: serverName }),
    })
  }

  /**
   * Send a request message and wait for its response message, whatever that says.
   * @throws ClientError; `http` for an answer that is no KMIP
   */
  async request(message: Item): Promise<Item> {
    const response = await this.#post(this.#codec.encode(message))
    const body = await this.#bodyOf(response)
    if (response.statusCode !== 200) {
      const said = body.toString('utf8', 0, 200).trim()
      throw new ClientError('http', `the server answers with HTTP status ${response.statusCode}${said === '' ? '' : `: ${said}`}`)
    }
    const { contentType } = this.#codec
    const [type = ''] = (response.headers['content-type'] ?? '').toLowerCase().split(';')
    if (type.trim() !== contentType) throw new ClientError('malformed', `the server's answer is of type ${type}, not ${contentType}`)
    try {
      return this.#codec.decode(body)
    } catch (error) {
      throw new ClientError('malformed', `the server's answer cannot be decoded: ${(error as Error).message}`, { cause: error })
    }
  }

  /** Close the connection; a request without an answer fails. */
  close(): void {
    this.#agent.destroy()
  }

  #post(body: Buffer): Promise<IncomingMessage> {
    const { host, port, path = '/kmip', responseTimeoutMs = 30_000 } = this.#options
    return new Promise((resolve, reject) => {
      const sent = request({
        agent: this.#agent,
        host,
        port,
        path,
        method: 'POST',
        timeout: responseTimeoutMs,
        headers: { 'content-type': this.#codec.contentType, 'content-length': body.length, 'cache-control': 'no-cache' },
      })
      sent.once('response', resolve)
      sent.once('timeout', () => sent.destroy(new ClientError('timeout', `the server was silent for ${responseTimeoutMs} ms`)))
      sent.on('error', error => reject(error instanceof ClientError ? error : broken(error, `${host}:${port}`)))
      sent.end(body)
    })
  }

  async #bodyOf(response: IncomingMessage): Promise<Buffer> {
    const { host, port, maxResponseBytes = 16 * 1024 * 1024 } = this.#options
    const chunks: Buffer[] = []
    let size = 0
    try {
      for await (const chunk of response) {
        size += (chunk as Buffer).length
        if (size > maxResponseBytes) throw new ClientError('malformed', `an answer over the limit of ${maxResponseBytes} bytes`)
        chunks.push(chunk as Buffer)
      }
    } catch (error) {
      throw error instanceof ClientError ? error : broken(error as Error, `${host}:${port}`)
    }
    return Buffer.concat(chunks)
  }
}

const CONNECTING = /^(ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|ERR_TLS_|CERT_|UNABLE_|SELF_SIGNED|DEPTH_ZERO)/

function broken(error: NodeJS.ErrnoException, where: string): ClientError {
  return CONNECTING.test(error.code ?? '')
    ? new ClientError('connect', `cannot connect to ${where}: ${error.message}`, { cause: error })
    : new ClientError('closed', `the connection broke: ${error.message}`, { cause: error })
}
