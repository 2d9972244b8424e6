// The specification, with graphql-js as its reading: which documents are valid, which variables fit, and what an operation
// answers. Every document goes to the real server and to graphql-js with the server's own schema, and both must say the
// same. Usage: node conformance.mjs PROGRAM
import { readFileSync } from 'node:fs'
import { buildSchema, execute, getIntrospectionQuery, parse, validate } from 'graphql'
import { createClient } from 'graphql-ws'
import WebSocket from 'ws'
import { rules } from './conformance/documents.mjs'
import { coerced, selected, skipped } from './conformance/executions.mjs'
import { Server, inTime } from './lib/server.mjs'

const program = process.argv[2]
if (!program) {
  console.error('usage: node conformance.mjs PROGRAM')
  process.exit(2)
}

const sdl = readFileSync(new URL('../../schema/schema.graphql', import.meta.url), 'utf8')
const schema = buildSchema(sdl)
// No document here is about how often or how much.
const server = await Server.start(program, [
  'graphql.aliases_max=100', 'graphql.root_fields_max=100',
])
const operator = await server.operator()
const saleId = await server.sale(operator)
const buyer = await server.buyer('conformist')

let failed = 0
let count = 0
function judge(what, fault) {
  count += 1
  if (fault) {
    failed += 1
    console.log(`${what}\n    ${fault}`)
  }
}
function report(part) {
  console.log(`${part}: ${count - failed} of ${count}`)
  const result = [count, failed]
  total = [total[0] + result[0], total[1] + result[1]]
  count = failed = 0
}
let total = [0, 0]

const code = (answer) => answer.errors?.[0]?.extensions?.code

// What graphql-js says of a document: nothing, or why it is refused.
function reading(document) {
  try {
    return validate(schema, parse(document)).map(({ message }) => message).at(0)
  } catch (error) {
    return error.message
  }
}

// The server validates a document before it looks for the operation, so nothing is executed.
async function verdict(document) {
  const body = JSON.stringify({ query: document, operationName: 'NotInTheDocument' })
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${operator}` }
  const answer = await (await fetch(server.http, { method: 'POST', headers, body })).json()
  return { code: code(answer), message: answer.errors?.[0]?.message }
}

for (const [rule, { taken, refused }] of Object.entries(rules)) {
  for (const [documents, fits] of [[taken, true], [refused, false]]) {
    for (const document of documents) {
      const told = reading(document)
      const { code, message } = await inTime(document, verdict(document))
      const isTaken = code === 'OPERATION_RESOLUTION_FAILURE'
      const isRefused = code === 'GRAPHQL_VALIDATION_FAILED' || code === 'GRAPHQL_PARSE_FAILED'
      const faults = []
      if ((told === undefined) !== fits) faults.push(`graphql-js: ${told ?? 'valid'}`)
      if (!(fits ? isTaken : isRefused)) faults.push(`server: ${code} ${message}`)
      judge(`${rule}: ${document}`, faults.join('; '))
    }
  }
}
report('documents that graphql-js takes or refuses')

const name = ({ document, variables }) => `${document} ${JSON.stringify(variables)}`
const everything = `query($id: ID!) { sale(id: $id) { __typename id status version stockTotal limitPerBuyer startsAt endsAt
  price { __typename amount currencyCode } product { __typename id name title } session { __typename id } } sales { totalCount } }`
const { sale, sales } = await server.data(everything, { id: saleId }, buyer)
const objects = { [sale.id]: sale, [sale.product.id]: sale.product }
const counts = { OPEN: sales.totalCount }
const rootValue = {
  sale: ({ id }) => (id === sale.id ? sale : null),
  node: ({ id }) => objects[id] ?? null,
  nodes: ({ ids }) => ids.map((id) => objects[id] ?? null),
  sales: ({ statuses }) => ({ totalCount: statuses ? statuses.reduce((sum, status) => sum + (counts[status] ?? 0), 0) : sales.totalCount }),
}

// Both execute; an answer is compared with its data, in its order, and whether it has errors.
async function compare({ document, variables }) {
  const put = (text) => text.replaceAll('"S"', `"${sale.id}"`).replaceAll('"P"', `"${sale.product.id}"`)
  const query = put(document)
  const variableValues = JSON.parse(put(JSON.stringify(variables)))
  const wanted = await execute({ schema, document: parse(query), variableValues, rootValue })
  const answer = await server.ask(query, variableValues, buyer)
  const fault = reading(query)
  if (fault) return `graphql-js: ${fault}`
  // What has no data was refused before it began; the server's resolvers may refuse a value that graphql-js has no rule for.
  const [expected, found] = [JSON.stringify(wanted.data), JSON.stringify(answer.data)]
  if (Boolean(wanted.errors) !== Boolean(answer.errors)) return `${JSON.stringify(answer)}, not ${JSON.stringify(wanted)}`
  if (wanted.errors && code(answer) !== 'BAD_USER_INPUT') return `${code(answer)}, not BAD_USER_INPUT`
  return expected !== found && !wanted.errors ? `${found}, not ${expected}` : undefined
}

for (const [part, operations] of Object.entries({ skipped, selected, coerced })) {
  for (const operation of operations) judge(name(operation), await inTime(name(operation), compare(operation)))
  report(`operations ${part}`)
}

// The program's schema as it introspects itself is the one of the file.
const options = { specifiedByUrl: true, directiveIsRepeatable: true, schemaDescription: true, inputValueDeprecation: true }
const introspection = getIntrospectionQuery(options)
const [introspected, expected] = [await server.ask(introspection), await execute({ schema, document: parse(introspection) })]
const typeNames = ({ data }) => data?.__schema?.types?.map((type) => type.name).filter((type) => !type.startsWith('__')).sort().join()
const builtIn = ['Float']
const without = (names) => names?.split(',').filter((type) => !builtIn.includes(type)).join()
judge('introspection', introspected.errors && JSON.stringify(introspected.errors))
judge('types', without(typeNames(introspected)) !== without(typeNames(expected)) && 'other types')
report('introspection')

// What is not selected is not done, whatever the transport.
const purchase = (key) => `mutation($dryRun: Boolean! = true, $s: ID!) { salePurchase(input: { saleId: $s, idempotencyKey: "${key}" }) @skip(if: $dryRun) { ticket { id } } }`
const variables = { s: saleId }
const bearer = { authorization: `Bearer ${buyer}` }
const post = async (body, accept = 'application/json') => {
  const answer = await fetch(server.http, { method: 'POST', headers: { 'content-type': 'application/json', accept, ...bearer }, body: JSON.stringify(body) })
  return answer.text()
}
function overSocket(payload) {
  const client = createClient({ url: server.ws, webSocketImpl: WebSocket, connectionParams: bearer, retryAttempts: 0 })
  return new Promise((resolve) => {
    const events = []
    client.subscribe(payload, { next: (event) => events.push(event), error: resolve, complete: () => resolve(events) })
  }).finally(() => client.dispose())
}
const hash = async (text) => Buffer.from(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))).toString('hex')
const registered = async (text) => ({ persistedQuery: { version: 1, sha256Hash: await hash(text) } })
const nothing = '{"data":{}}'
const transports = {
  POST: async (query) => (await post({ query, variables })) === nothing,
  'event stream': async (query) => (await post({ query, variables }, 'text/event-stream')).includes(`data: ${nothing}\n`),
  socket: async (query) => JSON.stringify(await overSocket({ query, variables })) === `[${nothing}]`,
  'persisted query': async (query) => {
    const extensions = await registered(query)
    await post({ query, variables, extensions })
    return (await post({ variables, extensions })) === nothing
  },
}
for (const [transport, ask] of Object.entries(transports)) {
  const query = purchase(`a-key-for-${transport.replaceAll(' ', '-')}`)
  judge(`@skip by ${transport}`, !(await inTime(transport, ask(query))) && 'not an answer without fields')
}
const bought = (await server.data('{ viewer { orders { totalCount } } sale: node(id: "x") { id } }', {}, buyer)).viewer.orders.totalCount
judge('nothing is bought', bought !== 0 && `${bought} orders`)
report('purchases that are skipped')

console.log(`conformance: ${total[0] - total[1]} of ${total[0]}`)
server.cleanUp()
process.exit(total[1] ? 1 : 0)
