// The real program on the embedded profile in a folder of its own, spoken to over real sockets.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

// Nothing here takes this long unless it is broken.
export const PATIENCE = 30_000

const OPERATOR = { username: 'operator', password: 'password123' }

// Password hashes that cost little, and no limit per address: all these clients are one.
const SETTINGS = [
  'accounts.hash_memory=8KiB',
  'accounts.hash_passes=1',
  'accounts.sign_ins_per_account_per_minute=0',
  'accounts.attempts_per_address_per_minute=0',
]

const servers = new Set()
process.on('exit', () => servers.forEach((server) => server.cleanUp()))

export class Server {
  // `settings`: more of them, as `section.key=value`, or a function that makes them of the port.
  static async start(program, settings = []) {
    const port = await freePort()
    const more = typeof settings === 'function' ? settings(port) : settings
    const server = new Server(program, more, port)
    servers.add(server)
    await server.#run(['operator', 'create', '--username', OPERATOR.username, '--display-name', 'Ada', '--password-stdin'])
    await server.up()
    return server
  }

  constructor(program, settings, port) {
    this.program = program
    this.folder = mkdtempSync(join(tmpdir(), 'doorbuster-clients-'))
    this.port = port
    const all = [`store.url=sqlite://${join(this.folder, 'shop.db')}`, ...SETTINGS, ...settings]
    this.settings = all.flatMap((setting) => ['--set', setting])
    this.http = `http://127.0.0.1:${port}/graphql`
    this.ws = `ws://127.0.0.1:${port}/graphql`
    this.log = join(this.folder, 'log')
  }

  get pid() {
    return this.child.pid
  }

  // Compares the gateway's bill of this day with the books, which are known to differ.
  async reconcile(day) {
    await this.#run(['payments', 'reconcile', '--day', day], 1)
  }

  async #run(command, expected = 0) {
    const child = spawn(this.program, [...this.settings, ...command], { stdio: ['pipe', 'ignore', 'pipe'] })
    let errors = ''
    child.stderr.on('data', (data) => (errors += data))
    child.stdin.end(`${OPERATOR.password}\n`)
    const [code] = await once(child, 'exit')
    if (code !== expected) throw new Error(`${command.join(' ')}: ended with ${code}: ${errors}`)
  }

  async up() {
    const log = openSync(this.log, 'a')
    const command = [...this.settings, 'serve', '--listen', `127.0.0.1:${this.port}`]
    this.child = spawn(this.program, command, { stdio: ['ignore', log, log] })
    await until('the server is ready', async () => {
      if (this.child.exitCode !== null) throw new Error(`the server ended:\n${readFileSync(this.log, 'utf8')}`)
      const answer = await fetch(`http://127.0.0.1:${this.port}/health/ready`).catch(() => null)
      await answer?.arrayBuffer()
      return answer?.status === 200
    })
  }

  // Without a word: sockets break in the middle.
  async kill() {
    const gone = once(this.child, 'exit')
    this.child.kill('SIGKILL')
    await gone
  }

  async restart() {
    await this.kill()
    await this.up()
  }

  cleanUp() {
    this.child?.kill('SIGKILL')
    rmSync(this.folder, { recursive: true, force: true })
    servers.delete(this)
  }

  async ask(query, variables = {}, token) {
    const answer = await fetch(this.http, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
      body: JSON.stringify({ query, variables }),
    })
    return answer.json()
  }

  // The answer's data; any error, and any user error, is one here.
  async data(query, variables, token) {
    const answer = await this.ask(query, variables, token)
    const refused = Object.values(answer.data ?? {}).some((payload) => payload?.userErrors?.length)
    if (answer.errors || refused) throw new Error(`${query}: ${JSON.stringify(answer)}`)
    return answer.data
  }

  async operator() {
    const signIn = `mutation($input: UserSignInInput!) {
      userSignIn(input: $input) { accessToken { token } userErrors { code } } }`
    return (await this.data(signIn, { input: OPERATOR })).userSignIn.accessToken.token
  }

  // The token of a new buyer.
  async buyer(username) {
    const signUp = `mutation($input: UserSignUpInput!) {
      userSignUp(input: $input) { accessToken { token } userErrors { code } } }`
    const input = { username, password: 'password123', displayName: 'Buyer' }
    return (await this.data(signUp, { input })).userSignUp.accessToken.token
  }

  // The id of a sale that can be bought from.
  async sale(token, stock = 1000) {
    const at = (minutes) => new Date(Date.now() + minutes * 60_000).toISOString()
    const made = await this.data(
      `mutation($session: SaleSessionCreateInput!, $product: ProductCreateInput!) {
        saleSessionCreate(input: $session) { session { id } userErrors { code } }
        productCreate(input: $product) { product { id } userErrors { code } } }`,
      {
        session: { startsAt: at(-5), endsAt: at(115) },
        product: { name: 'Lamp', price: { amount: '99.00' } },
      },
      token,
    )
    const input = {
      sessionId: made.saleSessionCreate.session.id,
      productId: made.productCreate.product.id,
      price: { amount: '9.90' },
      stock,
    }
    const create = `mutation($input: SaleCreateInput!) { saleCreate(input: $input) { sale { id } userErrors { code } } }`
    const saleId = (await this.data(create, { input }, token)).saleCreate.sale.id
    const publish = `mutation($input: SalePublishInput!) { salePublish(input: $input) { userErrors { code } } }`
    await this.data(publish, { input: { saleId } }, token)
    return saleId
  }
}

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address()
  probe.close()
  await once(probe, 'close')
  return port
}

// Waits until the condition holds.
export async function until(what, condition) {
  const deadline = Date.now() + PATIENCE
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`never: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

// The promise, or an error when it takes too long.
export function inTime(what, promise) {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not in time: ${what}`)), PATIENCE)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}
