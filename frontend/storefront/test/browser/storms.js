// Many at once: two tabs that press in the same moment, a server that is killed again and again, a crowd on a few units.
// STOREFRONT_TABS and STOREFRONT_KILLS repeat the first two that often; without them as often as there is time for in CI.
import assert from 'node:assert/strict';
import { buildCrowd } from './crowd.js';
import { buyButton, pressTogether, reaches } from './helpers.js';
import { until } from './server.js';

const TABS = Number(process.env.STOREFRONT_TABS ?? 0);
const KILLS = Number(process.env.STOREFRONT_KILLS ?? 1);
const SECONDS_IN_CI = 12;
/** Presses further apart than this do not count as at once. */
const AT_ONCE_MS = 50;

/** As many at once as the server has hands for. */
async function inTurns(things, width, act) {
  const [waiting, done] = [[...things.entries()], []];
  const work = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) done[next[0]] = await act(next[1], next[0]);
  };
  await Promise.all(Array.from({ length: width }, work));
  return done;
}

export const flows = {
  'S5 presses, and the server is killed': async ({ shop, device }) => {
    const apart = { lost: 0, doubled: 0 };
    for (let n = 0; n < KILLS; n += 1) {
      const sale = await shop.sale();
      const shopper = await shop.shopper();
      const { open, context } = await device({ shopper, allow: [/net::ERR_/, /WebSocket/, /50[0-9]/] });
      const page = await open(sale.path);
      await reaches(page, 'open');
      await page.evaluate(() => (globalThis.neverReloaded = true));
      await buyButton(page).dispatchEvent('click');
      // At another moment each time: before the purchase has arrived, and after it was answered.
      if (n > 0) await new Promise((resolve) => setTimeout(resolve, Math.random() * 200));
      await shop.end('SIGKILL');
      await new Promise((resolve) => setTimeout(resolve, KILLS > 1 ? 200 + Math.random() * 1_500 : 3_000));
      await shop.start();
      await reaches(page, 'won', { never: ['fault', 'elsewise', 'alreadyBought', 'stopped'], patience: 10_000 });
      assert.equal(await page.evaluate(() => globalThis.neverReloaded), true);
      const orders = await shop.orders(shopper);
      if (orders.length === 0) apart.lost += 1;
      if (orders.length > 1) apart.doubled += 1;
      if (n === KILLS - 1) {
        // The socket is back as well: what happens elsewhere is pushed.
        await until('the banner to go', () => page.locator('.banner').isHidden());
        const other = await open(sale.path);
        await reaches(other, 'won');
        await other.getByRole('button', { name: 'Pay 100 points' }).click();
        await reaches(page, 'paid');
      } else await context.close();
      if (KILLS > 1 && (n + 1) % 10 === 0) console.log(`        killed ${n + 1} times: ${JSON.stringify(apart)}`);
    }
    assert.deepEqual(apart, { lost: 0, doubled: 0 });
  },

  'S24 presses in two tabs within 50 ms, again and again': async ({ shop, device }) => {
    const shopper = await shop.shopper();
    const { open } = await device({ shopper });
    const tabs = [await open(), await open()];
    const began = Date.now();
    let [pressed, missed] = [0, 0];
    while (TABS ? pressed < TABS : Date.now() - began < SECONDS_IN_CI * 1_000) {
      const sale = await shop.sale();
      await Promise.all(tabs.map((tab) => tab.goto(sale.path)));
      for (const tab of tabs) await reaches(tab, 'open');
      const apart = await pressTogether(tabs);
      // The later one may hear for a moment that there is an order already: it is its own.
      for (const tab of tabs) await reaches(tab, 'won', { never: ['fault', 'elsewise', 'lostSoldOut'] });
      const orders = (await shop.orders(shopper)).filter((order) => order.sale.id === sale.id);
      assert.equal(orders.length, 1, 'one order');
      const { sale: left } = await shop.ask('query ($id: ID!) { sale(id: $id) { stockRemaining } }', { id: sale.id });
      assert.equal(left.stockRemaining, 19, 'one unit');
      if (apart <= AT_ONCE_MS) pressed += 1;
      else missed += 1;
      assert.ok(missed <= 10 + pressed, 'the tabs do not press at once');
    }
    assert.ok(pressed > 0);
    console.log(`        ${pressed} times within ${AT_ONCE_MS} ms, ${missed} times further apart`);
  },

  'S25 is one of a crowd of 50 on 20 units': async ({ shop, device }) => {
    const UNITS = 20;
    const PAGES = 8;
    const everybody = await inTurns(Array.from({ length: 50 }), 4, () => shop.shopper());
    const crowd = await buildCrowd();
    const [seen, unseen] = [everybody.slice(0, PAGES), everybody.slice(PAGES)];
    const sale = await shop.sale({ opensIn: 12_000, stock: UNITS });
    const kinds = [{}, {}, { viewport: { width: 320, height: 568 } }, { locale: 'zh-CN' }];
    const pages = await inTurns(seen, 2, async (shopper, index) => {
      // A busy shop answers 503, and is asked again.
      const { open } = await device({ shopper, allow: [/503/], ...kinds[index] });
      // The first two have the sale open twice.
      return [await open(sale.path), ...(index < 2 ? [await open(sale.path)] : [])];
    });
    const members = [];
    for (const shopper of unseen) members.push(await crowd({ base: shop.back, shopper, sale: sale.id }));
    const waiting = ['upcoming', 'opening', 'open'];
    for (const page of pages.flat()) await reaches(page, waiting);
    await Promise.all(members.map((member) => member.presses(sale.startsAt)));
    await Promise.all(
      pages.map(async ([page, other], index) => {
        await reaches(page, ['open', 'soldOut', 'soldOutAll']);
        const button = page.locator('.bar button').first();
        const press = index === 4 ? () => button.focus().then(() => page.keyboard.press('Enter')) : () => button.dispatchEvent('click');
        await Promise.all([press(), other?.locator('.bar button').first().dispatchEvent('click')]);
      }),
    );
    const told = ['won', 'lostSoldOut', 'soldOut', 'soldOutAll'];
    const ends = [];
    for (const [page, other] of pages) {
      ends.push(await reaches(page, told, { never: ['fault', 'elsewise', 'stopped'] }));
      if (other && ends.at(-1) === 'won') await reaches(other, 'won');
    }
    for (const member of members) ends.push(await until(`${member.name} to be told`, () => told.includes(member.state()) && member.state()));
    for (const member of members) member.leave();
    const won = ends.filter((end) => end === 'won').length;
    assert.equal(won, UNITS, ends.join());
    assert.equal(ends.length, 50);
    // As the database has it.
    const orders = await inTurns(everybody, 4, async (shopper) => (await shop.orders(shopper)).length);
    assert.equal(orders.reduce((sum, count) => sum + count, 0), UNITS);
    assert.deepEqual(orders.map(Boolean), ends.map((end) => end === 'won'), 'who was told that they won has an order, nobody else');
    const { sale: left } = await shop.ask('query ($id: ID!) { sale(id: $id) { stockRemaining unitsHeld } }', { id: sale.id });
    assert.deepEqual(left, { stockRemaining: 0, unitsHeld: UNITS });
  },
};
