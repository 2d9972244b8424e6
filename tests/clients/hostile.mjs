// Documents that mean no good, each refused with its code over HTTP and over a socket, and nothing executed. With
// `measure` it also says what each costs the server, in milliseconds of CPU. Usage: node hostile.mjs PROGRAM [measure]
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { createClient } from 'graphql-ws'
import WebSocket from 'ws'
import { Server, inTime } from './lib/server.mjs'

const [program, measure] = process.argv.slice(2)
const cases = JSON.parse(readFileSync(new URL('hostile.json', import.meta.url), 'utf8'))
const NEW = 'application/graphql-response+json'
const STATUS = { DOCUMENT_TOO_LARGE: 413 }
const BUDGET = 5 // milliseconds
const BODY_MAX = 64 * 1024
const ROUNDS = 100

// A part is text, or a text and how often; `{i}` in it counts from 0, `{j}` from 1.
const written = (parts) =>
  parts
    .map((part) => {
      if (typeof part === 'string') return part
      const [text, times] = part
      return Array.from({ length: times }, (_, i) => text.replaceAll('{i}', i).replaceAll('{j}', i + 1)).join('')
    })
    .join('')

const server = await Server.start(program, measure ? ['graphql.document_cache=0'] : [])
const operator = await server.operator()
const sale = await server.sale(operator)

// The beginning of a body that is announced to be too large is answered before the rest is sent.
async function postBeginning(body) {
  const socket = connect(server.port, '127.0.0.1')
  const head = ['POST /graphql HTTP/1.1', 'host: x', 'content-type: application/json', `accept: ${NEW}`]
  socket.write(`${head.join('\r\n')}\r\ncontent-length: ${body.length}\r\n\r\n${body.slice(0, 1000)}`)
  let answer = ''
  for await (const data of socket) answer += data
  return { status: Number(answer.slice(9, 12)), ...JSON.parse(answer.slice(answer.indexOf('\r\n\r\n'))) }
}

async function post(body) {
  if (body.length > BODY_MAX) return postBeginning(body)
  const answer = await fetch(server.http, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: NEW, authorization: `Bearer ${operator}` },
    body,
  })
  return { status: answer.status, ...(await answer.json()) }
}

// The errors that a socket answers with, or the code that it is closed with.
async function overSocket(payload) {
  const client = createClient({ url: server.ws, webSocketImpl: WebSocket, retryAttempts: 0 })
  try {
    return await new Promise((resolve) => {
      client.subscribe(payload, { next: () => {}, error: resolve, complete: () => resolve({ code: 'complete' }) })
    })
  } finally {
    await client.dispose()
  }
}

// CPU time of the server so far, in milliseconds.
function cpu() {
  const fields = readFileSync(`/proc/${server.pid}/stat`, 'utf8').split(') ').at(-1).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}

async function state() {
  const query = `query($id: ID!) { sale(id: $id) { version stockRemaining } sales(statuses: [DRAFT, OPEN]) { totalCount }
    viewer { orders { totalCount } } }`
  return JSON.stringify(await server.data(query, { id: sale }, operator))
}

// What is wrong with the answers; nothing if all is well.
async function judge({ name, code, body, document, variables, operationName, streams = true }) {
  const payload = { query: document && written(document), variables, operationName }
  const text = body ? written(body) : JSON.stringify(payload)
  const answer = await inTime(name, post(text))
  const faults = []
  const found = answer.errors?.[0]?.extensions?.code
  const status = STATUS[code] ?? 400
  if (found !== code) faults.push(`${found}, not ${code}: ${(answer.errors?.[0]?.message ?? JSON.stringify(answer)).slice(0, 200)}`)
  if (answer.status !== status) faults.push(`status ${answer.status}, not ${status}`)
  if ('data' in answer) faults.push('executed')
  if (answer.errors?.length > 10) faults.push(`${answer.errors.length} errors`)
  if (document && streams && text.length < BODY_MAX - 200) {
    const refused = await inTime(name, overSocket(payload))
    const told = Array.isArray(refused) ? refused[0].extensions.code : `closed with ${refused.code}`
    if (told !== code) faults.push(`over a socket: ${told}`)
  }
  return { faults, text }
}

// The mean over many requests, HTTP and all.
async function cost(text) {
  for (let round = 0; round < 5; round += 1) await post(text)
  const before = cpu()
  for (let round = 0; round < ROUNDS; round += 1) await post(text)
  return (cpu() - before) / ROUNDS
}

const before = await state()
let failed = 0
let dear = 0
for (const one of cases) {
  const { faults, text } = await judge(one)
  if (faults.length) failed += 1
  const cells = [one.name.padEnd(58), `${(text.length / 1024).toFixed(1)} KB`.padStart(11), one.code.padEnd(30)]
  if (measure) {
    const milliseconds = await cost(text)
    if (milliseconds >= BUDGET) dear += 1
    cells.push(`${milliseconds.toFixed(2)} ms`.padStart(9))
  }
  if (measure || faults.length) console.log(cells.join(' '), faults.join('; '))
}
const after = await state()
if (after !== before) console.log(`something was executed: ${before} became ${after}`)
console.log(`hostile documents refused: ${cases.length - failed} of ${cases.length}`)
if (measure) console.log(`under ${BUDGET} ms of CPU: ${cases.length - dear} of ${cases.length}`)
server.cleanUp()
process.exit(failed || dear || after !== before ? 1 : 0)
