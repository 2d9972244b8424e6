// Gives flows to workers, each of which has a server and a browser of its own.
import { fork } from 'node:child_process';
import { once } from 'node:events';

/** Flows mostly wait: several at a time keep two processors busy. An address that leads to one server is one worker's. */
const WORKERS = process.env.DOORBUSTER_FRONT || process.env.DOORBUSTER_PORT ? 1 : Number(process.env.BROWSER_WORKERS ?? 3);

/** The flow's number: `S1` of `S1 buys and pays`. */
const numberOf = (name) => name.split(' ')[0];

/**
 * Does the flows that are wanted, so many times each, and ends the program with 1 if one of them failed.
 * `names`: all flows, in order; `worker`: the file of a worker; `long`: numbers of flows that take long, so that none of them comes last.
 */
export async function runAll({ names, worker, wanted, times, long = [] }) {
  const unknown = wanted.filter((number) => !names.some((name) => numberOf(name) === number));
  if (unknown.length > 0) {
    console.error(`${unknown.join(', ')}: there is no such flow here`);
    process.exit(2);
  }
  const rank = (name) => (long.includes(numberOf(name)) ? long.indexOf(numberOf(name)) : long.length);
  const chosen = names.filter((name) => wanted.length === 0 || wanted.includes(numberOf(name))).sort((a, b) => rank(a) - rank(b));
  const queue = Array.from({ length: times }, () => chosen).flat();
  const began = Date.now();
  const work = async () => {
    const process = fork(worker);
    process.on('message', () => process.connected && process.send(queue.shift() ?? null));
    const [failed] = await once(process, 'exit');
    // Without a code it was ended by a signal.
    return failed ?? 1;
  };
  const failed = await Promise.all(Array.from({ length: Math.min(WORKERS, queue.length) }, work));
  // A worker that ends early leaves its flow undone.
  const failures = failed.reduce((sum, count) => sum + count, 0) + queue.length;
  console.log(`${failures === 0 ? 'all flows passed' : `${failures} flows failed`} in ${((Date.now() - began) / 1000).toFixed(0)} s`);
  process.exit(failures > 0 ? 1 : 0);
}
