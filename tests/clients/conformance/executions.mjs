// Operations on a sale that graphql-js and the server both execute: their answers must be the same to the letter. `S` in a
// document is the sale's id, `P` its product's.

// Every way of leaving something out, with a value, a default, both, or neither.
const conditions = ['true', 'false', '$a', '$d', '$n'].flatMap((value) => [`@skip(if: ${value})`, `@include(if: ${value})`])
const DECLARED = '$a: Boolean!, $d: Boolean! = true, $n: Boolean = false'
const values = [{ a: true }, { a: false }, { a: true, d: false }, { a: false, d: false, n: true }, { a: true, n: true }]

const places = (condition) => [
  `{ sale(id: "S") { id status ${condition} } }`,
  `{ sale(id: "S") ${condition} { id } }`,
  `{ sale(id: "S") { id ... ${condition} { status } } }`,
  `{ sale(id: "S") { ...F ${condition} } } fragment F on Sale { id status }`,
  `{ sale(id: "S") { ...F } } fragment F on Sale { id ${condition} price { amount ${condition} } }`,
  `{ node(id: "S") { ... on Sale ${condition} { status } } }`,
  `{ node(id: "S") { ... on Sale { status ${condition} } ... on Product { name } id ${condition} } }`,
]

// The declared variables must be used: where they are not, a harmless field does.
const USED = '__typename @skip(if: $a) b: __typename @skip(if: $d) c: __typename @skip(if: $n)'
export const skipped = conditions
  .flatMap(places)
  .flatMap((text) => values.map((variables) => ({ document: `query(${DECLARED}) ${text.replace('{', `{ ${USED}`)}`, variables })))

export const selected = [
  '{ sale(id: "S") { version id status } }',
  '{ sale(id: "S") { a: id b: id id } }',
  '{ sale(id: "S") { price { amount } id price { currencyCode } } }',
  '{ sale(id: "S") { id } x: __typename sale(id: "S") { status } }',
  '{ ...A ...B } fragment A on Query { sale(id: "S") { price { amount } } } fragment B on Query { sale(id: "S") { price { currencyCode amount } status } }',
  '{ node(id: "S") { __typename id } }',
  '{ node(id: "S") { ... on Product { name } } }',
  '{ node(id: "S") { ... on Node { ... on Sale { status } } } }',
  '{ node(id: "S") { ...N } } fragment N on Node { id ... on Sale { status } ... on Product { name } }',
  '{ nodes(ids: ["S", "P", "nope"]) { __typename ... on Sale { status } ... on Product { name } } }',
  '{ nodes(ids: ["S", "P", "nope"]) { ... on Sale { id } } }',
  '{ nodes(ids: ["P"]) { ... on Sale { id } ... on Product { id } ... on Node { id } } }',
  '{ nodes(ids: "S") { id } }',
  '{ sale(id: "nope") { id } x: sale(id: "S") { id } }',
  '{ sale(id: "S") { ...F ...F } } fragment F on Sale { id }',
  '{ sale(id: "S") { product { name } session { __typename } } node(id: "P") { id } }',
  '{ __typename }',
  '{ a: __typename ... on Query { b: __typename } ...F } fragment F on Query { c: __typename }',
].map((document) => ({ document, variables: {} }))

// Variables for one operation each, some that do not fit.
const ask = (declared, use) => `query(${declared}) { ${use} }`
export const coerced = [
  [ask('$x: ID!', 'sale(id: $x) { id }'), [{ x: 'S' }, { x: 5 }, { x: 5.5 }, { x: true }, { x: null }, {}, { x: ['S'] }, { x: {} }, { x: 'S', more: 1 }]],
  [ask('$x: ID = "S"', 'sale(id: $x) { id }'), [{}, { x: 'S' }, { x: 'nope' }]],
  [ask('$x: [ID!]!', 'nodes(ids: $x) { id }'), [{ x: [] }, { x: 'S' }, { x: ['S', 'P'] }, { x: [null] }, { x: null }, { x: [['S']] }, {}]],
  [ask('$x: ID!', 'nodes(ids: [$x, "P"]) { id }'), [{ x: 'S' }, {}]],
  [ask('$x: Int', 'sales(first: $x) { totalCount }'), [{}, { x: null }, { x: 1 }, { x: 1.0 }, { x: 1.5 }, { x: '1' }, { x: 2147483648 }, { x: -2147483649 }, { x: true }, { x: [1] }, { x: 1e1 }, { x: 100 }]],
  [ask('$x: [SaleStatus!]', 'sales(statuses: $x) { totalCount }'), [{}, { x: null }, { x: 'OPEN' }, { x: ['OPEN', 'DRAFT'] }, { x: ['NOPE'] }, { x: ['open'] }, { x: [null] }, { x: 1 }, { x: [] }]],
  [ask('$x: SaleStatus!', 'sales(statuses: [$x]) { totalCount }'), [{ x: 'OPEN' }, { x: 'NOPE' }, { x: 0 }]],
  [ask('$x: String', 'sales(after: $x) { totalCount }'), [{}, { x: null }, { x: 1 }, { x: {} }]],
  [ask('$x: Boolean!', '__typename @skip(if: $x)'), [{ x: true }, { x: false }, { x: 'true' }, { x: 1 }, { x: null }, {}]],
  [ask('$x: Boolean! = true', '__typename @skip(if: $x)'), [{}, { x: false }, { x: null }]],
  [ask('$x: Boolean = true', '__typename @include(if: $x)'), [{}, { x: false }]],
].flatMap(([document, all]) => all.map((variables) => ({ document, variables })))
