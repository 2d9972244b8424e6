// Thousands who are connected and say nothing, or ask and never read: little memory for each, others are served, and
// nothing is left of them. Usage: node crowd.mjs PROGRAM
import { once } from 'node:events'
import { readFileSync, readdirSync } from 'node:fs'
import { connect } from 'node:net'
import WebSocket from 'ws'
import { Server, until } from './lib/server.mjs'

const SILENT = 10_000
const SUBSCRIBED = 10_000
const DEAF = 20
// Open files that come and go by themselves, kept-alive connections of this client among them.
const SLACK = 10
// Bytes of the server's memory for each, generous: it was built without optimisation.
const SILENT_COST = 24 * 1024
const SUBSCRIBED_COST = 64 * 1024
const DEAF_COST = 512 * 1024

const server = await Server.start(process.argv[2], ['server.read_timeout=1m', 'graphql.socket_write_timeout=2s'])
const sale = await server.sale(await server.operator())
const memory = () => 1024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))[1])
const files = () => readdirSync(`/proc/${server.pid}/fd`).length

async function silent() {
  const socket = connect(server.port, '127.0.0.1')
  await once(socket, 'connect')
  return { close: () => socket.destroy() }
}

async function subscribed() {
  const socket = new WebSocket(server.ws, 'graphql-transport-ws', { perMessageDeflate: false })
  await once(socket, 'open')
  socket.send('{"type":"connection_init"}')
  await once(socket, 'message')
  const query = `subscription { saleStockChanged(saleIds: ["${sale}"]) { stockRemaining version } }`
  socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } }))
  await once(socket, 'message')
  return { close: () => socket.terminate() }
}

// Sends requests in a pipeline, for answers of many times their size, and reads none of them.
async function deaf() {
  const socket = connect(server.port, '127.0.0.1')
  socket.on('error', () => {})
  await once(socket, 'connect')
  socket.pause()
  const query = encodeURIComponent('{ __schema { types { name description fields { name description } } } }')
  socket.write(`GET /graphql?query=${query} HTTP/1.1\r\nhost: x\r\n\r\n`.repeat(200))
  return { close: () => socket.destroy() }
}

async function crowd(what, make, count, most) {
  const [filesBefore, before] = [files(), memory()]
  const all = []
  while (all.length < count) all.push(...(await Promise.all(Array.from({ length: 50 }, make))))
  await until(`${what} are connected`, async () => files() >= filesBefore + count - SLACK)
  const began = Date.now()
  const { sale: found } = await server.data('query($id: ID!) { sale(id: $id) { status } }', { id: sale })
  const answered = Date.now() - began
  const each = Math.max(0, memory() - before) / count
  all.forEach((one) => one.close())
  await until(`${what} are forgotten`, async () => files() <= filesBefore + SLACK)
  const bad = each > most || found.status !== 'OPEN'
  console.log(`${`${count} ${what}`.padEnd(28)} ${(each / 1024).toFixed(1)} KiB each, others answered in ${answered} ms${bad ? '  FAILED' : ''}`)
  return bad
}

const bad = [
  await crowd('silent connections', silent, SILENT, SILENT_COST),
  await crowd('subscribed sockets', subscribed, SUBSCRIBED, SUBSCRIBED_COST),
  await crowd('that never read', deaf, DEAF, DEAF_COST),
].some(Boolean)
server.cleanUp()
process.exit(bad ? 1 : 0)
