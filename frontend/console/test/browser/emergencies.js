// What operators do when something is wrong: all sales are stopped, a message can't be handled.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { until } from '../../../storefront/test/browser/server.js';
import { accessible, act, confirm, dialog, gone, noSideways, press, reaches, REASON, soon } from './helpers.js';


export const flows = {
  'C10 stops all sales at once, every page says so, and they sell again': async ({ shop, device, pictures }) => {
    const [sale, other] = [await shop.sale({ name: 'Garden chair' }), await shop.sale({ name: 'Garden table' })];
    const [wrong, right] = [`Wrong prices in ${sale.id}`, `Prices of ${sale.id} are right`];
    const late = await shop.shopper();
    const shopper = await (await device({ shopper: await shop.shopper() })).open(sale.path);
    await reaches(shopper, 'open');
    const list = await (await device()).open('/');
    await list.locator('.card').first().waitFor();
    const second = await (await device({ operator: true })).open(`/console${other.path}`);
    await second.getByText('Open', { exact: true }).waitFor();
    // A page without any sale, so that nothing is pushed to it.
    const third = await (await device({ operator: true })).open('/console/products');
    await third.getByRole('heading', { name: 'Products' }).waitFor();

    const { open } = await device({ operator: true, viewport: { width: 360, height: 740 } });
    const page = await open('/console/orders');
    await press(page, 'Stop all sales');
    // Nothing is stopped by a slip of the hand.
    await confirm(page, 'Stop all sales now');
    await dialog(page).getByText('A reason is needed.').waitFor();
    await dialog(page).getByText('Type stop here.').waitFor();
    await until('the number of sales', async () => Number(await dialog(page).locator('.facts dd').first().innerText()) >= 2);
    await dialog(page).getByLabel('Reason').fill(wrong);
    await dialog(page).getByLabel('Type stop to confirm').fill('Stop');
    await accessible(page, 'stopping all sales');
    await noSideways(page, 'stopping all sales');
    await page.screenshot({ path: join(pictures, 'console-stop-360.png') });
    await confirm(page, 'Stop all sales now');
    await gone(page);
    const banner = (one) => one.getByText(/^All sales have been stopped since/);
    const told = (one) => one.locator('.banner').getByText('The shop has paused all sales.', { exact: false });
    await soon('the stop', Promise.all([reaches(shopper, 'paused'), banner(second).waitFor(), banner(page).waitFor()]));
    await Promise.all([told(shopper).waitFor(), told(list).waitFor(), banner(third).waitFor()]);
    assert.equal((await shop.buy(late, sale)).userErrors[0]?.code, 'SALE_PAUSED');
    await third.getByText(`By operator: ${wrong}`).waitFor();
    assert.equal(await page.getByRole('button', { name: 'Stop all sales' }).count(), 0);
    for (const path of ['/console/schedule', '/console/money', '/console/settings']) {
      await page.goto(path);
      await banner(page).waitFor();
      await noSideways(page, path);
    }
    await accessible(page, 'a page while all sales are stopped');
    await page.screenshot({ path: join(pictures, 'console-stopped-360.png') });

    // One of them is to stay paused when the others sell again.
    await second.getByRole('button', { name: /^Pause: / }).click();
    await dialog(second).getByText('this takes effect when they are resumed', { exact: false }).waitFor();
    await second.screenshot({ path: join(pictures, 'console-stopped-1280.png') });
    await dialog(second).getByLabel('Reason').fill(REASON);
    await confirm(second, 'Pause this sale');
    await gone(second);

    await press(third, 'Resume sales');
    await dialog(third).getByLabel('Reason').fill(right);
    await confirm(third, 'Resume all sales');
    await gone(third);
    await soon('the resumption', Promise.all([reaches(shopper, 'open'), banner(third).waitFor({ state: 'detached' })]));
    await Promise.all([told(shopper), told(list)].map((one) => one.waitFor({ state: 'hidden' })));
    await banner(page).waitFor({ state: 'detached' });
    assert.ok((await shop.buy(late, sale)).ticket);
    assert.equal((await shop.buy(late, other)).userErrors[0]?.code, 'SALE_PAUSED', 'it was paused by itself');
    await banner(second).waitFor({ state: 'detached' });
    // The resumption gave this sale a new version, too. Until the page has read it, an act is refused as outdated.
    await second.reload();
    await act(second, 'Resume', 'Resume this sale');
    await third.getByRole('link', { name: 'In the audit log' }).click();
    for (const [done, reason] of [['shop.resume', right], ['shop.pause', wrong]]) {
      const entry = third.getByRole('row').filter({ hasText: reason });
      await entry.getByText(done, { exact: true }).waitFor();
      assert.equal(await entry.count(), 1, `${done} was done once`);
    }
  },

  'C5 looks at a message that could not be handled, and replays it after the repair, without a second order': async ({ shop, device }) => {
    const sale = await shop.sale({ name: 'Haunted mirror', stock: 3 });
    const [replayed, dismissed] = [await shop.shopper(), await shop.shopper()];
    // The database refuses this sale's orders, as it would after a faulty migration.
    shop.sql(`CREATE TRIGGER fault BEFORE INSERT ON orders WHEN NEW.product_name = 'Haunted mirror' AND NEW.status = 'AWAITING_PAYMENT'
      BEGIN SELECT RAISE(ABORT, 'the table does not take this row'); END`);
    const shopper = await (await device({ shopper: replayed })).open(sale.path);
    await reaches(shopper, 'open');
    await shopper.getByRole('button', { name: /^Buy for/ }).click();
    await reaches(shopper, 'lostVoided');
    const { ticket } = await shop.buy(dismissed, sale);
    const { open } = await device({ operator: true });
    const deadLetters = async () => (await shop.ask('{ failures { totalCount } }', {}, shop.operator)).failures.totalCount === 2;
    await until('both messages', deadLetters);

    const page = await open('/console/failures');
    const rows = page.locator('tbody tr');
    await until('both rows', async () => (await rows.count()) === 2);
    // The newest first.
    const [second, first] = [rows.nth(0), rows.nth(1)];
    await second.getByText(ticket.id, { exact: true }).waitFor();
    await first.getByText('the table does not take this row', { exact: false }).waitFor();
    const message = first.locator('details');
    await message.locator('summary').click();
    await message.getByText('"tickets"', { exact: false }).waitFor();
    await accessible(page, 'messages that could not be handled');

    shop.sql('DROP TRIGGER fault');
    await first.getByRole('button', { name: /^Replay: / }).click();
    await confirm(page, 'Replay this message');
    await dialog(page).getByText('A reason is needed.').waitFor();
    await dialog(page).getByLabel('Reason').fill(`The trigger was dropped, ${sale.id}`);
    await dialog(page).getByRole('button', { name: 'Replay this message', exact: true }).dblclick();
    await gone(page);
    await until('one row', async () => (await rows.count()) === 1);
    await rows.getByText(ticket.id, { exact: true }).waitFor();
    await page.getByRole('button', { name: /^Dismiss: / }).click();
    await dialog(page).getByLabel('Reason').fill(`The buyer was told, ${sale.id}`);
    await confirm(page, 'Dismiss this message');
    await gone(page);
    await page.getByText('No messages are waiting.').waitFor();

    // Messages of a sale are handled in their order: once this purchase is decided, the replayed message was handled.
    await shopper.getByRole('button', { name: /^Buy again/ }).click();
    await reaches(shopper, 'won');
    assert.deepEqual((await shop.orders(replayed)).map(({ status }) => status), ['AWAITING_PAYMENT'], 'one order, by the second press');
    assert.deepEqual(await shop.orders(dismissed), []);
    const { sale: after } = await shop.ask('query ($id: ID!) { sale(id: $id) { stockRemaining unitsHeld } }', { id: sale.id });
    assert.deepEqual(after, { stockRemaining: 2, unitsHeld: 1 });
    await page.goto('/console/audit?act=failure.');
    for (const done of ['failure.replay', 'failure.dismiss']) {
      const entry = page.getByRole('row').filter({ hasText: done }).filter({ hasText: sale.id });
      await entry.waitFor();
      assert.equal(await entry.count(), 1, `${done} was done once`);
    }
  },
};
