// The documents of the tests, good and hostile, as the fuzzer's first inputs. Usage: node fuzz/seeds.mjs
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'

const root = new URL('../', import.meta.url)
const corpus = new URL('fuzz/corpus/guard/', root)
const LONGEST = 32 * 1024

const read = (path) => readFileSync(new URL(path, root), 'utf8')
// A part of a hostile document is text, or a text and how often (see tests/clients/hostile.mjs).
const written = (parts) =>
  parts
    .flatMap((part) => (typeof part === 'string' ? [part] : Array.from({ length: part[1] }, (_, i) => part[0].replaceAll('{i}', i).replaceAll('{j}', i + 1))))
    .join('')

const hostile = JSON.parse(read('tests/clients/hostile.json')).flatMap(({ document }) => (document ? [written(document)] : []))
const trusted = Object.values(JSON.parse(read('frontend/persisted-documents.json')))
const examples = [...read('schema/README.md').matchAll(/```graphql\n([^`]*)```/g)].map(([, document]) => document)
// Documents between quotes in the tests of the edge.
const inTests = readdirSync(new URL('tests/it/edge/', root)).flatMap((file) =>
  [...read(`tests/it/edge/${file}`).matchAll(/"((?:query|mutation|subscription)?[^"\n]*\{[^"\n]*\})"/g)].map(([, document]) => document),
)

mkdirSync(corpus, { recursive: true })
const seeds = new Set([...hostile, ...trusted, ...examples, ...inTests].filter((text) => text.length <= LONGEST))
for (const text of seeds) writeFileSync(new URL(createHash('sha1').update(text).digest('hex'), corpus), text)
console.log(`${seeds.size} documents in fuzz/corpus/guard`)
