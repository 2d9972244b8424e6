// How quick the shop is on a cheap phone: node bench.js [LOADS]. The processor is slowed down four times, the network has 10 Mbit/s and
// 40 ms each way. Prints medians; nothing is asserted, because machines differ.
import { join, resolve } from 'node:path';
import { chromium } from 'playwright-core';
import { reaches } from './helpers.js';
import { startShop, until } from './server.js';

const LOADS = Number(process.argv[2] ?? 5);
const SLOWER = 4;
const NETWORK = { offline: false, latency: 40, downloadThroughput: 10e6 / 8, uploadThroughput: 10e6 / 8 };
const PHONE = { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true, locale: 'en-US' };
/** Largest contentful paint and interaction to next paint in ms, cumulative layout shift without a unit. */
const LIMITS = { lcp: 1_000, inp: 100, cls: 0.02 };

/** In the page: what web vitals are made of. */
function measure() {
  const vitals = { lcp: 0, inp: 0, cls: 0 };
  globalThis.vitals = vitals;
  const watch = (type, take, more = {}) =>
    new PerformanceObserver((list) => list.getEntries().forEach(take)).observe({ type, buffered: true, ...more });
  watch('largest-contentful-paint', ({ startTime }) => (vitals.lcp = startTime));
  watch('layout-shift', ({ value, hadRecentInput }) => !hadRecentInput && (vitals.cls += value));
  watch('event', ({ interactionId, duration }) => interactionId && (vitals.inp = Math.max(vitals.inp, duration)), { durationThreshold: 16 });
}

const root = resolve(import.meta.dirname, '../../../..');
const shop = await startShop({
  program: process.env.DOORBUSTER ?? join(root, 'target/release/doorbuster'),
  settings: { 'accounts.attempts_per_address_per_minute': '0' },
});
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
});

async function load(path, act) {
  const shopper = await shop.shopper();
  const context = await browser.newContext({ ...PHONE, baseURL: shop.base });
  const input = { username: shopper.username, password: shop.password };
  const query = 'mutation SignIn($input: UserSignInInput!) { userSignIn(input: $input) { user { id } } }';
  await context.request.post('/graphql', { data: { query, variables: { input } }, headers: { 'doorbuster-session': 'cookie' } });
  const page = await context.newPage();
  await page.addInitScript(measure);
  const cdp = await context.newCDPSession(page);
  await cdp.send('Network.enable');
  await cdp.send('Network.emulateNetworkConditions', NETWORK);
  await cdp.send('Emulation.setCPUThrottlingRate', { rate: SLOWER });
  const size = { bytes: 0 };
  cdp.on('Network.loadingFinished', ({ encodedDataLength }) => (size.bytes += encodedDataLength));
  await page.goto(path);
  await page.waitForLoadState('networkidle');
  await act(page);
  // Entries of the last interaction come with the next frames.
  await page.waitForTimeout(500);
  const vitals = await page.evaluate(() => globalThis.vitals);
  await context.close();
  return { ...vitals, bytes: size.bytes };
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

const sales = [];
for (let n = 0; n < 6; n += 1) sales.push(await shop.sale({ stock: 100 }));
const views = {
  '/': async (page) => {
    await page.locator('.card').first().waitFor();
    await page.getByRole('button', { name: 'Menu' }).tap();
    await page.getByRole('button', { name: 'Menu' }).tap();
    await page.getByRole('tab').first().tap();
    await until('the sales of the first session', async () => (await page.locator('.skeleton').count()) === 0);
  },
  '/sales/:id': async (page) => {
    await reaches(page, 'open');
    await page.getByRole('button', { name: /^Buy for/ }).tap();
    await reaches(page, 'won');
    await page.getByRole('button', { name: 'Cancel this order' }).tap();
    await page.getByRole('dialog').waitFor();
  },
};
console.log(`${LOADS} loads each, processor ${SLOWER} times slower, 10 Mbit/s, 40 ms; medians, and the worst`);
for (const [view, act] of Object.entries(views)) {
  const path = view === '/' ? '/' : sales[0].path;
  const loads = [];
  for (let n = 0; n < LOADS; n += 1) loads.push(await load(path, act));
  const show = (name, digits) => {
    const numbers = loads.map((one) => one[name]);
    return `${median(numbers).toFixed(digits)} of ${LIMITS[name]} (${Math.max(...numbers).toFixed(digits)})`;
  };
  const kilobytes = (median(loads.map(({ bytes }) => bytes)) / 1e3).toFixed(0);
  console.log(`  ${view.padEnd(12)} LCP ${show('lcp', 0)} ms   INP ${show('inp', 0)} ms   CLS ${show('cls', 3)}   ${kilobytes} kB`);
}
await browser.close();
await shop.close();
process.exit(0);
