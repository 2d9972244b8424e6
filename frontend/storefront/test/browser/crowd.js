// Shoppers without a browser: the page's own model of a sale, with the kit's modules, over the same transports.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, loadConfigFromFile } from 'vite';
import WebSocket from 'ws';

const storefront = join(import.meta.dirname, '../..');

/** Makes members of a crowd, each with modules of their own: what a page keeps once, each of them has for itself. */
export async function buildCrowd() {
  const { config } = await loadConfigFromFile({ command: 'build', mode: 'test' }, join(storefront, 'vite.config.ts'));
  const out = mkdtempSync(join(tmpdir(), 'doorbuster-crowd-'));
  await build({
    configFile: false,
    root: storefront,
    logLevel: 'error',
    plugins: [
      config.plugins,
      {
        name: 'without-a-page',
        enforce: 'pre',
        // What the whole page shares is what this member has.
        resolveId: (id, importer) => (id === '../app' && importer?.includes('/src/machine/') ? join(import.meta.dirname, 'member.ts') : undefined),
      },
    ],
    resolve: config.resolve,
    build: {
      outDir: out,
      ssr: join(import.meta.dirname, 'member.ts'),
      target: 'node20',
      rolldownOptions: { output: { codeSplitting: false, entryFileNames: 'member.mjs' } },
    },
    ssr: { noExternal: true },
  });
  const file = join(out, 'member.mjs');
  process.once('exit', () => rmSync(out, { recursive: true, force: true }));
  let members = 0;
  return async ({ base, shopper, sale }) => {
    members += 1;
    globalThis.crowdMember = { base, shopper, sale, WebSocket };
    const { join: comeIn } = await import(`${pathToFileURL(file)}?${members}`);
    const member = await comeIn();
    return { name: shopper.username, ...member };
  };
}
