// What shoppers do, each as somebody new.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { accessible, answersOnce, beforeOpening, buyButton, noSideways, panel, payAtCashier, press, pressTogether, reaches } from './helpers.js';
import { until } from './server.js';

/** How often S8 opens on a wrong clock; without it as often as there is time for in CI. */
const CLOCKS = Number(process.env.STOREFRONT_CLOCKS ?? 0);
/** So far from its moment, and beyond what a timer of the page's is late, a sale may open. CI has other things to do in that moment. */
const OPENED_MS = CLOCKS ? 100 : 250;
/** So late a full second may be drawn. */
const DRAWN_MS = 100;

/**
 * How late each full second was shown, of what the shop's clock showed one after the other (Asia/Shanghai). The line is also drawn anew
 * within a second, when the clock knows its error better; and it shows no second while it is unsure.
 */
function turns(ticks) {
  const DAY_MS = 86_400_000;
  const moment = (time) => (time.split(':').reduce((sum, part) => sum * 60 + Number(part), 0) - 8 * 3_600) * 1_000;
  const around = (ms) => ((((ms + DAY_MS / 2) % DAY_MS) + DAY_MS) % DAY_MS) - DAY_MS / 2;
  return ticks.slice(1).flatMap(({ time, error, now }, index) => {
    const before = ticks[index].time;
    if (!time || !before || around(moment(time) - moment(before)) !== 1_000) return [];
    return [{ off: around(now - moment(time)), error }];
  });
}

export const flows = {
  'S1 buys and pays with Alipay, and gets the money back': async ({ shop, device }) => {
    const shopper = await shop.shopper();
    const { open } = await device({ shopper });
    const page = await open();
    await beforeOpening(shop, page);
    const before = await page.locator('.bar .button').boundingBox();
    await reaches(page, 'open', { never: ['soldOut', 'ended'] });
    const after = await page.locator('.bar .button').boundingBox();
    assert.deepEqual(after, before, 'the button has not moved');
    await buyButton(page).click();
    await reaches(page, 'won');
    await until('the title to say so', async () => /You got it/.test(await page.title()));
    await press(page, 'Pay with Alipay');
    await payAtCashier(page);
    await reaches(page, 'paid');
    await page.getByText('Paid the order').waitFor();
    await press(page, 'Ask for the money back');
    await page.getByLabel('Reason').fill('The wrong colour');
    await page.getByRole('button', { name: /^Ask for ¥79.00 back/ }).click();
    await reaches(page, 'refunded', { patience: 30_000 });
    await page.getByText('The wrong colour').waitFor();
    const [order] = await shop.orders(shopper);
    assert.equal(order.status, 'REFUNDED');
  },

  'S2 buys and pays with points': async ({ shop, device }) => {
    const sale = await shop.sale();
    const shopper = await shop.shopper();
    const { open } = await device({ shopper });
    const page = await open(sale.path);
    await reaches(page, 'open');
    await buyButton(page).click();
    await reaches(page, 'won');
    await press(page, 'Pay 100 points');
    await reaches(page, 'paid');
    await page.getByRole('link', { name: 'Points 4,900' }).click();
    await page.getByRole('cell', { name: /Payment of an order/ }).waitFor();
    await page.getByRole('cell', { name: '-100', exact: true }).waitFor();
  },

  'S3 finds the same state after a reload': async ({ shop, device }) => {
    const shopper = await shop.shopper();
    const { open, context } = await device({ shopper });
    const again = async (page, wanted) => {
      await reaches(page, wanted);
      await page.reload();
      await reaches(page, wanted);
    };
    const later = await shop.sale({ opensIn: 600_000 });
    const page = await open(later.path);
    await again(page, 'upcoming');
    await page.goto('/sales/sale_AAAAAAAAAAAAAAAAAAAAAA');
    await page.getByRole('heading', { name: 'This sale does not exist.' }).waitFor();
    const sale = await shop.sale({ stock: 1 });
    await page.goto(sale.path);
    await again(page, 'open');
    await buyButton(page).click();
    await again(page, 'won');
    await press(page, 'Pay with Alipay');
    await page.waitForURL((url) => url.origin !== shop.base);
    await page.goto(sale.path);
    await again(page, 'payPending');
    await press(page, 'Pay another way');
    await reaches(page, 'won');
    await press(page, 'Cancel this order');
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel this order' }).click();
    await again(page, 'cancelled');
    // Buying again is another wish, with another key.
    await page.getByRole('button', { name: /^Buy again for/ }).click();
    await again(page, 'won');
    await press(page, 'Pay 100 points');
    await again(page, 'paid');
    await press(page, 'Ask for the money back');
    await page.getByRole('button', { name: /^Ask for 100 points back/ }).click();
    await again(page, 'refunded');
    const another = await shop.shopper();
    await context.clearCookies();
    await page.goto(sale.path);
    await again(page, 'openSignedOut');
    assert.ok((await shop.buy(another, sale)).ticket);
    await again(page, 'soldOut');
    await shop.act('salePause', 'SalePauseInput', 'sale', { saleId: sale.id });
    await again(page, 'paused');
    await shop.act('saleEnd', 'SaleEndInput', 'sale', { saleId: sale.id });
    await again(page, 'ended');
    // One order was given back, and one was not paid: what came of it is for who asks.
    await press(page, 'Show the result');
    const row = (name) => page.locator('.outcome dt', { hasText: name }).locator('xpath=following-sibling::dd[1]');
    await row('Units in all').filter({ hasText: /^1$/ }).waitFor();
    assert.equal(await row('Purchases accepted').textContent(), '3');
    assert.equal(await row('Units not paid yet').textContent(), '1');
    await accessible(page, 'what came of a sale');
  },

  'S27 is told that the shop has stopped all sales, and that it sells again': async ({ shop, device, pictures }) => {
    const sale = await shop.sale();
    const shopper = await shop.shopper();
    const { open } = await device({ shopper });
    const [home, page] = [await open('/'), await open(sale.path)];
    await reaches(page, 'open');
    const turn = async (act, type, reason) => {
      const document = `mutation ($input: ${type}!) { it: ${act}(input: $input) { userErrors { code } } }`;
      assert.deepEqual((await shop.ask(document, { input: { reason } }, shop.operator)).it.userErrors, []);
    };
    const stopped = (tab) => tab.getByText('The shop has paused all sales.');
    await home.locator('.card').first().waitFor();
    await turn('shopPause', 'ShopPauseInput', 'Wrong prices');
    await reaches(page, 'paused');
    for (const tab of [home, page]) await stopped(tab).waitFor();
    await home.screenshot({ path: join(pictures, 'storefront-stopped.png') });
    await accessible(home, 'the home page of a stopped shop');
    const late = await open('/help');
    await stopped(late).waitFor();
    await turn('shopResume', 'ShopResumeInput', 'Prices are right');
    await reaches(page, 'open');
    for (const tab of [home, page]) await stopped(tab).waitFor({ state: 'hidden' });
    await buyButton(page).click();
    await reaches(page, 'won');
  },

  'S4 presses in two tabs at once, and signs out in one of them': async ({ shop, device }) => {
    const sale = await shop.sale();
    const shopper = await shop.shopper();
    const { open } = await device({ shopper });
    const tabs = [await open(sale.path), await open(sale.path)];
    for (const tab of tabs) await reaches(tab, 'open');
    await pressTogether(tabs);
    for (const tab of tabs) await reaches(tab, 'won', { never: ['fault', 'elsewise'] });
    assert.equal((await shop.orders(shopper)).length, 1);
    // Paid in one, seen in the other.
    await press(tabs[0], 'Pay 100 points');
    await reaches(tabs[1], 'paid');
    await tabs[0].getByRole('button', { name: 'Sign out' }).click();
    await reaches(tabs[1], 'signedOut');
  },

  'S6 is told that the server restarts': async ({ shop, device }) => {
    const sale = await shop.sale();
    const { open } = await device({ allow: [/net::ERR_/, /WebSocket/, /50[0-9]/] });
    const page = await open();
    const connected = new Promise((resolve) => {
      page.on('websocket', (socket) => {
        socket.on('framereceived', ({ payload }) => String(payload).includes('connection_ack') && resolve());
      });
    });
    await page.goto(sale.path);
    await reaches(page, 'openSignedOut');
    await connected;
    await shop.end('SIGTERM');
    await page.getByText('The shop is restarting. This page reconnects by itself.').waitFor();
    await shop.start();
    await until('the banner to go', () => page.locator('.banner').isHidden());
    await shop.act('salePause', 'SalePauseInput', 'sale', { saleId: sale.id });
    await reaches(page, 'paused');
  },

  'S7 presses without a network': async ({ shop, device }) => {
    const sale = await shop.sale();
    const shopper = await shop.shopper();
    const { open, context } = await device({ shopper, allow: [/net::ERR_/, /WebSocket/] });
    const page = await open(sale.path);
    await reaches(page, 'open');
    await context.setOffline(true);
    await buyButton(page).click();
    await reaches(page, 'unknownOffline');
    await page.getByText('You are offline.', { exact: true }).waitFor();
    assert.equal((await shop.orders(shopper)).length, 0);
    await context.setOffline(false);
    await reaches(page, 'won');
    assert.equal((await shop.orders(shopper)).length, 1);
  },

  'S8 opens in time on a device whose clock is wrong, and is set meanwhile': async ({ shop, device }) => {
    const all = Array.from({ length: Math.max(1, CLOCKS / 2) }, () => [5, -0.05]).flat();
    const lates = [];
    const busy = [];
    const apart = [];
    const opening = async (hours) => {
      const shopper = await shop.shopper();
      const init = `{
        const Real = Date;
        globalThis.wrongBy = ${hours} * 3_600_000;
        globalThis.realNow = () => Real.now();
        globalThis.Date = class extends Real {
          constructor(...given) { given.length === 0 ? super(Real.now() + globalThis.wrongBy) : super(...given); }
          static now() { return Real.now() + globalThis.wrongBy; }
        };
      }`;
      const { open, context } = await device({ shopper, init });
      const page = await open();
      const sale = await beforeOpening(shop, page, { opensIn: 8_000 }, ['upcoming', 'opening']);
      await page.getByText(/Your device is .* (fast|slow)/).waitFor();
      const isEarly = await page.evaluate((startsAt) => {
        // A timer for the same moment, set in the same page: as late as it is, the machine has made it.
        setTimeout(() => requestAnimationFrame(() => (globalThis.due = globalThis.realNow())), startsAt - globalThis.realNow());
        new MutationObserver(() => {
          const now = globalThis.realNow();
          if (document.querySelector('.panel[data-state=open]')) globalThis.openedAt ??= now;
        }).observe(document.body, { subtree: true, childList: true, attributes: true });
        // At each full second that the shop's clock shows: what time it is, and how exact the page says to be.
        globalThis.ticks = [];
        const line = document.querySelector('.clock-line .number');
        new MutationObserver(() => {
          const [, time, error] = /(\d\d:\d\d:\d\d) · ±([\d.]+) s/.exec(line.textContent) ?? [];
          globalThis.ticks.push({ time, error: Number(error) * 1_000, now: globalThis.realNow() });
        }).observe(line, { characterData: true, childList: true, subtree: true });
        return !document.querySelector('.panel[data-state=open]');
      }, sale.startsAt);
      if (!isEarly) {
        await context.close();
        return opening(hours);
      }
      await until('the clock to move on', () => page.evaluate(() => globalThis.ticks.length >= 2));
      await page.evaluate(() => (globalThis.wrongBy -= 7_200_000));
      await page.getByText(/checking…|Your device is .* (fast|slow)/).first().waitFor();
      await reaches(page, 'open');
      await until('the timer', () => page.evaluate(() => globalThis.due));
      const [late, machine] = await page.evaluate((moment) => [globalThis.openedAt - moment, globalThis.due - moment], sale.startsAt);
      lates.push(late);
      busy.push(machine);
      const ticks = await page.evaluate(() => globalThis.ticks);
      // On a busy machine exchanges take long, and the page says that its clock is less exact.
      const known = Math.max(0, ...ticks.map(({ error }) => error).filter(Number.isFinite));
      const early = Math.max(OPENED_MS, known);
      const said = `opened ${late} ms late with ±${known} ms, a timer of the page's was ${machine} ms late`;
      assert.ok(late >= -early && late <= early + Math.max(0, machine), said);
      for (const { off, error } of turns(ticks)) {
        apart.push(off);
        // It is drawn a little after its moment, never before it. Only measured where nothing else keeps the processors busy.
        if (CLOCKS) assert.ok(off >= -error && off <= error + DRAWN_MS, `a second with ±${error} ms was shown ${off} ms after it`);
      }
      await buyButton(page).click();
      await reaches(page, 'won');
      await context.close();
    };
    // One after the other where it is measured exactly.
    if (CLOCKS) for (const hours of all) await opening(hours);
    else await Promise.all(all.map(opening));
    console.log(`        opened ${Math.min(...lates)} to ${Math.max(...lates)} ms late (timers: up to ${Math.max(...busy)}), seconds shown ${Math.min(...apart)} to ${Math.max(...apart)} ms late`);
  },

  'S10 is told why not': async ({ shop, device }) => {
    const shopper = await shop.shopper();
    const { open } = await device({ shopper });
    const sale = await shop.sale({ stock: 3, limit: 2 });
    const page = await open(sale.path);
    await reaches(page, 'open');
    // Sold out in the moment of the press: what others hold may come back.
    const [one, two] = [await shop.shopper(), await shop.shopper()];
    assert.ok((await shop.buy(one, sale, 2)).ticket);
    assert.ok((await shop.buy(two, sale, 1)).ticket);
    await reaches(page, 'soldOut');
    await panel(page).getByText('3 units are in orders that are not paid yet').waitFor();
    // One cancels: its units can be bought at once.
    const [order] = await shop.orders(two);
    await shop.ask('mutation ($id: ID!) { orderCancel(input: { orderId: $id }) { userErrors { code } } }', { id: order.id }, two.token);
    await reaches(page, 'open');
    // More than are left.
    await page.getByLabel('Units').selectOption('2');
    await buyButton(page).click();
    await reaches(page, ['soldOut', 'soldOutAll', 'lostSoldOut']);
    await shop.act('salePause', 'SalePauseInput', 'sale', { saleId: sale.id });
    await reaches(page, ['paused', 'lostSoldOut']);
    assert.equal((await shop.orders(shopper)).length, 0);
  },

  'S11 presses too often, and loses nothing': async ({ shop, device }) => {
    const sale = await shop.sale();
    const shopper = await shop.shopper();
    const { open } = await device({ shopper, allow: [/429/, /503/] });
    const page = await open(sale.path);
    await reaches(page, 'open');
    // As the shop answers when somebody sends too much, and when it has too much to do.
    await answersOnce(page, 429, 'RATE_LIMITED', { retryAfterSeconds: 2 });
    await buyButton(page).click();
    await reaches(page, 'waitingRate');
    await answersOnce(page, 503, 'UNAVAILABLE', { retryAfterSeconds: 2 });
    await reaches(page, 'waitingBusy');
    await reaches(page, 'won', { never: ['fault', 'elsewise'] });
    assert.equal((await shop.orders(shopper)).length, 1);
  },

  'S12 goes back from the cashier': async ({ shop, device }) => {
    const sale = await shop.sale();
    const shopper = await shop.shopper();
    const { open } = await device({ shopper });
    const page = await open(sale.path);
    await reaches(page, 'open');
    await buyButton(page).click();
    await reaches(page, 'won');
    await press(page, 'Pay with Alipay');
    await page.waitForURL((url) => url.origin !== shop.base);
    await page.goBack();
    await reaches(page, 'payPending');
    await press(page, 'Continue paying');
    await payAtCashier(page);
    await reaches(page, 'paid');
    assert.equal((await shop.orders(shopper)).length, 1);
  },

  'S13 does not pay in time': async ({ shop, device }) => {
    const sale = await shop.sale({ payWithin: 3, stock: 1 });
    const shopper = await shop.shopper();
    const { open } = await device({ shopper });
    const page = await open(sale.path);
    await reaches(page, 'open');
    await buyButton(page).click();
    await reaches(page, 'won');
    await reaches(page, 'expired', { patience: 30_000 });
    // Its unit is back, and may be bought again.
    await page.getByRole('button', { name: /^Buy again for/ }).click();
    await reaches(page, 'won');
    assert.equal((await shop.orders(shopper)).length, 2);
  },

  'S14 loses the sign-in before the press': async ({ shop, device }) => {
    const sale = await shop.sale();
    const shopper = await shop.shopper();
    const { open } = await device({ shopper, allow: [/401/, /WebSocket/] });
    const page = await open(sale.path);
    await reaches(page, 'open');
    // The answer to the press is that nobody is signed in, as when a token has ended meanwhile.
    await answersOnce(page, 401, 'UNAUTHENTICATED');
    await buyButton(page).click();
    await reaches(page, 'sessionOver');
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Username').fill(shopper.username);
    await dialog.getByLabel('Password').fill(shop.password);
    await dialog.getByRole('button', { name: 'Sign in', exact: true }).click();
    await reaches(page, 'won');
    assert.equal((await shop.orders(shopper)).length, 1);
  },

  'S15 buys where nothing but the documents of the pages is executed': async ({ another }) => {
    // On a server of its own: the other flows ask as they like.
    const { shop, device, end } = await another({});
    try {
      const [sale, shopper] = [await shop.sale(), await shop.shopper()];
      const setting = 'mutation ($input: SettingSetInput!) { it: settingSet(input: $input) { userErrors { message } } }';
      const input = { key: 'graphql.trusted_only', value: 'true', reason: 'As in production' };
      assert.deepEqual((await shop.ask(setting, { input }, shop.operator)).it.userErrors, []);
      const { open } = await device({ shopper });
      const page = await open('/');
      await page.getByRole('tablist').waitFor();
      await page.goto(sale.path);
      await reaches(page, 'open');
      await buyButton(page).click();
      await reaches(page, 'won');
      await press(page, 'Pay 100 points');
      await reaches(page, 'paid');
      for (const path of ['/orders', '/points', '/account']) {
        await page.goto(path);
        await until(`${path} to be loaded`, async () => (await page.locator('.skeleton').count()) === 0);
        assert.equal(await page.locator('.empty-state').count(), 0, path);
      }
    } finally {
      await end();
    }
  },

  'S16 has no JavaScript': async ({ shop, device }) => {
    const { open } = await device({ javaScriptEnabled: false });
    const page = await open('/');
    for (const [index, text] of [/This shop needs JavaScript/, /本商店需要 JavaScript/].entries()) {
      const line = page.locator('noscript p').nth(index);
      assert.ok(await line.isVisible());
      assert.match(await line.innerText(), text);
    }
    assert.notEqual(await page.title(), '');
  },

  'S17 signs up where a sale is open, and buys': async ({ shop, device }) => {
    const sale = await shop.sale();
    const { open } = await device({ viewport: { width: 360, height: 740 } });
    const page = await open(sale.path);
    await reaches(page, 'openSignedOut');
    await press(page, 'Sign in and come back here');
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('button', { name: 'Sign up', exact: true }).click();
    await dialog.getByLabel('Username').fill('x');
    await dialog.getByLabel('Password').fill('short');
    await dialog.getByRole('button', { name: 'Sign up', exact: true }).click();
    await dialog.getByText('3 to 32 of a–z, 0–9, “_”, “-” and “.”, beginning').waitFor();
    await dialog.getByText('The password needs at least 8 characters.').waitFor();
    await dialog.getByLabel('Username').fill(`newcomer-${Date.now().toString(36)}`);
    await dialog.getByLabel('Password').fill(shop.password);
    await dialog.getByRole('button', { name: 'Sign up', exact: true }).click();
    await reaches(page, 'open');
    await buyButton(page).click();
    await reaches(page, 'won');
    await noSideways(page, 'the sale');
  },

  'S18 changes the password, and signs out everywhere': async ({ shop, device }) => {
    const shopper = await shop.shopper();
    const one = await device({ shopper, allow: [/401/, /WebSocket/] });
    const two = await device({ shopper, allow: [/401/, /WebSocket/] });
    const [page, other] = [await one.open('/account'), await two.open('/orders')];
    await other.getByText('No orders yet.').waitFor();
    await page.getByLabel('Current password').fill('not the one');
    await page.getByLabel('New password').fill('another horse');
    await press(page, 'Change the password');
    await page.getByText('The current password is wrong.').waitFor();
    await page.getByLabel('Current password').fill(shop.password);
    await press(page, 'Change the password');
    await page.getByText('The password is changed.').waitFor();
    // Its socket is closed at once, and the page asks who is signed in.
    await other.getByText('Sign in to see this.').waitFor({ timeout: 2_000 });
    await press(page, 'Sign out everywhere');
    await page.getByRole('link', { name: 'Sign in' }).waitFor();
  },

  'S19 buys with the keyboard alone': async ({ shop, device }) => {
    const sale = await shop.sale();
    const shopper = await shop.shopper();
    const { open } = await device({ shopper });
    const page = await open('/');
    await page.getByRole('tablist').waitFor();
    await page.goto(sale.path);
    await reaches(page, 'open');
    const tabTo = async (name) => {
      for (let n = 0; n < 40; n += 1) {
        await page.keyboard.press('Tab');
        const text = await page.evaluate(() => document.activeElement?.textContent ?? '');
        if (name.test(text)) return;
      }
      throw new Error(`no way to ${name} by the keyboard`);
    };
    await tabTo(/^Buy for/);
    await page.keyboard.press('Enter');
    await reaches(page, 'won');
    await tabTo(/^Pay 100 points/);
    await page.keyboard.press('Space');
    await reaches(page, 'paid');
  },

  'A1 every page is accessible, in both languages and colours, narrow and wide': async ({ shop, device, pictures }) => {
    const shopper = await shop.shopper();
    const sale = await shop.sale({ limit: 3 });
    const later = await shop.sale({ opensIn: 600_000, name: 'Ein sehr langer Name ohne Ende '.repeat(6).trim() });
    assert.ok((await shop.buy(shopper, sale)).ticket);
    const [order] = await until('an order', async () => {
      const list = await shop.orders(shopper);
      return list.length > 0 && list;
    });
    const pages = { home: '/', upcoming: later.path, won: sale.path, orders: '/orders', order: `/orders/${order.id}`, points: '/points', account: '/account', help: '/help', missing: '/nothing' };
    const strangers = { open: sale.path, signIn: '/sign-in', signUp: '/sign-up' };
    for (const [locale, colorScheme, width] of [
      ['en-US', 'light', 1280],
      ['zh-CN', 'dark', 320],
    ]) {
      for (const [who, paths] of [
        [shopper, pages],
        [undefined, strangers],
      ]) {
        const options = { locale, colorScheme, viewport: { width, height: 800 }, allow: [/404/] };
        const { open, context } = await device(who ? { ...options, shopper: who } : options);
        const page = await open();
        for (const [name, path] of Object.entries(paths)) {
          const what = `${name} ${locale} ${colorScheme} ${width}`;
          await page.goto(path);
          await page.locator('main h1').waitFor();
          await until(`${what} to be loaded`, async () => (await page.locator('.skeleton').count()) === 0);
          await page.screenshot({ path: join(pictures, `storefront-${what.replaceAll(' ', '-')}.png`), fullPage: true });
          await accessible(page, what);
          await noSideways(page, what);
        }
        await context.close();
      }
    }
  },
};
