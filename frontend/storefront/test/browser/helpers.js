// What flows do and look at again and again.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { until } from './server.js';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export const panel = (page) => page.locator('.panel');
export const state = (page) => panel(page).getAttribute('data-state', { timeout: 500 }).catch(() => undefined);

/** Waits until the panel says so; fails at once on a state that it must not go through. */
export async function reaches(page, wanted, { never = [], patience = 20_000 } = {}) {
  const names = [wanted].flat();
  let now;
  try {
    return await until(`the panel to be ${names.join(' or ')}`, async () => {
      now = await state(page);
      assert.ok(!never.includes(now), `the panel was ${now}`);
      return names.includes(now) && now;
    }, patience);
  } catch (error) {
    throw new Error(`${error.message}; it is ${now}`, { cause: error });
  }
}

/** Leads before an opening, in ms: the next one when a page needs longer than that to be there. */
const LEADS_MS = [4_000, 8_000, 16_000, 32_000];

/** A sale that is about to open, on this page, in `opensIn` ms or later; with the states that it may be in. */
export async function beforeOpening(shop, page, { opensIn: least = 0, ...options } = {}, states = ['opening']) {
  for (const opensIn of LEADS_MS.filter((lead) => lead >= least)) {
    const sale = await shop.sale({ ...options, opensIn });
    await page.goto(sale.path);
    if ((await reaches(page, [...states, 'open'])) !== 'open') return sale;
  }
  throw new Error('each sale was open before its page was there');
}

export const buyButton = (page) => page.getByRole('button', { name: /^Buy for/ });
export const press = (page, name) => page.getByRole('button', { name, exact: true }).click();

/** Presses in both tabs at the same moment of the clock that they share; how far apart the presses were. */
export async function pressTogether(tabs) {
  const at = Date.now() + 300;
  const pressed = await Promise.all(
    tabs.map((tab) =>
      tab.evaluate(
        (moment) =>
          new Promise((resolve) => {
            const press = () => {
              const when = Date.now();
              if (when < moment) return setTimeout(press, 0);
              const button = [...document.querySelectorAll('button')].find(({ textContent }) => textContent.startsWith('Buy for'));
              button?.click();
              // Without a button it is so late that the other tab has bought.
              return resolve(button ? when : Infinity);
            };
            press();
          }),
        at,
      ),
    ),
  );
  return Math.max(...pressed) - Math.min(...pressed);
}

/** At the sandbox's cashier, as a buyer. */
export async function payAtCashier(page) {
  await page.getByRole('button', { name: 'Pay', exact: true }).click();
  await page.waitForURL(/\/orders\/[^/]+\?from=cashier$/);
}

/** The next purchase is answered so, and never reaches the shop. */
export async function answersOnce(page, status, code, more = {}) {
  let told = false;
  await page.route('**/graphql', async (route) => {
    if (told || !route.request().postData()?.includes('idempotencyKey')) return route.fallback();
    told = true;
    const body = JSON.stringify({ errors: [{ message: code, extensions: { code, ...more } }] });
    return route.fulfill({ status, contentType: 'application/json', body });
  });
}

/** Every finding of axe, or of these rules, on the page as it stands. */
export async function accessible(page, what, rules) {
  // It is large, and stays until the page is loaded anew.
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(axe);
  const findings = await page.evaluate(async (only) => {
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
    const { violations } = await globalThis.axe.run(document, { runOnly: only ?? tags, resultTypes: ['violations'] });
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`);
  }, rules);
  assert.deepEqual(findings, [], what);
}

/** That nothing is wider than the window. */
export async function noSideways(page, what) {
  const wide = await page.evaluate(() => {
    if (document.documentElement.scrollWidth <= innerWidth) return [];
    const names = [];
    for (const element of document.body.querySelectorAll('*')) {
      const { left, right } = element.getBoundingClientRect();
      if (left < 0 || right > innerWidth) names.push(`${element.tagName}.${element.className} from ${Math.round(left)} to ${Math.round(right)}`);
    }
    return [`${document.documentElement.scrollWidth} px in ${innerWidth}`, ...names.slice(0, 6)];
  });
  assert.deepEqual(wide, [], `${what} is too wide`);
}

/** That each control can be brought into view and touched: nothing is cut off, and nothing lies over it. */
export async function reachable(page, what, within = 'body') {
  const lost = await page.evaluate(async (root) => {
    const found = [];
    const drawn = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
    const controls = document.querySelector(root).querySelectorAll('a[href], button, input, select, textarea, summary');
    for (const control of controls) {
      if (!control.checkVisibility({ visibilityProperty: true }) || control.closest('.unseen, .skip')) continue;
      control.focus();
      await drawn();
      const { left, right, top, bottom } = control.getBoundingClientRect();
      const [x, y] = [(Math.max(left, 0) + Math.min(right, innerWidth)) / 2, (Math.max(top, 0) + Math.min(bottom, innerHeight)) / 2];
      const there = document.elementFromPoint(x, y);
      const name = (control.ariaLabel || control.textContent || control.name || control.tagName).trim().slice(0, 40);
      // A strip of tabs may be moved sideways; what is chosen is in view.
      const isStrip = control.closest('.tabs, .days');
      if (!there || !(control.contains(there) || there.contains(control))) found.push(`${name} at ${Math.round(x)},${Math.round(y)} is under ${there?.className || there?.tagName}`);
      else if (!isStrip && (left < -1 || right > innerWidth + 1)) found.push(`${name} is cut off`);
      else if (!isStrip && control.scrollWidth > control.clientWidth + 1 && control.matches('button, a.button')) found.push(`${name} is longer than its button`);
      else if (right - left < 24 || bottom - top < 24) {
        // Links in running text are as high as their line.
        if (!control.closest('p, li, dd, dt, h1, h2')) found.push(`${name} is ${Math.round(right - left)} × ${Math.round(bottom - top)}`);
      }
    }
    return found;
  }, within);
  assert.deepEqual(lost, [], what);
}
