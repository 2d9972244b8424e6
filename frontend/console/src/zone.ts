// Moments as the hours of the shop's time zone, for inputs of date and time.

const formats = new Map<string, Intl.DateTimeFormat>();

function format(zone: string): Intl.DateTimeFormat {
  let known = formats.get(zone);
  if (!known) {
    known = new Intl.DateTimeFormat('sv-SE', {
      timeZone: zone,
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
      hourCycle: 'h23',
    });
    formats.set(zone, known);
  }
  return known;
}

/** `2026-11-30T10:00:00`: what clocks in the zone show at that moment. */
export const toLocal = (ms: number, zone: string): string => format(zone).format(ms).replace(' ', 'T');

/** What a `datetime-local` input takes: to the minute, or to the second where there are seconds. */
export const toInput = (ms: number, zone: string): string => toLocal(ms, zone).replace(/:00$/, '');

/** Whether a moment is written so: 30 February is read as 2 March. */
const exists = (ms: number, text: string): boolean => !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(text);

/** The moment at which clocks in the zone show this; nothing when they never do, as in the hour that is left out in spring. */
export function fromLocal(text: string, zone: string): number | undefined {
  const wanted = Date.parse(`${text}Z`);
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?$/.test(text) || !exists(wanted, text)) return undefined;
  const offsetAt = (ms: number) => Date.parse(`${toLocal(ms, zone)}Z`) - ms;
  // The offset in force shortly before and after: where it changes, the earlier moment wins.
  const DAY_MS = 86_400_000;
  for (const offset of [offsetAt(wanted - DAY_MS), offsetAt(wanted + DAY_MS)]) {
    const ms = wanted - offset;
    if (Date.parse(`${toLocal(ms, zone)}Z`) === wanted) return ms;
  }
  return undefined;
}

/** The day after `days` days: `2026-12-01` and 1 give `2026-12-02`. */
export function addDays(day: string, days: number): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10);
}

export const isDay = (text: string | null): text is string =>
  text !== null && /^\d{4}-\d\d-\d\d$/.test(text) && exists(Date.parse(`${text}T00:00:00Z`), text);

/** The first moment of a day; where clocks skip it, the hour after. */
const startOf = (day: string, zone: string): number | undefined => fromLocal(`${day}T00:00`, zone) ?? fromLocal(`${day}T01:00`, zone);

/** From the beginning of one day to the end of another, as the API takes them; null where there is no such day. */
export function daysOf(from: string | null, until: string | null, zone: string): { from: string | null; until: string | null } {
  const written = (ms: number | undefined) => (ms === undefined ? null : new Date(ms).toISOString());
  return {
    from: isDay(from) ? written(startOf(from, zone)) : null,
    until: isDay(until) ? written(startOf(addDays(until, 1), zone)) : null,
  };
}
