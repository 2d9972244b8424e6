// GraphiQL in a real browser against a real server: the tabs, one after the other, as a
// newcomer would. DOORBUSTER_URL names the server, CHROMIUM the browser.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const base = new URL(process.env.DOORBUSTER_URL ?? 'http://127.0.0.1:8080');
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const pictures = process.env.SCREENSHOTS ?? join(import.meta.dirname, '../../../target/screenshots');
const PATIENCE = 20_000;

const profile = mkdtempSync(join(tmpdir(), 'doorbuster-browser-'));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath,
  headless: true,
  viewport: { width: 1440, height: 900 },
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
});

async function run() {
  mkdirSync(pictures, { recursive: true });
  const page = browser.pages()[0] ?? (await browser.newPage());
  page.setDefaultTimeout(PATIENCE);
  const seen = watch(page);

  const response = await page.goto(new URL('/graphiql', base).href);
  assert.equal(response?.status(), 200);
  assert.equal(await page.title(), 'doorbuster GraphiQL');
  await page.waitForSelector('.graphiql-query-editor .view-lines');
  const titles = await page.locator('.graphiql-tab-button').allInnerTexts();
  assert.deepEqual(titles, ['SignIn', 'SaleList', 'Purchase', 'WatchTicket', 'Pay']);
  await page.screenshot({ path: join(pictures, 'graphiql-0-start.png') });
  step('opened, five tabs');

  const signedUp = await execute(page, 'SignUp');
  const token = signedUp.data.userSignUp.accessToken?.token;
  assert.ok(token, `signed up: ${JSON.stringify(signedUp)}`);
  const signedIn = await execute(page, 'SignIn');
  const newest = signedIn.data.userSignIn.accessToken?.token;
  assert.ok(newest, `signed in: ${JSON.stringify(signedIn)}`);
  await page.getByRole('button', { name: 'Headers', exact: true }).click();
  await editorShows(page, 'Headers', 'authorization');
  await shot(page, 'graphiql-1-sign-in');
  step('signed up and in, the token is in the headers');

  await openTab(page, 'SaleList');
  // The demo's sale opens some seconds after its server.
  let sale;
  await until('there is an open sale', async () => {
    const list = await execute(page);
    assert.ok(list.data.saleSessions.nodes.length > 0, 'there are sessions');
    sale = list.data.sales.nodes.find(({ status }) => status === 'OPEN');
    return sale;
  });
  await responseShows(page, 'saleSessions');
  await shot(page, 'graphiql-2-sale-list');
  step('listed sessions and sales');

  await openTab(page, 'Purchase');
  await page.getByRole('button', { name: 'Variables', exact: true }).click();
  await editorShows(page, 'Variables', sale.id);
  const bought = await execute(page);
  const { ticket, userErrors } = bought.data.salePurchase;
  assert.deepEqual(userErrors, []);
  await responseShows(page, ticket.id);
  const again = await execute(page);
  assert.equal(again.data.salePurchase.ticket.id, ticket.id, 'the same key answers the same ticket');
  await shot(page, 'graphiql-3-purchase');
  step('bought a unit; the same key gave the same ticket');

  await openTab(page, 'WatchTicket');
  await start(page, 'WatchTicket');
  await responseShows(page, 'CONFIRMED');
  await responseShows(page, ticket.id);
  await page.getByRole('button', { name: 'Execute query' }).waitFor(); // it completed by itself
  await shot(page, 'graphiql-4-watch-ticket');
  step('the ticket was confirmed over the WebSocket');

  const watching = seen.frames.length;
  await start(page, 'WatchStock');
  await responseShows(page, 'stockRemaining');
  await until('a stock figure', () => figures(seen, watching).length > 0);
  const before = figures(seen, watching).length;
  await otherShopperBuys(sale.id);
  // What others give back raises it meanwhile: it has gone down when a figure is lower than the one before it.
  const [first, then] = await until('a lower stock figure', () =>
    pairs(figures(seen, watching).slice(before - 1)).find(([earlier, later]) => later < earlier),
  );
  await responseShows(page, `"stockRemaining": ${figures(seen, watching).at(-1)}`);
  await shot(page, 'graphiql-5-watch-stock');
  await page.getByRole('button', { name: 'Stop query' }).click();
  step(`stock went from ${first} to ${then} while watching`);

  await openTab(page, 'Pay');
  await editorShows(page, 'Variables', '"method": "ALIPAY"');
  await editorShows(page, 'Variables', 'order_');
  const begun = await execute(page, 'Pay');
  const { redirectUrl, order, userErrors: refusals } = begun.data.orderPay;
  assert.deepEqual([refusals, order?.status], [[], 'AWAITING_PAYMENT']);
  await shot(page, 'graphiql-6-pay');
  await start(page, 'WatchOrder');
  await responseShows(page, 'AWAITING_PAYMENT');
  await payAtCashier(redirectUrl);
  await responseShows(page, '"status": "PAID"');
  await responseShows(page, '"status": "SUCCEEDED"');
  await shot(page, 'graphiql-7-paid');
  step('paid at the cashier; the order became PAID over the WebSocket');

  assert.deepEqual(seen.protocols, new Set(['graphql-transport-ws']));
  assert.ok(
    seen.inits.some(({ payload }) => payload?.authorization === `Bearer ${newest}`),
    'the socket said who it is',
  );
  assert.deepEqual(seen.foreign, [], 'no request left the server');
  assert.deepEqual(seen.errors, [], 'no errors in the console');
  step(`${seen.requests} requests, none to another host, no console errors`);
}

/** As a buyer: opens the address, looks at the amount, presses Pay, and reads what the shop says. */
async function payAtCashier(address) {
  const page = await browser.newPage();
  page.setDefaultTimeout(PATIENCE);
  const response = await page.goto(address);
  assert.equal(response?.status(), 200);
  assert.match(await page.innerText('.amount'), /^¥\d+\.\d\d$/);
  await shot(page, 'cashier-0-pay');
  await page.getByRole('button', { name: 'Pay', exact: true }).click();
  await page.waitForURL(new URL('/payments/alipay/return?*', base).href);
  assert.match(await page.innerText('body'), /Your order is paid/);
  await shot(page, 'cashier-1-returned');
  await page.close();
}

/** Collects what the page does: requests, console errors, socket frames. */
function watch(page) {
  const seen = { requests: 0, foreign: [], errors: [], inits: [], frames: [], protocols: new Set() };
  const local = (url) => {
    const { host, protocol } = new URL(url);
    return host === base.host || protocol === 'data:' || protocol === 'blob:';
  };
  browser.on('request', (request) => {
    seen.requests += 1;
    if (request.frame().page() === page && !local(request.url())) seen.foreign.push(request.url());
  });
  page.on('console', (message) => {
    if (message.type() === 'error') seen.errors.push(`${message.text()} ${message.location().url}`);
  });
  page.on('pageerror', (error) => seen.errors.push(String(error)));
  page.on('websocket', (socket) => {
    if (!local(socket.url())) seen.foreign.push(socket.url());
    socket.on('framesent', ({ payload }) => {
      const message = JSON.parse(String(payload));
      if (message.type === 'connection_init') seen.inits.push(message);
    });
    socket.on('framereceived', ({ payload }) => {
      const message = JSON.parse(String(payload));
      if (message.type === 'connection_ack') seen.protocols.add('graphql-transport-ws');
      seen.frames.push(message);
    });
  });
  return seen;
}

/** The stock figures among the frames since `from`, in their order. */
const figures = ({ frames }, from) =>
  frames
    .slice(from)
    .map(({ payload }) => payload?.data?.saleStockChanged?.stockRemaining)
    .filter((remaining) => remaining !== undefined);

/** Each item with the one after it. */
const pairs = (items) => items.slice(1).map((item, index) => [items[index], item]);

/** Ends the browser. One that does not end by itself (seen once, for 45 minutes) is killed. */
async function close() {
  const ended = await Promise.race([
    browser.close().then(() => true),
    new Promise((resolve) => setTimeout(resolve, PATIENCE, false)),
  ]);
  if (!ended) {
    console.log('  the browser did not end in time and was killed');
    spawnSync('pkill', ['-KILL', '-f', profile], { stdio: 'inherit' });
  }
  rmSync(profile, { recursive: true, force: true, maxRetries: 3 });
}

async function otherShopperBuys(saleId) {
  const send = async (query, variables, token) => {
    const response = await fetch(new URL('/graphql', base), {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
      body: JSON.stringify({ query, variables }),
    });
    return response.json();
  };
  const name = `other-${Date.now().toString(36)}`;
  const signUp = await send(
    'mutation ($input: UserSignUpInput!) { userSignUp(input: $input) { accessToken { token } userErrors { message } } }',
    { input: { username: name, password: `correct horse ${name}`, displayName: 'Another shopper' } },
  );
  const token = signUp.data.userSignUp.accessToken.token;
  const purchase = await send(
    'mutation ($input: SalePurchaseInput!) { salePurchase(input: $input) { ticket { id } userErrors { message } } }',
    { input: { saleId, quantity: 1, idempotencyKey: `key-${name}` } },
    token,
  );
  assert.ok(purchase.data.salePurchase.ticket, JSON.stringify(purchase));
}

/** Changes the tab, at a person's pace: GraphiQL reads the new document 100 ms later. */
async function openTab(page, title) {
  await page.locator('.graphiql-tab-button', { hasText: title }).click();
  await page.waitForTimeout(500);
}

/** Presses the execute button and picks the operation where the document has several. */
async function start(page, operation) {
  await page.getByRole('button', { name: 'Execute query' }).click();
  if (operation) await page.getByRole('menuitem', { name: operation, exact: true }).click();
}

/** Runs a query or mutation and returns the server's answer. */
async function execute(page, operation) {
  const [response] = await Promise.all([
    page.waitForResponse((answer) => new URL(answer.url()).pathname === '/graphql'),
    start(page, operation),
  ]);
  const body = await response.json();
  assert.equal(body.errors, undefined, JSON.stringify(body.errors));
  return body;
}

// The editor draws spaces as no-break spaces.
const text = async (locator) => (await locator.innerText()).replaceAll('\u00a0', ' ');

const responseShows = (page, wanted) =>
  until(`the response to show ${wanted}`, async () =>
    (await text(page.locator('.graphiql-response .view-lines').first())).includes(wanted),
  );

const editorShows = (page, label, wanted) =>
  until(`${label} to show ${wanted}`, async () => {
    const editor = page.locator(`section[aria-label="${label}"] .view-lines`);
    for (const one of await editor.all()) {
      if ((await one.isVisible()) && (await text(one)).includes(wanted)) return true;
    }
    return false;
  });

const shot = (page, name) => page.screenshot({ path: join(pictures, `${name}.png`) });

async function until(what, check) {
  const end = Date.now() + PATIENCE;
  for (;;) {
    const value = await check();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function step(line) {
  console.log(`  ok  ${line}`);
}

try {
  await run();
} catch (error) {
  console.error(error);
  process.exitCode = 1;
  const page = browser.pages()[0];
  if (page) await shot(page, 'graphiql-failure').catch(() => {});
}
await close();
// Said aloud: a process of the browser that still holds a pipe would keep this one waiting.
process.exit();
