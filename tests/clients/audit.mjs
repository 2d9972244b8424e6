// The audits and probes of ../edge-audit against the real program. Usage: node audit.mjs PROGRAM
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Server } from './lib/server.mjs'

const server = await Server.start(process.argv[2])
const sale = await server.sale(await server.operator())
const script = fileURLToPath(new URL('../edge-audit/audit.mjs', import.meta.url))
// Something that says nothing more after its first words.
const PROBE_SUBSCRIPTION = `subscription { saleStockChanged(saleIds: ["${sale}"]) { version } }`
const env = { ...process.env, PROBE_SUBSCRIPTION }
const audit = spawn(process.execPath, [script, server.http, server.ws], { env, stdio: ['ignore', 'inherit', 'inherit'] })
const [code] = await once(audit, 'exit')
server.cleanUp()
process.exit(code ?? 1)
