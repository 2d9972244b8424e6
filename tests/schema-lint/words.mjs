// Wording that readers have stumbled over: private terms and idioms where the field has a standard term.
const rules = [
  [/\b(is|are|was|were|be) told\b|\btells (of|who|what)\b/i, 'say who reports or returns what'],
  [/\bnobody's\b|\bsomebody's\b/i, 'invalid, unknown, or another user\'s'],
  [/\bpictures? of an?\b|\bof two pictures\b/i, 'version'],
  [/\bthe books\b/i, 'records'],
  [/\bparked\b/i, 'moved to the dead-letter queue'],
  [/\bwho(ever)? (asks|wants|needs|finds)\b/i, 'name the subject: clients, callers, buyers'],
  [/\bstands? so\b|^where (it|an? \w+) stands\.?$/i, 'status'],
  [/\bwhat came of\b/i, 'the result of'],
  [/\bfor ever\b/i, 'always, or permanently'],
  [/\b(is|are|was|were) answered\b|\banswers a\b/i, 'the request fails with, or the response is'],
  [/\bgoes? back by (it|them)sel(f|ves)\b/i, 'is refunded automatically'],
  [/\bput off\b/i, 'deferred'],
]

/** The findings in `text`, one per offence: `line: "phrase": advice`. Code in backticks and fenced blocks is left out. */
export function wording(text) {
  const prose = text
    .replace(/^```[\s\S]*?^```/gm, (block) => block.replace(/[^\n]/g, ''))
    .replace(/`[^`\n]*`/g, (code) => '`'.repeat(code.length))
  return prose.split('\n').flatMap((line, at) =>
    rules.flatMap(([pattern, advice]) => {
      const found = pattern.exec(line.trim())
      return found ? [`${at + 1}: "${found[0]}": ${advice}`] : []
    }),
  )
}
