import { describe, expect, it } from 'vitest';
import { area, ceiling, growth, hold, path, rows, slots, stack, valuesOf } from '../src/charts';

const END = Date.parse('2026-11-30T02:05:00Z');
const back = (seconds: number) => END - seconds * 1_000;

describe('seconds', () => {
  it('stand in their places, and what is older or newer in none', () => {
    const items = [back(5), back(2), back(0), back(-1)];
    expect(slots(items, (at) => at, END, 4)).toEqual([undefined, back(2), undefined, back(0)]);
    // A moment within a second belongs to it.
    expect(slots([back(1) + 999], (at) => at, END + 400, 2)).toEqual([back(1) + 999, undefined]);
  });

  it('keep what was last known, and nothing before it', () => {
    expect(hold([undefined, 3, undefined, 0, undefined])).toEqual([undefined, 3, 3, 0, 0]);
  });

  it('grow by differences; a count that begins anew has not grown', () => {
    expect(growth([undefined, 4, 6, 6, 1, undefined, 2])).toEqual([undefined, undefined, 2, 0, 0, undefined, undefined]);
  });
});

describe('an axis', () => {
  it('ends at a round number above all values, and has a whole number in its middle', () => {
    expect(ceiling([])).toBe(4);
    expect(ceiling([[0, undefined]])).toBe(4);
    expect([5, 11, 20, 21, 41, 101, 4_212].map((value) => ceiling([[1], [value]]))).toEqual([6, 20, 20, 30, 60, 200, 6_000]);
    for (let value = 1; value < 3_000; value += 7) {
      const end = ceiling([[value]]);
      expect(end).toBeGreaterThanOrEqual(value);
      expect(Number.isInteger(end / 2)).toBe(true);
    }
  });
});

describe('a drawing', () => {
  it('is broken where a second is missing, and shows one that stands alone', () => {
    expect(path([0, 5, undefined, 10], 10, 100)).toBe('M0.5 100.0h0L1.5 50.0M3.5 0.0h0');
    expect(path([undefined, undefined], 10, 100)).toBe('');
  });

  it('has a column for each second', () => {
    expect(area([5, 10, undefined, 0], 10, 100)).toBe('M0 100V50.0h1V0.0h1V100ZM3 100V100.0h1V100Z');
  });

  it('is stacked without losing a second that only one of them has', () => {
    expect(stack([[1, undefined, undefined], [2, 3, undefined]])).toEqual([[1, undefined, undefined], [3, 3, undefined]]);
  });
});

describe('a table', () => {
  const values = [[1, 2, undefined, undefined, 5, 1]];
  it('has the newest seconds first, and none without a value', () => {
    expect(rows(values, END, 2, 'sum')).toEqual([
      { at: back(1), values: [6] },
      { at: back(5), values: [3] },
    ]);
  });

  it('adds counts up, and takes the largest or the last of what can not be added up', () => {
    expect(rows(values, END, 3, 'most').map(({ values: [value] }) => value)).toEqual([5, 2]);
    expect(rows(values, END, 3, 'last').map(({ values: [value] }) => value)).toEqual([1, 2]);
  });
});

describe('values', () => {
  it('are those of the items, with a gap where there is no item or no value', () => {
    expect(valuesOf([{ n: 3 }, undefined, { n: null }, { n: 0 }], ({ n }) => n)).toEqual([3, undefined, undefined, 0]);
  });
});
