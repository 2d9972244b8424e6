// A shopper's whole path as a moving picture: node record.js FILE.gif. What is seen is the real program, with the sandbox's cashier.
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import gifenc from 'gifenc';
import { chromium } from 'playwright-core';
import { PNG } from 'pngjs';
import { reaches } from './helpers.js';
import { startShop } from './server.js';

const { GIFEncoder, quantize, applyPalette } = gifenc;
const root = resolve(import.meta.dirname, '../../../..');
const file = resolve(process.argv[2] ?? join(root, 'docs/storefront.gif'));
const MOST_BYTES = 2e6;
const SIZE = { width: 360, height: 640 };
const COLOURS = 255;
/** Pixels that have not changed since the frame before. */
const SAME = COLOURS;
const FINGER = { radius: 16, colour: [184, 20, 44], strength: 0.45 };

const GOODS = [
  ['Halo lamp', 'Daylight on a desk', 'lamp', '79.00', '279.00', 120],
  ['Still kettle', 'Boils without a sound', 'kettle', '129.00', '319.00', 60],
  ['Nightfall headphones', 'Quiet wherever you are', 'headphones', '199.00', '699.00', 40],
];

const shop = await startShop({
  program: process.env.DOORBUSTER ?? join(root, 'target/debug/doorbuster'),
  settings: { 'accounts.attempts_per_address_per_minute': '0', 'shop.name': 'Lantern' },
});
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
});
const context = await browser.newContext({ viewport: SIZE, locale: 'en-US', baseURL: shop.base, hasTouch: true, isMobile: true, reducedMotion: 'reduce' });
const page = await context.newPage();

const frames = [];
/** What is on the screen, for so long. `at`: where the finger is. */
async function frame(ms, at) {
  const { data } = PNG.sync.read(await page.screenshot());
  if (at) touch(data, at);
  frames.push({ data, ms });
}

function touch(data, { x, y }) {
  const { radius, colour, strength } = FINGER;
  for (let dy = -radius; dy <= radius; dy += 1) {
    for (let dx = -radius; dx <= radius; dx += 1) {
      const [px, py] = [Math.round(x + dx), Math.round(y + dy)];
      if (dx * dx + dy * dy > radius * radius || px < 0 || py < 0 || px >= SIZE.width || py >= SIZE.height) continue;
      const at = 4 * (py * SIZE.width + px);
      for (const channel of [0, 1, 2]) data[at + channel] = data[at + channel] * (1 - strength) + colour[channel] * strength;
    }
  }
}

/** A finger comes down where it is seen, and then presses. */
async function tap(target) {
  await target.scrollIntoViewIfNeeded();
  const box = await target.boundingBox();
  await frame(500, { x: box.x + box.width / 2, y: box.y + box.height / 2 });
  await target.click();
}

async function type(label, text) {
  await page.getByLabel(label).fill(text);
  await frame(350);
}

const shopper = await shop.shopper();
const sales = await shop.session(GOODS, 22_000);
await page.goto('/');
await page.locator('.card').nth(2).waitFor();
await page.waitForLoadState('networkidle');
await frame(1_400);
await tap(page.locator('.card').first());
await reaches(page, 'upcoming');
await page.waitForLoadState('networkidle');
await frame(900);
await tap(page.getByRole('button', { name: 'Sign in now, so that you lose no time' }));
const dialog = page.getByRole('dialog');
await type('Username', shopper.username);
await type('Password', shop.password);
await tap(dialog.getByRole('button', { name: 'Sign in', exact: true }));
await dialog.waitFor({ state: 'detached' });
await reaches(page, ['upcoming', 'opening']);
// The last seconds as they pass.
while (Date.now() < sales[0].startsAt - 500) {
  const left = sales[0].startsAt - Date.now();
  if (left < 4_600) await frame(1_000);
  await page.waitForTimeout(Math.max(0, (left % 1_000) - 450 + (left % 1_000 < 450 ? 1_000 : 0)));
}
await reaches(page, 'open');
await frame(700);
await tap(page.getByRole('button', { name: /^Buy for/ }));
await reaches(page, 'won');
await page.getByRole('button', { name: 'Pay with Alipay' }).waitFor();
await frame(1_800);
await tap(page.getByRole('button', { name: 'Pay with Alipay' }));
const pay = page.getByRole('button', { name: 'Pay', exact: true });
await pay.waitFor();
await frame(900);
await tap(pay);
await page.waitForURL(/from=cashier$/);
await reaches(page, ['payPending', 'paid']);
await frame(700);
await reaches(page, 'paid');
await page.getByText('Paid the order').waitFor();
await frame(2_200);
await tap(page.getByRole('button', { name: 'Ask for the money back' }));
await type('Reason', 'The wrong colour');
await tap(page.getByRole('button', { name: /^Ask for ¥/ }));
await reaches(page, 'refunded', { patience: 30_000 });
await frame(2_600);
await browser.close();
await shop.close();

// One palette for all: what does not change is then the same in every frame, and is not written again.
const palette = quantize(Buffer.concat(frames.map(({ data }) => data)), COLOURS);
while (palette.length <= SAME) palette.push([0, 0, 0]);
const gif = GIFEncoder();
let before;
for (const { data, ms } of frames) {
  const indexed = applyPalette(data, palette.slice(0, COLOURS));
  const changed = before ? indexed.map((colour, at) => (colour === before[at] ? SAME : colour)) : indexed;
  const first = { palette };
  gif.writeFrame(changed, SIZE.width, SIZE.height, { delay: ms, dispose: 1, ...(before ? { transparent: true, transparentIndex: SAME } : first) });
  before = indexed;
}
gif.finish();
const bytes = gif.bytes();
if (bytes.length > MOST_BYTES) throw new Error(`${bytes.length} bytes are too many`);
writeFileSync(file, bytes);
console.log(`${file}: ${frames.length} frames, ${(bytes.length / 1e3).toFixed(0)} kB, ${(frames.reduce((sum, { ms }) => sum + ms, 0) / 1e3).toFixed(0)} s`);
process.exit(0);
