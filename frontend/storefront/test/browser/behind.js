// The shop as it stands in production: behind a proxy with TLS, where nothing but the documents of the pages is executed.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buyButton, payAtCashier, press, reaches } from './helpers.js';
import { startProxy } from './proxy.js';
import { until } from './server.js';

const NAME = 'shop.example';
/** The address of the shopper, as the proxy sees it, and one that the shopper only claims to have. */
const [CLIENT, CLAIMED] = ['203.0.113.9', '198.51.100.1'];
/** A name that begins so is only set with TLS, for this very host. */
const PREFIX = '__Host-';
const COOKIE = `${PREFIX}doorbuster`;
const documents = join(import.meta.dirname, '../../../documents');

async function ask(shop, body, token) {
  const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) };
  return (await fetch(`${shop.back}/graphql`, { method: 'POST', headers, body: JSON.stringify(body) })).json();
}

/** The id by which the pages send this document. */
const idOf = (name) => `sha256:${createHash('sha256').update(readFileSync(join(documents, `${name}.graphql`))).digest('hex')}`;

export const flows = {
  'S28 buys behind a proxy with TLS, where nothing but the documents of the pages is executed': async ({ another }) => {
    const proxy = await startProxy({ name: NAME, client: CLIENT });
    const { shop, device, end } = await another({
      front: proxy.base,
      browserSettings: [`--host-resolver-rules=MAP ${NAME} 127.0.0.1`],
      settings: { 'access.trusted_proxies': '127.0.0.1/32', 'access.cookie_secure': 'true', 'limits.unlimited': '[]' },
    });
    try {
      proxy.leadTo(shop.back);
      const [sale, shopper] = [await shop.sale(), await shop.shopper()];
      const setting = 'mutation ($input: SettingSetInput!) { it: settingSet(input: $input) { userErrors { message } } }';
      const input = { key: 'graphql.trusted_only', value: 'true', reason: 'As in production' };
      assert.deepEqual((await shop.ask(setting, { input }, shop.operator)).it.userErrors, []);

      const { open, context } = await device({ ignoreHTTPSErrors: true, extraHTTPHeaders: { 'x-forwarded-for': CLAIMED } });
      const page = await open();
      const addresses = [];
      page.on('websocket', (socket) => addresses.push(socket.url()));
      await page.goto(`${proxy.plain}${sale.path}`);
      assert.equal(page.url(), `${proxy.base}${sale.path}`, 'plain HTTP leads to https');
      await reaches(page, 'openSignedOut');
      await press(page, 'Sign in and come back here');
      const dialog = page.getByRole('dialog');
      await dialog.getByLabel('Username').fill(shopper.username);
      await dialog.getByLabel('Password').fill(shop.password);
      await dialog.getByRole('button', { name: 'Sign in', exact: true }).click();
      await reaches(page, 'open');
      const cookies = await context.cookies(proxy.base);
      assert.ok(cookies.some(({ name }) => name === COOKIE), 'signed in by a cookie');
      for (const { name, secure, httpOnly, path } of cookies) {
        assert.deepEqual({ secure, httpOnly, path, prefix: name.slice(0, PREFIX.length) }, { secure: true, httpOnly: true, path: '/', prefix: PREFIX }, name);
      }
      assert.equal((await context.cookies(proxy.plain)).length, 0, 'it never goes over plain HTTP');

      // What happens to the sale comes through the proxy by push.
      await until('a socket', () => addresses.length > 0 && proxy.sockets() > 0);
      assert.ok(addresses.every((address) => address.startsWith(`wss://${NAME}:`)), addresses.join());
      await shop.act('salePause', 'SalePauseInput', 'sale', { saleId: sale.id });
      await reaches(page, 'paused');
      await shop.act('saleResume', 'SaleResumeInput', 'sale', { saleId: sale.id });
      await reaches(page, 'open');
      await buyButton(page).click();
      await reaches(page, 'won');
      // The cashier is somewhere else, and leads back to the shop's public address.
      await press(page, 'Pay with Alipay');
      await page.waitForURL((url) => url.origin !== proxy.base);
      await payAtCashier(page);
      assert.ok(page.url().startsWith(`${proxy.base}/orders/`), page.url());
      await reaches(page, 'paid', { patience: 30_000 });

      const { errors } = await ask(shop, { query: '{ serverTime }' }, shopper.token);
      assert.equal(errors?.[0]?.extensions?.code, 'FORBIDDEN', 'no other document is executed');
      const { data } = await ask(shop, { documentId: idOf('SignInAttempts'), variables: { username: shopper.username } }, shop.operator);
      const attempts = data.signInAttempts.nodes.filter(({ outcome }) => outcome === 'SIGNED_IN');
      assert.deepEqual(attempts.map(({ address }) => address), [CLIENT], 'the address that the proxy saw, not the one that was claimed');
    } finally {
      await end();
      proxy.close();
    }
  },
};
