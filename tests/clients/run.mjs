// Clients that others wrote, against the real program. Each queries, buys, watches its ticket to the end, and goes on
// after the server was killed and came back. Usage: node run.mjs PROGRAM [CLIENT…]
import { readFileSync } from 'node:fs'
import * as apollo from './clients/apollo.mjs'
import * as graphqlSse from './clients/graphql-sse.mjs'
import * as eventSource from './clients/event-source.mjs'
import * as graphqlWs from './clients/graphql-ws.mjs'
import * as foreign from './clients/process.mjs'
import * as subscriptionsTransportWs from './clients/subscriptions-transport-ws.mjs'
import * as urql from './clients/urql.mjs'
import { scenario } from './lib/scenario.mjs'
import { Server } from './lib/server.mjs'

const [program, ...wanted] = process.argv.slice(2)
if (!program) {
  console.error('usage: node run.mjs PROGRAM [CLIENT…]')
  process.exit(2)
}

const inNode = (module) => ({
  ...module,
  version: version(module.name),
  play: async (at, story) => {
    const client = module.connect(at)
    try {
      await scenario(client, story)
    } finally {
      await client.close()
    }
  },
})

function version(name) {
  const folder = name === 'urql' ? '@urql/core' : name
  return JSON.parse(readFileSync(new URL(`node_modules/${folder}/package.json`, import.meta.url))).version
}

const clients = [...[graphqlWs, subscriptionsTransportWs, graphqlSse, eventSource, apollo, urql].map(inNode), ...foreign.clients]
const chosen = clients.filter(({ name }) => wanted.length === 0 || wanted.includes(name))
const server = await Server.start(program)
const operator = await server.operator()
const sale = await server.sale(operator)

let failed = 0
const columns = ['query', 'purchase', 'watch', 'restart']
console.log(['client'.padEnd(26), 'transport'.padEnd(18), ...columns.map((column) => column.padEnd(9))].join(' '))
for (const [index, { name, version, transport, play }] of chosen.entries()) {
  const token = await server.buyer(`client-${index}`)
  const steps = {}
  const story = {
    sale,
    key: `key-of-client-${index}`,
    restart: () => server.restart(),
    done: (step, milliseconds) => (steps[step] = milliseconds === undefined ? 'ok' : `${milliseconds} ms`),
  }
  let trouble
  try {
    await play({ http: server.http, ws: server.ws, token }, story)
  } catch (error) {
    trouble = error
    failed += 1
  }
  const cells = columns.map((column) => (steps[column] ?? 'FAILED').padEnd(9))
  console.log([`${name} ${version}`.padEnd(26), transport.padEnd(18), ...cells].join(' '))
  if (trouble) console.log(trouble)
}
console.log(`clients: ${chosen.length - failed} of ${chosen.length}`)
server.cleanUp()
process.exit(failed ? 1 : 0)
