// Files that the page names in its head and that are not modules: hashed like everything else, so that they are cached for good.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import type { Plugin } from 'vite';

/** `head:theme.js` in index.html becomes `/assets/theme-HASH.js`, made from `folder/theme.js`. Inside, `head:` names work as well.
 * `inline:icon.svg` becomes the picture itself. */
export function head(folder: string, base: string): Plugin {
  const read = (name: string) => readFileSync(join(folder, name));
  const files = new Map<string, { path: string; bytes: Uint8Array }>();
  const resolve = (text: string): string => text.replace(/head:([\w.-]+)/g, (_, name: string) => base + place(name));
  const place = (name: string): string => {
    const known = files.get(name);
    if (known) return known.path;
    const extension = extname(name);
    const text = /\.(js|webmanifest)$/.test(name) ? Buffer.from(resolve(read(name).toString())) : read(name);
    const hash = createHash('sha256').update(text).digest('base64url').slice(0, 8);
    const path = `assets/${basename(name, extension)}-${hash}${extension}`;
    files.set(name, { path, bytes: text });
    return path;
  };
  /** Small pictures are part of the page: a request each would cost more than they do. */
  const inline = (text: string): string =>
    text.replace(/inline:([\w.-]+)/g, (_, name: string) => `data:image/svg+xml,${encodeURIComponent(read(name).toString().trim())}`);
  const types: Record<string, string> = { '.js': 'text/javascript', '.svg': 'image/svg+xml', '.png': 'image/png' };
  return {
    name: 'head',
    transformIndexHtml: {
      order: 'pre',
      handler(html, context) {
        if (context.server) return inline(html).replace(/head:/g, `${base}@head/`);
        // Vite must not look for files behind these addresses.
        return inline(html).replace(/head:([\w.-]+)/g, (_, name: string) => `data:head,${name}`);
      },
    },
    configureServer(server) {
      server.middlewares.use(`${base}@head/`, (request, response) => {
        const name = basename(request.url ?? '').split('?')[0] ?? '';
        response.setHeader('content-type', types[extname(name)] ?? 'application/manifest+json');
        response.end(read(name).toString().replace(/head:/g, `${base}@head/`));
      });
    },
    generateBundle: {
      order: 'post',
      handler(_, bundle) {
        for (const output of Object.values(bundle)) {
          if (output.type !== 'asset' || !output.fileName.endsWith('.html')) continue;
          const html = String(output.source)
            .replace(/data:head,([\w.-]+)/g, (_, name: string) => base + place(name))
            // There is nothing to draw before the script has run, and it knows the chosen colours. Vite drops the attribute from
            // the page's source.
            .replace('<script type="module"', '<script type="module" blocking="render"');
          const build = createHash('sha256').update(html).digest('base64url').slice(0, 12);
          output.source = html.replace('BUILD_ID', build);
        }
        for (const { path, bytes } of files.values()) {
          this.emitFile({ type: 'asset', fileName: path, source: bytes });
        }
      },
    },
  };
}
