// Every expression of the rules and of the dashboard, evaluated by a real Prometheus against a running demo: each selector finds series,
// each panel shows something, and no alert fires in a healthy rush. Usage: node live.mjs PROGRAM FOLDER-OF-PROMETHEUS
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { freePort, killAll, start, until } from './processes.mjs'
import { Prometheus } from './prometheus.mjs'

const [program, folder] = process.argv.slice(2)
const deploy = resolve(import.meta.dirname, '../../deploy')
const patience = 180_000
/** Metrics that a shop on SQLite, or without TLS or trouble, does not have; the Rust tests know that they exist. */
const absent = [/^doorbuster_store_/, /^doorbuster_task_panics_total/]

const scratch = mkdtempSync(join(tmpdir(), 'doorbuster-alerts-'))

/** Without what the dashboard's variables stand for. */
const plain = (expr) => expr.replaceAll('$job', 'doorbuster').replaceAll('[$__rate_interval]', '[30s]')
/** Of a short demo there are no hours. */
const short = (expr) => expr.replaceAll(/\[\d+[mh]\]/g, '[30s]')
const selectors = (expr) => expr.match(/\b(?:doorbuster|process)_\w+(?:\{[^}]*\})?/g) ?? []

async function main() {
  const shop = await freePort()
  // It ends only when something is wrong.
  start(program, ['demo', '--port', `${shop}`, '--crowd', '300', '--stock', '100', '--opens-in', '5', '--data', join(scratch, 'demo')])
  await until('the shop is ready', async () => (await fetch(`http://127.0.0.1:${shop}/health/ready`)).ok, patience)
  // Samples are taken often, and rates are over windows of several of them.
  const rules = readFileSync(join(deploy, 'prometheus/rules.yaml'), 'utf8')
  const prometheus = await Prometheus.start(folder, scratch, { rules, interval: '1s' })
  prometheus.watch('demo', `127.0.0.1:${shop}`)
  const query = (expr) => prometheus.query(expr)
  const settled = async () => {
    const sold = await prometheus.value('sum(doorbuster_tickets_decided_total{outcome="confirmed"})')
    return sold >= 100 && (await prometheus.value('sum(increase(doorbuster_payments_total{event="succeeded"}[30s]))')) > 0
  }
  await until('the rush is over and its payments are settled', settled, patience)
  const problems = []
  const found = { selectors: 0, panels: 0, rules: 0 }
  const check = async (where, expr) => {
    for (const selector of selectors(expr)) {
      if (absent.some((name) => name.test(selector))) continue
      found.selectors += 1
      if ((await query(selector)).length === 0) problems.push(`${where}: nothing for ${selector}`)
    }
    return query(expr)
  }
  const board = JSON.parse(readFileSync(join(deploy, 'grafana/doorbuster.json'), 'utf8'))
  for (const panel of board.panels) {
    for (const { expr } of panel.targets ?? []) {
      found.panels += 1
      const result = await check(`panel "${panel.title}"`, plain(expr))
      const may = absent.some((name) => selectors(expr).some((selector) => name.test(selector)))
      if (result.length === 0 && !may) problems.push(`panel "${panel.title}" is empty: ${plain(expr)}`)
    }
  }
  for (const { rules: group } of (await prometheus.api('rules')).groups) {
    for (const rule of group) {
      found.rules += 1
      if (rule.health !== 'ok') problems.push(`rule ${rule.name}: ${rule.health} ${rule.lastError ?? ''}`)
      await check(`rule ${rule.name}`, short(rule.query))
      if (rule.type === 'recording' && /:p99_5m$|:ratio_rate5m$/.test(rule.name)) {
        const empty = (await query(rule.name)).length === 0
        if (empty) problems.push(`rule ${rule.name} recorded nothing`)
      }
    }
  }
  for (const [name, summary] of await prometheus.firing()) problems.push(`${name} fires in a healthy rush: ${summary}`)
  console.log(`${found.panels} queries of panels, ${found.rules} rules, ${found.selectors} selectors`)
  for (const problem of problems) console.error(problem)
  return problems.length === 0
}

let passed = false
try {
  passed = await main()
} catch (error) {
  console.error(error)
} finally {
  killAll()
  rmSync(scratch, { recursive: true, force: true, maxRetries: 10 })
}
process.exit(passed ? 0 : 1)
