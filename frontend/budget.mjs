// How much a shopper's device has to load, from Vite's manifest. Fails when a number is over its limit.
// node budget.mjs [FRONT…]: all of them, or only these
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';

const here = import.meta.dirname;

/** Bytes after gzip. */
const LIMITS = {
  storefront: {
    views: {
      '/': { texts: ['shop'], limit: 25_000 },
      '/sales/:id': { page: 'src/pages/sale.tsx', texts: ['shop', 'sale'], limit: 25_000 },
    },
    /** What comes after the first drawing of a sale: all that it takes to press and to be told. */
    later: {
      '/sales/:id, with the panel': {
        page: 'src/pages/sale.tsx',
        also: ['src/purchase.tsx'],
        texts: ['shop', 'sale', 'buy'],
        limit: 38_000,
      },
    },
    css: 8_000,
    /** Every script there is, in one language. */
    whole: 60_000,
    /** All files, as they are embedded into the program. */
    embedded: 220_000,
    marks: [/You got it/, /\u62a2\u5230\u4e86/],
  },
  console: {
    views: {
      '/console': { page: 'src/pages/now.tsx', texts: ['index'], limit: 45_000 },
      '/console/schedule': { page: 'src/pages/schedule.tsx', texts: ['index'], limit: 45_000 },
    },
    css: 8_000,
    whole: 88_000,
    embedded: 260_000,
    marks: [/Pause this sale/, /\u6682\u505c\u6b64\u62a2\u8d2d/],
  },
};
const LANGUAGES = ['en', 'zh-CN'];

let failed = false;

function line(what, bytes, limit) {
  const over = bytes > limit;
  failed ||= over;
  console.log(`  ${over ? 'OVER' : 'ok  '}  ${what.padEnd(44)} ${String(bytes).padStart(7)} of ${limit}`);
}

const wanted = process.argv.slice(2);
for (const [front, { views, later = {}, css, whole, embedded, marks }] of Object.entries(LIMITS)) {
  if (wanted.length > 0 && !wanted.includes(front)) continue;
  const dist = join(here, front, 'dist');
  const path = join(dist, '.vite/manifest.json');
  if (!existsSync(path)) {
    console.error(`${path} is missing: build first`);
    process.exit(1);
  }
  const manifest = JSON.parse(readFileSync(path, 'utf8'));
  const read = (file) => {
    const path = join(dist, file);
    return existsSync(path) ? readFileSync(path) : gunzipSync(readFileSync(`${path}.gz`));
  };
  const size = (file) => gzipSync(read(file), { level: 9 }).length;
  const sum = (files) => [...files].reduce((total, file) => total + size(file), 0);
  /** The file of a module and all files that it imports at once. */
  const closure = (key, files = new Set()) => {
    const entry = manifest[key];
    if (!entry) throw new Error(`${key} is not in the manifest`);
    if (files.has(entry.file)) return files;
    files.add(entry.file);
    for (const one of entry.imports ?? []) closure(one, files);
    return files;
  };
  // What the page itself names: the head's script, the entry and what it imports.
  const always = new Set();
  for (const [, file] of readFileSync(join(dist, 'index.html'), 'utf8').matchAll(/<script[^>]+src="\/(?:console\/)?([^"]+)"/g)) {
    const [key] = Object.entries(manifest).find(([, entry]) => entry.file === file) ?? [];
    if (key) closure(key, always);
    else always.add(file);
  }
  const texts = (part, language) => `src/messages/${language}/${part}.ts`;

  console.log(`${front}: bytes after gzip`);
  for (const [view, { page, also = [], texts: parts, limit }] of Object.entries({ ...views, ...later })) {
    for (const language of LANGUAGES) {
      const files = new Set(always);
      for (const key of [...(page ? [page] : []), ...also, ...parts.map((part) => texts(part, language))]) closure(key, files);
      line(`${view} (${language})`, sum(files), limit);
    }
  }
  const entries = Object.entries(manifest);
  const scripts = new Set(entries.map(([, { file }]) => file).filter((file) => file.endsWith('.js')));
  const sheets = new Set(entries.flatMap(([, { file, css: list = [] }]) => [file, ...list]).filter((file) => file.endsWith('.css')));
  line('style sheets', sum(sheets), css);
  for (const language of LANGUAGES) {
    const others = LANGUAGES.filter((other) => other !== language);
    const foreign = new Set(
      entries.filter(([key]) => others.some((other) => key.startsWith(`src/messages/${other}/`))).map(([, { file }]) => file),
    );
    line(`all scripts (${language})`, sum([...scripts].filter((file) => !foreign.has(file))), whole);
  }
  const all = readdirSync(dist, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  line('in the program', all.reduce((total, { parentPath, name }) => total + statSync(join(parentPath, name)).size, 0), embedded);
  // One text of each language is enough to tell a file that has both.
  for (const file of scripts) {
    const code = read(file).toString();
    if (marks.every((mark) => mark.test(code))) {
      failed = true;
      console.log(`  OVER  ${file} has both languages`);
    }
  }
}
process.exit(failed ? 1 : 0);
