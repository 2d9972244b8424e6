// What charts are drawn from: one value for each of the last seconds.

export const SECOND_MS = 1_000;
/** A value for each second, the oldest first; `undefined` where there is none. */
export type Values = readonly (number | undefined)[];

const secondOf = (ms: number): number => Math.floor(ms / SECOND_MS);

/** The items of the seconds up to this moment, in the place of their second. */
export function slots<T>(items: readonly T[], at: (item: T) => number, end: number, count: number): (T | undefined)[] {
  const places = Array<T | undefined>(count).fill(undefined);
  const first = secondOf(end) - count + 1;
  for (const item of items) {
    const place = secondOf(at(item)) - first;
    if (place >= 0 && place < count) places[place] = item;
  }
  return places;
}

/** A value of each of them; none where there is none. */
export const valuesOf = <T>(places: readonly (T | undefined)[], of: (item: T) => number | null): Values =>
  places.map((item) => (item === undefined ? undefined : (of(item) ?? undefined)));

/** What was last known stays so until something else is. */
export function hold<T>(places: readonly (T | undefined)[]): (T | undefined)[] {
  let last: T | undefined;
  return places.map((item) => (last = item ?? last));
}

/** By how much a count has grown in each second. One that begins anew has not grown. */
export function growth(values: Values): (number | undefined)[] {
  return values.map((value, index) => {
    const before = values[index - 1];
    return value === undefined || before === undefined ? undefined : Math.max(0, value - before);
  });
}

/** The least end of an axis. */
const LEAST = 4;
/** Half of each of them is a whole number, from the least one on. */
const ENDS = [1, 2, 3, 4, 6, 8, 10];

/** Where the axis of these values ends: a round number. */
export function ceiling(all: readonly Values[]): number {
  const top = all.flat().reduce<number>((most, value) => Math.max(most, value ?? 0), LEAST);
  const unit = 10 ** Math.floor(Math.log10(top));
  return (ENDS.find((end) => end * unit >= top) ?? 10) * unit;
}

const y = (value: number, top: number, height: number): string => (height - (value / top) * height).toFixed(1);

/** A line through the middles of the seconds, broken where there is no value. */
export function path(values: Values, top: number, height: number): string {
  return values
    .map((value, x) => {
      if (value === undefined) return '';
      const point = `${x + 0.5} ${y(value, top, height)}`;
      // A line of no length is a dot: a second that stands alone is seen.
      return values[x - 1] === undefined ? `M${point}h0` : `L${point}`;
    })
    .join('');
}

/** The area under the values, a column for each second. */
export function area(values: Values, top: number, height: number): string {
  return values
    .map((value, x) => {
      if (value === undefined) return '';
      const begin = values[x - 1] === undefined ? `M${x} ${height}` : '';
      const end = values[x + 1] === undefined ? `V${height}Z` : '';
      return `${begin}V${y(value, top, height)}h1${end}`;
    })
    .join('');
}

/** Each of them on top of those before it. A missing one adds nothing, unless all are missing. */
export function stack(all: readonly Values[]): (number | undefined)[][] {
  const sums: (number | undefined)[][] = [];
  for (const values of all) {
    const below = sums.at(-1);
    sums.push(values.map((value, x) => (value === undefined ? below?.[x] : value + (below?.[x] ?? 0))));
  }
  return sums;
}

export interface Row {
  /** The first second of it. */
  at: number;
  values: Values;
}

/** So many seconds in a row of a table, the newest row first: sums of counts, and of what can't be added up the largest. */
export function rows(all: readonly Values[], end: number, each: number, fold: 'sum' | 'most' | 'last'): Row[] {
  const count = all[0]?.length ?? 0;
  const made: Row[] = [];
  for (let from = 0; from + each <= count; from += each) {
    const values = all.map((values) => {
      const known = values.slice(from, from + each).filter((value) => value !== undefined);
      if (fold === 'last') return known.at(-1);
      return known.length === 0 ? undefined : fold === 'sum' ? known.reduce((a, b) => a + b, 0) : Math.max(...known);
    });
    if (values.some((value) => value !== undefined)) made.unshift({ at: (secondOf(end) - count + 1 + from) * SECOND_MS, values });
  }
  return made;
}
