// Shoppers in a real browser against the real program: node run.js [--stress] [--times N] [S1 S5 …].
// --stress: the flows that repeat something do it as often as the product promises; --times: each flow that often.
// DOORBUSTER is the program, CHROMIUM the browser; DOORBUSTER_FRONT an address that leads to DOORBUSTER_PORT, such as a proxy's.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { flows } from './all.js';
import { optionsOf } from './options.js';

const { wanted, times, stress } = optionsOf(process.argv.slice(2));
/** What --stress repeats, unless the environment says how often: a killed server, two tabs, a wrong clock. */
const STRESS = { S5: ['STOREFRONT_KILLS', 50], S24: ['STOREFRONT_TABS', 100], S8: ['STOREFRONT_CLOCKS', 20] };
if (stress) {
  for (const [name, count] of Object.values(STRESS)) process.env[name] ??= String(count);
  if (wanted.length === 0) wanted.push(...Object.keys(STRESS));
}
/** Flows mostly wait: two at a time keep two processors busy. An address that leads to one server is one worker's. */
const WORKERS = process.env.DOORBUSTER_FRONT || process.env.DOORBUSTER_PORT ? 1 : 2;

const chosen = Object.keys(flows).filter((name) => wanted.length === 0 || wanted.includes(name.split(' ')[0]));
const queue = Array.from({ length: times }, () => chosen).flat();
const began = Date.now();
const work = async () => {
  const worker = fork(join(import.meta.dirname, 'worker.js'));
  worker.on('message', () => worker.connected && worker.send(queue.shift() ?? null));
  const [failed] = await once(worker, 'exit');
  // Without a code it was ended by a signal.
  return failed ?? 1;
};
const failed = await Promise.all(Array.from({ length: Math.min(WORKERS, queue.length) }, work));
// A worker that ends early leaves its flow undone.
const failures = failed.reduce((sum, count) => sum + count, 0) + queue.length;
console.log(`${failures === 0 ? 'all flows passed' : `${failures} flows failed`} in ${((Date.now() - began) / 1000).toFixed(0)} s`);
process.exit(failures > 0 ? 1 : 0);
