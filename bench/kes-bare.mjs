// A server of Node's and nothing else: over HTTP/1.1 or HTTP/2 it answers every request with a body of the size in the header x-size, in as
// many processes as it is told.
import cluster from 'node:cluster'
import { createSecureServer } from 'node:http2'
import { createServer } from 'node:https'

const { version, workers, cert, key } = JSON.parse(process.env.KMIPD_BENCH)
const tls = { cert, key, requestCert: true, rejectUnauthorized: false }
const TYPE = 'application/json'
const bodies = new Map()
const bodyOf = size => bodies.get(size) ?? bodies.set(size, 'x'.repeat(Number(size))).get(size)

const server =
  version === 'h2'
    ? createSecureServer(tls).on('stream', (stream, headers) => {
        stream.on('data', () => undefined)
        stream.on('end', () => {
          const body = bodyOf(headers['x-size'])
          stream.respond({ ':status': 200, 'content-type': TYPE, 'content-length': body.length })
          stream.end(body)
        })
      })
    : createServer(tls, (request, response) => {
        request.on('data', () => undefined)
        request.on('end', () => {
          const body = bodyOf(request.headers['x-size'])
          response.writeHead(200, { 'content-type': TYPE, 'content-length': body.length })
          response.end(body)
        })
      })
if (workers > 1 && cluster.isPrimary) {
  const all = Array.from({ length: workers }, () => cluster.fork())
  const addresses = await Promise.all(all.map(worker => new Promise(resolve => worker.once('listening', resolve))))
  process.stdout.write(`127.0.0.1:${addresses[0].port}\n`)
  process.once('SIGTERM', () => process.exit(0))
} else server.listen(0, '127.0.0.1', () => !cluster.isWorker && process.stdout.write(`127.0.0.1:${server.address().port}\n`))
