// The checks can fail. Run by: npm test
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { buildSchema } from 'graphql'
import { compare } from './compare.mjs'
import { coverage, undated } from './coverage.mjs'
import { wording } from './words.mjs'

const before = '"What can be asked for." type Query { "A." a(x: Int): Int "B." b: E } "E." enum E { "One." ONE "Two." TWO }'

test('a breaking change must be in the changelog by its coordinate', () => {
  const gone = before.replace('"A." a(x: Int): Int', '')
  assert.equal(compare(before, before, '').length, 0)
  assert.equal(compare(before, gone, 'Query.a').length, 1)
  assert.equal(compare(before, gone, '- `Query.a` is gone: use `b`.').length, 0)
  assert.equal(compare(before, gone.replace('"Two." TWO', ''), '- `Query.a` is gone.').length, 1)
  assert.equal(compare(before, before.replace('x: Int', 'x: Int!'), '').length, 1)
  assert.equal(compare(before, before.replace('"B."', '"New." c: Int "B."'), '').length, 0)
})

test('every element counts, and a name is no description', () => {
  const bare = 'type Query { "A" a("The x." x: I): E } enum E { "Won." ONE TWO } input I { y: Int }'
  const missing = coverage(buildSchema(bare)).flatMap((kind) => kind.missing)
  assert.deepEqual(missing.sort(), ['E', 'E.TWO', 'I', 'I.y', 'Query', 'Query.a'])
  const args = coverage(buildSchema('type Query { a(x: Int): Int }')).find(({ kind }) => kind === 'arguments')
  assert.deepEqual(args.missing, ['Query.a(x:)'])
})

test('a deprecation says what to use and when it goes', () => {
  const schema = (reason) => buildSchema(`type Query { a: Int b: Int @deprecated${reason} }`)
  assert.equal(undated(schema('')).length, 1)
  assert.equal(undated(schema('(reason: "Use `a`.")')).length, 1)
  assert.equal(undated(schema('(reason: "Removed after 2027-06-30.")')).length, 1)
  assert.equal(undated(schema('(reason: "Use `a`. Removed after 2027-06-30.")')).length, 0)
})

test('private terms are found with their line, and code is not prose', () => {
  assert.deepEqual(wording('Fine.\nThe buyer is told.').map((finding) => finding.split(':')[0]), ['2'])
  assert.equal(wording('Of two pictures of an order the newer one.').length, 1)
  assert.equal(wording('Where it stands.\nThe token is nobody\'s.\nWho asks gets it.\nIt is answered at once.').length, 4)
  assert.equal(wording('The status.\n`for ever`\n```sh\nthe books\n```\nEach request gets a response.').length, 0)
})
