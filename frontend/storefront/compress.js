// Replaces the built files by their brotli and gzip variants, which is all the server embeds.
// index.html and files too small to gain stay as they are, too.
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const dist = join(import.meta.dirname, 'dist');
const keep = (path) => path.endsWith('.html') || statSync(path).size < 1024;

let before = 0;
let after = 0;
for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile()) continue;
  const path = join(entry.parentPath, entry.name);
  const bytes = readFileSync(path);
  before += bytes.length;
  if (keep(path)) {
    after += bytes.length;
    continue;
  }
  const brotli = brotliCompressSync(bytes, {
    params: {
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
      [constants.BROTLI_PARAM_QUALITY]: 11,
    },
  });
  const gzip = gzipSync(bytes, { level: 9 });
  writeFileSync(`${path}.br`, brotli);
  writeFileSync(`${path}.gz`, gzip);
  rmSync(path);
  after += brotli.length + gzip.length;
}
// The folder must exist in a fresh clone (the server embeds it), so one file in it is committed.
writeFileSync(join(dist, '.gitkeep'), '');
const mb = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
console.log(`compressed: ${mb(before)} -> ${mb(after)} (brotli and gzip together)`);
