// Judges a GraphQL endpoint: the 61 audits of `graphql-http` and twelve probes of `graphql-transport-ws`.
// Usage: node audit.mjs <http url> [ws url]. Exits with 1 when anything is not as it should be.
import { auditServer } from 'graphql-http'
import WebSocket from 'ws'

const [http, ws = http?.replace(/^http/, 'ws')] = process.argv.slice(2)
if (!http) {
  console.error('usage: node audit.mjs <http url> [ws url]')
  process.exit(2)
}

const INIT = { type: 'connection_init' }
const LONG_INIT_WAIT = 6000
const SHORT_WAIT = 1500

// Opens a socket, sends the messages one after the other (each after the answer to `connection_init`), and tells
// what came back until the socket was closed or nothing more came.
function converse(messages, { protocol = 'graphql-transport-ws', wait = SHORT_WAIT } = {}) {
  return new Promise((resolve) => {
    const seen = { received: [], code: null }
    const socket = protocol ? new WebSocket(ws, protocol) : new WebSocket(ws)
    const timer = setTimeout(() => socket.terminate(), wait)
    const send = () => {
      while (messages.length) {
        const message = messages.shift()
        socket.send(typeof message === 'string' ? message : JSON.stringify(message))
        if (message === INIT) return
      }
    }
    socket.on('open', send)
    socket.on('message', (data) => {
      const message = JSON.parse(data)
      if (message.type === 'connection_ack') send()
      else seen.received.push(message)
    })
    socket.on('close', (code) => {
      clearTimeout(timer)
      seen.code = code === 1006 ? null : code
      resolve(seen)
    })
    socket.on('error', (error) => (seen.error = error.message))
  })
}

const subscribe = (id, query) => ({ id, type: 'subscribe', payload: { query } })
const ping = (mark) => ({ type: 'ping', payload: { mark } })
const types = ({ received }) => received.map((message) => message.type).join(' ')
const TYPENAME = '{ __typename }'

const probes = {
  'no sub-protocol: 4406': async () => (await converse([], { protocol: null })).code === 4406,
  'invalid JSON: 4400': async () => (await converse([INIT, '{nope'])).code === 4400,
  'unknown type: 4400': async () => (await converse([INIT, { type: 'x'.repeat(300) }])).code === 4400,
  'subscribe without id: 4400': async () =>
    (await converse([INIT, { type: 'subscribe', payload: { query: TYPENAME } }])).code === 4400,
  'subscribe without query: 4400': async () =>
    (await converse([INIT, { id: '1', type: 'subscribe', payload: {} }])).code === 4400,
  'subscribe before init: 4401': async () => (await converse([subscribe('1', TYPENAME)])).code === 4401,
  'no init: 4408': async () => (await converse([], { wait: LONG_INIT_WAIT })).code === 4408,
  // Both messages leave in one piece, so that the first operation can't have ended when the second comes.
  'id in use: 4409': async () => {
    const query = process.env.PROBE_SUBSCRIPTION ?? 'subscription { silence }'
    return (await converse([INIT, subscribe('1', query), subscribe('1', query)])).code === 4409
  },
  'second init: 4429': async () => (await converse([INIT, INIT])).code === 4429,
  'ping with payload: pong with payload': async () => {
    const { received } = await converse([INIT, ping('a')])
    return received.length === 1 && received[0].type === 'pong' && received[0].payload?.mark === 'a'
  },
  'validation error: error only': async () => types(await converse([INIT, subscribe('1', '{ nope__ }')])) === 'error',
  'complete is not echoed': async () => {
    const query = process.env.PROBE_SUBSCRIPTION ?? 'subscription { silence }'
    const seen = await converse([INIT, subscribe('1', query), { id: '1', type: 'complete' }, ping('end')])
    return !seen.received.some((message) => message.type === 'complete') && types(seen).endsWith('pong')
  },
}

const audits = await auditServer({ url: http })
const failed = audits.filter((audit) => audit.status !== 'ok')
for (const { status, id, name, reason } of failed) console.log(`${status} ${id} ${name}: ${reason}`)
console.log(`audits: ${audits.length - failed.length} of ${audits.length}`)

let passed = 0
for (const [name, probe] of Object.entries(probes)) {
  if (await probe()) passed += 1
  else console.log(`probe failed: ${name}`)
}
console.log(`probes: ${passed} of ${Object.keys(probes).length}`)
process.exit(failed.length || passed < Object.keys(probes).length ? 1 : 0)
