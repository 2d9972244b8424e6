// Texts come in parts: those of most pages first, the others with the page that says them. No file has two languages.
import type { Locale } from '@kit/i18n';
import type { Messages } from './en';

export type { Messages } from './en';
export type Part = 'index' | 'report' | 'settings';

type Load = () => Promise<{ default: Partial<Messages> }>;

export const load: Record<Locale, Record<Part, Load>> = {
  en: { index: () => import('./en'), report: () => import('./en/report'), settings: () => import('./en/settings') },
  'zh-CN': { index: () => import('./zh-CN'), report: () => import('./zh-CN/report'), settings: () => import('./zh-CN/settings') },
};
