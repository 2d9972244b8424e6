// Does one flow after the other as run.js says.
import { chromium } from 'playwright-core';
import { flows } from './all.js';
import { work } from './working.js';

/** One flow's longest time, browser and server included; longer when a flow is to be repeated more often than in CI. */
const isStress = ['STOREFRONT_KILLS', 'STOREFRONT_TABS', 'STOREFRONT_CLOCKS'].some((name) => process.env[name]);
await work({ chromium, flows, prefix: 'storefront', flowMs: isStress ? 1_800_000 : 150_000 });
