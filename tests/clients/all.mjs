// Everything here, one after the other. Usage: node all.mjs PROGRAM
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const program = process.argv[2]
const failed = ['audit', 'cop', 'conformance', 'hostile', 'crowd', 'examples', 'run'].filter((name) => {
  const script = fileURLToPath(new URL(`${name}.mjs`, import.meta.url))
  return spawnSync(process.execPath, [script, program], { stdio: 'inherit' }).status !== 0
})
if (failed.length) console.log(`failed: ${failed.join(', ')}`)
process.exit(failed.length ? 1 : 0)
