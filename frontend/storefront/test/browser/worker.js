// Does one flow after the other as run.js says, with a server and a browser of its own.
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { chromium } from 'playwright-core';
import { flows } from './all.js';
import { startShop } from './server.js';

const root = resolve(import.meta.dirname, '../../../..');
const pictures = process.env.SCREENSHOTS ?? join(root, 'target/screenshots');
const program = process.env.DOORBUSTER ?? join(root, 'target/debug/doorbuster');
const front = process.env.DOORBUSTER_FRONT;
/** One flow's longest time, browser and server included; longer when a flow is to be repeated more often than in CI. */
const isStress = ['STOREFRONT_KILLS', 'STOREFRONT_TABS', 'STOREFRONT_CLOCKS'].some((name) => process.env[name]);
const FLOW_MS = isStress ? 1_800_000 : 150_000;

mkdirSync(pictures, { recursive: true });
const shop = await startShop({
  program,
  front,
  port: process.env.DOORBUSTER_PORT && Number(process.env.DOORBUSTER_PORT),
  settings: { 'accounts.attempts_per_address_per_minute': '0' },
});
const launch = (...settings) =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking', '--disable-component-update', ...settings],
  });
const usual = await launch();

/** A browser of somebody's, whose pages are watched: what is said in the console, what is blocked, who else is asked. */
async function device({ shopper, allow = [], init, browser = usual, ...options } = {}) {
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
  if (shopper) {
    const input = { username: shopper.username, password: shop.password };
    const query = 'mutation SignIn($input: UserSignInInput!) {\n  userSignIn(input: $input) {\n    user { id username displayName role }\n    userErrors { code message field }\n  }\n}\n';
    const headers = { 'doorbuster-session': 'cookie', 'content-type': 'application/json' };
    const answer = await context.request.post('/graphql', { data: { query, variables: { input } }, headers });
    const { data } = await answer.json();
    if (!data?.userSignIn?.user) throw new Error(`not signed in: ${await answer.text()}`);
  }
  const open = async (path) => {
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    if (path) await page.goto(path);
    return page;
  };
  return { context, open, problems };
}

/** The name of the next flow; null when there is none. */
async function next() {
  const answer = once(process, 'message');
  process.send('next');
  const [name] = await answer;
  return name;
}

let failures = 0;
// A rejection that nobody waits for is a failure of the flow that is under way, not the end of everything.
let stray;
process.on('unhandledRejection', (error) => (stray = error));
for (let name = await next(); name; name = await next()) {
  stray = undefined;
  const devices = [];
  const started = Date.now();
  try {
    const tools = {
      shop,
      launch,
      pictures,
      device: async (options) => {
        const made = await device(options);
        devices.push(made);
        return made;
      },
    };
    const limit = new Promise((_, reject) => setTimeout(reject, FLOW_MS, new Error('it took too long')).unref());
    await Promise.race([flows[name](tools), limit]);
    const problems = devices.flatMap((one) => one.problems);
    if (stray) throw stray;
    if (problems.length > 0) throw new Error(`the pages complained:\n${problems.join('\n')}`);
    console.log(`  ok    ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
  } catch (error) {
    failures += 1;
    console.log(`  FAIL  ${name}: ${error.stack}`);
    for (const { context, problems } of devices) {
      for (const problem of problems) console.log(`        ${problem}`);
      for (const [index, page] of context.pages().entries()) {
        const path = join(pictures, `storefront-${name.split(' ')[0]}-${index}.png`);
        await page.screenshot({ path, timeout: 5_000 }).catch(() => {});
        console.log(`        see ${path}`);
      }
    }
  }
  for (const { context } of devices) await Promise.race([context.close().catch(() => {}), new Promise((done) => setTimeout(done, 5_000))]);
  await shop.up();
}
if (failures > 0) console.log(shop.log().split('\n').slice(-40).join('\n'));
await Promise.race([usual.close(), new Promise((resolve) => setTimeout(resolve, 5_000))]);
await shop.close();
process.exit(failures);
