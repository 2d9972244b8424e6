import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { documents } from '../kit/build/documents.ts';
import { head } from '../kit/build/head.ts';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
// `npm run dev` beside a running server.
const backend = process.env.DOORBUSTER_URL ?? 'http://127.0.0.1:8080';

export default defineConfig({
  plugins: [documents(), head(here('./head'), '/')],
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
    manifest: 'manifest.json',
    modulePreload: false,
    target: 'es2022',
  },
  server: {
    fs: { allow: [here('..')] },
    proxy: {
      '/graphql': { target: backend, ws: true },
      '/payments': backend,
      '/pictures': backend,
    },
  },
  test: { include: ['test/*.test.ts'], environment: 'node' },
});
