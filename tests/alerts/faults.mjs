// The faults of the drill. Each is what really happens: a process is killed, a server stands still, somebody edits the database.
import { chmodSync, chownSync, copyFileSync, mkdirSync, statSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { pause, run, signal, until } from './processes.mjs'
import { uuid } from './shop.mjs'

/** How long something may take that is not what is measured, in milliseconds. */
const PATIENCE = 60_000

/** Does something again and again until it is stopped. */
function repeating(act) {
  let going = true
  const running = (async () => {
    while (going) await act()
  })()
  return () => ((going = false), running)
}

/** Locks held by somebody else's transaction for so many seconds, in PostgreSQL. */
const locked = (stand, statement, seconds) => stand.sql(`BEGIN; ${statement}; SELECT pg_sleep(${seconds}); COMMIT`)

/** Purchases while something is wrong. */
async function during(stand, perSecond, repair) {
  const stop = stand.traffic(perSecond)
  return async () => {
    await repair()
    await stop()
  }
}

async function killed(stand) {
  const name = stand.embedded ? 'one' : 'two'
  await stand.kill(name)
  return () => stand.again(name)
}

/** In the cluster the node with the order writer is dead; a single node has lost the role. */
async function notWritten(stand) {
  if (!stand.embedded) {
    await stand.kill('two')
    return during(stand, 20, () => stand.again('two'))
  }
  const { settings } = stand.nodes.get('one')
  await stand.kill('one')
  // Sales open once earlier tickets are decided, and nobody decides: those of a new sale can be bought.
  await stand.again('one', { 'node.roles': 'api,relay,timeouts,jobs' }, { ready: false })
  const stop = stand.traffic(20)
  return async () => {
    await stop()
    await stand.kill('one')
    await stand.again('one', settings)
  }
}

/** The node that did the jobs starts again without their role. */
async function withoutJobs(stand) {
  const { settings } = stand.nodes.get('two')
  await stand.kill('two')
  stand.happens()
  await stand.again('two', { 'node.roles': 'api,writer,relay,timeouts' })
  return async () => {
    await stand.kill('two')
    await stand.again('two', settings)
  }
}

async function redisGone(stand) {
  await stand.service('kill', 'redis')
  return during(stand, 20, () => stand.service('restart', 'redis'))
}

async function brokerStutters(stand) {
  const stop = repeating(async () => {
    await stand.service('pause', 'pulsar')
    await pause(1_700)
    await stand.service('resume', 'pulsar')
    await pause(700)
  })
  return during(stand, 20, stop)
}

async function databaseLocked(stand) {
  const stop = repeating(async () => {
    await locked(stand, 'SELECT 1 FROM sales FOR UPDATE', 2.8)
    await pause(300)
  })
  return during(stand, 20, stop)
}

async function databaseStandsStill(stand) {
  await stand.service('pause', 'postgres')
  return () => stand.service('resume', 'postgres')
}

/** The node that expires orders is frozen while they fall due. */
async function frozen(stand) {
  const sale = await stand.shop.sale({ payWithinSeconds: 2 })
  await Promise.all(stand.buyers.slice(0, 20).map((buyer) => stand.shop.buy(buyer, sale)))
  const unpaid = `SELECT count(*) FROM orders WHERE sale_id = '${uuid(sale.id)}' AND status = 'AWAITING_PAYMENT'`
  await until('the orders are written', async () => Number(await stand.sql(unpaid)) === 20, PATIENCE)
  const { child } = stand.nodes.get('two')
  stand.happens()
  signal(child, 'SIGSTOP')
  await pause(9_000)
  signal(child, 'SIGCONT')
  return () => undefined
}

async function constraint(stand, table, check) {
  await stand.sql(`ALTER TABLE ${table} ADD CONSTRAINT drill CHECK (${check}) NOT VALID`)
  return () => stand.sql(`ALTER TABLE ${table} DROP CONSTRAINT drill`)
}

/** The database refuses a buyer's orders. */
async function poison(stand) {
  const [user] = (await stand.sql(`SELECT id FROM users WHERE username = 'buyer7'`)).split('\n')
  const repair = await constraint(stand, 'orders', `buyer_id <> '${user}' OR status = 'VOIDED'`)
  const sale = await stand.shop.sale()
  stand.happens()
  await stand.shop.buy(stand.buyers[7], sale)
  return repair
}

/** Another program changes the gate's counters, again and again. */
async function drift(stand) {
  await stand.shop.sale()
  const marks = (await stand.redis('--raw', 'HVALS', `${stand.name}:sales`)).split('\n').filter(Boolean)
  stand.happens()
  const stop = repeating(async () => {
    for (const mark of marks) await stand.redis('HINCRBY', `${stand.name}:${mark}`, 'held', '1')
    await pause(300)
  })
  return stop
}

/** Redis refuses all writes, and answers. */
async function redisFull(stand) {
  await stand.redis('CONFIG', 'SET', 'maxmemory', '1')
  return () => stand.redis('CONFIG', 'SET', 'maxmemory', '0')
}

/** Sales that Redis lost open once the tickets that wait are decided, and nobody decides. */
async function lostWithoutWriter(stand) {
  await stand.node('small', { 'node.roles': 'relay,timeouts,jobs' })
  await stand.kill('two')
  const stop = stand.traffic(20)
  await pause(3_000)
  await stop()
  stand.happens()
  await stand.redis('FLUSHALL')
  return async () => {
    await stand.again('two')
    await stand.end('small')
  }
}

/** Somebody takes units away in SQL, with the triggers off. */
async function oversold(stand) {
  const sale = await stand.shop.sale({ stock: 50 })
  await stand.order(sale)
  stand.happens()
  const away = `UPDATE sales SET stock_total = stock_total - stock_left, stock_left = 0 WHERE id = '${uuid(sale.id)}'`
  await stand.sql(`SET session_replication_role = replica; ${away}`)
  await Promise.all(stand.buyers.slice(0, 30).map((buyer) => stand.shop.buy(buyer, sale)))
  return () => undefined
}

/** Tickets wait for the frozen node that decides them; when it goes on, Redis is gone. */
async function undelivered(stand) {
  const tickets = 11_000
  await stand.provide(tickets)
  const pairs = Array.from({ length: tickets }, () => stand.pair())
  const { child } = stand.nodes.get('two')
  signal(child, 'SIGSTOP')
  const buy = async () => {
    for (let pair = pairs.pop(); pair; pair = pairs.pop()) await stand.shop.buy(pair.buyer, pair.sale).catch(() => undefined)
  }
  await Promise.all(Array.from({ length: 64 }, buy))
  stand.happens()
  await stand.service('kill', 'redis')
  signal(child, 'SIGCONT')
  return () => stand.service('restart', 'redis')
}

async function gatewayGone(stand) {
  const opened = []
  while (opened.length < 40) opened.push(await stand.opened())
  stand.happens()
  await stand.gateway.kill()
  return async () => {
    await stand.gateway.start()
    for (const { number } of opened) await stand.gateway.act(number, 'pay')
  }
}

async function refundedOutside(stand) {
  const { number } = await stand.paid()
  stand.happens()
  await stand.gateway.refundOutside(number)
  return () => undefined
}

async function refundRefused(stand) {
  const { buyer, order, number } = await stand.paid()
  await stand.gateway.act(number, 'finish')
  stand.happens()
  await stand.shop.refund(buyer, order)
  return () => undefined
}

/** Money for refunds is not there, and the refund waits. The shop asks whether it is stuck after `payments.stuck_after`. */
async function refundWaits(stand) {
  const { buyer, order, number } = await stand.paid()
  await stand.gateway.fault({ kind: 'seller_balance_empty', number })
  stand.happens()
  await stand.shop.refund(buyer, order)
  return () => stand.gateway.mend(number)
}

/** A value is stored by force that contradicts a node's own. */
async function rejected(stand) {
  const key = 'limits.concurrency_max'
  const settings = { 'limits.concurrency_min': 500, [key]: 600, 'node.roles': 'api' }
  await stand.node('small', settings)
  const change = (act, ...more) => stand.command(['settings', act, key, ...more, '--reason', 'a drill', '--as', 'operator'])
  stand.happens()
  await change('set', '400', '--force')
  return async () => {
    await change('unset')
    await stand.end('small')
  }
}

async function strangersPayment(stand) {
  await stand.gateway.strangersPayment()
  // It ends with a failure, because the bill differs.
  await stand.command(['payments', 'reconcile', '--day', new Date(Date.now() + 8 * 3_600_000).toISOString().slice(0, 10)], true)
  return () => stand.shop.closeDifferences()
}

async function forged(stand) {
  const { number } = await stand.opened()
  stand.happens()
  const form = { out_trade_no: number, trade_status: 'TRADE_SUCCESS', total_amount: '9.90', sign_type: 'RSA2', sign: 'AAAA' }
  const stop = repeating(async () => {
    await fetch(`${stand.shop.url}/payments/alipay/notify`, { method: 'POST', body: new URLSearchParams(form) })
    await pause(100)
  })
  return async () => {
    await stop()
    await stand.gateway.act(number, 'pay')
  }
}

/** The database refuses the entries of the ledger of points. */
async function points(stand) {
  const repair = await constraint(stand, 'points_entries', 'false')
  const { buyer, order } = await stand.order()
  stand.happens()
  // Answered when it can't be said, or only after a while.
  stand.shop.pay(buyer, order, 'POINTS').catch(() => undefined)
  return repair
}

/** More operations than the smallest of nodes takes. */
async function overload(stand) {
  const { shop } = await stand.node('small', { 'limits.concurrency_min': 1, 'limits.concurrency_max': 2, 'node.roles': 'api' })
  const [buyer] = stand.buyers
  stand.happens()
  const stop = repeating(() => Promise.all(Array.from({ length: 60 }, () => shop.orders(buyer).catch(() => undefined))))
  return async () => {
    await stop()
    await stand.end('small')
  }
}

/** Two connections, and somebody's lock on the table that all want. */
async function connections(stand) {
  const settings = { 'store.connections': 2, 'store.acquire_timeout': '500ms', 'node.roles': 'api' }
  const { shop } = await stand.node('small', settings)
  stand.happens()
  const lock = repeating(() => locked(stand, 'LOCK TABLE orders', 2.5))
  const asking = repeating(() => Promise.all(stand.buyers.slice(0, 20).map((buyer) => shop.orders(buyer).catch(() => undefined))))
  return async () => {
    await asking()
    await lock()
    await stand.end('small')
  }
}

async function panics(stand) {
  await stand.node('other', { ...separate(stand), 'node.roles': 'api' }, { sabotage: 'tasks.panic_once', ready: false })
  return () => stand.end('other')
}

async function fullDisk(stand) {
  const settings = { ...separate(stand), 'node.roles': 'api', 'log.filter': 'debug' }
  const { port } = await stand.node('other', settings, { log: '/dev/full', ready: false })
  // Each is a line of the log. What a node logs while it starts, it has logged before anybody counts.
  const stop = repeating(async () => {
    connect(port, '127.0.0.1').on('error', () => {}).end('this is no request\r\n\r\n')
    await pause(300)
  })
  return async () => {
    await stop()
    await stand.end('other')
  }
}

/** A file of its own for a second node beside one on SQLite. */
const separate = (stand) => (stand.embedded ? { 'store.url': `sqlite://${join(stand.scratch, 'other.db')}` } : {})

async function certificate(stand) {
  const folder = join(stand.scratch, 'certificates')
  mkdirSync(folder)
  const file = (name) => join(folder, name)
  const openssl = (...args) => run('openssl', args, { cwd: folder })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  await openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=Drill', '-days', '30')
  await openssl('req', ...key, '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=db', '-addext', 'subjectAltName=IP:127.0.0.1')
  const signing = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-copy_extensions', 'copy']
  await openssl('x509', '-req', '-in', 'server.csr', ...signing, '-out', 'server.pem', '-days', '5')
  const data = (await stand.sql('SHOW data_directory')).trim()
  const { uid, gid } = statSync(data)
  for (const name of ['server.pem', 'server.key']) {
    copyFileSync(file(name), join(data, name))
    chownSync(join(data, name), uid, gid)
    chmodSync(join(data, name), 0o600)
  }
  const set = async (statement) => {
    for (const part of statement.split(';')) await stand.sql(part)
  }
  const files = "ALTER SYSTEM SET ssl_cert_file = 'server.pem';ALTER SYSTEM SET ssl_key_file = 'server.key'"
  await set(`${files};ALTER SYSTEM SET ssl = on;SELECT pg_reload_conf()`)
  const url = `${stand.database()}?sslmode=verify-full&sslrootcert=${file('ca.pem')}`
  await stand.node('tls', { 'store.url': url, 'node.roles': 'api' })
  return async () => {
    await stand.end('tls')
    await set('ALTER SYSTEM RESET ssl;ALTER SYSTEM RESET ssl_cert_file;ALTER SYSTEM RESET ssl_key_file;SELECT pg_reload_conf()')
  }
}

/** The backups stopped two days ago. */
async function withoutBackups(stand) {
  const backup = (name) => stand.command(['backup', 'create', join(stand.scratch, name)])
  await backup('before.dump')
  stand.happens()
  await stand.sql(`UPDATE last_backup SET at = at - ${2 * 86_400_000}`)
  return () => backup('after.dump')
}

async function mixed(stand) {
  await stand.node('other', { ...separate(stand), 'node.roles': 'api' }, { sabotage: 'another-version', ready: false })
  return () => stand.end('other')
}

/** Faults that are caused on SQLite too, in a minute, and those that need the cluster. */
const both = (cause, fault, ...alerts) => ({ alerts, fault, on: 'both', cause })
const cluster = (cause, fault, ...alerts) => ({ alerts, fault, on: 'cluster', cause })

/** Each with the alerts that it must raise. */
export const FAULTS = [
  both(forged, 'ten notifications per second with a wrong signature', 'DoorbusterForgedNotifications'),
  both(refundedOutside, "a refund on the gateway's own site", 'DoorbusterPaymentsFlagged'),
  both(refundRefused, 'the gateway refuses a refund: its time is over', 'DoorbusterRefundsFail'),
  cluster(refundWaits, 'there is no money for a refund', 'DoorbusterMoneyStuck'),
  both(strangersPayment, 'a payment at the gateway that the shop does not know', 'DoorbusterBillDiffers'),
  both(panics, 'background tasks panic on a node', 'DoorbusterTaskPanics'),
  both(fullDisk, "a node's log goes to a full disk", 'DoorbusterLogLost'),
  both(killed, 'kill -9 of a node', 'DoorbusterNodeDown'),
  both(notWritten, 'no node writes orders, and people buy', 'DoorbusterOrdersNotWritten'),
  cluster(gatewayGone, 'the gateway is killed while 40 payment pages are open', 'DoorbusterPaymentsUnclear'),
  cluster(rejected, "a setting stored by force that contradicts a node's own", 'DoorbusterSettingsRejected'),
  cluster(mixed, 'a node of another version runs on', 'DoorbusterVersionsMixed'),
  cluster(withoutBackups, 'no backup was made for two days (its time is set back in SQL)', 'DoorbusterBackupOld'),
  cluster(certificate, "the database's certificate ends in five days", 'DoorbusterCertificateExpires'),
  cluster(poison, 'the database refuses a ticket (a constraint made by hand)', 'DoorbusterDeadLetters'),
  cluster(points, 'the database refuses the ledger of points (a constraint made by hand)', 'DoorbusterGlobalTransactions'),
  cluster(oversold, 'units taken away in SQL with the triggers off', 'DoorbusterGateOversold'),
  cluster(drift, "another program changes the gate's counters in Redis", 'DoorbusterGateDrift'),
  cluster(frozen, 'the node that expires orders is frozen for 9 s', 'DoorbusterExpiryLate'),
  cluster(databaseLocked, 'transactions lock the rows of sales for 2.8 s', 'DoorbusterDecisionsSlow'),
  cluster(brokerStutters, 'the broker stands still for 1.7 s, again and again', 'DoorbusterPurchasesSlow'),
  cluster(connections, 'two connections, and a lock on a table', 'DoorbusterConnectionsShort'),
  cluster(overload, '60 clients at a node that does two operations at a time', 'DoorbusterOverload'),
  cluster(withoutJobs, 'the only node with the role `jobs` starts again without it', 'DoorbusterLeaseWithoutHolder'),
  cluster(databaseStandsStill, 'PostgreSQL stands still', 'DoorbusterWorkerUnhealthy'),
  cluster(
    redisGone,
    'kill -9 of Redis, and people buy',
    'DoorbusterCircuitBreakerOpen',
    'DoorbusterPurchasesUnansweredFast',
    'DoorbusterPurchasesUnansweredSlow',
  ),
  cluster(redisFull, 'Redis is full', 'DoorbusterGateNotCompared'),
  cluster(lostWithoutWriter, 'Redis was flushed while no node writes orders', 'DoorbusterGateRebuildFails'),
  cluster(undelivered, 'Redis is gone when 11,000 tickets are decided', 'DoorbusterDecisionsUndelivered'),
]
