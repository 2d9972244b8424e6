// The page's language: its texts are loaded in parts, each before it is drawn.
import { createI18n, type Locale } from '@kit/i18n';
import { load, type Messages, type Part } from './messages';

export const i18n = createI18n<Messages>({ locale: 'en', messages: {} as Messages });
export const { t } = i18n;

let speaking: Locale = 'en';
const parts = new Set<Part>(['shop']);

/** All parts that pages have asked for so far, in that language. */
export async function speak(locale: Locale): Promise<void> {
  speaking = locale;
  const loaded = await Promise.all([...parts].map((part) => load[locale][part]()));
  if (speaking !== locale) return;
  const { messages } = i18n.language.peek();
  i18n.change({ locale, messages: Object.assign({}, messages, ...loaded.map((module) => module.default)) });
}

/** Before a page that says them is drawn. */
export async function need(...wanted: Part[]): Promise<void> {
  const missing = wanted.filter((part) => !parts.has(part));
  if (missing.length === 0) return;
  const locale = speaking;
  const loaded = await Promise.all(missing.map((part) => load[locale][part]()));
  for (const part of missing) parts.add(part);
  if (speaking !== locale) return speak(speaking);
  const { messages } = i18n.language.peek();
  i18n.change({ locale, messages: Object.assign({}, messages, ...loaded.map((module) => module.default)) });
}
