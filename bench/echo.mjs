// The bare limit: a TLS server with the listener's settings that looks at the operation of a request and answers with fixed bytes.
import { createServer } from 'node:tls'
import { REQUEST_OPERATION } from './messages.mjs'

const answers = new Map()
let server

const commands = {
  listen({ cert, key, ca }) {
    server = createServer(
      {
        cert,
        key,
        ca,
        minVersion: 'TLSv1.2',
        maxVersion: 'TLSv1.3',
        sessionIdContext: 'echo',
        requestCert: true,
        rejectUnauthorized: true,
      },
      serve,
    )
    return new Promise(resolve => server.listen(0, '127.0.0.1', () => resolve(server.address().port)))
  },
  answer({ operation, base64 }) {
    answers.set(operation, Buffer.from(base64, 'base64'))
  },
  usage: () => ({ cpuUs: process.cpuUsage().user + process.cpuUsage().system, rss: process.memoryUsage.rss() }),
}

function serve(socket) {
  let left = 0
  let answer
  socket.setNoDelay(true)
  socket.on('data', chunk => {
    if (left === 0) {
      left = 8 + chunk.readUInt32BE(4)
      answer = answers.get(chunk.readUInt32BE(REQUEST_OPERATION))
    }
    left -= chunk.length
    if (left === 0) socket.write(answer)
  })
  socket.on('error', () => socket.destroy())
}

process.on('message', async ({ id, command, ...rest }) => process.send({ id, result: await commands[command](rest) }))
process.on('disconnect', () => process.exit())
