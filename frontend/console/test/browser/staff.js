// Who works in the shop: the second factor, and roles that may not do everything.
import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../../../storefront/test/browser/server.js';
import { accessible, confirm, dialog, gone, noSideways, press } from './helpers.js';

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** What an authenticator app shows (RFC 6238), so many steps from now. */
function codeOf(secret, steps = 0) {
  const bits = [...secret].map((letter) => LETTERS.indexOf(letter).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => Number.parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const digest = createHmac('sha1', key).update(counter).digest();
  const at = digest[19] & 15;
  return String((digest.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

/** A document of the console's with variables, sent as the page would send it. */
async function ask(page, name, variables) {
  const text = readFileSync(join(import.meta.dirname, `../../../documents/${name}.graphql`));
  const documentId = `sha256:${createHash('sha256').update(text).digest('hex')}`;
  const answer = await page.request.post('/graphql', { data: { documentId, variables } });
  return answer.json();
}

async function signIn(page, shop, username) {
  await page.getByLabel('Username').fill(username);
  await page.getByLabel('Password').fill(shop.password);
  await press(page, 'Sign in');
}

export const flows = {
  'C21 sets up a second factor, and signs in with a code, once, and with a recovery code': async ({ shop, device, pictures }) => {
    const username = await shop.staff('OPERATOR');
    const other = await (await device({ shopper: { username }, allow: [/401/, /403/] })).open('/console/orders');
    await other.getByRole('heading', { name: 'Orders' }).waitFor();
    const { open } = await device({ viewport: { width: 360, height: 740 }, allow: [/401/, /422/] });
    const page = await open('/console');
    await signIn(page, shop, username);
    await page.getByRole('navigation').waitFor();
    await page.goto('/console/account');
    await press(page, 'Set up');
    await confirm(page, 'Show the secret');
    await dialog(page).getByText('Required.').waitFor();
    await dialog(page).getByLabel('Password').fill('not this one');
    await confirm(page, 'Show the secret');
    await page.locator('[name=password][aria-invalid=true]').waitFor();
    await dialog(page).getByLabel('Password').fill(shop.password);
    await confirm(page, 'Show the secret');
    await dialog(page).getByRole('img', { name: 'QR code for the authenticator app' }).waitFor();
    const secret = await dialog(page).locator('.secret').innerText();
    assert.match(secret, /^[A-Z2-7]{32}$/);
    const link = await dialog(page).getByRole('link', { name: 'Open the app on this device' }).getAttribute('href');
    assert.ok(link.startsWith(`otpauth://totp/Lantern%20Shop:${username}?secret=${secret}&`), link);
    await accessible(page, 'setting up a second factor');
    await noSideways(page, 'setting up a second factor');
    await page.screenshot({ path: join(pictures, 'console-second-factor-360.png') });
    await dialog(page).getByRole('textbox', { name: 'Code' }).fill('000000');
    await confirm(page, 'Turn it on');
    await page.locator('[name=code][aria-invalid=true]').waitFor();
    await dialog(page).getByRole('textbox', { name: 'Code' }).fill(codeOf(secret));
    await confirm(page, 'Turn it on');
    await gone(page);
    await page.getByRole('button', { name: 'I have saved them' }).waitFor();
    const codes = await page.locator('.codes code').allInnerTexts();
    assert.equal(new Set(codes).size, 10);
    await page.screenshot({ path: join(pictures, 'console-recovery-codes-360.png'), fullPage: true });
    await accessible(page, 'recovery codes');
    await press(page, 'I have saved them');
    await page.getByText('On', { exact: true }).waitFor();
    // The other browser's session has ended; this one has a new one.
    await other.reload();
    await other.getByRole('button', { name: 'Sign in' }).waitFor();

    await press(page, 'Sign out');
    await signIn(page, shop, username);
    await page.getByLabel('Code').waitFor();
    await until('the focus', () => page.evaluate(() => document.activeElement?.getAttribute('name') === 'code'));
    await accessible(page, 'the second step of signing in');
    await page.screenshot({ path: join(pictures, 'console-sign-in-code-360.png') });
    // The step before was used when it was confirmed, or is over.
    const code = codeOf(secret, 1);
    await page.getByLabel('Code').fill(code);
    await press(page, 'Sign in');
    await page.getByRole('navigation').waitFor();
    await press(page, 'Sign out');
    await signIn(page, shop, username);
    await page.getByLabel('Code').fill(code);
    await press(page, 'Sign in');
    await page.locator('[name=code][aria-invalid=true]').waitFor();
    await page.getByLabel('Code').fill(codes[0].toLowerCase());
    await press(page, 'Sign in');
    await page.getByRole('navigation').waitFor();
    await page.goto('/console/account');
    await page.getByText('Recovery codes left: 9').waitFor();
    await page.goto('/console/audit?act=second_factor.');
    await page.getByText('second_factor.recovery_code_used').first().waitFor();
  },

  'C22 shows observers everything and no lever, and support only what helps buyers': async ({ shop, device, pictures }) => {
    const sale = await shop.sale({ name: 'Garden bench' });
    const draft = await shop.draft({ name: 'Secret bench', stock: 3 });
    const observer = await shop.staff('OBSERVER');
    const { open } = await device({ shopper: { username: observer }, allow: [/403/] });
    const page = await open(`/console${sale.path}`);
    await page.getByRole('heading', { name: 'Garden bench' }).waitFor();
    await page.getByText('You are an observer', { exact: false }).waitFor();
    for (const lever of [/^Pause/, /^Add units/, /^End/, 'Stop all sales']) {
      assert.equal(await page.getByRole('button', { name: lever }).count(), 0, String(lever));
    }
    await page.goto(`/console${draft.path}`);
    await page.getByRole('heading', { name: 'Secret bench' }).waitFor();
    assert.equal(await page.getByRole('button', { name: /^Publish/ }).count(), 0);
    for (const path of ['', '/schedule', '/products', '/orders', '/money', '/users', '/failures', '/audit', '/sign-ins', '/nodes', '/settings']) {
      await page.goto(`/console${path}`);
      await page.getByText('You are an observer', { exact: false }).waitFor();
      await page.locator('.loading-words, .skeleton').first().waitFor({ state: 'detached' });
      assert.equal(await page.getByText('This is not for your role.').count(), 0, path);
    }
    await page.screenshot({ path: join(pictures, 'console-observer-1280.png') });
    await accessible(page, 'a page of an observer');
    for (const [name, variables] of [
      ['SalePause', { input: { saleId: sale.id } }],
      ['SalePublish', { input: { saleId: draft.id } }],
      ['ShopPause', { input: { reason: 'not mine to stop' } }],
    ]) {
      const { errors } = await ask(page, name, variables);
      assert.equal(errors?.[0]?.extensions?.code, 'FORBIDDEN', name);
    }
    const status = await shop.ask('query ($id: ID!) { shop { status } sale(id: $id) { status } }', { id: sale.id });
    assert.deepEqual(status, { shop: { status: 'OPEN' }, sale: { status: 'OPEN' } });

    const support = await shop.staff('SUPPORT');
    const helper = await (await device({ shopper: { username: support }, allow: [/403/] })).open('/console');
    await helper.getByRole('heading', { name: 'Orders' }).waitFor();
    const links = await helper.getByRole('navigation').getByRole('link').allInnerTexts();
    assert.deepEqual(links, ['Orders', 'Money', 'Users', 'Sign-ins']);
    for (const path of ['/schedule', sale.path, '/settings', '/audit', '/failures']) {
      await helper.goto(`/console${path}`);
      await helper.getByRole('heading', { name: 'Not for your role' }).waitFor();
    }
    assert.equal((await ask(helper, 'Settings', {})).errors?.[0]?.extensions?.code, 'FORBIDDEN');
    await helper.goto('/console/users');
    await helper.getByRole('rowheader', { name: support }).first().waitFor();
    await accessible(helper, 'a page of support');
  },
};
