// The page's language: one dictionary at a time.
import { createI18n, type Locale } from '@kit/i18n';
import { load, type Messages } from './messages';

export type Key = keyof Messages & string;

export const i18n = createI18n<Messages>({ locale: 'en', messages: {} as Messages });
export const { t, maybe } = i18n;

let wanted: Locale = 'en';

export async function speak(locale: Locale): Promise<void> {
  wanted = locale;
  const { default: messages } = await load[locale]();
  if (wanted === locale) i18n.change({ locale, messages });
}
