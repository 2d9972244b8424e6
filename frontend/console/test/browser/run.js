// Operators and shoppers in a real browser against the real program: node run.js [--times N] [C1 C2 …].
// DOORBUSTER is the program, CHROMIUM the browser; DOORBUSTER_FRONT an address that leads to DOORBUSTER_PORT, such as a proxy's.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { chromium } from 'playwright-core';
import { optionsOf } from '../../../storefront/test/browser/options.js';
import { startShop } from '../../../storefront/test/browser/server.js';
import { flows as emergencies } from './emergencies.js';
import { flows as everyday } from './flows.js';
import { flows as staff } from './staff.js';

const root = resolve(import.meta.dirname, '../../../..');
const pictures = process.env.SCREENSHOTS ?? join(root, 'target/screenshots');
const program = process.env.DOORBUSTER ?? join(root, 'target/debug/doorbuster');
const { wanted, times } = optionsOf(process.argv.slice(2));
/** One flow's longest time, browser and server included. */
const FLOW_MS = 150_000;

mkdirSync(pictures, { recursive: true });
const shop = await startShop({
  program,
  front: process.env.DOORBUSTER_FRONT,
  port: process.env.DOORBUSTER_PORT && Number(process.env.DOORBUSTER_PORT),
  settings: { 'accounts.attempts_per_address_per_minute': '0' },
});

/** A sale that is not published. */
shop.draft = async ({ name, stock }) => {
  const price = { amount: '79.00', currencyCode: 'CNY' };
  const productId = await shop.act('productCreate', 'ProductCreateInput', 'product', { name, price });
  const startsAt = new Date(Date.now() + 3_600_000).toISOString();
  const sessionId = await shop.act('saleSessionCreate', 'SaleSessionCreateInput', 'session', { name, startsAt });
  const id = await shop.act('saleCreate', 'SaleCreateInput', 'sale', { sessionId, productId, price, stock });
  return { id, path: `/sales/${id}` };
};

/** Documents for operators only, by id, with variables. */
const documents = {
  StuckPayments: {},
  Payments: {},
  Refunds: {},
  ShopPause: { input: { reason: 'not mine to stop' } },
  ShopResume: { input: { reason: 'not mine to resume' } },
  BillDifferences: { open: true },
  PaymentLookup: { id: '1001-1-000001' },
  RefundLookup: { id: 'refund_1' },
  Products: {},
  OrderSearch: {},
  Users: {},
  AuditEntries: {},
  SignInAttempts: {},
  Failures: {},
  Settings: {},
  ServerNodes: {},
  Queues: {},
  Pulses: { seconds: 1 },
  BooksAudit: {},
};
shop.forbidden = Object.fromEntries(
  Object.entries(documents).map(([name, variables]) => {
    const text = readFileSync(join(root, `frontend/documents/${name}.graphql`));
    return [`sha256:${createHash('sha256').update(text).digest('hex')}`, variables];
  }),
);

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking', '--disable-component-update'],
});

/** A browser of somebody's, whose pages are watched: what is said in the console, what is blocked, who else is asked. */
async function device({ shopper, operator, allow = [], ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: 'en-US', baseURL: shop.base, ...options });
  const problems = [];
  const blame = (text) => {
    if (!allow.some((pattern) => pattern.test(text))) problems.push(text);
  };
  await context.addInitScript(() => {
    addEventListener('securitypolicyviolation', (event) => console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`));
  });
  context.on('console', (message) => {
    const ours = message.page()?.url().startsWith(shop.base) ?? true;
    if (ours && ['error', 'warning'].includes(message.type())) blame(`${message.text()} ${message.location().url}`);
  });
  context.on('weberror', (error) => blame(`page error: ${error.error()?.message} ${error.error()?.stack}`));
  context.on('request', (request) => {
    if (!request.frame()?.page()?.url().startsWith(shop.base) || request.isNavigationRequest()) return;
    const url = new URL(request.url());
    if (url.protocol.startsWith('http') && url.origin !== new URL(shop.base).origin) blame(`asked ${url.origin}`);
  });
  const username = operator ? 'operator' : shopper?.username;
  if (username) {
    const query = 'mutation ($input: UserSignInInput!) { userSignIn(input: $input) { user { id } } }';
    const headers = { 'doorbuster-session': 'cookie' };
    const data = { query, variables: { input: { username, password: shop.password } } };
    const answer = await context.request.post('/graphql', { data, headers });
    if (!(await answer.json()).data?.userSignIn?.user) throw new Error(`not signed in: ${await answer.text()}`);
  }
  const open = async (path) => {
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    if (path) await page.goto(path);
    return page;
  };
  return { context, open, problems };
}

let failures = 0;
// A rejection that nobody waits for is a failure of the flow that is under way, not the end of everything.
let stray;
process.on('unhandledRejection', (error) => (stray = error));
const began = Date.now();
const chosen = Object.entries({ ...everyday, ...emergencies, ...staff }).filter(([name]) => wanted.length === 0 || wanted.includes(name.split(' ')[0]));
for (const [name, flow] of Array.from({ length: times }, () => chosen).flat()) {
  stray = undefined;
  const devices = [];
  const started = Date.now();
  const make = async (options) => {
    const made = await device(options);
    devices.push(made);
    return made;
  };
  try {
    const limit = new Promise((_, reject) => setTimeout(reject, FLOW_MS, new Error('it took too long')).unref());
    await Promise.race([flow({ shop, pictures, device: make }), limit]);
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
        const path = join(pictures, `console-${name.split(' ')[0]}-${index}.png`);
        await page.screenshot({ path, timeout: 5_000 }).catch(() => {});
        console.log(`        see ${path}`);
      }
    }
  }
  await shop.up();
  for (const { context } of devices) await Promise.race([context.close().catch(() => {}), new Promise((done) => setTimeout(done, 5_000))]);
}
console.log(`${failures === 0 ? 'all flows passed' : `${failures} flows failed`} in ${((Date.now() - began) / 1000).toFixed(0)} s`);
if (failures > 0) console.log(shop.log().split('\n').slice(-40).join('\n'));
await Promise.race([browser.close(), new Promise((done) => setTimeout(done, 5_000))]);
await shop.close();
process.exit(failures > 0 ? 1 : 0);
