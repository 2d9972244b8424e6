// What flows do and look at again and again.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

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

export async function noSideways(page, what) {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(over <= 0, `${what} is ${over} px too wide`);
}

export const dialog = (page) => page.getByRole('dialog');
export const press = (page, name) => page.getByRole('button', { name, exact: true }).click();
export const confirm = (page, name) => dialog(page).getByRole('button', { name, exact: true }).click();
export const gone = (page) => dialog(page).waitFor({ state: 'detached' });
/** The shopper's panel says so. */
export const reaches = (page, state) => page.locator(`.panel[data-state="${state}"]`).waitFor();
/** `2026-11-30T10:00:07` of the shop's zone. */
const shopTime = new Intl.DateTimeFormat('sv-SE', { timeZone: 'Asia/Shanghai', dateStyle: 'short', timeStyle: 'medium' });
export const local = (ms) => shopTime.format(ms).replace(' ', 'T');

/** What operators give as their reason, where they are asked for one. */
export const REASON = 'A complaint was looked into';

/** Does something to a sale on its page, or on whichever page has a button of this name for it. */
export async function act(page, short, button, fill) {
  await page.getByRole('button', { name: new RegExp(`^${short}: `) }).first().click();
  await dialog(page).waitFor();
  const reason = dialog(page).getByLabel('Reason');
  if ((await reason.count()) > 0) await reason.fill(REASON);
  if (fill) await fill(dialog(page));
  await confirm(page, button);
  await gone(page);
}

/** What another page is to show within a second: that is printed, since a busy machine can take longer. Without the push it would take minutes. */
export async function soon(what, seen) {
  const began = performance.now();
  await seen;
  const ms = performance.now() - began;
  if (ms > 1_000) console.log(`    ${what} was seen after ${ms.toFixed(0)} ms; the objective is 1000`);
  assert.ok(ms < 10_000, `${what} was seen after ${ms.toFixed(0)} ms: without a push`);
}
