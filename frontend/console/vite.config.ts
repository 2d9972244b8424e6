import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { documents } from '../kit/build/documents.mts';
import { head } from '../kit/build/head.mts';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
// `npm run dev` beside a running server.
const backend = process.env.DOORBUSTER_URL ?? 'http://127.0.0.1:8080';

/** Modules that only some pages need. */
const later = ['pages/', 'messages/', 'books.', 'catalogue.', 'charts.', 'ui/chart.', 'now-charts.', 'pulse', 'draft.', 'history.', 'lookup.', 'money-', 'order-search.']
  .concat('picture-field.', 'product-', 'sale-form.', 'sale-pulse.', 'settings-', 'timeline.')
  .join('|');
const core = new RegExp(
  `node_modules/(preact|@preact)/|frontend/kit/(?!socket\\.)|frontend/console/src/(?!${later})|vite/preload-helper|rolldown`,
);

export default defineConfig({
  base: '/console/',
  plugins: [documents(), head(here('./head'), '/console/')],
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  resolve: {
    alias: { '@kit': here('../kit'), '@documents': here('../documents') },
    // The kit has no packages of its own: what it imports is the console's.
    dedupe: ['preact', '@preact/signals', '@preact/signals-core', 'graphql-ws'],
  },
  build: {
    assetsInlineLimit: 0,
    cssCodeSplit: false,
    emptyOutDir: true,
    manifest: true,
    modulePreload: false,
    target: 'es2022',
    rolldownOptions: {
      output: {
        codeSplitting: {
          // What every page needs is one file; many small ones compress worse and cost a request each.
          groups: [{ name: 'console', test: core }],
        },
      },
    },
  },
  server: {
    fs: { allow: [here('..')] },
    proxy: {
      '/graphql': { target: backend, ws: true },
      '/pictures': backend,
    },
  },
  test: { include: ['test/*.test.ts'], environment: 'node', testTimeout: 60_000 },
});
