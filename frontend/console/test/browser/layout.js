// Every page in both widths, colours and languages.
import { join } from 'node:path';
import { until } from '../../../storefront/test/browser/server.js';
import { accessible, dialog, gone, noSideways } from './helpers.js';

const SIZES = [
  { width: 1280, height: 800 },
  { width: 360, height: 740 },
];

/** Addresses of all pages, each with a text that is there once it is loaded. */
async function pagesOf(shop) {
  const sale = await shop.sale({ name: 'Wool blanket', stock: 40 });
  const buyer = await shop.shopper();
  await shop.buy(buyer, sale);
  const [order] = await until('the order', async () => {
    const orders = await shop.orders(buyer);
    return orders.length > 0 && orders;
  });
  return {
    now: ['/console', 'Wool blanket'],
    schedule: ['/console/schedule', 'Wool blanket'],
    sale: [`/console${sale.path}`, 'Wool blanket'],
    products: ['/console/products?q=blanket', 'Wool blanket'],
    orders: [`/console/orders?sale=${sale.id}`, 'Wool blanket'],
    order: [`/console/orders/${order.id}`, 'Wool blanket × 1'],
    money: ['/console/money', undefined],
    payments: ['/console/money?tab=payments', undefined],
    refunds: ['/console/money?tab=refunds', undefined],
    bills: ['/console/money?tab=bills', undefined],
    users: [`/console/users?q=${buyer.username}`, buyer.username],
    audit: [`/console/audit?subject=${sale.id}`, 'sale.publish'],
    signIns: [`/console/sign-ins?username=${buyer.username}`, buyer.username],
    books: ['/console/money?tab=books', undefined],
    failures: ['/console/failures', undefined],
    nodes: ['/console/nodes', undefined],
    settings: ['/console/settings?q=orders', 'orders.writer_batch'],
    settingsChanged: ['/console/settings?show=changed', 'shop.name'],
    settingChanges: ['/console/settings?tab=changes', undefined],
    settingNodes: ['/console/settings?tab=nodes', undefined],
    missing: ['/console/nothing', undefined],
  };
}

/** Each page is loaded once and then looked at in both widths and colours. */
const everyPage = (locale) => async ({ shop, device, pictures }) => {
  const { open } = await device({ operator: true, locale, reducedMotion: 'reduce', allow: [/404/] });
  const page = await open();
  for (const [name, [path, text]] of Object.entries(await pagesOf(shop))) {
    await page.setViewportSize(SIZES[0]);
    await page.emulateMedia({ colorScheme: 'light' });
    await page.goto(path);
    await page.locator('h1').waitFor();
    await page.locator('[aria-busy]').first().waitFor({ state: 'detached' });
    if (text) await page.getByText(text).first().waitFor();
    for (const size of SIZES) {
      await page.setViewportSize(size);
      for (const colorScheme of ['light', 'dark']) {
        await page.emulateMedia({ colorScheme });
        const what = `${name} at ${size.width} in ${colorScheme} ${locale}`;
        // Colours may change gradually.
        await until('everything to stand still', () => page.evaluate(() => document.getAnimations().length === 0));
        await noSideways(page, what);
        // Other colours can spoil nothing but contrasts.
        await accessible(page, what, colorScheme === 'dark' ? ['color-contrast'] : undefined);
        await page.screenshot({ path: join(pictures, `console-${what.replaceAll(' ', '-')}.png`) });
      }
    }
  }
};

export const flows = {
  'C12 is readable on every page, in both widths and colours, in English': everyPage('en-US'),

  'C19 is readable on every page, in both widths and colours, in Chinese': everyPage('zh-CN'),

  'C20 is used by keyboard alone on a narrow screen': async ({ shop, device }) => {
    const sale = await shop.sale({ name: 'Wool scarf', stock: 40 });
    const page = await (await device({ operator: true, viewport: SIZES[1] })).open(`/console${sale.path}`);
    await page.getByRole('button', { name: /^Pause: / }).click();
    await dialog(page).waitFor();
    await noSideways(page, 'an act at 360');
    await accessible(page, 'an act at 360');
    // Escape leaves, and the focus is where it was.
    await page.keyboard.press('Escape');
    await gone(page);
    await until('the focus', () => page.evaluate(() => document.activeElement?.getAttribute('aria-label')?.startsWith('Pause: ')));
  },
};
