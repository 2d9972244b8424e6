// Runs the worked examples of schema/README.md against the real program, and fails when a root field has none.
// Usage: node examples.mjs PROGRAM [print]; `print` shows what the server answered, to write an example from. The payment
// gateway is `alipay-sandbox` beside the program: whoever is sent to its page pays there. It has taken money that the shop
// knows nothing of.
import { fileURLToPath } from 'node:url'
import { buildClientSchema, getIntrospectionQuery } from 'graphql'
import { createClient as overSse } from 'graphql-sse'
import { createClient as overSocket } from 'graphql-ws'
import WebSocket from 'ws'
import { Comparison, missing, read } from './lib/examples.mjs'
import { Sandbox } from './lib/sandbox.mjs'
import { Server, inTime } from './lib/server.mjs'

const [program, print] = process.argv.slice(2)
const page = fileURLToPath(new URL('../../schema/README.md', import.meta.url))
const examples = read(page)
const sandbox = await Sandbox.start(program)
const server = await Server.start(program, (port) => sandbox.settings(port))
await server.reconcile(await sandbox.payStranger('stranger1'))
const comparison = new Comparison()
const tokens = {}
let failed = 0

// What the subscription says first, as many events as the page shows: over both transports the same.
async function events({ document, events }, variables, authorization) {
  const take = async (client) => {
    const seen = []
    const stream = client.iterate({ query: document, variables })
    for await (const event of stream) {
      seen.push(event)
      // A ticket that was decided before anybody listened has one picture only.
      if (seen.length === events.length || isLast(event, events)) break
    }
    await client.dispose()
    return seen
  }
  const headers = authorization ? { authorization } : {}
  const sockets = overSocket({ url: server.ws, webSocketImpl: WebSocket, connectionParams: headers })
  const seen = await take(sockets)
  const again = await take(overSse({ url: server.http, headers }))
  return [seen, again]
}

const isLast = (event, events) =>
  events.length > 1 && Object.values(event.data)[0].status === Object.values(events.at(-1).data)[0].status

// Only the last ones of the events shown need come: what was passed is not told.
function eventDifferences(shown, seen) {
  if (seen.length === 0) return ['no events']
  return seen.flatMap((event, index) =>
    comparison.differences(shown[shown.length - seen.length + index], event, [`event ${index + 1}`]),
  )
}

// Begins to listen, and answers with what says how the events differ that have come by then.
async function listen({ document, events }, variables, authorization) {
  const connectionParams = authorization ? { authorization } : {}
  const client = overSocket({ url: server.ws, webSocketImpl: WebSocket, connectionParams })
  const stream = client.iterate({ query: document, variables })
  // What is asked for afterwards on the same socket is answered once it has begun.
  for await (const _ of client.iterate({ query: '{ __typename }' })) break
  return async () => {
    const seen = []
    for await (const event of stream) if (seen.push(event) === events.length) break
    await client.dispose()
    return eventDifferences(events, seen)
  }
}

let listening = null

async function run(example) {
  const variables = comparison.variables(example.variables ?? {})
  const token = example.who && tokens[example.who]
  if (example.who && !token) return [`no ${example.who} has signed in before`]
  if (example.pushed) {
    listening = await inTime(example.field, listen(example, variables, token && `Bearer ${token}`))
    return []
  }
  if (example.operation === 'subscription') {
    const both = await inTime(example.field, events(example, variables, token && `Bearer ${token}`))
    if (print) both[0].forEach((event) => console.log(JSON.stringify(event)))
    return both.flatMap((seen) => eventDifferences(example.events, seen))
  }
  const live = await inTime(example.field, server.ask(example.document, variables, token))
  if (print) console.log(JSON.stringify(live, null, 2))
  const payload = live.data?.[example.field]
  if (payload?.redirectUrl) await inTime('paying', sandbox.pay(payload.redirectUrl))
  if (payload?.accessToken) tokens[payload.user.role.toLowerCase()] = payload.accessToken.token
  return comparison.differences(example.answer ?? {}, live)
}

for (const example of examples) {
  const name = `${example.operation}.${example.field}`
  if (print) console.log(`--- ${name}`)
  const differences = await run(example).catch((error) => [String(error?.message ?? error)])
  if (listening && !example.pushed) {
    differences.push(...(await inTime('what was to be pushed', listening())))
    listening = null
  }
  if (differences.length) {
    failed += 1
    console.log(`${name} differs:\n  ${differences.join('\n  ')}`)
  }
}

const { data } = await server.ask(getIntrospectionQuery())
const without = missing(buildClientSchema(data), examples)
for (const field of without) console.log(`no example in schema/README.md: ${field}`)
console.log(`examples: ${examples.length - failed} of ${examples.length}, root fields without one: ${without.length}`)
server.cleanUp()
sandbox.cleanUp()
process.exit(failed || without.length || examples.length === 0 ? 1 : 0)
