// Shoppers in a real browser against the real program: node run.js [--stress] [--times N] [S1 S5 …].
// --stress: the flows that repeat something do it as often as the product promises; --times: each flow that often.
// DOORBUSTER is the program, CHROMIUM the browser; BROWSER_WORKERS how many flows at a time; DOORBUSTER_FRONT an address that leads to
// DOORBUSTER_PORT, such as a proxy's.
import { join } from 'node:path';
import { flows } from './all.js';
import { optionsOf } from './options.js';
import { runAll } from './runner.js';

const { wanted, times, stress } = optionsOf(process.argv.slice(2));
/** What --stress repeats, unless the environment says how often: a killed server, two tabs, a wrong clock. */
const STRESS = { S5: ['STOREFRONT_KILLS', 50], S24: ['STOREFRONT_TABS', 100], S8: ['STOREFRONT_CLOCKS', 20] };
if (stress) {
  for (const [name, count] of Object.values(STRESS)) process.env[name] ??= String(count);
  if (wanted.length === 0) wanted.push(...Object.keys(STRESS));
}
/** What takes longest, so that it does not come last. */
const LONG = ['A1', 'L1', 'S21', 'S25', 'S24'];
await runAll({ names: Object.keys(flows), worker: join(import.meta.dirname, 'worker.js'), wanted, times, long: LONG });
