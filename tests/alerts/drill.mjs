// Each alert by its real fault: seconds until it fires and until it is over, and silence in a healthy rush. The rules are those of deploy/
// with all times divided by TIMES. Usage: node drill.mjs PROGRAM SANDBOX FOLDER-OF-PROMETHEUS [--cluster] [ALERT…]
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { FAULTS } from './faults.mjs'
import { killAll, pause, until } from './processes.mjs'
import { alertsOf, Diary, shortened } from './prometheus.mjs'
import { Stand } from './stand.mjs'

/** Two minutes of the rules are four seconds here. More, and a moment in which the machine is busy would count as minutes. */
const TIMES = 30
/** How long an alert may take to fire after its fault, and to end after the repair, in milliseconds. */
const FIRES_WITHIN = 150_000
const RESOLVES_WITHIN = 240_000
/** How long the healthy rush lasts: as long as the windows of 10 minutes. In milliseconds. */
const RUSH = 20_000
const WARM_UP = 5_000
const PURCHASES_PER_SECOND = 20
/** Purchases that can be made before each fault: more than during the longest one. */
const PROVIDED = 4_000

const [program, sandbox, folder, ...rest] = process.argv.slice(2)
const cluster = rest.includes('--cluster')
const only = rest.filter((argument) => !argument.startsWith('--'))
const rules = readFileSync(resolve(import.meta.dirname, '../../deploy/prometheus/rules.yaml'), 'utf8')

/** The first purchases of a broker and a database that have just been started are slow, and nobody is woken for them in life. */
async function warmUp(stand) {
  await stand.provide(PROVIDED)
  const stop = stand.traffic(PURCHASES_PER_SECOND)
  const quiet = async () => (await stand.prometheus.api('alerts')).alerts.length === 0
  await pause(WARM_UP)
  await until('no alert is pending', quiet, RESOLVES_WITHIN)
  await stop()
}

/** People buy, pay with money and points, and leave orders unpaid; more come than there are units. */
async function rush(stand) {
  await stand.provide(PROVIDED)
  const [few, hasty] = [await stand.shop.sale({ stock: 20 }), await stand.shop.sale({ payWithinSeconds: 2 })]
  const stop = stand.traffic(PURCHASES_PER_SECOND)
  for (const buyer of stand.buyers) await Promise.all([few, hasty].map((sale) => stand.shop.buy(buyer, sale)))
  const paid = await stand.paid()
  await stand.shop.refund(paid.buyer, paid.order)
  const { buyer, order } = await stand.order()
  await stand.shop.pay(buyer, order, 'POINTS')
  await pause(RUSH)
  await stop()
  const sold = await stand.prometheus.value('sum(doorbuster_tickets_decided_total{outcome="confirmed"})')
  const expired = await stand.prometheus.value('sum(doorbuster_orders_total{event="expired"})')
  if (sold < 100 || expired < 1) throw new Error(`a rush without buyers: ${sold} orders, ${expired} expired`)
  return sold
}

const seconds = (milliseconds) => (milliseconds / 1_000).toFixed(1)

/** Causes one fault: a row for each of its alerts. */
async function drill(stand, diary, { alerts, fault, cause }) {
  await stand.provide(PROVIDED)
  for (const alert of alerts) await until(`${alert} is over before its fault`, () => !diary.fires(alert), RESOLVES_WITHIN)
  stand.happens()
  const before = stand.began
  const repair = await cause(stand)
  const { began } = stand
  const missing = []
  for (const alert of alerts) {
    const fired = () => diary.firedSince(alert, before)
    await until(`${alert} fires`, fired, FIRES_WITHIN).catch((error) => {
      if (!error.message.startsWith('never')) throw error
      missing.push(alert)
    })
  }
  const repairing = Date.now()
  await repair()
  const others = diary.between(before, Date.now()).filter((name) => !alerts.includes(name))
  const row = (alert) => ({ alert, fault, began, repairing, entry: diary.firedSince(alert, before), others })
  const rows = alerts.map(row)
  const said = (entry) => (entry ? `fired after ${seconds(entry.fired - began)} s` : 'did not fire')
  for (const { alert, entry } of rows) console.error(`${alert}: ${said(entry)}`)
  return { rows, missing }
}

function table(rows) {
  console.log('| alert | fault | fires after | is over after | others at the time |\n| --- | --- | --- | --- | --- |')
  for (const { alert, fault, began, repairing, entry, others } of rows) {
    const fired = entry ? `${seconds(entry.fired - began)} s` : 'never'
    const over = entry?.resolved ? `${seconds(Math.max(0, entry.resolved - repairing))} s` : 'not waited for'
    const short = others.map((name) => name.replace('Doorbuster', '')).join(', ')
    console.log(`| ${alert.replace('Doorbuster', '')} | ${fault} | ${fired} | ${over} | ${short || 'none'} |`)
  }
}

async function main(scratch) {
  const servers = cluster && Object.fromEntries(Object.entries(process.env).filter(([name]) => name.startsWith('DOORBUSTER_TEST_')))
  const stand = new Stand({ program, sandbox, scratch, servers })
  const began = Date.now()
  await stand.open(folder, shortened(rules, TIMES))
  await warmUp(stand)
  const diary = new Diary(stand.prometheus)
  const problems = []
  const sold = await rush(stand)
  for (const [name, [entry]] of diary.entries) problems.push(`${name} fires in a healthy rush: ${entry.summary}`)
  console.error(`a healthy rush of ${sold} orders: ${problems.length ? 'NOT silent' : 'silent'}`)
  for (const problem of problems) console.error(problem)
  const rows = []
  const wanted = (name) => !only.length || only.includes(name)
  const chosen = FAULTS.filter(({ alerts, on }) => (cluster || on === 'both') && alerts.some(wanted))
  for (const fault of chosen) {
    const done = await drill(stand, diary, fault)
    rows.push(...done.rows)
    problems.push(...done.missing.map((alert) => `${alert} did not fire: ${fault.fault}`))
  }
  // The windows of an hour would be most of the time of a quick run.
  for (const { alert, entry } of cluster ? rows.filter(({ entry }) => entry) : []) {
    await until(`${alert} is over`, () => entry.resolved, RESOLVES_WITHIN).catch((error) => problems.push(error.message))
  }
  diary.stop()
  if (diary.failure) throw diary.failure
  table(rows)
  const tried = new Set(FAULTS.flatMap(({ alerts }) => alerts))
  problems.push(...alertsOf(rules).filter((name) => !tried.has(name)).map((name) => `${name} has no fault here`))
  console.log(`\n${rows.length} alerts in ${Math.round((Date.now() - began) / 1_000)} s; times of the rules divided by ${TIMES}`)
  for (const problem of problems) console.error(problem)
  return problems.length === 0
}

// Also of what nobody waits for.
process.on('exit', killAll)
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1))
const scratch = mkdtempSync(join(tmpdir(), 'doorbuster-drill-'))
let passed = false
try {
  passed = await main(scratch)
} catch (error) {
  console.error(error)
} finally {
  killAll()
  await pause(200)
  rmSync(scratch, { recursive: true, force: true, maxRetries: 10 })
}
process.exit(passed ? 0 : 1)
