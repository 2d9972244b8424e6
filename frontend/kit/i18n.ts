// Texts, numbers, money and moments in the page's language. One dictionary at a time; a missing key does not compile.
import { signal } from '@preact/signals';

export type Params = Record<string, string | number>;
export const LOCALES = ['en', 'zh-CN'] as const;
export type Locale = (typeof LOCALES)[number];

const PLURAL = /\{(\w+), plural, one: ((?:[^{}]|\{\w+\})*?), other: ((?:[^{}]|\{\w+\})*)\}/g;
const NAME = /\{(\w+)\}/g;

/** Fills `{name}` and `{n, plural, one: …, other: …}` in. */
export function fill(text: string, params: Params, rules: Intl.PluralRules): string {
  return text
    .replace(PLURAL, (_, name: string, one: string, other: string) =>
      rules.select(Number(params[name])) === 'one' ? one : other,
    )
    .replace(NAME, (whole, name: string) => (name in params ? String(params[name]) : whole));
}

export interface Money {
  amount: string;
  currencyCode: string;
}

const DAY_MS = 86_400_000;

export interface Formats {
  number(n: number): string;
  money(money: Money): string;
  /** 09:59:47 */
  time(ms: number): string;
  /** 10:00 */
  minute(ms: number): string;
  /** 10:00:00.123 */
  exact(ms: number): string;
  /** 2 Dec 2026, 10:00:00 */
  moment(ms: number): string;
  /** today, tomorrow, or Wed 2 Dec */
  day(ms: number, now: number): string;
  /** 2026-12-02, in the shop's zone. */
  date(ms: number): string;
  /** 12:43, 1:02:03 */
  countdown(ms: number): string;
  /** 3 min 12 s */
  span(ms: number): string;
  seconds(ms: number, digits: number): string;
  zone(ms: number): string;
}

const UNITS: Record<Locale, readonly [string, string, string, string]> = {
  en: ['d', 'h', 'min', 's'],
  'zh-CN': ['天', '小时', '分', '秒'],
};

/** The longest span that is written as a clock. */
const CLOCK_MOST_MS = 100 * 3_600_000;

export function formats(locale: string, timeZone: string | undefined): Formats {
  const zone = timeZone ? { timeZone } : {};
  const clock = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const;
  const number = new Intl.NumberFormat(locale);
  const minute = new Intl.DateTimeFormat(locale, { ...clock, ...zone });
  const time = new Intl.DateTimeFormat(locale, { ...clock, second: '2-digit', ...zone });
  const exact = new Intl.DateTimeFormat(locale, { ...clock, second: '2-digit', fractionalSecondDigits: 3, ...zone });
  const moment = new Intl.DateTimeFormat(locale, {
    ...clock,
    second: '2-digit',
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    ...zone,
  });
  const far = new Intl.DateTimeFormat(locale, { weekday: 'short', day: 'numeric', month: 'short', ...zone });
  const date = new Intl.DateTimeFormat('sv-SE', { ...zone });
  const near = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' });
  const moneys = new Map<string, Intl.NumberFormat>();
  const units = UNITS[locale as Locale] ?? UNITS.en;
  const fixed = (n: number, digits: number) =>
    n.toLocaleString(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const two = (n: number) => String(n).padStart(2, '0');
  return {
    number: (n) => number.format(n),
    money({ amount, currencyCode }) {
      let format = moneys.get(currencyCode);
      if (!format) {
        format = new Intl.NumberFormat(locale, { style: 'currency', currency: currencyCode, currencyDisplay: 'narrowSymbol' });
        moneys.set(currencyCode, format);
      }
      // A decimal string stays one: no float on the way.
      return format.format(amount as unknown as number);
    },
    time: (ms) => time.format(ms),
    minute: (ms) => minute.format(ms),
    exact: (ms) => exact.format(ms),
    moment: (ms) => moment.format(ms),
    date: (ms) => date.format(ms),
    day(ms, now) {
      const days = Math.round((Date.parse(date.format(ms)) - Date.parse(date.format(now))) / DAY_MS);
      return Math.abs(days) <= 1 ? near.format(days, 'day') : far.format(ms);
    },
    countdown(ms) {
      const left = Math.max(0, Math.ceil(ms / 1000));
      if (ms > CLOCK_MOST_MS) return `${number.format(Math.floor(left / 86_400))} ${units[0]}`;
      const [hours, minutes, seconds] = [Math.floor(left / 3600), Math.floor(left / 60) % 60, left % 60];
      return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds)}` : `${two(minutes)}:${two(seconds)}`;
    },
    span(ms) {
      const left = Math.round(Math.abs(ms) / 1000);
      const counts = [Math.floor(left / 86_400), Math.floor(left / 3600) % 24, Math.floor(left / 60) % 60, left % 60];
      const first = counts.findIndex((n) => n > 0);
      if (first < 0) return `0 ${units[3]}`;
      // The two largest, where the second is not nothing.
      const shown = [first, first + 1].filter((at) => counts[at]);
      return shown.map((at) => `${number.format(counts[at] ?? 0)} ${units[at]}`).join(' ');
    },
    seconds: (ms, digits) => `${fixed(ms / 1000, digits)} ${units[3]}`,
    zone(ms) {
      const parts = new Intl.DateTimeFormat(locale, { timeZoneName: 'short', ...zone }).formatToParts(ms);
      return parts.find(({ type }) => type === 'timeZoneName')?.value ?? timeZone ?? '';
    },
  };
}

/** Texts of one language; the dictionary is loaded by the page. */
export interface Language<M extends Record<string, string>> {
  locale: Locale;
  messages: M;
}

export function createI18n<M extends Record<string, string>>(first: Language<M>) {
  const language = signal(first);
  let rules = new Intl.PluralRules(first.locale);
  return {
    language,
    change(next: Language<M>) {
      rules = new Intl.PluralRules(next.locale);
      language.value = next;
    },
    t: (key: keyof M & string, params: Params = {}): string => fill(language.value.messages[key] ?? key, params, rules),
    /** The text of a key that is made at run time, or nothing. */
    maybe: (key: string, params: Params = {}): string | undefined => {
      const text = language.value.messages[key];
      return text === undefined ? undefined : fill(text, params, rules);
    },
  };
}

/** The page's language: what was chosen, else what the browser prefers. */
export function pickLocale(chosen: string | undefined, preferred: readonly string[]): Locale {
  const known = LOCALES.find((locale) => locale === chosen);
  if (known) return known;
  for (const language of preferred) {
    if (language.toLowerCase().startsWith('zh')) return 'zh-CN';
    if (language.toLowerCase().startsWith('en')) return 'en';
  }
  return 'en';
}
