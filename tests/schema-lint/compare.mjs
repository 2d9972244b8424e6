// Breaking changes between two versions of the schema.
import { buildSchema, findBreakingChanges } from 'graphql'

// What graphql-js names in the text of a change: `Type`, `Type.field`, `VALUE`, `arg`.
const names = (description) => description.match(/[A-Za-z_][A-Za-z_0-9]*(\.[A-Za-z_][A-Za-z_0-9]*)?/g) ?? []

// The breaking changes from `before` to `after` whose coordinate the changelog does not have in backquotes.
export function compare(before, after, changelog) {
  return findBreakingChanges(buildSchema(before), buildSchema(after))
    .filter(({ description }) => !description.startsWith('Standard scalar '))
    .filter(({ description }) => !names(description).some((name) => announced(name, changelog)))
    .map(({ type, description }) => `${type}: ${description}`)
}

// Only what is as special as a type or a field of one counts as a name: "was" and "type" are in every changelog.
const announced = (name, changelog) => /[A-Z.]/.test(name) && changelog.includes('`' + name + '`')
