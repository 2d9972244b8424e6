// What operators do, and what shoppers see of it.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { until } from '../../../storefront/test/browser/server.js';
import { accessible, act, confirm, dialog, gone, local, press, reaches, REASON, soon } from './helpers.js';

export const flows = {
  'C1 makes a product, a session and a sale, and a shopper’s page has it': async ({ shop, device, pictures }) => {
    // On the same server it may have been made before.
    const [kettle, evening] = [`Copper kettle ${Date.now()}`, `Evening ${Date.now()}`];
    const { open } = await device({ operator: true, allow: [/422/] });
    const page = await open('/console/products');
    await press(page, 'Create a product');
    // Everything that is wrong is said at its field, and the first of it has the focus.
    await confirm(page, 'Create a product');
    await page.locator('[name=name][aria-invalid=true]').waitFor();
    await page.locator('[name=price][aria-invalid=true]').waitFor();
    await until('the focus', () => page.evaluate(() => document.activeElement?.getAttribute('name') === 'name'));
    await dialog(page).getByLabel('Name', { exact: true }).fill(kettle);
    await dialog(page).getByLabel('Regular price').fill('1,279.00');
    await dialog(page).getByLabel('Picture', { exact: true }).fill('kettle.svg');
    await confirm(page, 'Create a product');
    // What only the shop knows to be wrong comes from it.
    await page.locator('[name=imageUrl][aria-invalid=true]').waitFor();
    // What is no picture is refused, whatever it is called; what is one is shown before it is saved.
    const choose = (name, mimeType, buffer) => dialog(page).locator('input[type=file]').setInputFiles({ name, mimeType, buffer });
    const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>');
    await choose('kettle.svg', 'image/svg+xml', svg);
    await dialog(page).getByText('Only JPEG, PNG and WebP pictures can be uploaded.').waitFor();
    await choose('kettle.png', 'image/png', svg);
    await dialog(page).getByText('The file is damaged, or not a picture.').waitFor();
    await choose('kettle.png', 'image/png', Buffer.alloc(2 * 1024 * 1024 + 1));
    await dialog(page).getByText('The picture is larger than 2 MiB.').waitFor();
    const picture = await page.screenshot({ clip: { x: 0, y: 0, width: 600, height: 400 } });
    await choose('kettle.png', 'image/png', Buffer.concat([picture, Buffer.from('PK')]));
    await dialog(page).getByText('The file has data after the end of the picture.').waitFor();
    await choose('kettle.png', 'image/png', picture);
    await dialog(page).getByText('kettle.png was uploaded.').waitFor();
    const imageUrl = await dialog(page).getByLabel('Picture', { exact: true }).inputValue();
    const shown = () => dialog(page).locator('.picture img').evaluate((image) => image.complete && image.naturalWidth);
    await until('the picture', async () => (await shown()) === 600);
    await page.screenshot({ path: join(pictures, 'console-picture.png') });
    await confirm(page, 'Create a product');
    await gone(page);
    assert.match(imageUrl, /^\/pictures\/[0-9a-f]{32}-600x400-[0-9a-f]{6}\/600\.jpg$/);
    await page.getByText(`${kettle} was created.`).waitFor();
    await page.getByRole('rowheader', { name: new RegExp(kettle) }).waitFor();

    await page.getByRole('navigation').getByRole('link', { name: 'Schedule' }).click();
    // An empty day has one more.
    await page.getByRole('button', { name: 'Create a session', exact: true }).first().click();
    const starts = Date.now() + 3_000;
    await dialog(page).getByLabel('Name').fill(evening);
    await dialog(page).getByLabel('Begins').fill(local(starts));
    await dialog(page).getByLabel('Ends').fill(local(starts - 60_000));
    await confirm(page, 'Create a session');
    await page.locator('[name=endsAt][aria-invalid=true], [name=startsAt][aria-invalid=true]').first().waitFor();
    await dialog(page).getByLabel('Ends').fill(local(starts + 3_600_000));
    await confirm(page, 'Create a session');
    await gone(page);

    await page.getByRole('button', { name: new RegExp(`^Create a sale: .*${evening}`) }).click();
    await dialog(page).getByLabel('Product').selectOption({ label: kettle });
    await dialog(page).getByLabel('Price', { exact: true }).fill('79.505');
    await dialog(page).getByLabel('Units', { exact: true }).fill('0');
    await dialog(page).getByLabel('Price in points').fill('100');
    await confirm(page, 'Create a sale');
    await page.locator('[name=price][aria-invalid=true]').waitFor();
    await dialog(page).getByLabel('Price', { exact: true }).fill('79.5');
    await confirm(page, 'Create a sale');
    await page.locator('[name=stock][aria-invalid=true]').waitFor();
    await dialog(page).getByLabel('Units', { exact: true }).fill('20');
    await confirm(page, 'Create a sale');
    await page.waitForURL(/\/console\/sales\/[^/]+$/);
    await page.getByText('The draft was created.').waitFor();
    await page.getByText('Draft', { exact: true }).waitFor();
    const path = new URL(page.url()).pathname.replace('/console', '');

    // A draft is nobody's business but the operators'.
    const shopper = await (await device({ shopper: await shop.shopper() })).open(path);
    await shopper.getByRole('heading', { name: 'This sale does not exist.' }).waitFor();
    await act(page, 'Publish', 'Publish this sale');
    await page.getByText(new RegExp(`^${kettle} was published at`)).waitFor();
    await shopper.goto(path);
    await shopper.getByRole('heading', { name: kettle }).waitFor();
    await reaches(shopper, 'open');
    await shopper.getByText('¥79.50').first().waitFor();
  },

  'C2 pauses, resumes, adds stock and ends, and an open shopper’s page follows within a second': async ({ shop, device }) => {
    const sale = await shop.sale({ name: 'Paper lantern', stock: 1 });
    const shopper = await (await device({ shopper: await shop.shopper() })).open(sale.path);
    await reaches(shopper, 'open');
    const { open } = await device({ operator: true });
    const page = await open(`/console${sale.path}`);
    // A second console follows as well.
    const other = await (await device({ operator: true })).open('/console');
    const otherState = (state) => other.getByRole('row', { name: /Paper lantern/ }).getByText(state, { exact: true }).waitFor();
    await otherState('Open');

    await act(page, 'Pause', 'Pause this sale');
    await soon('the pause', Promise.all([reaches(shopper, 'paused'), otherState('Paused')]));
    const late = await shop.shopper();
    const refused = await shop.buy(late, sale);
    assert.equal(refused.userErrors[0]?.code, 'SALE_PAUSED');
    await act(page, 'Resume', 'Resume this sale');
    await soon('the resumption', Promise.all([reaches(shopper, 'open'), otherState('Open')]));
    await shop.buy(late, sale);
    await reaches(shopper, 'soldOut');
    await act(page, 'Add stock', 'Add these units', (form) => form.getByLabel('Units to add').fill('5'));
    await soon('the units', reaches(shopper, 'open'));
    await until('the numbers', async () => (await page.locator('[data-tile=total] dd').innerText()) === '6');
    assert.equal(await page.locator('[data-tile=held] dd').innerText(), '1');
    await act(page, 'End', 'End this sale');
    await soon('the end', reaches(shopper, 'ended'));
    await page.getByText(/^Paper lantern was ended at/).waitFor();
    assert.equal(await page.getByRole('button', { name: /^(Pause|Resume|End|Add stock): / }).count(), 0);
    // Each act is in the audit log, the newest first.
    await page.getByRole('link', { name: 'In the audit log' }).click();
    await page.getByRole('heading', { name: 'Audit log' }).waitFor();
    const acts = page.locator('tbody th');
    await acts.first().waitFor();
    const names = (await acts.allInnerTexts()).map((name) => name.split('.').at(-1));
    assert.equal(names.length, 6, names.join());
    assert.match(names[0], /end/);
    const entries = 'query ($id: ID!) { auditEntries(filter: { subject: $id }) { nodes { act reason } } }';
    const { nodes } = (await shop.ask(entries, { id: sale.id }, shop.operator)).auditEntries;
    const reasons = Object.fromEntries(nodes.map(({ act: done, reason }) => [done, reason]));
    const why = { 'sale.pause': REASON, 'sale.resume': REASON, 'sale.stock_add': REASON, 'sale.end': REASON };
    assert.deepEqual({ ...reasons, ...why }, reasons, 'each with its reason');
  },

  'C3 tells the second of two operators at the same draft that the first was faster, and at which field': async ({ shop, device }) => {
    const sale = await shop.draft({ name: 'Oak chair', stock: 20 });
    const [first, second] = await Promise.all(
      [1, 2].map(async () => {
        const page = await (await device({ operator: true })).open(`/console${sale.path}`);
        await press(page, 'Edit the draft');
        return page;
      }),
    );
    await dialog(first).getByLabel('Price', { exact: true }).fill('89.00');
    await confirm(first, 'Save the draft');
    await gone(first);
    await dialog(second).getByLabel('Units', { exact: true }).fill('30');
    await confirm(second, 'Save the draft');
    await dialog(second).getByText('Somebody else has changed it since you opened this.', { exact: false }).waitFor();
    await dialog(second).getByText('Now: ¥89.00').waitFor();
    assert.equal(await dialog(second).getByLabel('Units', { exact: true }).inputValue(), '30');
    await accessible(second, 'a conflict of versions');
    await confirm(second, 'Save over version 2');
    await gone(second);
    await second.getByText('¥89.00').waitFor();
    await until('the stock', async () => (await second.locator('[data-tile=total] dd').innerText()) === '30');
  },

  'C24 does not end a sale that somebody else has changed since it was looked at, and says so': async ({ shop, device }) => {
    const sale = await shop.sale({ name: 'Slate board', stock: 20 });
    const page = await (await device({ operator: true })).open(`/console${sale.path}`);
    await page.getByRole('button', { name: /^End: / }).click();
    await dialog(page).getByLabel('Reason').fill(REASON);
    await shop.act('saleStockAdd', 'SaleStockAddInput', 'sale', { saleId: sale.id, units: 5, idempotencyKey: 'by-somebody-else' });
    await confirm(page, 'End this sale');
    await dialog(page).getByText('Somebody else has changed it since you opened this.', { exact: false }).waitFor();
    await accessible(page, 'an act on another version');
    // What is touched is up to date by now, and what was entered is still there.
    await dialog(page).locator('.facts').getByText('25 of 25').waitFor();
    assert.equal(await dialog(page).getByLabel('Reason').inputValue(), REASON);
    await until('the version to be read', async () => {
      await confirm(page, 'End this sale');
      return gone(page).then(() => true, () => false);
    });
    await page.getByText(/^Slate board was ended at/).waitFor();
  },

  'C13 tells the second of two operators at the same product as well, and keeps what the first has changed': async ({ shop, device }) => {
    const name = `Linen curtain ${Date.now()}`;
    await shop.draft({ name, stock: 1 });
    const [first, second] = await Promise.all(
      [1, 2].map(async () => {
        const page = await (await device({ operator: true })).open(`/console/products?q=${encodeURIComponent(name)}`);
        await page.getByRole('button', { name: `Edit: ${name}` }).click();
        return page;
      }),
    );
    await dialog(first).getByLabel('Tagline').fill('Woven by hand');
    await confirm(first, 'Save the product');
    await gone(first);
    await dialog(second).getByLabel('Description').fill('Washable.');
    await confirm(second, 'Save the product');
    await dialog(second).getByText('Now: Woven by hand').waitFor();
    await confirm(second, 'Save over version 2');
    await gone(second);
    // The second has not touched what the first has changed.
    await second.getByText('Woven by hand').waitFor();
    const found = await shop.ask('query ($name: String!) { products(search: $name, first: 5) { nodes { title description version } } }', { name }, shop.operator);
    assert.deepEqual(found.products.nodes, [{ title: 'Woven by hand', description: 'Washable.', version: 3 }]);
  },

  'C11 presses twice, and once more after a lost answer, and it is done once': async ({ shop, device }) => {
    const sale = await shop.sale({ name: 'Brass bell', stock: 10 });
    const { open } = await device({ operator: true, allow: [/Failed to load resource/] });
    const page = await open(`/console${sale.path}`);
    let sent = 0;
    let lose = true;
    await page.route('**/graphql', async (route) => {
      if (!route.request().postData()?.includes('"units"')) return route.fallback();
      sent += 1;
      const answer = await route.fetch();
      if (!lose) return route.fulfill({ response: answer });
      lose = false;
      return route.abort();
    });
    await page.getByRole('button', { name: /^Add stock: / }).click();
    await dialog(page).getByLabel('Units to add').fill('5');
    await dialog(page).getByRole('button', { name: 'Add these units', exact: true }).dblclick();
    await dialog(page).getByText('Whether it was done is not known.', { exact: false }).waitFor();
    assert.equal(sent, 1, 'the second press of two was not sent');
    await confirm(page, 'Send it again');
    await gone(page);
    assert.equal(sent, 2);
    await until('the units', async () => (await page.locator('[data-tile=total] dd').innerText()) === '15');

    // An act without a key: that it is found done tells that it was done.
    let lost = false;
    await page.route('**/graphql', async (route) => {
      const body = route.request().postData() ?? '';
      if (lost || !body.includes('"saleId"') || body.includes('"units"')) return route.fallback();
      lost = true;
      await route.fetch();
      return route.abort();
    });
    await page.getByRole('button', { name: /^Pause: / }).click();
    await dialog(page).getByLabel('Reason').fill(REASON);
    await confirm(page, 'Pause this sale');
    await confirm(page, 'Send it again');
    await gone(page);
    await page.getByText(/^Brass bell was paused at/).waitFor();
  },

  'C4 finds an order by number and by buyer, gives a part of the money back, and sees it in the order': async ({ shop, device }) => {
    const scratch = `A scratch on the lid, ${Date.now()}`;
    const sale = await shop.sale({ name: 'Tea set' });
    const buyer = await shop.shopper();
    await shop.buy(buyer, sale);
    const [order] = await until('the order', async () => {
      const orders = await shop.orders(buyer);
      return orders.length > 0 && orders;
    });
    // Paid at the cashier, in the shopper's own browser.
    const shopper = await (await device({ shopper: buyer })).open(`/orders/${order.id}`);
    await shopper.getByRole('button', { name: 'Pay with Alipay', exact: true }).click();
    await shopper.getByRole('button', { name: 'Pay', exact: true }).click();
    await shopper.waitForURL(/from=cashier$/);
    await reaches(shopper, 'paid');

    const { open } = await device({ operator: true });
    const page = await open('/console/orders');
    await page.getByLabel('Number or buyer').fill(buyer.username);
    await press(page, 'Find');
    await page.getByRole('row', { name: /Tea set/ }).waitFor();
    assert.equal(await page.locator('tbody tr').count(), 1);
    await page.reload();
    await page.getByRole('row', { name: /Tea set/ }).waitFor();
    await page.goto('/console/money?tab=lookup');
    await page.getByLabel('Find an order').fill('nothing-like-it');
    await press(page, 'Find');
    await page.getByText('There is no order, payment or refund with this number.').waitFor();
    const query = 'query ($id: ID!) { paymentLookup(id: $id) { order { number } } }';
    const { number } = (await shop.ask(query, { id: order.id }, shop.operator)).paymentLookup.order;
    await page.getByLabel('Find an order').fill(number);
    await press(page, 'Find');
    await page.getByRole('heading', { name: `Order ${number}` }).waitFor();
    await page.goto(`/console/orders?q=${number}`);
    await page.getByRole('link', { name: number }).click();
    await page.getByRole('heading', { name: `Order ${number}` }).waitFor();
    await page.getByRole('link', { name: buyer.username }).waitFor();
    await page.getByRole('button', { name: /^Refund: / }).click();
    assert.equal(await dialog(page).getByLabel('Amount').inputValue(), '79.00', 'what is left');
    await dialog(page).getByLabel('Amount').fill('80');
    await confirm(page, 'Refund this payment');
    await dialog(page).getByText('At most ¥79.00 is left.').waitFor();
    await dialog(page).getByText('A reason is needed.').waitFor();
    await dialog(page).getByLabel('Amount').fill('9.5');
    await dialog(page).getByLabel('Reason').fill(scratch);
    await accessible(page, 'the refund');
    await confirm(page, 'Refund this payment');
    await gone(page);
    await page.getByRole('cell', { name: scratch }).waitFor();
    await page.getByRole('button', { name: /^Refund: / }).click();
    assert.equal(await dialog(page).getByLabel('Amount').inputValue(), '69.50', 'what is left now');
    await page.keyboard.press('Escape');
    await gone(page);
    await accessible(page, 'an order');

    // The lists of money: by state, method, buyer and day, each with the way to its order.
    await page.goto('/console/money');
    await page.getByRole('tab', { name: 'Payments' }).click();
    await page.getByLabel('Buyer’s username').fill(buyer.username);
    await press(page, 'Find');
    const rows = page.locator('#money tbody tr');
    await until('one payment', async () => (await rows.count()) === 1);
    await rows.getByText('Succeeded').waitFor();
    await rows.getByText('¥9.50').waitFor();
    const today = local(Date.now()).slice(0, 10);
    const yesterday = local(Date.now() - 86_400_000).slice(0, 10);
    await page.getByLabel('From day').fill(today);
    await press(page, 'Find');
    await until('the day in the address', () => page.url().includes(`from=${today}`));
    await until('the payment of the day', async () => (await rows.count()) === 1);
    await page.getByLabel('From day').fill('');
    await page.getByLabel('To day, inclusive').fill(yesterday);
    await press(page, 'Find');
    await page.getByText('No payments match.').waitFor();
    await press(page, 'Show all');
    await page.getByLabel('Method').selectOption('Points');
    await page.getByText('No payments match.').waitFor();
    await page.getByLabel('Method').selectOption('Any');
    await page.getByLabel('State').selectOption('Succeeded');
    await rows.first().waitFor();
    await page.getByLabel('Flag', { exact: true }).selectOption('Flagged');
    await page.getByText('No payments match.').waitFor();
    // Another list begins anew.
    await page.getByRole('tab', { name: 'Refunds' }).click();
    const refund = page.getByRole('row', { name: new RegExp(scratch) });
    await refund.waitFor();
    assert.ok(!page.url().includes('flag='), page.url());
    await page.getByLabel('Cause').selectOption('The buyer asked');
    await refund.waitFor({ state: 'detached' });
    await page.getByLabel('Cause').selectOption('An operator decided');
    await refund.waitFor();
    await accessible(page, 'the refunds');
    await refund.getByRole('link').click();
    await page.getByRole('heading', { name: `Order ${number}` }).waitFor();

    await page.goto('/console/money?tab=books');
    await press(page, 'Verify the records');
    await page.getByText('The records are consistent', { exact: false }).waitFor();
    await accessible(page, 'the records');
    await page.goto('/console/money');
    await press(page, 'Grant points');
    await dialog(page).getByLabel('Username').fill(buyer.username);
    await dialog(page).getByLabel('Points').fill('250');
    await dialog(page).getByLabel('Reason').fill('For the scratch');
    await confirm(page, 'Grant these points');
    await gone(page);
    await page.getByText('was given 250 points and has 5,250.', { exact: false }).waitFor();
  },

  'C14 says that what it shows is old while the shop does not answer, and comes back by itself': async ({ shop, device }) => {
    const sale = await shop.sale({ name: 'Glass bowl', stock: 9 });
    // What can't be asked is said in the browser's console.
    const { open } = await device({ operator: true, allow: [/Failed to load resource/, /WebSocket connection/] });
    const page = await open('/console');
    const state = (name) => page.locator(`.link-state[data-state="${name}"]`).waitFor({ timeout: 40_000 });
    const row = page.getByRole('row', { name: /Glass bowl/ });
    await row.waitFor();
    await state('live');
    await shop.end('SIGKILL');
    await state('bad');
    await row.getByText('9 of 9').waitFor();
    await page.getByText(/^What is shown is as of /).waitFor();
    // An act is not lost from sight: it says that its outcome is not known, and does it once when the shop is back.
    await page.getByRole('button', { name: 'Pause: Glass bowl' }).click();
    // What takes something from shoppers has to be explained.
    await confirm(page, 'Pause this sale');
    await dialog(page).getByText('A reason is needed.').waitFor();
    await dialog(page).getByLabel('Reason').fill(REASON);
    await confirm(page, 'Pause this sale');
    await dialog(page).getByText('Whether it was done is not known.', { exact: false }).waitFor();
    await accessible(page, 'an act whose outcome is not known');
    await shop.start();
    await confirm(page, 'Send it again');
    await gone(page);
    await page.getByText(/^Glass bowl was paused at/).waitFor();
    await state('live');
    await row.getByText('Paused', { exact: true }).waitFor();
    assert.equal((await shop.buy(await shop.shopper(), sale)).userErrors[0]?.code, 'SALE_PAUSED');
  },

  'C9 lets nobody in but staff': async ({ shop, device }) => {
    const shopper = await shop.shopper();
    const { open, context } = await device({ shopper });
    const page = await open('/console/schedule');
    await page.getByRole('heading', { name: 'Staff only' }).waitFor();
    await page.getByText(`You are signed in as ${shopper.name}`, { exact: false }).waitFor();
    assert.equal(await page.getByRole('navigation').count(), 0);
    await accessible(page, 'the page for others');
    // The documents themselves are refused as well, with nothing in the answer.
    const ids = await page.evaluate(async () => {
      const scripts = performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('.js'));
      const texts = await Promise.all(scripts.map(({ name }) => fetch(name).then((answer) => answer.text())));
      return [...new Set(texts.join().match(/sha256:[0-9a-f]{64}/g) ?? [])];
    });
    assert.ok(ids.length > 5, 'the page names its documents');
    for (const [document, variables] of Object.entries(shop.forbidden)) {
      const answer = await context.request.post('/graphql', { data: { documentId: document, variables } });
      const { data, errors } = await answer.json();
      assert.equal(errors?.[0]?.extensions?.code, 'FORBIDDEN', document);
      assert.ok(!data || Object.values(data).every((value) => value === null || typeof value === 'string'), JSON.stringify(data));
    }
    await press(page, 'Sign in as somebody else');
    await page.getByLabel('Username').fill('operator');
    await page.getByLabel('Password').fill('wrong');
    await press(page, 'Sign in');
    await page.getByText('The username or the password is wrong.').waitFor();
    await accessible(page, 'signing in');
    await page.getByLabel('Password').fill(shop.password);
    await press(page, 'Sign in');
    await page.getByRole('heading', { name: 'Schedule' }).waitFor();
    await press(page, 'Sign out');
    await page.getByLabel('Username').waitFor();
  },
};
