// The shop of a drill: nodes of it as processes, the gateway, real servers if it has them, buyers, and Prometheus.
import { openSync } from 'node:fs'
import { join } from 'node:path'
import { Gateway } from './gateway.mjs'
import { freePort, kill, run, start, until } from './processes.mjs'
import { Prometheus } from './prometheus.mjs'
import { Shop } from './shop.mjs'

/** How long a node may take to be ready, in milliseconds. */
const READY_WITHIN = 90_000
const BUYERS = 100
/** Points that each buyer has. */
const WELCOME = 100_000

/** Times of the shop that are shortened with those of the rules, and limits that are those of a load test. */
const SETTINGS = {
  'accounts.hash_memory': '8KiB',
  'accounts.hash_passes': 1,
  'accounts.sign_ins_per_account_per_minute': 0,
  'accounts.attempts_per_address_per_minute': 0,
  'limits.requests_per_user_per_second': 0,
  'limits.purchases_per_user_per_minute': 0,
  'payments.bill_every': '1s',
  'payments.check_after': '1s',
  'payments.check_max': '2s',
  'payments.refund_check_after': '200ms',
  'payments.refund_retry_max': '2s',
  'payments.stuck_after': '30s',
  'points.welcome': WELCOME,
  'server.linger': '0ms',
  'server.measure_every': '250ms',
  'tcc.alert_after': 3,
  'tcc.retry_max': '1s',
}

export class Stand {
  buyers = []
  nodes = new Map()
  #sales = []
  #next = 0

  /** When the fault of the moment began, in milliseconds. */
  began = 0

  /** `servers`: what `scripts/services env` says, or nothing for a shop on SQLite. */
  constructor({ program, sandbox, scratch, servers }) {
    Object.assign(this, { program, scratch, servers })
    this.sandboxProgram = sandbox
    this.name = `drill_${process.pid}`
  }

  /** The fault happens now; what came before was its preparation. */
  happens() {
    this.began = Date.now()
  }

  get embedded() {
    return !this.servers
  }

  async open(folder, rules) {
    this.gateway = new Gateway(this.sandboxProgram, join(this.scratch, 'gateway'), await freePort())
    await this.gateway.start()
    if (!this.embedded) await this.sql(`CREATE DATABASE ${this.name}`, 'postgres')
    this.prometheus = await Prometheus.start(folder, this.scratch, { rules, interval: '500ms' })
    this.settings = { ...SETTINGS, ...this.gateway.settings(), ...this.#servers() }
    this.port = await freePort()
    this.settings['payments.public_url'] = `http://127.0.0.1:${this.port}`
    await this.#operator()
    this.shop = new Shop(`http://127.0.0.1:${this.port}`)
    await this.node('one', this.embedded ? {} : { 'node.roles': 'api' }, { port: this.port })
    if (!this.embedded) await this.node('two')
    await this.shop.signIn()
    while (this.buyers.length < BUYERS) this.buyers.push(await this.shop.buyer(`buyer${this.buyers.length}`))
  }

  #servers() {
    if (this.embedded) return { 'store.url': `sqlite://${join(this.scratch, 'shop.db')}` }
    return {
      'store.url': this.database(),
      'gate.url': this.servers.DOORBUSTER_TEST_REDIS,
      'gate.prefix': this.name,
      'broker.url': this.servers.DOORBUSTER_TEST_PULSAR,
      'broker.admin_url': this.servers.DOORBUSTER_TEST_PULSAR_ADMIN,
      'broker.tenant': this.name,
      'broker.partitions': 2,
    }
  }

  database(name = this.name) {
    return this.servers.DOORBUSTER_TEST_POSTGRES.replace(/[^/]*$/, name)
  }

  environment(settings) {
    const all = Object.entries({ ...this.settings, ...settings })
    const named = all.map(([key, value]) => [`DOORBUSTER__${key.replace('.', '__').toUpperCase()}`, String(value)])
    return { ...process.env, ...Object.fromEntries(named) }
  }

  #operator() {
    const args = ['operator', 'create', '--username', 'operator', '--display-name', 'Operator', '--password-stdin']
    return run(this.program, args, { env: this.environment(), input: 'password123\n' })
  }

  /** A command of the program beside the nodes. */
  command(args, may = false) {
    return run(this.program, args, { env: this.environment(), may })
  }

  /** Starts a node that Prometheus watches; with what is not `ready`, waits until it answers only. */
  async node(name, settings = {}, { port, ready = true, sabotage, log } = {}) {
    port ??= await freePort()
    const env = this.environment({ 'node.name': name, 'server.listen': `127.0.0.1:${port}`, ...settings })
    if (sabotage) env.DOORBUSTER_SABOTAGE = sabotage
    const stdio = ['ignore', 'ignore', openSync(log ?? join(this.scratch, `${name}.log`), 'a')]
    const child = start(this.program, ['serve'], { env, stdio })
    const url = `http://127.0.0.1:${port}`
    const node = { name, child, port, settings, shop: new Shop(url) }
    this.nodes.set(name, node)
    const answers = async () => ready ? (await fetch(`${url}/health/ready`)).ok : (await fetch(`${url}/metrics`)).ok
    await until(`the node ${name} is ready`, answers, READY_WITHIN)
    this.prometheus.watch(name, `127.0.0.1:${port}`)
    return node
  }

  /** Kills a node that Prometheus goes on watching. */
  kill = (name) => kill(this.nodes.get(name).child)

  /** Starts it again, as it was or with other settings. */
  again(name, settings, options = {}) {
    const { port, settings: before } = this.nodes.get(name)
    return this.node(name, settings ?? before, { port, ...options })
  }

  /** Ends a node that is not watched any more. */
  async end(name) {
    await this.prometheus.forget(name)
    await this.kill(name)
    this.nodes.delete(name)
  }

  /** A statement by hand, beside the nodes. */
  sql(text, database = this.name) {
    return run('psql', [this.database(database), '--quiet', '--no-align', '--tuples-only', '-v', 'ON_ERROR_STOP=1', '-c', text])
  }

  /** `kill`, `pause`, `resume` or `restart` of `postgres`, `redis` or `pulsar`. */
  service = (what, name) => run('scripts/services', [what, name])

  redis(...args) {
    return run('redis-cli', ['-u', this.servers.DOORBUSTER_TEST_REDIS, ...args])
  }

  /** A buyer and a sale in which they have not bought yet. */
  pair() {
    const turn = this.#next++
    const sale = this.#sales[Math.floor(turn / BUYERS)]
    if (!sale) throw new Error('the sales of the drill are used up')
    return { buyer: this.buyers[turn % BUYERS], sale }
  }

  /** Makes sure that so many purchases can be made. */
  async provide(purchases) {
    while (this.#sales.length * BUYERS - this.#next < purchases) this.#sales.push(await this.shop.sale())
  }

  /** Buys so often per second until it is stopped. Failures are what alerts are about. */
  traffic(perSecond) {
    const waiting = new Set()
    const timer = setInterval(() => {
      const { buyer, sale } = this.pair()
      const purchase = this.shop.buy(buyer, sale).catch(() => undefined).finally(() => waiting.delete(purchase))
      waiting.add(purchase)
    }, 1_000 / perSecond)
    return async () => {
      clearInterval(timer)
      await Promise.all(waiting)
    }
  }

  /** An order that waits for payment: the buyer and its id. */
  async order(sale) {
    const { buyer, sale: other } = this.pair()
    const ticket = await until('bought', () => this.shop.buy(buyer, sale ?? other), 30_000)
    const order = await until('decided', () => this.shop.order(buyer, ticket), 30_000)
    return { buyer, order: order.id }
  }

  /** An order whose payment page is open: also the payment's number at the gateway. */
  async opened() {
    const { buyer, order } = await this.order()
    const { redirectUrl } = await this.shop.pay(buyer, order, 'ALIPAY')
    return { buyer, order, number: await this.gateway.open(redirectUrl) }
  }

  /** A paid order. */
  async paid() {
    const paid = await this.opened()
    await this.gateway.act(paid.number, 'pay')
    await until('paid', async () => (await this.shop.status(paid.buyer, paid.order)) === 'PAID', 30_000)
    return paid
  }
}
