// Clients of other languages: a program that plays the scenario by itself and says on its standard output, one JSON
// object a line, which step is done. At `armed` it is told, by a line on its standard input, that the server was killed
// and is back.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { inTime } from '../lib/server.mjs'

const script = fileURLToPath(new URL('../python/client.py', import.meta.url))

async function play(command, at, { sale, key, restart, done }, more = {}) {
  const env = { ...process.env, ...more, HTTP_URL: at.http, WS_URL: at.ws, TOKEN: at.token, SALE: sale, KEY: key }
  const child = spawn(command[0], command.slice(1), { env, stdio: ['pipe', 'pipe', 'pipe'] })
  let errors = ''
  child.stderr.on('data', (data) => (errors += data))
  const gone = once(child, 'exit')
  const conversation = async () => {
    for await (const line of createInterface({ input: child.stdout })) {
      const { step, milliseconds } = JSON.parse(line)
      if (step === 'armed') {
        await restart()
        child.stdin.write('back\n')
      } else done(step, milliseconds)
    }
    const [code] = await gone
    if (code !== 0) throw new Error(`exit ${code}: ${errors}`)
  }
  try {
    await inTime('the whole conversation', conversation())
  } finally {
    child.kill('SIGKILL')
  }
}

const { PYTHON, GQL_VERSION, RUST_CLIENT, RUST_CLIENT_VERSION } = process.env

export const clients = [
  PYTHON && {
    name: 'gql',
    version: `${GQL_VERSION} (Python)`,
    transport: 'HTTP + graphql-ws',
    play: (at, story) => play([PYTHON, script], at, story),
  },
  PYTHON && {
    name: 'gql',
    version: `${GQL_VERSION} (Python)`,
    transport: 'HTTP + WebSocket',
    play: (at, story) => play([PYTHON, script], at, story, { SUBPROTOCOL: 'graphql-transport-ws' }),
  },
  RUST_CLIENT && {
    name: 'graphql-ws-client',
    version: RUST_CLIENT_VERSION,
    transport: 'WebSocket',
    play: (at, story) => play([RUST_CLIENT], at, story),
  },
].filter(Boolean)
