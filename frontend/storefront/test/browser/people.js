// People and devices: small screens, large letters, other languages, screen readers, pages that nobody looks at, money that comes late.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { accessible, beforeOpening, buyButton, noSideways, payAtCashier, press, reachable, reaches } from './helpers.js';
import { pseudo } from './pseudo.js';
import { until } from './server.js';

/** Everything that a page asks for, in order, and its sockets. */
function requestsOf(page) {
  const asked = [];
  const sockets = [];
  const open = new Set();
  page.on('request', (request) => asked.push(`${request.method()} ${new URL(request.url()).pathname}`));
  page.on('websocket', (socket) => {
    sockets.push(socket);
    socket.on('framereceived', ({ payload }) => String(payload).includes('connection_ack') && open.add(socket));
    socket.on('close', () => open.delete(socket));
  });
  return { asked, sockets, open };
}

const settled = (page, what) => until(`${what} to be loaded`, async () => (await page.locator('.skeleton').count()) === 0);

/** What a screen reader would say of the live regions, written down as it happens. */
function listenToRegions() {
  const regions = '[role=status], [role=alert], [aria-live=polite], [aria-live=assertive]';
  const regionOf = (node) => (node.nodeType === Node.ELEMENT_NODE ? node : node.parentElement)?.closest(regions);
  new MutationObserver((records) => {
    const changed = new Set();
    for (const { target, addedNodes } of records) {
      changed.add(regionOf(target));
      for (const node of addedNodes) {
        if (node.nodeType !== Node.ELEMENT_NODE) continue;
        if (node.matches('[role=alert]')) changed.add(node);
        for (const inner of node.querySelectorAll('[role=alert]')) changed.add(inner);
      }
    }
    for (const region of changed) {
      const text = region?.checkVisibility() ? region.textContent.trim() : '';
      // The moment is that of the page: the way to the test takes longer at times.
      if (text) globalThis.heard(text, Date.now());
    }
  }).observe(document, { subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: ['hidden'] });
}

/** The pages of somebody who has bought, and of a stranger. */
async function everything(shop) {
  const shopper = await shop.shopper();
  const sale = await shop.sale({ limit: 3 });
  const later = await shop.sale({ opensIn: 600_000, name: 'Ein sehr langer Name ohne Ende '.repeat(6).trim() });
  assert.ok((await shop.buy(shopper, sale)).ticket);
  const order = await until('an order', async () => (await shop.orders(shopper))[0]);
  const own = { home: '/', upcoming: later.path, won: sale.path, orders: '/orders', order: `/orders/${order.id}`, points: '/points', account: '/account' };
  const strangers = { open: sale.path, signIn: '/sign-in', help: '/help', missing: '/nothing' };
  return [
    [shopper, own],
    [undefined, strangers],
  ];
}

/** Devices that ask much of a layout. */
const DEVICES = {
  'large letters': { options: { viewport: { width: 320, height: 568 } }, letters: true },
  'forced colours': { options: { viewport: { width: 320, height: 480 }, forcedColors: 'active', reducedMotion: 'reduce', colorScheme: 'dark' } },
  'another language': { options: { viewport: { width: 320, height: 568 } }, strange: true },
};

export const flows = {
  'S9 pays too late, and gets the money back': async ({ shop, device }) => {
    const sale = await shop.sale();
    const shopper = await shop.shopper();
    const { open, context } = await device({ shopper });
    const page = await open(sale.path);
    await reaches(page, 'open');
    await buyButton(page).click();
    await reaches(page, 'won');
    // The way to the cashier takes so long that the order is cancelled meanwhile.
    let cashier;
    const arrived = new Promise((resolve) => {
      void context.route(`${shop.sandbox}/**`, (route) => {
        cashier = route.request().url();
        resolve();
        return route.abort();
      });
    });
    await press(page, 'Pay with Alipay');
    await arrived;
    await context.unroute(`${shop.sandbox}/**`);
    await page.goto(sale.path);
    await reaches(page, 'payPending');
    await press(page, 'Cancel this order');
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel this order' }).click();
    await reaches(page, 'cancelled');
    const late = await open(cashier);
    await payAtCashier(late);
    await reaches(late, 'cancelled');
    await late.getByText('¥79.00 arrived too late, or twice, and goes back').waitFor({ timeout: 30_000 });
    await late.getByText('Refund done').waitFor({ timeout: 30_000 });
    const [{ id }] = await shop.orders(shopper);
    const money = await shop.money(shopper, id);
    assert.equal(money.status, 'CANCELLED');
    assert.deepEqual(money.payments.map(({ status }) => status), ['SURPLUS']);
    assert.deepEqual(money.refunds, [{ status: 'SUCCEEDED', cause: 'LATE_PAYMENT' }]);
  },

  'S20 asks eight things at most when the shop is opened': async ({ shop, device }) => {
    await shop.sale();
    const shopper = await shop.shopper();
    for (const who of [undefined, shopper]) {
      const { open } = await device(who ? { shopper: who } : {});
      const page = await open();
      const { asked, sockets } = requestsOf(page);
      await page.goto('/');
      await page.locator('.card').first().waitFor();
      await until('a socket', () => sockets.length > 0);
      await page.waitForLoadState('networkidle');
      const all = [...asked, ...sockets.map(() => 'socket')];
      assert.ok(all.length <= 8, `${all.length} requests: ${all.join(', ')}`);
      assert.equal(asked.filter((one) => one === 'POST /graphql').length, 1, all.join(', '));
    }
  },

  'S21 is usable on small screens, with large letters, without colours, in a long language from right to left': async ({ shop, device, launch, pictures }) => {
    const pages = await everything(shop);
    // As who has set their browser so: twice as large as usual.
    const largeLetters = await launch('--blink-settings=defaultFontSize=32');
    const findings = [];
    const look = async (check) => check.catch((error) => findings.push(error.message));
    const visit = async ([kind, { options, letters, strange }]) => {
      for (const [who, paths] of pages) {
        const { open, context } = await device({ ...options, ...(letters && { browser: largeLetters }), allow: [/404/], ...(who && { shopper: who }) });
        if (strange) await pseudo(context);
        const page = await open();
        for (const [name, path] of Object.entries(paths)) {
          const what = `${name} with ${kind}`;
          await page.goto(path);
          await page.locator('main h1').waitFor();
          await settled(page, what);
          if (strange) await page.evaluate(() => (document.documentElement.dir = 'rtl'));
          await page.screenshot({ path: join(pictures, `storefront-${what.replaceAll(' ', '-')}.png`), fullPage: true });
          await look(noSideways(page, what));
          await look(reachable(page, what));
          if (options.reducedMotion) assert.equal(await page.evaluate(() => document.getAnimations().length), 0, `${what} moves`);
          if (name === 'home' || name === 'open') {
            await page.locator('.menu-button').click();
            await look(reachable(page, `the menu on ${what}`, '.nav'));
            await look(noSideways(page, `the menu on ${what}`));
            if (options.forcedColors) await look(accessible(page, what));
          }
        }
        await context.close();
      }
    };
    await Promise.all(Object.entries(DEVICES).map(visit));
    await largeLetters.close();
    assert.equal(findings.length, 0, findings.join('\n'));
  },

  'S22 is told what matters, and not too often': async ({ shop, device }) => {
    const heard = [];
    const shopper = await shop.shopper();
    const others = [await shop.shopper(), await shop.shopper()];
    const { open, context } = await device({ shopper });
    await context.exposeFunction('heard', (text, at) => heard.push({ at, text }));
    await context.addInitScript(listenToRegions);
    const page = await open();
    const sale = await beforeOpening(shop, page, { stock: 3 });
    await reaches(page, 'open');
    // The stock changes while one looks at it.
    assert.ok((await shop.buy(others[0], sale)).ticket);
    await page.getByText('2 of 3 left').waitFor();
    assert.ok((await shop.buy(others[1], sale)).ticket);
    await page.getByText('1 of 3 left').waitFor();
    await buyButton(page).click();
    await reaches(page, 'won');
    await until('the order to be said', () => heard.some(({ text }) => /You got it/.test(text)));
    await press(page, 'Pay with Alipay');
    await payAtCashier(page);
    await reaches(page, 'paid');
    await press(page, 'Ask for the money back');
    await page.getByRole('button', { name: /^Ask for ¥79.00 back/ }).click();
    await reaches(page, 'refunded', { patience: 30_000 });
    await until('the refund to be said', () => heard.some(({ text }) => /^Refunded/.test(text)));
    const said = heard.map(({ text }) => text).join(' | ');
    console.log(`        ${heard.length} announcements`);
    assert.ok(heard.length <= 12, `${heard.length} announcements: ${said}`);
    assert.ok(!heard.some(({ text }) => /of \d+ left|sold out/i.test(text)), `the stock was said: ${said}`);
    for (const [index, { at, text }] of heard.entries()) {
      const since = index === 0 ? Infinity : at - heard[index - 1].at;
      assert.ok(since >= 2_900, `“${text}” came ${since} ms after “${heard[index - 1]?.text}”`);
    }
  },

  'S23 is quiet while nothing happens, and lets go of its socket while nobody looks': async ({ shop, device }) => {
    await shop.sale({ lasts: 7_200_000 });
    const { open } = await device();
    const page = await open();
    await page.clock.install();
    const { asked, sockets, open: live } = requestsOf(page);
    await page.addInitScript(() => {
      Object.defineProperty(document, 'visibilityState', { get: () => globalThis.looksLike ?? 'visible' });
      globalThis.look = (as) => {
        globalThis.looksLike = as;
        document.dispatchEvent(new Event('visibilitychange'));
      };
    });
    await page.goto('/');
    await page.locator('.card').first().waitFor();
    await until('a socket', () => live.size === 1);
    asked.length = 0;
    for (let minute = 0; minute < 5; minute += 1) await page.clock.runFor(60_000);
    console.log(`        ${asked.length} requests in five minutes`);
    assert.ok(asked.length <= 12, `${asked.length} requests in five minutes: ${asked.join(', ')}`);
    assert.equal(live.size, 1, 'one socket while somebody looks');
    assert.equal(sockets.length, 1, 'the same one all the time');
    await page.evaluate(() => globalThis.look('hidden'));
    await page.clock.runFor(61_000);
    await until('the socket to be closed', () => live.size === 0);
    const before = asked.length;
    for (let minute = 0; minute < 5; minute += 1) await page.clock.runFor(60_000);
    assert.equal(asked.length, before, 'a page that nobody looks at asks nothing');
    assert.equal(live.size, 0);
    await page.evaluate(() => globalThis.look('visible'));
    await until('another socket', () => live.size === 1);
  },

  'S26 has nothing that jumps while it loads': async ({ shop, device }) => {
    const sale = await shop.sale({ stock: 100 });
    for (const viewport of [
      { width: 360, height: 740 },
      { width: 1280, height: 800 },
    ]) {
      // What comes late must have had its place before.
      for (const late of ['/pictures/', '/assets/purchase-']) {
        const { open, context } = await device({ viewport });
        await context.addInitScript(() => {
          globalThis.shifted = [];
          const note = ({ value, sources }) => globalThis.shifted.push({ value, what: sources.map(({ node }) => node?.className || node?.nodeName).join() });
          new PerformanceObserver((list) => list.getEntries().forEach(note)).observe({ type: 'layout-shift', buffered: true });
        });
        await context.route((url) => url.pathname.startsWith(late), async (route) => {
          await new Promise((resolve) => setTimeout(resolve, 400));
          return route.continue();
        });
        const page = await open();
        for (const [path, there] of [['/', '.card img'], [sale.path, '.panel[data-state=openSignedOut]']]) {
          await page.goto(path);
          await page.locator(there).first().waitFor();
          await until('the picture', () => page.evaluate(() => [...document.images].every(({ complete }) => complete)));
          const shifted = await page.evaluate(() => new Promise((resolve) => setTimeout(() => resolve(globalThis.shifted), 100)));
          const sum = shifted.reduce((total, { value }) => total + value, 0);
          assert.ok(sum <= 0.02, `${path} at ${viewport.width} px: ${JSON.stringify(shifted)}`);
        }
        await context.close();
      }
    }
  },
};
