// The page's language: its texts are one chunk, loaded before the first drawing.
import { createI18n, pickLocale, type Language, type Locale } from '@kit/i18n';
import type { Messages } from './messages/en';

const load: Record<Locale, () => Promise<{ default: Messages }>> = {
  en: () => import('./messages/en'),
  'zh-CN': () => import('./messages/zh-CN'),
};

export async function language(locale: Locale): Promise<Language<Messages>> {
  return { locale, messages: (await load[locale]()).default };
}

export const startLocale = (chosen: string | undefined): Locale => pickLocale(chosen, navigator.languages);

export const i18n = createI18n<Messages>({ locale: 'en', messages: {} as Messages });
export const { t, maybe } = i18n;
