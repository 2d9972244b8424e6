import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { documents } from '../kit/build/documents.mts';
import { head } from '../kit/build/head.mts';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
// `npm run dev` beside a running server.
const backend = process.env.DOORBUSTER_URL ?? 'http://127.0.0.1:8080';

const core = new RegExp(
  [
    'node_modules/(preact|@preact)/',
    'frontend/kit/(api|backoff|clock|i18n|live|storage|tabs|ui/index|ui/announce)\\.',
    'frontend/storefront/src/(addresses|app|banner|clock-line|i18n|main|page|prices|router|shell|machine/sales|machine/trouble|messages/index|pages/home)\\.',
    'frontend/documents/(Sale|WatchStock)\\.graphql',
    'vite/preload-helper|rolldown',
  ].join('|'),
);

/** There is one style sheet, and `insist` loads again what could not be loaded: Vite's own helper for both is not needed. */
const plainImports = () => ({
  name: 'plain-imports',
  enforce: 'pre' as const,
  load: (id: string) => (id.endsWith('vite/preload-helper.js') ? 'export const __vitePreload = (load) => load();' : undefined),
});

export default defineConfig({
  plugins: [documents(), head(here('./head'), '/'), plainImports()],
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  resolve: {
    alias: { '@kit': here('../kit'), '@documents': here('../documents') },
    // The kit has no packages of its own: what it imports is the storefront's.
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
          groups: [{ name: 'shop', test: core }],
        },
      },
    },
  },
  server: {
    fs: { allow: [here('..')] },
    proxy: {
      '/graphql': { target: backend, ws: true },
      '/payments': backend,
      '/pictures': backend,
    },
  },
  // Thousands of made-up cases take long on a machine that is busy.
  test: { include: ['test/*.test.ts'], environment: 'node', testTimeout: 60_000 },
});
