// Operators and shoppers in a real browser against the real program: node run.js [--times N] [C1 C2 …].
// DOORBUSTER is the program, CHROMIUM the browser; BROWSER_WORKERS how many flows at a time; DOORBUSTER_FRONT an address that leads to
// DOORBUSTER_PORT, such as a proxy's.
import { join } from 'node:path';
import { optionsOf } from '../../../storefront/test/browser/options.js';
import { runAll } from '../../../storefront/test/browser/runner.js';
import { flows } from './all.js';

const { wanted, times } = optionsOf(process.argv.slice(2));
/** What takes longest, so that it does not come last. */
const LONG = ['C12', 'C19', 'C10', 'C14', 'C6', 'C16'];
await runAll({ names: Object.keys(flows), worker: join(import.meta.dirname, 'worker.js'), wanted, times, long: LONG });
