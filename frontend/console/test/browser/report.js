// The report of a sale, its files, and what shoppers see of it.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../../../storefront/test/browser/server.js';
import { accessible, noSideways, press, reaches } from './helpers.js';

const sha256 = (text) => createHash('sha256').update(text).digest('hex');

/** A file that the page's link brings. */
async function fileOf(page, name) {
  const coming = page.waitForEvent('download');
  await page.getByRole('link', { name, exact: true }).click();
  const file = await coming;
  return { name: file.suggestedFilename(), text: readFileSync(await file.path(), 'utf8') };
}

export const flows = {
  'C8 reports a sale, provisionally while it runs; its file has the digest that shoppers see': async ({ shop, device, pictures }) => {
    const sale = await shop.sale({ name: 'Jade comb', stock: 3 });
    const buyers = await Promise.all([1, 2, 3].map(() => shop.shopper()));
    const orders = [];
    for (const buyer of buyers) {
      await shop.buy(buyer, sale);
      orders.push(await until('the order', async () => (await shop.orders(buyer))[0]));
    }
    const pay = 'mutation ($i: OrderPayInput!) { orderPay(input: $i) { userErrors { code } } }';
    const back = 'mutation ($i: OrderRefundInput!) { orderRefund(input: $i) { userErrors { code } } }';
    const cancel = 'mutation ($i: OrderCancelInput!) { orderCancel(input: $i) { userErrors { code } } }';
    for (const at of [0, 1]) {
      const input = { orderId: orders[at].id, method: 'POINTS', idempotencyKey: `pay-report-${at}` };
      const { orderPay } = await shop.ask(pay, { i: input }, buyers[at].token);
      assert.deepEqual(orderPay.userErrors, []);
    }
    const { orderCancel } = await shop.ask(cancel, { i: { orderId: orders[2].id } }, buyers[2].token);
    assert.deepEqual(orderCancel.userErrors, []);

    const { open } = await device({ operator: true });
    const page = await open(`/console${sale.path}`);
    await page.getByRole('link', { name: 'Report: does it add up?' }).click();
    // It runs: nothing is wrong, and nothing is settled.
    await page.locator('[data-verdict=PROVISIONAL]').waitFor();
    assert.equal(await page.getByText('Violated', { exact: true }).count(), 0);
    await page.getByText('None until the sale is settled.').waitFor();
    assert.match((await fileOf(page, 'Download CSV')).name, /^sale-\d+-provisional\.csv$/);

    const { orderRefund } = await shop.ask(back, { i: { orderId: orders[1].id, idempotencyKey: 'back-report' } }, buyers[1].token);
    assert.deepEqual(orderRefund.userErrors, []);
    await shop.act('saleEnd', 'SaleEndInput', 'sale', { saleId: sale.id });
    await until('all ten', async () => {
      await press(page, 'Check again');
      return page.locator('[data-verdict=HOLDS]').waitFor({ timeout: 500 }).then(() => true, () => false);
    });
    const rows = page.getByRole('table', { name: 'Checks' }).locator('tbody tr');
    assert.equal(await rows.count(), 10);
    assert.equal(await rows.getByText('Holds', { exact: true }).count(), 10);
    const digest = await page.locator('code.digest').innerText();
    assert.match(digest, /^[0-9a-f]{64}$/);
    await accessible(page, 'the report');
    await noSideways(page, 'the report');
    await page.screenshot({ path: join(pictures, 'console-report.png'), fullPage: true });

    // The digest is that of the file, and it can be made anew from the rows alone.
    const csv = await fileOf(page, 'Download CSV');
    assert.match(csv.name, /^sale-\d+\.csv$/);
    assert.equal(sha256(csv.text), digest);
    const json = JSON.parse((await fileOf(page, 'Download JSON')).text);
    assert.equal(json.digest, digest);
    assert.deepEqual(json.checks.map(({ status }) => status), Array(10).fill('HOLDS'));
    const [head, ...lines] = csv.text.trimEnd().split('\n');
    const made = json.rows.map((row) => head.split(',').map((name) => row[name]).join(','));
    assert.deepEqual(made, lines);
    assert.equal(sha256(`${[head, ...made].join('\n')}\n`), digest);
    assert.deepEqual(json.rows.map(({ status }) => status), ['PAID', 'REFUNDED', 'CANCELLED']);
    assert.deepEqual(json.rows.map((row) => row.points_received), ['100', '100', '0']);

    // On paper there is the report and nothing around it.
    await page.emulateMedia({ media: 'print' });
    assert.equal(await page.locator('.head').isVisible(), false);
    await page.getByRole('heading', { name: 'Report: Jade comb' }).waitFor();
    await page.emulateMedia({ media: 'screen' });
    await page.setViewportSize({ width: 360, height: 800 });
    await noSideways(page, 'the report at 360 px');
    await page.getByRole('button', { name: '切换到中文' }).click();
    await page.getByText('相符。', { exact: true }).waitFor();
    await accessible(page, 'the report in Chinese');
    await noSideways(page, 'the report in Chinese at 360 px');

    const shopper = await (await device({ shopper: await shop.shopper() })).open(sale.path);
    await reaches(shopper, 'ended');
    await press(shopper, 'Show the result');
    await until('the same digest', async () => (await shopper.locator('.digest code').innerText()) === digest);

    // It is the operators': neither a shopper nor a stranger gets a byte.
    const path = `/sale-reports/${sale.id}?format=csv`;
    const { context } = await device({ shopper: buyers[0], allow: [/403/] });
    const refused = await context.request.get(path);
    assert.deepEqual([refused.status(), (await refused.json()).code], [403, 'FORBIDDEN']);
    const stranger = await (await device()).context.request.get(path);
    assert.deepEqual([stranger.status(), (await stranger.json()).code], [401, 'UNAUTHENTICATED']);
  },
};
