// Where things stand on a phone and on a desk: what a picture would show, in numbers that are the same on every machine.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { noSideways, reaches } from './helpers.js';
import { until } from './server.js';

const WIDTHS = [360, 1280];
/** The content is no wider than this. */
const CONTENT_PX = 1120;
const BAR_PX = 48;

const settled = (page, what) => until(`${what} to be loaded`, async () => (await page.locator('.skeleton').count()) === 0);

/** Whatever must hold for every page; what does not, in words. */
function inspect([content]) {
  const found = [];
  const box = (selector) => document.querySelector(selector)?.getBoundingClientRect();
  const [header, main, footer] = ['.header', 'main', '.footer'].map(box);
  if (header.top !== 0 || header.left !== 0 || Math.round(header.right) !== document.documentElement.clientWidth) found.push('the header is not across the top');
  if (header.height > 72) found.push(`the header is ${header.height} px high`);
  if (main.top < header.bottom - 1) found.push('the page is under the header');
  if (footer.top < main.bottom - 1) found.push('the footer is in the page');
  if (document.querySelectorAll('main h1').length !== 1) found.push('there is not one heading');
  const inside = [...document.querySelectorAll('main > *, .header-in, .footer-in')].filter((one) => one.checkVisibility());
  for (const one of inside) {
    const { left, right, width } = one.getBoundingClientRect();
    if (width > content + 48) found.push(`${one.className || one.tagName} is ${Math.round(width)} px wide`);
    if (left < 0 || right > innerWidth) found.push(`${one.className || one.tagName} leaves the window`);
  }
  // Text that is cut off without a sign of it, and controls that lie on each other.
  for (const one of document.querySelectorAll('main *')) {
    const style = getComputedStyle(one);
    const isText = [...one.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    if (!isText || one.closest('.unseen') || !one.checkVisibility()) continue;
    const cut = one.scrollWidth > one.clientWidth + 1 && style.overflowX !== 'visible' && style.textOverflow !== 'ellipsis' && style.display !== 'inline';
    if (cut && !one.closest('.tabs, .days')) found.push(`“${one.textContent.trim().slice(0, 30)}” is cut off`);
    if (parseFloat(style.fontSize) < 12) found.push(`“${one.textContent.trim().slice(0, 30)}” has letters of ${style.fontSize}`);
  }
  const controls = [...document.querySelectorAll('main a.button, main button, main input, main select')].filter((one) => one.checkVisibility() && !one.closest('.unseen, .bar'));
  const boxes = controls.map((one) => [one, one.getBoundingClientRect()]);
  for (const [index, [one, a]] of boxes.entries()) {
    for (const [other, b] of boxes.slice(index + 1)) {
      const over = Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1;
      if (over && !one.contains(other) && !other.contains(one)) found.push(`${one.textContent || one.name} lies on ${other.textContent || other.name}`);
    }
  }
  for (const image of document.querySelectorAll('main img')) {
    if (image.loading === 'eager' && image.complete && image.naturalWidth === 0) found.push(`${image.src} is broken`);
    const { width, height } = image.getBoundingClientRect();
    if (Math.abs(width - height) > 1) found.push(`a picture is ${Math.round(width)} × ${Math.round(height)}`);
  }
  return found;
}

const box = async (page, selector) => {
  const found = await page.locator(selector).first().boundingBox();
  assert.ok(found, `there is no ${selector}`);
  return found;
};

/** How many cards stand in the first row. */
const inOneRow = (page) =>
  page.evaluate(() => {
    const tops = [...document.querySelectorAll('.cards > li')].map((card) => Math.round(card.getBoundingClientRect().top));
    return tops.filter((top) => top === tops[0]).length;
  });

/** What is particular to a page. */
const PARTICULAR = {
  home: async (page, wide) => {
    const shown = await page.locator('.cards > li').count();
    assert.equal(await inOneRow(page), Math.min(shown, wide ? 4 : 1), 'cards in a row');
    const { height } = await box(page, '.card');
    assert.ok(wide ? height > 240 : height >= 112 && height <= 170, `a card is ${height} px high`);
  },
  sale: async (page, wide) => {
    const [picture, panel, bar] = [await box(page, '.sale-picture'), await box(page, '.panel'), await box(page, '.bar .button')];
    if (wide) {
      assert.ok(panel.x >= picture.x + picture.width, 'the panel is beside the picture');
      assert.ok(picture.width <= 481 && panel.height >= 200, `a picture of ${picture.width} px, a panel of ${panel.height} px`);
    } else {
      assert.ok(panel.y >= picture.y + picture.height, 'the panel is below the picture');
      assert.ok(panel.height >= 168, `the panel is ${panel.height} px high`);
      const { height } = page.viewportSize();
      assert.ok(bar.y + bar.height <= height && bar.y > height - 2 * BAR_PX, 'the button is at the bottom of the screen');
    }
    assert.equal(Math.round(bar.height), BAR_PX, 'the height of the button');
  },
  orders: async (page, wide) => {
    const { height } = await box(page, '.orders > li');
    assert.ok(wide ? height <= 104 : height > 104, `one line on a desk, a card on a phone: ${height} px`);
  },
  signIn: async (page, wide) => {
    const [form, button] = [await box(page, 'main form'), await box(page, 'main form .button')];
    assert.ok(form.width <= 401, `the form is ${form.width} px wide`);
    if (!wide) assert.ok(button.width >= form.width - 50, 'the button is as wide as the form');
  },
};

export const flows = {
  'L1 every page keeps its layout on a phone and on a desk': async ({ shop, device, pictures }) => {
    const shopper = await shop.shopper();
    const sales = await shop.session(
      ['Halo lamp', 'Stillwater kettle', 'Nightfall headphones', 'Meridian watch', '一个名字很长很长很长很长的中文商品'].map((name) => [name, 'Daylight on a desk', 'lamp', '79.00', '279.00', 20]),
      1_000,
    );
    const sale = await shop.sale();
    assert.ok((await shop.buy(shopper, sale)).ticket);
    const order = await until('an order', async () => (await shop.orders(shopper))[0]);
    const paths = { home: '/', sale: sales[0].path, orders: '/orders', order: `/orders/${order.id}`, points: '/points', account: '/account', help: '/help' };
    for (const locale of ['en-US', 'zh-CN']) {
      for (const width of WIDTHS) {
        const options = { locale, viewport: { width, height: 800 }, colorScheme: locale === 'en-US' ? 'light' : 'dark' };
        const signedIn = await device({ ...options, shopper });
        const page = await signedIn.open();
        const nobody = await device(options);
        const other = await nobody.open();
        for (const [name, path] of [...Object.entries(paths), ['signIn', '/sign-in']]) {
          const tab = name === 'signIn' ? other : page;
          const what = `${name} ${locale} ${width}`;
          await tab.goto(name === 'home' ? `/?session=${await shop.sessionOf(sales[0].id)}` : path);
          await tab.locator('main h1').waitFor();
          if (name === 'sale') await reaches(tab, 'open');
          await settled(tab, what);
          await tab.evaluate(() => document.fonts.ready);
          await tab.screenshot({ path: join(pictures, `layout-${what.replaceAll(' ', '-')}.png`), fullPage: true });
          assert.deepEqual(await tab.evaluate(inspect, [CONTENT_PX]), [], what);
          await noSideways(tab, what);
          await PARTICULAR[name]?.(tab, width === 1280);
        }
        await signedIn.context.close();
        await nobody.context.close();
      }
    }
  },

  'L2 has 200 sales in one session, all of them live': async ({ shop, device }) => {
    const COUNT = 200;
    const { ids, sessionId } = await shop.crowd(COUNT);
    const { open } = await device({ viewport: { width: 360, height: 800 } });
    const page = await open(`/?session=${sessionId}`);
    const cards = page.locator('.cards > li');
    const more = page.getByRole('button', { name: 'More', exact: true });
    for (let shown = 20; shown < COUNT; shown += 20) {
      await until(`${shown} cards`, async () => (await cards.count()) >= shown);
      await more.click();
    }
    await until('all cards', async () => (await cards.count()) === COUNT && (await more.count()) === 0);
    await noSideways(page, '200 cards');
    const { nodes, eager } = await page.evaluate(() => ({
      nodes: document.querySelectorAll('*').length,
      eager: document.querySelectorAll('.cards img[loading=eager]').length,
    }));
    assert.ok(nodes < COUNT * 30 + 300, `${nodes} elements`);
    assert.equal(eager, 4, 'pictures that are loaded at once');
    // Also the last of them hears what happens to it, and nothing else is drawn anew for that.
    const last = page.locator(`.card[href="/sales/${ids.at(-1)}"]`);
    await page.evaluate(() => {
      globalThis.drawn = new Set();
      const note = (records) => records.forEach(({ target }) => globalThis.drawn.add((target.parentElement ?? target).closest?.('.card')?.getAttribute('href')));
      new MutationObserver(note).observe(document.querySelector('.cards'), { subtree: true, childList: true, characterData: true, attributes: true });
    });
    await shop.act('salePause', 'SalePauseInput', 'sale', { saleId: ids.at(-1) });
    await last.getByText('Paused').waitFor();
    assert.deepEqual(await page.evaluate(() => [...globalThis.drawn].filter(Boolean)), [`/sales/${ids.at(-1)}`]);
    await page.mouse.wheel(0, 40_000);
    await until('the last card to be in view', async () => page.evaluate(() => scrollY > 10_000));
    await noSideways(page, 'the end of 200 cards');
  },
};
