// Judges schema/schema.graphql: valid, described, conventional, and nothing taken away that the changelog does not name.
// Usage: npm run lint. Exits with 1 when there is anything to say.
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { ESLint } from 'eslint'
import { buildSchema, validateSchema } from 'graphql'
import { compare } from './compare.mjs'
import { coverage, undated } from './coverage.mjs'
import { wording } from './words.mjs'

const here = fileURLToPath(new URL('.', import.meta.url))
const root = fileURLToPath(new URL('../..', import.meta.url))
const file = 'schema/schema.graphql'
const sdl = readFileSync(root + file, 'utf8')
const schema = buildSchema(sdl)
let failed = false

function report(title, findings, good = '') {
  console.log(`${title.padEnd(44)} ${findings.length ? `${findings.length} findings` : good || '0 findings'}`)
  for (const finding of findings) console.log(`  ${finding}`)
  failed ||= findings.length > 0
}

// Findings of eslint that are right as they are. One that is not found any more is a finding itself.
const accepted = [
  {
    rule: '@graphql-eslint/no-typename-prefix',
    message: 'Field "username" starts with the name of the parent type "User"',
    reason: '`username` is the word for it, not "the name of the user"',
  },
]

async function eslint() {
  process.env.SCHEMA = root + file
  const linter = new ESLint({ cwd: root, overrideConfigFile: `${here}eslint.config.mjs` })
  const [{ messages }] = await linter.lintFiles([file])
  const used = new Set()
  const findings = messages.filter(({ ruleId, message }) => {
    const exception = accepted.find((one) => one.rule === ruleId && one.message === message)
    used.add(exception)
    return !exception
  })
  const unused = accepted.filter((one) => !used.has(one)).map((one) => `accepted, but not found: ${one.message}`)
  return findings.map(({ line, ruleId, message }) => `${file}:${line} ${ruleId}: ${message}`).concat(unused)
}

// All rules of graphql-schema-linter but those that want alphabetical order, which the export gives anyway.
const rules = [
  'types-have-descriptions',
  'fields-have-descriptions',
  'arguments-have-descriptions',
  'enum-values-have-descriptions',
  'input-object-values-have-descriptions',
  'deprecations-have-a-reason',
  'enum-values-all-caps',
  'fields-are-camel-cased',
  'input-object-values-are-camel-cased',
  'types-are-capitalized',
  'relay-connection-types-spec',
  'relay-connection-arguments-spec',
  'relay-page-info-spec',
  'defined-types-are-used',
  'descriptions-are-capitalized',
]

function schemaLinter() {
  const program = `${here}node_modules/graphql-schema-linter/lib/cli.js`
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    [program, '--rules', rules.join(','), '--format', 'json', root + file],
    { encoding: 'utf8' },
  )
  if (status > 1 || !stdout) throw new Error(`graphql-schema-linter: ${stderr}`)
  return JSON.parse(stdout).errors.map(({ rule, message, location }) => `${file}:${location.line} ${rule}: ${message}`)
}

const git = (...args) => execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })

// The schema as it was committed last, and before the commit that changed it last: the change at hand is judged
// before it is committed and after.
function earlier() {
  const [changed] = git('log', '-2', '--format=%H', '--', file).split('\n').filter(Boolean)
  const commits = ['HEAD', `${changed}^`]
  return commits.flatMap((commit) => {
    try {
      return [{ commit, text: git('show', `${commit}:${file}`) }]
    } catch {
      return [] // a shallow clone, or the first commit
    }
  })
}

function unannounced() {
  const changelog = readFileSync(`${root}CHANGELOG.md`, 'utf8')
  return earlier().flatMap(({ commit, text }) =>
    compare(text, sdl, changelog).map((change) => `since ${commit.slice(0, 12)}: ${change}`),
  )
}

// The page about the schema has every code of the errors that are not the payloads'.
function undocumentedCodes() {
  const codes = readFileSync(`${root}src/api/graphql/error.rs`, 'utf8').match(/=> "[A-Z_]+"/g) ?? []
  const page = readFileSync(`${root}schema/README.md`, 'utf8')
  if (codes.length === 0) return ['no codes found in src/api/graphql/error.rs']
  return codes.map((code) => code.slice(4, -1)).filter((code) => !page.includes('`' + code + '`'))
}

// What shoppers' developers and operators read first.
const texts = [
  'schema/schema.graphql',
  'schema/config.schema.json',
  'src/config/default.toml',
  'README.md',
  'schema/README.md',
  'deploy/README.md',
  'deploy/slo.md',
  'ARCHITECTURE.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
]
const worded = () =>
  texts.flatMap((path) => wording(readFileSync(root + path, 'utf8')).map((finding) => `${path}:${finding}`))

report('valid (graphql-js validateSchema)', validateSchema(schema).map(String))
for (const { kind, described, all, missing } of coverage(schema)) {
  report(`descriptions: ${kind}`, missing, `${described} of ${all} (${((100 * described) / all).toFixed(1)} %)`)
}
report('deprecations have a reason and a date', undated(schema))
report('@graphql-eslint', await eslint())
report('error codes that schema/README.md omits', undocumentedCodes())
report(`graphql-schema-linter (${rules.length} rules)`, schemaLinter())
report(`wording (${texts.length} files)`, worded())
report('breaking changes that CHANGELOG.md omits', unannounced())
process.exit(failed ? 1 : 0)
