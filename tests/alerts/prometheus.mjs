// A real Prometheus with the rules of deploy/, whose times can be shortened.
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort, start, until } from './processes.mjs'

const UNITS = { s: 1_000, m: 60_000, h: 3_600_000 }
/** How long a Prometheus may take to start, in milliseconds. */
const STARTS_WITHIN = 60_000

/**
 * The rules with all their times (windows, offsets, `for`) divided by `times`. Expressions and thresholds stay as they are. Fails if a time
 * was not understood.
 */
export function shortened(text, times) {
  const time = (_, before, number, unit) => `${before}${Math.round((Number(number) * UNITS[unit]) / times)}ms`
  const short = text.replace(/(\[|\bfor: |\boffset )(\d+)([smh])\b/g, time)
  const left = short.split('\n').find((line) => /(\[|\bfor: |\boffset )\d+(?!\d*ms)/.test(line))
  if (left) throw new Error(`a time that can't be shortened: ${left}`)
  return short
}

/** The names of the alerts. */
export const alertsOf = (text) => [...text.matchAll(/- alert: (\w+)/g)].map(([, name]) => name)

export class Prometheus {
  /** `targets`: addresses by name, of nodes. They can be changed with `watch`. */
  static async start(folder, scratch, { rules, interval }) {
    const self = new Prometheus()
    self.scratch = scratch
    self.targets = new Map()
    self.port = await freePort()
    writeFileSync(join(scratch, 'rules.yaml'), rules)
    self.#told()
    const config = {
      global: { scrape_interval: interval, scrape_timeout: interval, evaluation_interval: interval },
      rule_files: [join(scratch, 'rules.yaml')],
      scrape_configs: [{ job_name: 'doorbuster', file_sd_configs: [{ files: [join(scratch, 'targets.json')], refresh_interval: '1s' }] }],
    }
    // JSON is YAML.
    writeFileSync(join(scratch, 'prometheus.yml'), JSON.stringify(config))
    start(join(folder, 'prometheus'), [
      `--config.file=${join(scratch, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(scratch, 'tsdb')}`,
      `--web.listen-address=127.0.0.1:${self.port}`,
    ])
    await until('Prometheus is ready', async () => (await fetch(`http://127.0.0.1:${self.port}/-/ready`)).ok, STARTS_WITHIN)
    return self
  }

  watch(name, address) {
    this.targets.set(name, address)
    this.#told()
  }

  /** Watches an address no longer, and returns when it has stopped. */
  async forget(name) {
    const address = this.targets.get(name)
    this.targets.delete(name)
    this.#told()
    const gone = async () => (await this.api('targets?state=active')).activeTargets.every(({ labels }) => labels.instance !== address)
    await until(`${name} is not watched`, gone, STARTS_WITHIN)
  }

  #told() {
    const file = join(this.scratch, 'targets.json')
    writeFileSync(`${file}.new`, JSON.stringify([{ targets: [...this.targets.values()] }]))
    renameSync(`${file}.new`, file)
  }

  async api(path) {
    const answer = await (await fetch(`http://127.0.0.1:${this.port}/api/v1/${path}`)).json()
    if (answer.status !== 'success') throw new Error(`${path}: ${answer.error}`)
    return answer.data
  }

  async query(expr) {
    return (await this.api(`query?query=${encodeURIComponent(expr)}`)).result
  }

  /** The first value of an expression; 0 if there is none. */
  async value(expr) {
    return Number((await this.query(expr))[0]?.value[1] ?? 0)
  }

  /** Alerts that fire, by name, with their summaries. */
  async firing() {
    const { alerts } = await this.api('alerts')
    const firing = alerts.filter(({ state }) => state === 'firing')
    return new Map(firing.map(({ labels, annotations }) => [labels.alertname, annotations.summary]))
  }
}

/** What each alert did, looked at several times a second. */
export class Diary {
  #prometheus
  #timer
  /** By name: `[{ fired, resolved }]`, times in milliseconds. */
  entries = new Map()
  failure

  constructor(prometheus) {
    this.#prometheus = prometheus
    const look = async () => {
      try {
        this.#note(await prometheus.firing())
      } catch (error) {
        this.failure = error
      }
      this.#timer = setTimeout(look, 200)
    }
    look()
  }

  #note(firing) {
    const now = Date.now()
    for (const [name, summary] of firing) {
      const known = this.entries.get(name) ?? []
      this.entries.set(name, known)
      if (!known.length || known.at(-1).resolved) known.push({ fired: now, summary })
    }
    for (const [name, known] of this.entries) {
      if (!firing.has(name) && !known.at(-1).resolved) known.at(-1).resolved = now
    }
  }

  fires(name) {
    const last = this.entries.get(name)?.at(-1)
    return Boolean(last && !last.resolved)
  }

  /** The first time that the alert fired at or after this moment. */
  firedSince(name, moment) {
    return this.entries.get(name)?.find(({ fired }) => fired >= moment)
  }

  /** The names of those that began to fire between two moments. */
  between(from, to) {
    const within = (list) => list.some(({ fired }) => fired >= from && fired <= to)
    return [...this.entries].filter(([, list]) => within(list)).map(([name]) => name)
  }

  stop() {
    clearTimeout(this.#timer)
  }
}
