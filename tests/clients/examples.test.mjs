// The comparison of examples can fail. Run by: npm run check
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { buildSchema } from 'graphql'
import { Comparison, missing } from './lib/examples.mjs'

const PAGE = 'sale_AAAAAAAAAAAAAAAAAAAAAA'
const LIVE = 'sale_BBBBBBBBBBBBBBBBBBBBBB'

test('values are the same, or differ as they may', () => {
  const differs = (page, live) => new Comparison().differences(page, live).length > 0
  assert.equal(differs({ a: 1, b: [null, 'x'] }, { a: 1, b: [null, 'x'] }), false)
  assert.equal(differs({ a: 1 }, { a: 2 }), true)
  assert.equal(differs({ a: 1 }, { a: '1' }), true)
  assert.equal(differs({ a: 1 }, { a: 1, errors: [{}] }), true)
  assert.equal(differs({ a: [1] }, { a: [] }), true)
  assert.equal(differs({ a: null }, { a: {} }), true)
  assert.equal(differs({ at: '2026-01-01T00:00:00.000Z' }, { at: '2027-02-03T04:05:06.789Z' }), false)
  assert.equal(differs({ at: '2026-01-01T00:00:00.000Z' }, { at: 'soon' }), true)
  assert.equal(differs({ id: PAGE }, { id: LIVE }), false)
  assert.equal(differs({ id: PAGE }, { id: LIVE.replace('sale', 'order') }), true)
})

test('a name stands for the same thing throughout', () => {
  const comparison = new Comparison()
  assert.deepEqual(comparison.differences({ id: PAGE }, { id: LIVE }), [])
  assert.deepEqual(comparison.variables({ ids: [PAGE] }), { ids: [LIVE] })
  assert.equal(comparison.differences({ id: PAGE }, { id: LIVE.replace('B', 'C') }).length, 1)
  assert.equal(comparison.differences({ id: PAGE.replace('A', 'D') }, { id: LIVE }).length, 1)
})

test('root fields without an example are found', () => {
  const schema = buildSchema('type Query { a: Int b: Int } type Subscription { c: Int }')
  assert.deepEqual(missing(schema, [{ operation: 'query', field: 'a' }]), ['query.b', 'subscription.c'])
})
