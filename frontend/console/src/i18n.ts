// The page's language: its texts are loaded in parts, each before it is drawn.
import { createI18n, type Locale } from '@kit/i18n';
import { load, type Messages, type Part } from './messages';

export type Key = keyof Messages & string;

export const i18n = createI18n<Messages>({ locale: 'en', messages: {} as Messages });
export const { t, maybe } = i18n;

let wanted: Locale = 'en';
const parts = new Set<Part>(['index']);

/** All parts that pages have asked for so far, in that language. */
export async function speak(locale: Locale): Promise<void> {
  wanted = locale;
  const loaded = await Promise.all([...parts].map((part) => load[locale][part]()));
  if (wanted !== locale) return;
  const { messages } = i18n.language.peek();
  i18n.change({ locale, messages: Object.assign({}, messages, ...loaded.map((module) => module.default)) });
}

/** Before a page that says them is drawn. */
export async function need(part: Part): Promise<void> {
  if (parts.has(part)) return;
  await load[wanted][part]();
  parts.add(part);
  await speak(wanted);
}
