// What graphql-cop looks for in an endpoint, as a shop in production sets it: without introspection and GraphiQL. One
// finding is deliberate: queries can be sent by GET, which caches and `EventSource` need; they change nothing.
// Usage: node cop.mjs PROGRAM
import { Server } from './lib/server.mjs'

const DELIBERATE = new Set(['queries by GET'])

const program = process.argv[2]
const server = await Server.start(program, ['graphql.introspection=false', 'server.graphiql=false'])
const sale = await server.sale(await server.operator())

async function ask(body, headers = { 'content-type': 'application/json' }) {
  const answer = await fetch(server.http, { method: 'POST', headers, body })
  return { status: answer.status, headers: answer.headers, text: await answer.text() }
}

const query = (text, more) => ask(JSON.stringify({ query: text, ...more }))
const get = async (search, headers = {}) => {
  const answer = await fetch(`${server.http}?${new URLSearchParams(search)}`, { headers })
  return { status: answer.status, text: await answer.text() }
}
const executed = ({ text }) => /"data":\{/.test(text)
const many = (times, text) => Array.from({ length: times }, (_, i) => text(i)).join(' ')

// Each is true when there is something to find.
const checks = {
  'alias overloading (101 aliases)': async () => executed(await query(`{ ${many(101, (i) => `a${i}: __typename`)} }`)),
  'array batching (10 requests)': async () =>
    executed(await ask(JSON.stringify(Array(10).fill({ query: '{ __typename }' })))),
  'directive overloading (10 on one field)': async () =>
    !/"errors"/.test((await query(`{ __typename ${'@aa'.repeat(10)} }`)).text) ||
    executed(await query(`{ __typename ${'@include(if: true) '.repeat(10)} }`)),
  'field duplication (500 times)': async () => executed(await query(`{ ${many(500, () => '__typename')} }`)),
  'circular introspection': async () =>
    executed(await query('{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }')),
  introspection: async () =>
    executed(await query('{ __schema { queryType { name } } }')) || executed(await query('{ __type(name: "Sale") { name } }')),
  'introspection in a fragment': async () =>
    executed(await query('{ ...F } fragment F on Query { __schema { queryType { name } } }')),
  'suggestions of fields': async () => /did you mean/i.test((await query('{ salee(id: "x") { id } }')).text),
  'suggestions of arguments, types and values': async () =>
    /did you mean/i.test((await query('{ sale(idd: "x") { id } }')).text) ||
    /did you mean/i.test((await query('{ node(id: "x") { ... on Sal { id } } }')).text) ||
    /did you mean/i.test((await query('{ sales(statuses: [OPENN]) { totalCount } }')).text),
  'queries by GET': async () => executed(await get({ query: '{ __typename }' })),
  'mutations by GET': async () => {
    const mutation = 'mutation { userSignIn(input: { username: "a", password: "b" }) { userErrors { code } } }'
    return executed(await get({ query: mutation })) || executed(await get({ query: mutation }, { accept: 'text/event-stream' }))
  },
  'queries by form, by text and without a type (CSRF)': async () => {
    const types = ['application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'text/plain', '']
    const body = JSON.stringify({ query: '{ __typename }' })
    const answers = await Promise.all(types.flatMap((type) => [
      ask(body, { 'content-type': type }),
      ask('query=%7B__typename%7D', { 'content-type': type }),
    ]))
    return answers.some(executed)
  },
  'GraphiQL and playgrounds': async () => {
    const answers = await Promise.all(['/graphql', '/graphiql', '/playground', '/altair', '/'].map((path) =>
      fetch(`http://127.0.0.1:${server.port}${path}`, { headers: { accept: 'text/html' } }).then((page) => page.text())))
    return answers.some((page) => /graphiql|playground|altair/i.test(page))
  },
  'traces in answers': async () =>
    /tracing|"trace"|backtrace|panicked|\.rs:\d/.test((await query('{ __typename }', { extensions: { tracing: true } })).text),
  'details of faults': async () => {
    const answers = [await query('qwerty { nope'), await query(`{ node(id: "${sale}'--") { id } }`), await ask('{')]
    return answers.some(({ text }) => /\.rs:\d|panicked|diesel|sqlite|stack|src\//i.test(text))
  },
  'what the server runs on': async () => {
    const { headers } = await query('{ __typename }')
    return headers.has('server') || headers.has('x-powered-by')
  },
  'answers that a browser may sniff or keep': async () => {
    const { headers } = await query('{ __typename }')
    return headers.get('x-content-type-options') !== 'nosniff' || headers.get('cache-control') !== 'no-store'
  },
  'any origin (CORS)': async () => {
    const { headers } = await ask('{"query":"{ __typename }"}', {
      'content-type': 'application/json',
      origin: 'https://evil.example',
    })
    return ['*', 'https://evil.example'].includes(headers.get('access-control-allow-origin'))
  },
}

const found = []
for (const [name, check] of Object.entries(checks)) if (await check()) found.push(name)
const unwanted = found.filter((name) => !DELIBERATE.has(name))
for (const name of unwanted) console.log(`found: ${name}`)
for (const name of DELIBERATE) if (!found.includes(name)) console.log(`deliberate, but not found: ${name}`)
console.log(`self-check: ${found.length} of ${Object.keys(checks).length} checks find something, ${DELIBERATE.size} of them on purpose`)
server.cleanUp()
process.exit(unwanted.length || found.length !== DELIBERATE.size ? 1 : 0)
