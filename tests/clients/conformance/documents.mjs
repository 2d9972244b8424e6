// Documents by validation rule of the specification (section 5), some that a server must take and some that it must refuse.
// graphql-js says which is which: `taken` and `refused` are what whoever wrote them meant, checked against it.

const F = (type, set) => `fragment F on ${type} { ${set} }`
const sale = (set) => `{ sale(id: "sale_x") { ${set} } }`
const buy = (input, more = '') => `mutation${more} { salePurchase(input: ${input}) { ticket { id } } }`
const KEY = 'idempotencyKey: "a-key-of-mine"'

export const rules = {
  'syntax': {
    taken: [
      '{ serverTime }',
      'query { serverTime }',
      '\uFEFF{ serverTime }',
      '{,,, serverTime ,}',
      '{ serverTime # a comment \u{1F600}\n}',
      '{ sale(id: "\\u{1F600}") { id } }',
      '{ sale(id: "\\u{10FFFF}\\u{0}\\u{000041}") { id } }',
      '{ sale(id: "\\uD83D\\uDE00") { id } }',
      '{ sale(id: "\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u0041 \\u00e9") { id } }',
      '{ sale(id: """a "quoted" \\""" block \\u0041""") { id } }',
      '{ sale(id: """""") { id } }',
      '{ sale(id: """\n  a\n    b\n  c\n""") { id } }',
      '{ sale(id: "") { id } }',
      '{ sale(id: "\u{1F600}é") { id } }',
      'query Q { type: serverTime }',
      'query fragment { query: serverTime }',
      '{ on: serverTime fragment: serverTime null: serverTime true: serverTime }',
      'query($type: ID!, $query: ID!) { sale(id: $type) { id } order(id: $query) { id } }',
    ],
    refused: [
      '', ' ', '#', '{', '}', '{}', '{ serverTime', 'query', 'query Q', 'query Q()', 'query Q() { serverTime }', '{ sale() { id } }',
      '{ sale(id: ) { id } }', '{ sale(id "x") { id } }', '{ sale(id: "x) { id } }', '{ sale(id: "a\nb") { id } }',
      '{ sale(id: "\\x") { id } }', '{ sale(id: "\\u12") { id } }', '{ sale(id: "\\u{}") { id } }',
      '{ sale(id: "\\u{110000}") { id } }', '{ sale(id: "\\uD83D") { id } }', '{ sale(id: "\\uDE00") { id } }',
      '{ sale(id: "\\u{D83D}\\u{DE00}") { id } }', '{ sale(id: """a) { id } }', '{ sale(id: 01) { id } }', '{ sale(id: 1.) { id } }',
      '{ sale(id: .5) { id } }', '{ sale(id: 1e) { id } }', '{ sale(id: 1a) { id } }', '{ sale(id: -) { id } }', '{ sale(id: +1) { id } }',
      '{ sale(id: $) { id } }', '{ ... }', '{ ...on Sale }', '{ ...on }', 'fragment on on Query { serverTime } { ...on }', '{ serverTime @ }',
      '{ a:b:c }', '{ serverTime } extra', 'query($x) { serverTime }', 'query($x: [ID) { serverTime }', 'query($x: ID!!) { serverTime }',
      'query($x: ID = $y) { sale(id: $x) { id } }', '{ sale(id: [$) { id } }', '{ sale(id: {a}) { id } }', '{ sale(id: {a: }) { id } }',
      '{ serverTime } { serverTime', "{ sale(id: 'x') { id } }", '{ serverTime; }', '{ server\u0000Time }', '{ sérverTime }',
      'mutation on { }', 'subscription { }', '{ sale(id: "x", ) }}', '? { serverTime }', '{ sale(id: "x") { id } } }',
    ],
  },
  'executable definitions (5.1.1)': {
    taken: ['query A { serverTime }', `query A { ...F } ${F('Query', 'serverTime')}`],
    refused: [
      'type A { a: Int } query Q { serverTime }', 'schema { query: Query } query Q { serverTime }', 'extend type Query { a: Int } { serverTime }',
      'directive @a on FIELD query Q { serverTime }', 'scalar A query Q { serverTime }', 'enum A { B } { serverTime }', F('Query', 'serverTime'),
    ],
  },
  'names of operations (5.2.2, 5.2.3)': {
    taken: ['query A { serverTime } query B { serverTime }', 'query A { serverTime } mutation B { userSignOut { user { id } } }', '{ serverTime }'],
    refused: ['query A { serverTime } query A { viewer { id } }', '{ serverTime } query A { serverTime }', '{ serverTime } { serverTime }',
      'query A { serverTime } subscription A { orderUpdated(id: "x") { id } }'],
  },
  'one root field of a subscription (5.2.4.1)': {
    taken: [
      'subscription { orderUpdated(id: "x") { id } }', 'subscription S { orderUpdated(id: "x") { id status } }',
      `subscription { ...F } ${F('Subscription', 'orderUpdated(id: "x") { id }')}`, 'subscription { ... { orderUpdated(id: "x") { id } } }',
      'subscription { ... on Subscription { ... { orderUpdated(id: "x") { id } } } }',
      'subscription { orderUpdated(id: "x") { id } orderUpdated(id: "x") { status } }',
      `subscription { ...F ...F orderUpdated(id: "x") { id } } ${F('Subscription', 'orderUpdated(id: "x") { status }')}`,
      'subscription($a: Boolean!) { orderUpdated(id: "x") { id @include(if: $a) status } }',
      'subscription($s: [ID!]!) { a: saleStockChanged(saleIds: $s) { stockRemaining } }',
    ],
    refused: [
      'subscription { orderUpdated(id: "x") { id } saleStockChanged(saleIds: ["x"]) { version } }',
      'subscription { a: orderUpdated(id: "x") { id } b: orderUpdated(id: "x") { id } }',
      `subscription { ...F orderUpdated(id: "x") { id } } ${F('Subscription', 'again: orderUpdated(id: "x") { id }')}`,
      `subscription { ...F saleStockChanged(saleIds: ["x"]) { version } } ${F('Subscription', 'orderUpdated(id: "x") { id }')}`,
      'subscription { ... { orderUpdated(id: "x") { id } } ... { saleStockChanged(saleIds: ["x"]) { version } } }',
      'subscription { __typename }', 'subscription { orderUpdated(id: "x") { id } __typename }', 'subscription { ... { __typename } }',
    ],
  },
  'fields that are there (5.3.1)': {
    taken: [
      '{ __typename }', sale('id __typename price { __typename amount }'), '{ a: serverTime b: serverTime }', '{ node(id: "x") { id __typename } }',
      '{ node(id: "x") { ... on Sale { stockTotal } } }', '{ __schema { queryType { name } } }', '{ __type(name: "Sale") { name fields { name } } }',
      '{ sales { nodes { id } edges { node { id } cursor } pageInfo { hasNextPage } totalCount } }',
    ],
    refused: [
      '{ nope }', sale('nope'), sale('price { nope }'), '{ node(id: "x") { stockTotal } }', '{ serverTime { id } }', '{ a: nope }', 'mutation { nope { id } }',
      'subscription { nope }', sale('__schema { queryType { name } }'), '{ node(id: "x") { ... on Sale { nope } } }', `{ ...F } ${F('Query', 'nope')}`,
      '{ sales { edges { node { nope } } } }', 'mutation { serverTime }', '{ salePurchase { ticket { id } } }', sale('price { __type(name: "x") { name } }'),
    ],
  },
  'fields that can be merged (5.3.2)': {
    taken: [
      sale('id id'), sale('a: id a: id'), sale('price { amount } price { currencyCode }'), '{ sale(id: "x") { id } sale(id: "x") { status } }',
      `{ sale(id: "x") { id } ...F } ${F('Query', 'sale(id: "x") { status }')}`, 'query($i: ID!) { sale(id: $i) { id } sale(id: $i) { status } }',
      '{ node(id: "x") { ... on Sale { x: id } ... on Order { x: id } } }', '{ node(id: "x") { ... on Sale { v: version } ... on Order { v: quantity } } }',
      '{ node(id: "x") { ... on Sale { m: price { amount } } ... on Order { m: total { amount } } } }',
      '{ sales(statuses: [OPEN]) { totalCount } sales(statuses: [OPEN]) { nodes { id } } }', '{ sales { totalCount } sales { totalCount } }',
      sale('... on Sale { id } ... on Node { id } id'), '{ node(id: "x") { ... on Sale { a: startsAt } ... on Order { a: createdAt } } }',
    ],
    refused: [
      sale('a: id a: status'), '{ sale(id: "x") { id } sale(id: "y") { id } }', '{ a: serverTime a: viewer { user { id } } }',
      'query($i: ID!) { sale(id: $i) { x: id } ...F } fragment F on Query { sale(id: $i) { x: status } }',
      'query($i: ID!, $j: ID!) { sale(id: $i) { id } sale(id: $j) { id } }', '{ sale(id: "x") { id } sale(id: "x") { id: status } }',
      'query($i: ID!) { node(id: $i) { ... on Sale { x: stockTotal } ... on Product { x: name } } }',
      '{ node(id: "x") { ... on Sale { a: id } ... on Order { a: status } } }', '{ node(id: "x") { ... on Sale { a: status } ... on Order { a: status } } }',
      '{ node(id: "x") { ... on Sale { m: price { a: amount } } ... on Order { m: total { a: currencyCode } } } }',
      '{ sales(first: 1) { totalCount } sales(first: 2) { totalCount } }', '{ sales(first: 1) { totalCount } sales { totalCount } }',
      '{ sales(statuses: [OPEN]) { totalCount } sales(statuses: [DRAFT]) { totalCount } }', `{ ...F ...G } ${F('Query', 'a: serverTime')} fragment G on Query { a: __typename }`,
      '{ node(id: "x") { ... on Sale { v: version } ... on Order { v: id } } }', '{ node(id: "x") { ... on Sale { v: pointsPrice } ... on Order { v: quantity } } }',
      sale('price { x: amount } price { x: currencyCode }'), '{ node(id: "x") { ... on Sale { id: status } id } }',
    ],
  },
  'leaves (5.3.3)': {
    taken: [sale('id'), sale('price { amount }')],
    refused: ['{ sale(id: "x") }', sale('price'), sale('id { x }'), '{ sales }', sale('status { x }'), '{ node(id: "x") }', buy(`{ saleId: "x", ${KEY} }`).replace('ticket { id }', 'ticket')],
  },
  'arguments that are there, once, and all that are needed (5.4)': {
    taken: ['{ sales(first: 1) { totalCount } }', '{ sales(after: null, first: 2) { totalCount } }', '{ sales(first: 1, after: "x") { totalCount } }',
      '{ billDifferences { totalCount } }', '{ billDifferences(open: false) { totalCount } }', '{ serverTime @skip(if: false) }'],
    refused: ['{ sale(id: "x", no: 1) { id } }', '{ sale { id } }', '{ sale(id: "x", id: "x") { id } }', '{ sale(id: null) { id } }', '{ serverTime(a: 1) }',
      '{ serverTime @skip }', '{ serverTime @include(when: true) }', '{ serverTime @skip(if: true, if: true) }', '{ nodes { id } }', '{ serverTime @skip(if: null) }',
      'mutation { salePurchase { ticket { id } } }', '{ __type { name } }', '{ sale(Id: "x") { id } }', '{ billDifferences(open: null) { totalCount } }'],
  },
  'fragments (5.5.1)': {
    taken: [`{ ...F } ${F('Query', 'serverTime')}`, `{ node(id: "x") { ...F } } ${F('Sale', 'id')}`, `{ node(id: "x") { ...F } } ${F('Node', 'id')}`, '{ ... { serverTime } }',
      '{ ... on Query { serverTime } }', `{ ...F ...F } ${F('Query', 'serverTime')}`, `query A { ...F } query B { ...F } ${F('Query', 'serverTime')}`],
    refused: [`{ ...F } ${F('Query', 'serverTime')} ${F('Query', 'viewer { user { id } }')}`, `{ ...F } ${F('Nope', 'id')}`, '{ ... on Nope { id } }', `{ ...F } ${F('SaleStatus', 'id')}`,
      '{ ... on DateTime { id } }', `{ ...F } ${F('SalePurchaseInput', 'saleId')}`, `{ serverTime } ${F('Query', 'serverTime')}`, `{ serverTime } fragment G on Query { ...F } ${F('Query', 'serverTime')}`],
  },
  'spreads (5.5.2)': {
    taken: [`{ sale(id: "x") { ...F } } ${F('Node', 'id')}`, `{ node(id: "x") { ...F } } ${F('Order', 'id')}`, '{ node(id: "x") { ... on Node { id } } }', sale('... on Node { id }'),
      '{ nodes(ids: []) { ... on Sale { id } ... on Product { name } } }', sale('... on Node { ... on Sale { status } }'), sale('... on Node { ... on Order { id } }')],
    refused: ['{ ...Nope }', `{ sale(id: "x") { ...F } } ${F('Order', 'id')}`, sale('... on Order { id }'), `{ ...F } ${F('Query', '...F')}`, `{ ...F } ${F('Query', '...G')} fragment G on Query { ...F }`,
      `{ sale(id: "x") { ...F } } ${F('Sale', 'session { sales { nodes { ...F } } }')}`, sale('... on Query { serverTime }'), sale('... on UserError { message }'), `{ ...F } ${F('Mutation', 'userSignOut { user { id } }')}`],
  },
  'values of the right type (5.6.1)': {
    taken: [
      '{ sale(id: 1) { id } }', '{ sale(id: 123456789012345678901234567890) { id } }', '{ sales(first: 1, statuses: OPEN) { totalCount } }', '{ sales(statuses: [OPEN, DRAFT]) { totalCount } }',
      '{ sales(statuses: []) { totalCount } }', '{ sales(statuses: null) { totalCount } }', '{ nodes(ids: "x") { id } }', '{ nodes(ids: [1, "x"]) { id } }', '{ sales(first: -1) { totalCount } }',
      '{ sales(first: 2147483647) { totalCount } }', '{ saleSessions(on: "2026-01-01") { totalCount } }', buy(`{ saleId: "x", quantity: 2, ${KEY} }`), buy(`{ saleId: 7, ${KEY} }`),
      'mutation { productCreate(input: { name: "a", price: { amount: "1" } }) { product { id } } }', '{ serverTime @include(if: true) }',
      'mutation { productCreate(input: { name: "a", price: { amount: "1", currencyCode: EUR } }) { product { id } } }',
    ],
    refused: [
      '{ sales(first: "1") { totalCount } }', '{ sales(first: 1.0) { totalCount } }', '{ sales(first: 2147483648) { totalCount } }', '{ sales(first: -2147483649) { totalCount } }', '{ sales(first: true) { totalCount } }',
      '{ sales(first: [1]) { totalCount } }', '{ sales(statuses: ["OPEN"]) { totalCount } }', '{ sales(statuses: "OPEN") { totalCount } }', '{ sales(statuses: [NOPE]) { totalCount } }', '{ sales(statuses: [open]) { totalCount } }',
      '{ sales(statuses: [OPEN, null]) { totalCount } }', '{ sales(statuses: [[OPEN]]) { totalCount } }', '{ sale(id: 1.5) { id } }', '{ sale(id: true) { id } }', '{ sale(id: OPEN) { id } }', '{ sale(id: ["x"]) { id } }', '{ sale(id: {}) { id } }',
      '{ nodes(ids: [null]) { id } }', '{ nodes(ids: null) { id } }', '{ nodes(ids: [["x"]]) { id } }', '{ billDifferences(open: "true") { totalCount } }', '{ billDifferences(open: 1) { totalCount } }', '{ sales(after: 1) { totalCount } }',
      '{ sales(after: OPEN) { totalCount } }', buy('"x"'), buy('[]'), buy('null'), buy('1'), buy(`{ saleId: "x", quantity: "2", ${KEY} }`), buy(`{ saleId: "x", quantity: null, ${KEY} }`), buy(`{ saleId: null, ${KEY} }`), buy(`{ saleId: "x", ${KEY}, quantity: 1.5 }`),
      'mutation { productCreate(input: { name: "a", price: { amount: "1", currencyCode: "EUR" } }) { product { id } } }', 'mutation { productCreate(input: { name: "a", price: "1" }) { product { id } } }', '{ serverTime @include(if: "true") }', '{ serverTime @skip(if: 1) }',
      '{ __type(name: Sale) { name } }',
    ],
  },
  'fields of input objects (5.6.2 to 5.6.4)': {
    taken: [buy(`{ saleId: "x", ${KEY} }`), 'mutation { productUpdate(input: { productId: "x", title: null }) { product { id } } }'],
    refused: [buy(`{ saleId: "x", ${KEY}, no: 1 }`), buy(`{ ${KEY} }`), buy('{ saleId: "x" }'), buy('{}'), buy(`{ saleId: "x", saleId: "x", ${KEY} }`), buy(`{ saleId: "x", ${KEY}, quantity: 1, quantity: 2 }`),
      'mutation { productCreate(input: { name: "a", price: { amount: "1", amount: "2" } }) { product { id } } }', 'mutation { productCreate(input: { name: "a", price: {} }) { product { id } } }', 'mutation { productCreate(input: { name: "a", price: { amount: "1", no: 1 } }) { product { id } } }',
      'query($x: Boolean = true, $y: SalePurchaseInput = { saleId: "x", saleId: "y" }) { serverTime @skip(if: $x) }'],
  },
  'directives (5.7)': {
    taken: ['{ serverTime @skip(if: true) @include(if: true) }', '{ ... @skip(if: true) { serverTime } }', `{ ...F @include(if: true) } ${F('Query', 'serverTime')}`, '{ a: serverTime @skip(if: true) b: serverTime @skip(if: true) }'],
    refused: ['{ serverTime @nope }', 'query @skip(if: true) { serverTime }', `{ ...F } fragment F on Query @skip(if: true) { serverTime }`, '{ serverTime @skip(if: true) @skip(if: true) }', '{ serverTime @include(if: true) @include(if: false) }',
      'query($x: ID! @skip(if: true)) { sale(id: $x) { id } }', '{ serverTime @specifiedBy(url: "x") }', '{ serverTime @deprecated }', 'mutation @include(if: true) { userSignOut { user { id } } }', '{ ... @nope { serverTime } }', '{ serverTime @skip(if: true, more: 1) }'],
  },
  'names and types of variables (5.8.1, 5.8.2)': {
    taken: ['query($x: ID!) { sale(id: $x) { id } }', 'query($x: [ID!]!) { nodes(ids: $x) { id } }', 'query($x: SaleStatus!) { sales(statuses: [$x]) { totalCount } }', `mutation($x: SalePurchaseInput!) { salePurchase(input: $x) { ticket { id } } }`,
      'query A($x: ID!) { sale(id: $x) { id } } query B($x: [ID!]!) { nodes(ids: $x) { id } }'],
    refused: ['query($x: ID!, $x: ID!) { sale(id: $x) { id } }', 'query($x: Sale) { sale(id: $x) { id } }', 'query($x: Nope) { sale(id: $x) { id } }', 'query($x: [Node!]!) { nodes(ids: $x) { id } }', 'query($x: Query!) { sale(id: $x) { id } }'],
  },
  'variables that are declared and used (5.8.3, 5.8.4)': {
    taken: [`query($x: ID!) { ...F } ${F('Query', 'sale(id: $x) { id }')}`, 'query($x: Boolean!) { serverTime @skip(if: $x) }', `query($x: ID!) { ...G } fragment G on Query { ...F } ${F('Query', 'sale(id: $x) { id }')}`,
      'query($x: ID!) { nodes(ids: [$x]) { id } }', buy('{ saleId: $x, idempotencyKey: "a-key-of-mine" }', '($x: ID!)'), `query A($x: ID!) { ...F } query B($x: ID!) { ...F } ${F('Query', 'sale(id: $x) { id }')}`],
    refused: ['{ sale(id: $x) { id } }', 'query($x: ID!) { serverTime }', `query { ...F } ${F('Query', 'sale(id: $x) { id }')}`, '{ serverTime @skip(if: $x) }', '{ nodes(ids: [$x]) { id } }', buy(`{ saleId: $x, ${KEY} }`), 'query($x: ID!, $y: ID!) { sale(id: $x) { id } }',
      `query A($x: ID!) { ...F } query B { ...F } ${F('Query', 'sale(id: $x) { id }')}`, `query A($x: ID!) { sale(id: $x) { id } } query B($x: ID!) { serverTime }`, `{ ... @include(if: $x) { serverTime } }`, '{ saleSessions(on: $x) { totalCount } }',
      'mutation { productCreate(input: { name: "a", price: { amount: [$x] } }) { product { id } } }'],
  },
  'variables where they fit (5.8.5)': {
    taken: [
      'query($x: ID = "y") { sale(id: $x) { id } }', 'query($x: Int) { sales(first: $x) { totalCount } }', 'query($x: Int!) { sales(first: $x) { totalCount } }', 'query($x: Boolean) { billDifferences(open: $x) { totalCount } }', 'query($x: Boolean = true) { serverTime @skip(if: $x) }',
      'query($x: [SaleStatus!]) { sales(statuses: $x) { totalCount } }', 'query($x: [SaleStatus!]!) { sales(statuses: $x) { totalCount } }', buy(`{ saleId: "x", quantity: $q, ${KEY} }`, '($q: Int)'), buy(`{ saleId: "x", quantity: $q, ${KEY} }`, '($q: Int!)'),
      'query($x: SaleStatus = OPEN) { sales(statuses: [$x]) { totalCount } }', 'query($x: [ID!]! = "y") { nodes(ids: $x) { id } }', 'mutation($m: MoneyInput!) { productCreate(input: { name: "a", price: $m }) { product { id } } }',
      'mutation($c: CurrencyCode) { productCreate(input: { name: "a", price: { amount: "1", currencyCode: $c } }) { product { id } } }', 'mutation($t: String) { productUpdate(input: { productId: "x", title: $t }) { product { id } } }',
    ],
    refused: [
      'query($x: ID) { sale(id: $x) { id } }', 'query($x: String!) { sale(id: $x) { id } }', 'query($x: Int!) { sale(id: $x) { id } }', 'query($x: [ID!]!) { sale(id: $x) { id } }', 'query($x: ID!) { nodes(ids: $x) { id } }', 'query($x: [ID]!) { nodes(ids: $x) { id } }', 'query($x: [ID!]) { nodes(ids: $x) { id } }',
      'query($x: ID) { nodes(ids: [$x]) { id } }', 'query($x: String!) { nodes(ids: [$x]) { id } }', 'query($x: OrderStatus!) { sales(statuses: [$x]) { totalCount } }', 'query($x: SaleStatus) { sales(statuses: [$x]) { totalCount } }', 'query($x: SaleStatus!) { sales(statuses: $x) { totalCount } }',
      'query($x: Boolean) { serverTime @include(if: $x) }', 'query($x: Boolean) { serverTime @skip(if: $x) }', 'query($x: String!) { serverTime @skip(if: $x) }', 'query($x: Boolean = null) { serverTime @skip(if: $x) }', 'query($x: ID = null) { sale(id: $x) { id } }', 'query($x: Float) { sales(first: $x) { totalCount } }',
      buy(`{ saleId: $x, ${KEY} }`, '($x: ID)'), buy(`{ saleId: $x, ${KEY} }`, '($x: String!)'), buy(`{ saleId: "x", quantity: $q, ${KEY} }`, '($q: String)'), buy(`{ saleId: "x", quantity: $q, ${KEY} }`, '($q: [Int])'), buy('{ saleId: "x", idempotencyKey: $k }', '($k: ID!)'), buy('{ saleId: "x", idempotencyKey: $k }', '($k: String)'),
      buy('$i', '($i: SalePurchaseInput)'), buy('$i', '($i: OrderCancelInput!)'), 'mutation($m: MoneyInput) { productCreate(input: { name: "a", price: $m }) { product { id } } }', 'mutation($a: String!) { productCreate(input: { name: "a", price: { amount: $a } }) { product { id } } }',
      `query($x: ID) { ...F } ${F('Query', 'sale(id: $x) { id }')}`, 'query($x: Boolean) { ... @skip(if: $x) { serverTime } }', `query($x: Boolean) { ...F @skip(if: $x) } ${F('Query', 'serverTime')}`, 'query A($x: ID!) { ...F } query B($x: ID) { ...F } fragment F on Query { sale(id: $x) { id } }',
      'mutation($c: OrderStatus) { productCreate(input: { name: "a", price: { amount: "1", currencyCode: $c } }) { product { id } } }',
    ],
  },
  'defaults of variables (5.6.1 in them)': {
    taken: ['query($x: Int = 1) { sales(first: $x) { totalCount } }', 'query($x: [SaleStatus!] = [OPEN]) { sales(statuses: $x) { totalCount } }', 'query($x: [SaleStatus!] = OPEN) { sales(statuses: $x) { totalCount } }', 'query($x: ID! = 5) { sale(id: $x) { id } }', 'query($x: Int = null) { sales(first: $x) { totalCount } }'],
    refused: ['query($x: Int = "1") { sales(first: $x) { totalCount } }', 'query($x: [SaleStatus!] = ["OPEN"]) { sales(statuses: $x) { totalCount } }', 'query($x: ID! = null) { sale(id: $x) { id } }', 'query($x: Boolean = 1) { serverTime @skip(if: $x) }', 'query($x: Int = 3000000000) { sales(first: $x) { totalCount } }',
      'mutation($i: SalePurchaseInput! = { saleId: "x" }) { salePurchase(input: $i) { ticket { id } } }', 'query($x: [SaleStatus!] = [NOPE]) { sales(statuses: $x) { totalCount } }', 'mutation($i: SalePurchaseInput! = "x") { salePurchase(input: $i) { ticket { id } } }'],
  },
}
