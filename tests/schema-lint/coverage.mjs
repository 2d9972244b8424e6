// Counts what is described, and finds deprecations that do not say enough.
import { isEnumType, isInputObjectType, isInterfaceType, isIntrospectionType, isObjectType } from 'graphql'

// Every element of the schema: [kind, coordinate, element].
export function* elements(schema) {
  for (const type of Object.values(schema.getTypeMap())) {
    if (isIntrospectionType(type) || ['String', 'Int', 'Float', 'Boolean', 'ID'].includes(type.name)) continue
    yield ['types', type.name, type]
    if (isEnumType(type)) for (const value of type.getValues()) yield ['values', `${type.name}.${value.name}`, value]
    if (isInputObjectType(type)) {
      for (const field of Object.values(type.getFields())) yield ['input fields', `${type.name}.${field.name}`, field]
    }
    if (!isObjectType(type) && !isInterfaceType(type)) continue
    for (const field of Object.values(type.getFields())) {
      yield ['fields', `${type.name}.${field.name}`, field]
      for (const arg of field.args) yield ['arguments', `${type.name}.${field.name}(${arg.name}:)`, arg]
    }
  }
}

// A description that says nothing new is none.
const describes = (coordinate, text) =>
  Boolean(text?.trim()) && text.trim().toLowerCase() !== coordinate.split('.').pop().toLowerCase()

export function coverage(schema) {
  const kinds = new Map()
  for (const [kind, coordinate, { description }] of elements(schema)) {
    const count = kinds.get(kind) ?? { kind, described: 0, all: 0, missing: [] }
    kinds.set(kind, count)
    count.all += 1
    if (describes(coordinate, description)) count.described += 1
    else count.missing.push(coordinate)
  }
  return [...kinds.values()]
}

// What is deprecated says what to use instead, and when it goes: "Use `x`. Removed after 2027-06-30."
export function undated(schema) {
  return [...elements(schema)]
    .filter(([, , { deprecationReason }]) => deprecationReason != null)
    .filter(([, , { deprecationReason }]) => !/\S.*\. Removed after \d{4}-\d{2}-\d{2}\.$/s.test(deprecationReason))
    .map(([, coordinate, { deprecationReason }]) => `${coordinate}: "${deprecationReason}"`)
}
