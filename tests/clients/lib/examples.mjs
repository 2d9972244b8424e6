// The worked examples of schema/README.md, as executable as they look.
//
// An example is a fenced block ```graphql WHO (WHO is `operator`, `buyer` or nothing), after which come ```json
// variables (if there are any) and ```json answer, or ```json events for a subscription: one object a line. A subscription with
// ```json pushed instead says nothing at first: it begins before the next example, and shows what that one causes. Examples run
// in their order in one shop. What the page shows and what the shop answers are the same but for what differs from run to
// run: identifiers, tokens, cursors, numbers of orders and addresses of payment pages keep their form, and where one comes again it stands for the
// same thing; moments are moments. The page's `serverTime` is its present: moments in variables move with it.
import { readFileSync } from 'node:fs'
import { Kind, OperationTypeNode, parse } from 'graphql'

const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/
const ID = /^([a-z]+)_[A-Za-z0-9_-]{16,}$/
const NAMED = new Set(['token', 'number', 'cursor', 'startCursor', 'endCursor', 'redirectUrl'])
const COUNTED = new Set(['version'])

export function read(file) {
  const text = readFileSync(file, 'utf8')
  const examples = []
  for (const { groups } of text.matchAll(/^```(?<kind>graphql|json) ?(?<info>[a-z]*)\n(?<body>.*?)^```$/gms)) {
    const { kind, info, body } = groups
    if (kind === 'graphql') examples.push({ who: info || null, document: body, events: [], ...root(body) })
    else if (info === 'variables') examples.at(-1).variables = JSON.parse(body)
    else if (info === 'answer') examples.at(-1).answer = JSON.parse(body)
    else if (info === 'events' || info === 'pushed') {
      const events = body.trim().split('\n').map((line) => JSON.parse(line))
      Object.assign(examples.at(-1), { events, pushed: info === 'pushed' })
    }
  }
  return examples
}

function root(document) {
  const operation = parse(document).definitions.find(({ kind }) => kind === Kind.OPERATION_DEFINITION)
  const [field] = operation.selectionSet.selections
  return { operation: operation.operation, field: field.name.value }
}

// Every root field of the schema, as `query.sale`, that no example begins with.
export function missing(schema, examples) {
  const shown = new Set(examples.map(({ operation, field }) => `${operation}.${field}`))
  return Object.values(OperationTypeNode).flatMap((operation) =>
    Object.keys(schema.getRootType(operation)?.getFields() ?? {})
      .map((field) => `${operation}.${field}`)
      .filter((field) => !shown.has(field)),
  )
}

export class Comparison {
  #live = new Map()
  #page = new Map()
  #shift = 0

  // The variables of an example with what the page calls things replaced by what they are here.
  variables(value) {
    if (Array.isArray(value)) return value.map((item) => this.variables(item))
    if (value && typeof value === 'object') {
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, this.variables(item)]))
    }
    if (typeof value !== 'string') return value
    if (MOMENT.test(value)) return new Date(Date.parse(value) + this.#shift).toISOString()
    return this.#live.get(value) ?? value
  }

  // What differs, as lines.
  differences(page, live, path = []) {
    const at = path.join('.') || 'answer'
    if (page === null || live === null || typeof page !== typeof live || Array.isArray(page) !== Array.isArray(live)) {
      return page === live ? [] : [`${at}: ${JSON.stringify(live)}, the page says ${JSON.stringify(page)}`]
    }
    if (typeof page === 'object') {
      const keys = [...new Set([...Object.keys(page), ...Object.keys(live)])]
      return keys.flatMap((key) => this.differences(page[key] ?? null, live[key] ?? null, [...path, key]))
    }
    const key = path.at(-1)
    if (COUNTED.has(key) && typeof live === 'number') return []
    if (typeof page === 'string' && MOMENT.test(page) && MOMENT.test(live)) {
      if (key === 'serverTime') this.#shift = Date.parse(live) - Date.parse(page)
      return []
    }
    const same = NAMED.has(key) || (ID.test(page) && ID.exec(page)[1] === ID.exec(live)?.[1])
    if (same && !this.#live.has(page) && !this.#page.has(live)) {
      this.#live.set(page, live)
      this.#page.set(live, page)
    }
    const expected = this.#live.get(page) ?? page
    return expected === live ? [] : [`${at}: ${JSON.stringify(live)}, the page says ${JSON.stringify(page)}`]
  }
}
