// What operators do with settings. That the shop keeps to them is asked of the shop, not of the page.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { until } from '../../../storefront/test/browser/server.js';
import { accessible, confirm, dialog, gone, noSideways, press } from './helpers.js';

const PURCHASES = 'limits.purchases_per_user_per_minute';
const WELCOME = 'points.welcome';

/** The value in force, and what is stored, as the API has it. */
const read = async (shop, key) =>
  (await shop.ask('query ($key: String!) { setting(key: $key) { value stored { scope value } } }', { key }, shop.operator)).setting;
const history = async (shop, key) =>
  (await shop.ask('query ($key: String!) { settingChanges(key: $key, first: 20) { nodes { revision act scope oldValue newValue reason } } }', { key }, shop.operator))
    .settingChanges.nodes;
const acts = async (shop, key) => (await history(shop, key)).map(({ act }) => act);

async function store(shop, key, value) {
  const input = { key, value, reason: 'what the test begins with' };
  const { it } = await shop.ask('mutation ($input: SettingSetInput!) { it: settingSet(input: $input) { userErrors { message } } }', { input }, shop.operator);
  assert.deepEqual(it.userErrors, []);
}

/** Nothing is stored any more, whatever a flow came to. */
async function remove(shop, ...keys) {
  for (const key of keys) {
    for (const { scope } of (await read(shop, key)).stored) {
      const input = { key, scope, reason: 'what the test ends with' };
      await shop.ask('mutation ($input: SettingUnsetInput!) { it: settingUnset(input: $input) { userErrors { code } } }', { input }, shop.operator);
    }
  }
}

/** What somebody new is told who tries to buy so often. */
async function tries(shop, sale, times) {
  const shopper = await shop.shopper();
  const told = [];
  for (let n = 0; n < times; n += 1) {
    const answer = await shop.buy(shopper, sale).catch((error) => JSON.parse(error.message)[0].extensions.code);
    told.push(answer.ticket ? 'ticket' : (answer.userErrors?.[0]?.code ?? answer));
  }
  return told;
}

/** The points that somebody new is given. */
async function welcome(shop) {
  const { token } = await shop.shopper();
  return (await shop.ask('{ viewer { points { balance } } }', {}, token)).viewer.points.balance;
}

const change = (page, key) => page.getByRole('button', { name: `Change ${key}`, exact: true }).click();
const field = (page, label) => dialog(page).getByLabel(label, { exact: true });
const CONFIRM = 'Undo automatically unless confirmed within';

async function fill(page, { value, confirm: within, reason }) {
  if (value !== undefined) await field(page, 'New value').fill(value);
  if (within !== undefined) await field(page, CONFIRM).fill(within);
  await field(page, 'Reason').fill(reason);
}

const waits = (page, key) => page.locator(`[data-pending="${key}"]`);

export const flows = {
  'C15 changes a limit, and the shop keeps to it at once; the change is confirmed, and rolled back': async ({ shop, device, pictures }) => {
    // Otherwise nobody on this machine is limited.
    await store(shop, 'limits.unlimited', '[]');
    try {
      const sale = await shop.sale({ name: 'Bamboo tray', stock: 50 });
      const FREE = ['ticket', 'ALREADY_BOUGHT', 'ALREADY_BOUGHT', 'ALREADY_BOUGHT'];
      assert.deepEqual(await tries(shop, sale, 4), FREE);
      const { open } = await device({ operator: true });
      const page = await open('/console/settings?q=purchases+per+user');
      await page.getByText('1 setting', { exact: true }).waitFor();
      await change(page, PURCHASES);
      // What the page itself can tell.
      await fill(page, { value: 'many', confirm: 'soon', reason: '' });
      await confirm(page, 'Store this value');
      for (const text of ['A whole number.', 'A time from 1s to 1d, such as 5m.', 'A reason is needed.']) await dialog(page).locator('.error', { hasText: text }).waitFor();
      await fill(page, { value: '2000000', confirm: '5m', reason: 'A rush' });
      await confirm(page, 'Store this value');
      await dialog(page).locator('.error', { hasText: 'From 0 to 1,000,000.' }).waitFor();
      // Looked at first: nothing is changed by that.
      await fill(page, { value: '2', reason: 'A rush' });
      await confirm(page, 'Check it first');
      await dialog(page).getByText('It can be stored. For all nodes: not stored → 2').waitFor();
      assert.deepEqual(await read(shop, PURCHASES), { value: '60', stored: [] });
      await accessible(page, 'changing a setting');
      await page.screenshot({ path: join(pictures, 'console-setting-1280.png') });
      await confirm(page, 'Store this value');
      await gone(page);
      await page.getByText(/ was changed at .* This is undone at .* unless it is confirmed\./).waitFor();
      assert.deepEqual(await tries(shop, sale, 4), ['ticket', 'ALREADY_BOUGHT', 'RATE_LIMITED', 'RATE_LIMITED']);

      await waits(page, PURCHASES).getByText(/undone in 0[45]:\d\d/).waitFor();
      await accessible(page, 'a change that waits to be confirmed');
      await page.screenshot({ path: join(pictures, 'console-setting-waits-1280.png') });
      await page.getByRole('button', { name: `Confirm: ${PURCHASES}` }).click();
      await confirm(page, 'Keep this change');
      await gone(page);
      await waits(page, PURCHASES).waitFor({ state: 'detached' });
      assert.deepEqual((await acts(shop, PURCHASES)).slice(0, 2), ['CONFIRM', 'SET']);

      await page.getByRole('link', { name: `History of ${PURCHASES}` }).click();
      const rows = page.locator('#settings tbody tr');
      await rows.first().getByText('Confirmed').waitFor();
      await rows.nth(1).getByText('Stored', { exact: true }).waitFor();
      await rows.nth(1).getByText('A rush').waitFor();
      await accessible(page, 'changes of settings');
      await page.screenshot({ path: join(pictures, 'console-setting-changes-1280.png') });
      await rows.nth(1).getByRole('button', { name: /^Roll back: / }).click();
      await dialog(page).getByLabel('Reason').fill('The rush is over');
      await confirm(page, 'Roll this change back');
      await gone(page);
      await rows.first().getByText('The rush is over').waitFor();
      assert.deepEqual(await read(shop, PURCHASES), { value: '60', stored: [] });
      assert.deepEqual(await tries(shop, sale, 4), FREE);
    } finally {
      await remove(shop, PURCHASES, 'limits.unlimited');
    }
  },

  'C16 changes a setting of one node for seconds, which expires by itself, and another one that becomes everybody’s': async ({ shop, device, pictures }) => {
    try {
      assert.equal(await welcome(shop), 5_000);
      // Another flow may have killed a node, which is listed for a while.
      const { serverNodes } = await shop.ask('{ serverNodes { name startedAt } }', {}, shop.operator);
      const node = serverNodes.reduce((a, b) => (Date.parse(a.startedAt) > Date.parse(b.startedAt) ? a : b));
      const phone = await device({ operator: true, viewport: { width: 360, height: 740 } });
      const page = await phone.open('/console/settings?q=welcome');
      // Somebody else looks on, and is told of everything without asking.
      const other = await (await device({ operator: true })).open('/console/settings?tab=changes&key=points.welcome');
      await other.locator('#settings').locator('.empty-state, .table').first().waitFor();
      await change(page, WELCOME);
      await fill(page, { value: '7', confirm: '4s', reason: 'Only a try' });
      await field(page, 'Where').selectOption(`node:${node.name}`);
      await accessible(page, 'changing a setting on a phone');
      await noSideways(page, 'changing a setting on a phone');
      await page.screenshot({ path: join(pictures, 'console-setting-360.png'), fullPage: true });
      await confirm(page, 'Store this value');
      await gone(page);
      assert.equal(await welcome(shop), 7);
      await Promise.all([page, other].map((one) => waits(one, WELCOME).waitFor()));
      await page.screenshot({ path: join(pictures, 'console-setting-waits-360.png') });
      await noSideways(page, 'a change that waits to be confirmed');
      await Promise.all([page, other].map((one) => waits(one, WELCOME).waitFor({ state: 'detached' })));
      await until('the points of before', async () => (await welcome(shop)) === 5_000);
      assert.deepEqual((await acts(shop, WELCOME)).slice(0, 2), ['EXPIRE', 'SET']);
      const rows = other.locator('#settings tbody tr');
      await rows.first().getByText('automatically').waitFor();

      await change(page, WELCOME);
      await fill(page, { value: '8', confirm: '', reason: 'For good' });
      await field(page, 'Where').selectOption(`node:${node.name}`);
      await confirm(page, 'Store this value');
      await gone(page);
      assert.equal(await welcome(shop), 8);
      await rows.first().getByRole('button', { name: /^For all nodes: / }).click();
      await dialog(other).getByLabel('Reason').fill('It was good');
      await confirm(other, 'Store it for all nodes');
      await gone(other);
      await until('the value of all nodes', async () => JSON.stringify((await read(shop, WELCOME)).stored) === '[{"scope":"*","value":"8"}]');
      assert.equal(await welcome(shop), 8);
      // Which node follows which change.
      await other.getByRole('tab', { name: 'Nodes' }).click();
      const [{ revision }] = await history(shop, WELCOME);
      await other.getByText(`The newest change is no. ${revision}.`).waitFor();
      await other.getByRole('row', { name: new RegExp(node.name) }).getByText('the newest change').waitFor();
      await accessible(other, 'nodes and their settings');
      await page.goto('/console/settings?tab=changes');
      await page.locator('#settings tbody tr').first().waitFor();
      await accessible(page, 'changes on a phone');
      await noSideways(page, 'changes on a phone');
      await page.screenshot({ path: join(pictures, 'console-setting-changes-360.png'), fullPage: true });
      // Back to a whole state: what was before the last value was stored.
      await other.getByRole('tab', { name: 'Changes' }).click();
      const expiry = other.getByRole('row').filter({ hasText: 'Expired' }).first();
      await expiry.getByRole('button', { name: /^Go back to this state: / }).click();
      await dialog(other).getByLabel('Reason').fill('It was not so good');
      await confirm(other, 'Undo all later changes');
      await gone(other);
      await until('nothing to be stored', async () => (await read(shop, WELCOME)).stored.length === 0);
      assert.equal(await welcome(shop), 5_000);
    } finally {
      await remove(shop, WELCOME);
    }
  },

  'C17 refuses a value at its field, and what would lock everybody out without a time to confirm it': async ({ shop, device }) => {
    const before = await shop.ask('{ settingChanges(first: 1) { totalCount } }', {}, shop.operator);
    const { open } = await device({ operator: true });
    const page = await open('/console/settings');
    // What takes effect only at a start is not offered.
    await page.getByLabel('Show').selectOption('Only those that can be changed here');
    await until('fewer settings', async () => (await page.locator('#settings tbody tr').count()) < 100);
    assert.equal(await page.getByText('Takes effect only on restart').count(), 0);
    await page.getByLabel('Name or description').fill('proxies');
    await press(page, 'Find');
    await change(page, 'limits.unlimited');
    await fill(page, { value: '10.0.0.0/99', reason: 'A typing error' });
    await confirm(page, 'Store this value');
    const refused = field(page, 'New value');
    await until('the field to be marked', async () => (await refused.getAttribute('aria-invalid')) === 'true');
    await dialog(page).locator('.error', { hasText: 'The shop does not take this value.' }).waitFor();
    await until('the focus', () => refused.evaluate((input) => document.activeElement === input));
    await accessible(page, 'a refused value');
    await page.keyboard.press('Escape');
    await gone(page);

    await change(page, 'access.trusted_proxies');
    assert.equal(await field(page, CONFIRM).inputValue(), '5m');
    await fill(page, { value: '192.0.2.1/32', confirm: '', reason: 'Without a way back' });
    await confirm(page, 'Store this value');
    await dialog(page).locator('.error', { hasText: 'A mistake here would lock everybody out' }).waitFor();
    await until('the field to be marked', async () => (await field(page, CONFIRM).getAttribute('aria-invalid')) === 'true');
    await page.keyboard.press('Escape');
    await gone(page);

    // What only contradicts another setting is said of the whole, with both names.
    await page.goto('/console/settings?q=concurrency_min');
    await change(page, 'limits.concurrency_min');
    await fill(page, { value: '999999', reason: 'Far too many' });
    await confirm(page, 'Store this value');
    await dialog(page).getByText(/A node could not run with this: .*concurrency_max/).waitFor();
    await field(page, 'Store it even if a node can’t run with it').waitFor();
    await accessible(page, 'a configuration that contradicts itself');
    await page.keyboard.press('Escape');
    await gone(page);
    const after = await shop.ask('{ settingChanges(first: 1) { totalCount } }', {}, shop.operator);
    assert.deepEqual(after, before, 'nothing was changed');
  },

  'C18 tells the second of two operators at the same setting that the first was faster': async ({ shop, device }) => {
    try {
      const [first, second] = await Promise.all(
        [1, 2].map(async () => {
          const page = await (await device({ operator: true })).open('/console/settings?q=welcome');
          await change(page, WELCOME);
          return page;
        }),
      );
      await fill(second, { value: '22', reason: 'The second' });
      // A change of another setting stands in nobody's way.
      await store(shop, 'points.grant_max', '500');
      await fill(first, { value: '11', reason: 'The first' });
      await confirm(first, 'Store this value');
      await gone(first);
      await dialog(second).getByText('operator has changed it since you opened this: not stored → 11').waitFor();
      await confirm(second, 'Store this value');
      await dialog(second).getByText('Somebody else has changed it since you opened this.', { exact: false }).waitFor();
      assert.equal((await read(shop, WELCOME)).value, '11', 'the second has not overwritten the first');
      await dialog(second).getByText('Now: 11').waitFor();
      assert.equal(await field(second, 'New value').inputValue(), '22');
      await accessible(second, 'a conflict at a setting');
      await confirm(second, 'Store it anyway');
      await gone(second);
      assert.equal((await read(shop, WELCOME)).value, '22');
      assert.equal(await welcome(shop), 22);
      assert.deepEqual(await acts(shop, WELCOME).then((all) => all.slice(0, 2)), ['SET', 'SET']);
    } finally {
      await remove(shop, WELCOME, 'points.grant_max');
    }
  },
};
