// Texts: one file for each language, none with both.
import type { Locale } from '@kit/i18n';
import type { Messages } from './en';

export type { Messages } from './en';

export const load: Record<Locale, () => Promise<{ default: Messages }>> = {
  en: () => import('./en'),
  'zh-CN': () => import('./zh-CN'),
};
