// Every expression of the rules and of the dashboard, evaluated by a real Prometheus against a running demo: each selector finds series,
// each panel shows something, and no alert fires in a healthy rush. Usage: node live.mjs PROGRAM FOLDER-OF-PROMETHEUS
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const [program, folder] = process.argv.slice(2)
const deploy = resolve(import.meta.dirname, '../../deploy')
const patience = 180_000
/** Metrics that a shop on SQLite, or without TLS or trouble, does not have; the Rust tests know that they exist. */
const absent = [/^doorbuster_store_/, /^doorbuster_task_panics_total/]
/** Samples are taken this often, and rates are over windows of several of them. */
const interval = 1

const scratch = mkdtempSync(join(tmpdir(), 'doorbuster-alerts-'))
const children = []

function freePort() {
  return new Promise((done, failed) => {
    const server = createServer()
    server.once('error', failed)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => done(port))
    })
  })
}

function start(command, args) {
  const child = spawn(command, args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (said = (said + data).slice(-4_000)))
  child.on('error', (error) => (said += error))
  child.said = () => said
  children.push(child)
  return child
}

async function until(what, condition) {
  const deadline = Date.now() + patience
  for (;;) {
    const found = await condition().catch(() => undefined)
    if (found) return found
    const dead = children.find((child) => child.exitCode !== null)
    if (dead) throw new Error(`a program ended: ${dead.said()}`)
    if (Date.now() > deadline) throw new Error(`never ${what}`)
    await new Promise((done) => setTimeout(done, 200))
  }
}

/** Without what the dashboard's variables stand for. */
const plain = (expr) => expr.replaceAll('$job', 'doorbuster').replaceAll('[$__rate_interval]', '[30s]')
/** Of a short demo there are no hours. */
const short = (expr) => expr.replaceAll(/\[\d+[mh]\]/g, '[30s]')
const selectors = (expr) => expr.match(/\b(?:doorbuster|process)_\w+(?:\{[^}]*\})?/g) ?? []

async function main() {
  const [shop, watcher] = [await freePort(), await freePort()]
  const demo = start(program, ['demo', '--port', `${shop}`, '--crowd', '300', '--stock', '100', '--opens-in', '5', '--data', join(scratch, 'demo')])
  await until('the shop is ready', async () => (await fetch(`http://127.0.0.1:${shop}/health/ready`)).ok)
  const config = {
    global: { scrape_interval: `${interval}s`, evaluation_interval: `${interval}s` },
    rule_files: [join(deploy, 'prometheus/rules.yaml')],
    scrape_configs: [{ job_name: 'doorbuster', static_configs: [{ targets: [`127.0.0.1:${shop}`] }] }],
  }
  // JSON is YAML.
  writeFileSync(join(scratch, 'prometheus.yml'), JSON.stringify(config))
  start(join(folder, 'prometheus'), [
    `--config.file=${join(scratch, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(scratch, 'tsdb')}`,
    `--web.listen-address=127.0.0.1:${watcher}`,
  ])
  const api = async (path) => {
    const answer = await (await fetch(`http://127.0.0.1:${watcher}/api/v1/${path}`)).json()
    if (answer.status !== 'success') throw new Error(`${path}: ${answer.error}`)
    return answer.data
  }
  const query = async (expr) => (await api(`query?query=${encodeURIComponent(expr)}`)).result
  const total = async (expr) => Number((await query(expr))[0]?.value[1] ?? 0)
  await until('the rush is over and its payments are settled', async () => {
    const sold = await total('sum(doorbuster_tickets_decided_total{outcome="confirmed"})')
    return sold >= 100 && (await total('sum(increase(doorbuster_payments_total{event="succeeded"}[30s]))')) > 0
  })
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
  const rules = await api('rules')
  for (const { rules: group } of rules.groups) {
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
  for (const alert of (await api('alerts')).alerts) {
    if (alert.state === 'firing') problems.push(`${alert.labels.alertname} fires in a healthy rush: ${alert.annotations.summary}`)
  }
  console.log(`${found.panels} queries of panels, ${found.rules} rules, ${found.selectors} selectors`)
  if (demo.exitCode !== null) problems.push(`the demo ended: ${demo.said()}`)
  for (const problem of problems) console.error(problem)
  return problems.length === 0
}

let passed = false
try {
  passed = await main()
} catch (error) {
  console.error(error)
} finally {
  // With the programs that they have started: nothing of them is needed any more.
  for (const child of children) {
    try {
      process.kill(-child.pid, 'SIGKILL')
    } catch {
      // It has ended.
    }
  }
  rmSync(scratch, { recursive: true, force: true, maxRetries: 10 })
}
process.exit(passed ? 0 : 1)
