// Draws head/icon.svg as the PNG files that home screens want: CHROMIUM=… node icons.mjs
// They are committed, because a build has no browser; run it again when the picture changes.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const head = join(import.meta.dirname, 'head');
const svg = readFileSync(join(head, 'icon.svg'), 'utf8');
const ground = /fill="(#[0-9a-f]+)"/.exec(svg)[1];

/** `fills`: the whole square is coloured, because the device cuts its own shape out of it. */
const ICONS = [
  { name: 'icon-180.png', size: 180, fills: true, share: 1 },
  { name: 'icon-192.png', size: 192, fills: false, share: 1 },
  { name: 'icon-512.png', size: 512, fills: false, share: 1 },
  // What lies within four fifths is never cut off.
  { name: 'icon-512-maskable.png', size: 512, fills: true, share: 0.8 },
];

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
for (const { name, size, fills, share } of ICONS) {
  const page = await browser.newPage({ viewport: { width: size, height: size } });
  const side = Math.round(size * share);
  const picture = `<img src="data:image/svg+xml,${encodeURIComponent(svg)}" width="${side}" height="${side}">`;
  const style = `margin:0;width:${size}px;height:${size}px;display:grid;place-items:center;background:${fills ? ground : 'transparent'}`;
  await page.setContent(`<body style="${style}">${picture}</body>`);
  writeFileSync(join(head, name), await page.screenshot({ omitBackground: true }));
  await page.close();
}
await browser.close();
