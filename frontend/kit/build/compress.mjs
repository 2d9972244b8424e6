// Replaces the built files by their brotli and gzip variants, which is what the server embeds. Pages stay as they are, too, for clients
// that take neither, such as crawlers and curl.
// node compress.mjs DIST
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const dist = resolve(process.argv[2] ?? 'dist');
/** Smaller files gain nothing. */
const SMALL = 1024;
const TEXT = /\.(html|js|css|svg|webmanifest)$/;

let [plain, packed] = [0, 0];
for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
  const path = join(entry.parentPath, entry.name);
  if (!entry.isFile() || !TEXT.test(entry.name) || statSync(path).size < SMALL) continue;
  const bytes = readFileSync(path);
  const brotli = brotliCompressSync(bytes, {
    params: {
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
      [constants.BROTLI_PARAM_QUALITY]: 11,
    },
  });
  writeFileSync(`${path}.br`, brotli);
  writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }));
  if (!entry.name.endsWith('.html')) rmSync(path);
  plain += bytes.length;
  packed += brotli.length;
}
// The folder must exist in a fresh clone (the server embeds it), so one file in it is committed.
writeFileSync(join(dist, '.gitkeep'), '');
console.log(`compressed: ${(plain / 1e3).toFixed(0)} kB -> ${(packed / 1e3).toFixed(0)} kB with brotli`);
