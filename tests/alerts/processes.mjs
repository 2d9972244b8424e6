// Programs that a test starts and stops, and waiting for what they do.
import { spawn } from 'node:child_process'
import { createServer } from 'node:net'

const children = new Set()
/** How much of a program's output is kept, in characters. */
const OUTPUT_KEPT = 4_000

export function freePort() {
  return new Promise((done, failed) => {
    const server = createServer()
    server.once('error', failed)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => done(port))
    })
  })
}

/** A program in a process group of its own. `said()`: the end of its output. Unless it is `expected` to end, waiting fails when it does. */
export function start(command, args, options = {}) {
  const { expected = false, ...spawning } = options
  const child = spawn(command, args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'], ...spawning })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data) => (said = (said + data).slice(-OUTPUT_KEPT)))
  child.on('error', (error) => (said += error))
  child.said = () => said
  child.ended = new Promise((done) => child.once('close', done))
  child.expected = expected
  children.add(child)
  return child
}

/** Runs a program to its end: its output. Fails if it fails, unless any end `may` be. */
export async function run(command, args, { input, may = false, ...options } = {}) {
  const child = start(command, args, { ...options, expected: true, stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'] })
  if (input !== undefined) child.stdin.end(input)
  const code = await child.ended
  children.delete(child)
  if (code !== 0 && !may) throw new Error(`${command} ${args.join(' ')} ended with ${code}: ${child.said()}`)
  return child.said()
}

/** Sends a signal to a program, and to those that it has started. */
export function signal(child, name) {
  try {
    process.kill(-child.pid, name)
  } catch {
    // It has ended.
  }
}

export async function kill(child) {
  child.expected = true
  signal(child, 'SIGKILL')
  await child.ended
  children.delete(child)
}

export function killAll() {
  for (const child of children) {
    signal(child, 'SIGCONT')
    signal(child, 'SIGKILL')
  }
}

export const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds))

/** Waits until the condition holds: what it returned. Fails after so many milliseconds, or when a program ends that should not. */
export async function until(what, condition, patience) {
  const deadline = Date.now() + patience
  for (;;) {
    const found = await Promise.resolve(condition()).catch(() => undefined)
    if (found) return found
    const dead = [...children].find((child) => !child.expected && (child.exitCode !== null || child.signalCode !== null))
    if (dead) throw new Error(`a program ended: ${dead.spawnargs.slice(0, 2).join(' ')}: ${dead.said()}`)
    if (Date.now() > deadline) throw new Error(`never ${what}`)
    await pause(100)
  }
}
