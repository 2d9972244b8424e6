// The shop and its sales in numbers, second by second.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { until } from '../../../storefront/test/browser/server.js';
import { accessible, noSideways } from './helpers.js';

export const flows = {
  'C6 shows the shop second by second, and the frames add up to the tickets and refusals that buyers counted': async ({ shop, device }) => {
    const page = await (await device({ operator: true })).open('/console');
    const nodes = page.locator('.pulse-as-of[data-nodes="1/1"][data-old="false"]');
    await nodes.waitFor();
    const read = `{ shopPulses(seconds: 900) { at purchases { answer count }
      sales { saleId purchases { answer count } } } }`;
    const frames = async () => (await shop.ask(read, {}, shop.operator)).shopPulses;
    const counts = (purchases) => Object.fromEntries(purchases.map(({ answer, count }) => [answer, count]).sort());
    const sale = await shop.sale({ name: 'Silk scarf', stock: 12 });
    const buyers = await Promise.all(Array.from({ length: 20 }, () => shop.shopper()));
    const given = {};
    const began = Math.floor(Date.now() / 1_000) * 1_000;
    for (let round = 0; round < 10; round += 1) {
      const answers = await Promise.all(buyers.map((buyer) => shop.buy(buyer, sale)));
      for (const { userErrors } of answers) {
        const answer = userErrors[0]?.code ?? 'ADMITTED';
        given[answer] = (given[answer] ?? 0) + 1;
      }
    }
    assert.equal(Object.values(given).reduce((a, b) => a + b, 0), 200);
    assert.equal(given.ADMITTED, 12);
    const wanted = JSON.stringify(Object.fromEntries(Object.entries(given).sort()));
    const all = await until('the sums', async () => {
      const heard = await frames();
      const sums = {};
      for (const { answer, count } of heard.filter(({ at }) => Date.parse(at) >= began).flatMap(({ purchases }) => purchases)) {
        sums[answer] = (sums[answer] ?? 0) + count;
      }
      return JSON.stringify(Object.fromEntries(Object.entries(sums).sort())) === wanted && heard;
    });
    assert.equal(new Set(all.map(({ at }) => at)).size, all.length, 'each second is told once');
    const inSale = all.flatMap(({ sales }) => sales).filter(({ saleId }) => saleId === sale.id).at(-1);
    assert.equal(JSON.stringify(counts(inSale.purchases)), wanted);
    // The page has them too, and says as of when.
    const row = page.getByRole('row', { name: /Silk scarf/ });
    await row.locator('.cell-refused').getByText('sold out', { exact: false }).waitFor();
    await until('the tickets', async () => (await row.locator('.cell-accepted').innerText()) === '12');
    await nodes.waitFor();
    // The chart adds up to the same, in groups; its table has each answer.
    const chart = page.locator('[data-chart=answers]');
    const inChart = async (series) => Number((await chart.locator(`[data-series=${series}] b`).innerText()).replaceAll(',', ''));
    await until('the chart', async () => (await inChart('accepted')) >= given.ADMITTED);
    assert.ok((await chart.locator('svg path.area').count()) >= 2);
    await chart.locator('summary').click();
    const cells = await chart.getByRole('row', { name: /^accepted/ }).first().innerText();
    assert.ok(Number(cells.replaceAll(/[^\d]/g, '')) >= given.ADMITTED, cells);
    await page.locator('[data-chart=orders] summary').click();
    await page.locator('[data-chart=orders]').getByText('Each row is the sum of 15 s.').waitFor();
    // Whoever points at a second is told of that second.
    const when = chart.locator('figcaption .hint');
    assert.equal(await when.innerText(), 'sums of 5 min');
    await chart.locator('.plot > svg').hover();
    await until('a moment', async () => /^\d\d:\d\d:\d\d$/.test(await when.innerText()));
    await accessible(page, 'the page of now, with numbers');
    await noSideways(page, 'the page of now, with numbers');
  },

  'C23 draws a sale from the seconds that were, and goes on with those that come': async ({ shop, device, pictures }) => {
    const sale = await shop.sale({ name: 'Rosewood flute', stock: 5 });
    const buyers = await Promise.all(Array.from({ length: 6 }, () => shop.shopper()));
    const { open } = await device({ operator: true });
    const page = await open(`/console${sale.path}`);
    const value = (chart, series) => page.locator(`[data-chart=${chart}] [data-series=${series}] b`).innerText();
    const tile = (name) => page.locator(`[data-tile=${name}] dd`).innerText();
    await until('the units', async () => (await value('units', 'free')) === '5');
    await Promise.all(buyers.slice(0, 3).map((buyer) => shop.buy(buyer, sale)));
    await until('what was sold', async () => (await value('units', 'free')) === '2' && (await value('units', 'held')) === '3');
    await until('the tickets', async () => (await tile('accepted')) === '3');
    // In another second.
    await Promise.all(buyers.map((buyer) => shop.buy(buyer, sale)));
    await until('the last ones', async () => (await value('units', 'free')) === '0' && (await tile('accepted')) === '5');
    const refused = page.locator('[data-refused]');
    await refused.getByText('already bought 3', { exact: false }).waitFor();
    await refused.getByText('sold out 1', { exact: false }).waitFor();

    const presses = page.locator('[data-chart=presses]');
    await presses.locator('summary').click();
    const sum = async (column) => {
      const texts = await presses.locator(`tbody .cell-${column}`).allInnerTexts();
      return texts.reduce((total, text) => total + (Number(text) || 0), 0);
    };
    await until('the presses', async () => (await sum('accepted')) === 5 && (await sum('refused')) === 4);

    // A page that is opened afterwards draws what has been.
    const reloaded = Math.floor(Date.now() / 1_000);
    await page.reload();
    await until('what was before', async () => {
      const line = page.locator('[data-chart=units] path.line.tone-ok').last();
      const first = Math.floor(Number((await line.getAttribute('d')).slice(1).split(' ')[0]));
      const now = Math.floor(Date.now() / 1_000);
      // The last of 300 seconds is the present one, or the one before it.
      return now - (299 - first) < reloaded;
    });
    await accessible(page, 'a sale with charts');
    await noSideways(page, 'a sale with charts');
    await page.screenshot({ path: join(pictures, 'console-sale-charts.png'), fullPage: true });
    await page.setViewportSize({ width: 360, height: 740 });
    await noSideways(page, 'a sale with charts at 360 px');
  },
};
