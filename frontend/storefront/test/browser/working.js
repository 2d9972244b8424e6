// What a worker of the runner does: one flow after the other, with a server and a browser of its own.
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { startShop } from './server.js';

const root = resolve(import.meta.dirname, '../../../..');
const pictures = process.env.SCREENSHOTS ?? join(root, 'target/screenshots');
const program = process.env.DOORBUSTER ?? join(root, 'target/debug/doorbuster');
/** So long the browser may take to close. */
const CLOSE_MS = 5_000;

const atMost = (ms, done) => Promise.race([done.catch(() => {}), new Promise((resolve) => setTimeout(resolve, ms))]);

/** The name of the next flow; null when there is none. */
async function next() {
  const answer = once(process, 'message');
  process.send('next');
  const [name] = await answer;
  return name;
}

/** Makes browsers of somebody's, whose pages are watched: what is said in the console, what is blocked, who else is asked. */
const deviceOf = (shop, usual) =>
  async function device({ shopper, operator, allow = [], init, browser = usual, ...options } = {}) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: 'en-US', baseURL: shop.base, ...options });
    const problems = [];
    const blame = (text) => {
      if (!allow.some((pattern) => pattern.test(text))) problems.push(text);
    };
    await context.addInitScript(() => {
      addEventListener('securitypolicyviolation', (event) => console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`));
    });
    if (init) await context.addInitScript(init);
    context.on('console', (message) => {
      const ours = message.page()?.url().startsWith(shop.base) ?? true;
      if (ours && ['error', 'warning'].includes(message.type())) blame(`${message.text()} ${message.location().url}`);
    });
    context.on('weberror', (error) => blame(`page error: ${error.error()?.name} ${error.error()?.message} ${error.error()?.stack}`));
    context.on('request', (request) => {
      const page = request.frame()?.page();
      if (!page?.url().startsWith(shop.base) || request.isNavigationRequest()) return;
      const url = new URL(request.url());
      if (url.protocol.startsWith('http') && url.origin !== new URL(shop.base).origin) blame(`asked ${url.origin}`);
    });
    const username = operator ? 'operator' : shopper?.username;
    if (username) await signIn(context, { username, password: shop.password });
    const open = async (path) => {
      const page = await context.newPage();
      page.setDefaultTimeout(20_000);
      if (path) await page.goto(path);
      return page;
    };
    return { context, open, problems };
  };

/** The pages' own document: it is executed also where no other ones are. */
const SIGN_IN = readFileSync(join(root, 'frontend/documents/SignIn.graphql'), 'utf8');

async function signIn(context, input) {
  const headers = { 'doorbuster-session': 'cookie', 'content-type': 'application/json' };
  const answer = await context.request.post('/graphql', { data: { query: SIGN_IN, variables: { input } }, headers });
  const { data } = await answer.json();
  if (!data?.userSignIn?.user) throw new Error(`not signed in: ${await answer.text()}`);
}

/**
 * Does the flows that the runner names, and ends the program with the number of those that failed.
 * `prepare`: gives the shop what only these flows need; `prefix`: of the pictures of what failed; `flowMs`: one flow's longest time.
 */
export async function work({ chromium, flows, prefix, flowMs, prepare = () => {} }) {
  mkdirSync(pictures, { recursive: true });
  const launch = (...settings) =>
    chromium.launch({
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking', '--disable-component-update', ...settings],
    });
  const starting = startShop({
    program,
    front: process.env.DOORBUSTER_FRONT,
    port: process.env.DOORBUSTER_PORT && Number(process.env.DOORBUSTER_PORT),
    settings: { 'accounts.attempts_per_address_per_minute': '0' },
  });
  const [shop, usual] = await Promise.all([starting, launch()]);
  prepare(shop);
  const device = deviceOf(shop, usual);

  /** Another server and another browser, for a flow that needs them otherwise; `end` closes both. */
  const another = (made) => async ({ browserSettings = [], ...options }) => {
    const [own, browser] = await Promise.all([startShop({ program, ...options }), launch(...browserSettings)]);
    const make = deviceOf(own, browser);
    return {
      shop: own,
      device: async (given) => {
        const one = await make(given);
        made.push(one);
        return one;
      },
      async end() {
        await atMost(CLOSE_MS, browser.close());
        await own.close();
      },
    };
  };

  let failures = 0;
  // A rejection that nobody waits for is a failure of the flow that is under way, not the end of everything.
  let stray;
  process.on('unhandledRejection', (error) => (stray = error));
  for (let name = await next(); name; name = await next()) {
    stray = undefined;
    const devices = [];
    const started = Date.now();
    const tools = {
      shop,
      launch,
      pictures,
      another: another(devices),
      device: async (options) => {
        const made = await device(options);
        devices.push(made);
        return made;
      },
    };
    try {
      const limit = new Promise((_, reject) => setTimeout(reject, flowMs, new Error('it took too long')).unref());
      await Promise.race([flows[name](tools), limit]);
      const problems = devices.flatMap((one) => one.problems);
      if (stray) throw stray;
      if (problems.length > 0) throw new Error(`the pages complained:\n${problems.join('\n')}`);
      console.log(`  ok    ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
    } catch (error) {
      failures += 1;
      console.log(`  FAIL  ${name}: ${error.stack}`);
      await picture(devices, join(pictures, `${prefix}-${name.split(' ')[0]}`));
    }
    for (const { context } of devices) await atMost(CLOSE_MS, context.close());
    await shop.up();
  }
  if (failures > 0) console.log(shop.log().split('\n').slice(-40).join('\n'));
  await atMost(CLOSE_MS, usual.close());
  await shop.close();
  process.exit(failures);
}

/** What the pages of a flow that failed showed and said. */
async function picture(devices, path) {
  let pages = 0;
  for (const { context, problems } of devices) {
    for (const problem of problems) console.log(`        ${problem}`);
    for (const page of context.pages()) {
      const file = `${path}-${pages}.png`;
      pages += 1;
      await page.screenshot({ path: file, timeout: CLOSE_MS }).catch(() => {});
      console.log(`        see ${file}`);
    }
  }
}
