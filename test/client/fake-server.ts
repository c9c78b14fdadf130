import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import type { ConnectOptions } from '../../src/client/client.ts'
import { issueClient, issueServer, makeAuthority } from '../../src/pki/authority.ts'
import { certificatePem } from '../../src/pki/certificate.ts'
import { generateKey, privateKeyPem, spkiOf } from '../../src/pki/keys.ts'
import { encodeName } from '../../src/pki/name.ts'

const EC = { type: 'ec', bits: 256 } as const

/** A TLS server that hands every chunk it receives to a script. */
export class FakeServer {
  readonly #server: Server
  /** How a client connects to it. */
  readonly options: ConnectOptions & { readonly ca: string; readonly cert: string; readonly key: string }
  readonly #sockets = new Set<TLSSocket>()

  private constructor(server: Server, options: FakeServer['options']) {
    this.#server = server
    this.options = options
  }

  static async start(script: (chunk: Buffer, socket: TLSSocket) => void): Promise<FakeServer> {
    const nowMs = Date.now()
    const authority = await makeAuthority(EC, 'fake', nowMs)
    const issuer = { name: encodeName([['CN', 'fake-intermediate']]), key: authority.intermediate.key }
    const [serverKey, clientKey] = await Promise.all([generateKey(EC), generateKey(EC)])
    const leaf = { nowMs, lifeMs: 3_600_000 }
    const chain = certificatePem(authority.intermediate.certificate)
    const ca = `${certificatePem(authority.root.certificate)}\n${chain}`
    const cert = issueServer(issuer, { hostnames: ['kmip.test'], ips: ['127.0.0.1'] }, { ...leaf, spki: spkiOf(serverKey) })
    const client = issueClient(issuer, { scope: 'scope', role: 'role' }, { ...leaf, spki: spkiOf(clientKey) })
    const server = createServer({
      cert: `${certificatePem(cert)}\n${chain}`,
      key: privateKeyPem(serverKey),
      ca,
      requestCert: true,
      rejectUnauthorized: true,
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const fake = new FakeServer(server, {
      host: '127.0.0.1',
      port: (server.address() as AddressInfo).port,
      ca,
      cert: certificatePem(client),
      key: privateKeyPem(clientKey),
    })
    server.on('secureConnection', socket => {
      fake.#sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => fake.#sockets.delete(socket))
      socket.on('data', chunk => script(chunk, socket))
    })
    return fake
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }
}
