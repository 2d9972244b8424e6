// A language for tests: the English texts, two fifths longer. Pages that hold it hold most others; with `dir=rtl` they are mirrored as well.
const LONGER = 0.4;
const FILLER = 'lorem ipsum dolor amet consetetur sadipscing ';

const longer = (text) => `${text} ${FILLER.repeat(8).slice(0, Math.ceil(text.length * LONGER)).trim()}`;

/** What the build makes of a file of texts: one object, exported as default. */
async function textsIn(code) {
  if (/\bimport\b/.test(code)) return undefined;
  const module = await import(`data:text/javascript,${encodeURIComponent(code)}`);
  const texts = Object.values(module).find((value) => typeof value === 'object');
  return texts && Object.values(texts).every((text) => typeof text === 'string') ? { texts, module } : undefined;
}

/** Pages of this context speak it. */
export async function pseudo(context) {
  await context.route(/\/assets\/(shop|sale|buy|order|rest)-[\w-]+\.js$/, async (route) => {
    const response = await route.fetch();
    const code = await response.text();
    const found = await textsIn(code);
    if (!found) return route.fulfill({ response, body: code });
    const strange = Object.fromEntries(Object.entries(found.texts).map(([key, text]) => [key, longer(text)]));
    const name = Object.keys(found.module).find((key) => found.module[key] === found.texts);
    const body = `const texts = ${JSON.stringify(strange)};\nexport { texts as ${name} };\n`;
    return route.fulfill({ response, body });
  });
}
