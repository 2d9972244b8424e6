import { describe, expect, it } from 'vitest';
import {
  acceptedOf,
  ageOf,
  byAnswer,
  countIn,
  driftOf,
  isOld,
  isPartial,
  join,
  joinPoints,
  joinSales,
  KEPT,
  line,
  refusalsOf,
  summary,
  type AnswerCode,
  type Frame,
  type Point,
  type SaleNumbers,
} from '../src/pulse';

const START = Date.parse('2026-11-30T02:00:00Z');

function frame(second: number, purchases: Frame['purchases'] = [], orderEvents: Frame['orderEvents'] = []): Frame {
  return {
    at: new Date(START + second * 1_000).toISOString(),
    nodesHeard: 1,
    nodesRunning: 1,
    purchases,
    orderEvents,
    purchaseLatency: { p50Ms: null, p99Ms: null },
    ticketsWaiting: 0,
    oldestTicketMs: 0,
  };
}

describe('frames', () => {
  it('stand once for each second, in their order, the later one of two', () => {
    const first = frame(1, [{ answer: 'ADMITTED', count: 1 }]);
    const whole = frame(1, [{ answer: 'ADMITTED', count: 2 }]);
    const joined = join([frame(2), first], [frame(0), whole]);
    expect(joined.map(({ at }) => at)).toEqual([0, 1, 2].map((second) => frame(second).at));
    expect(joined[1]).toBe(whole);
  });

  it('are kept for five minutes, however many seconds are missing', () => {
    const all = join([frame(0)], [...Array(KEPT).keys()].map((second) => frame(second + 1)));
    expect([all.length, all[0]?.at]).toEqual([KEPT, frame(1).at]);
    expect(join(all, [frame(10_000)])).toHaveLength(1);
  });

  it('add up to arrivals, accepted purchases, orders and payments', () => {
    const purchases: Frame['purchases'] = [
      { answer: 'ADMITTED', count: 3 },
      { answer: 'REPLAYED', count: 1 },
      { answer: 'SOLD_OUT', count: 40 },
    ];
    const busy = frame(0, purchases, [{ event: 'CREATED', count: 2 }, { event: 'PAID', count: 1 }, { event: 'EXPIRED', count: 9 }]);
    expect(summary(busy)).toEqual({ arrivals: 44, accepted: 4, orders: 2, paid: 1 });
    expect(summary(frame(0))).toEqual({ arrivals: 0, accepted: 0, orders: 0, paid: 0 });
    expect(acceptedOf(purchases)).toBe(4);
    expect(refusalsOf(purchases)).toEqual([{ answer: 'SOLD_OUT', count: 40 }]);
    expect(byAnswer([purchases, purchases])[0]).toEqual({ answer: 'SOLD_OUT', count: 80 });
  });

  it('put each answer into one group', () => {
    const answers: AnswerCode[] = ['ADMITTED', 'REPLAYED', 'SOLD_OUT', 'ALREADY_BOUGHT', 'SALE_NOT_STARTED', 'SALE_PAUSED', 'SALE_ENDED'];
    const more: AnswerCode[] = ['TRY_LATER', 'UNAVAILABLE', 'RATE_LIMITED', 'UNAUTHENTICATED', 'QUANTITY_INVALID', 'SALE_NOT_FOUND'];
    const all = frame(0, [...answers, ...more].map((answer, index) => ({ answer, count: 2 ** index })));
    const groups = ['accepted', 'soldOut', 'alreadyBought', 'closed', 'fault', 'other'] as const;
    const counts = groups.map((group) => countIn(all, group));
    expect(counts).toEqual([0b11, 0b100, 0b1000, 0b1110000, 0b110000000, 0b1111000000000]);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(summary(all).arrivals);
  });

  it('are old from three seconds after their end on', () => {
    expect(ageOf(frame(0), START + 2_500)).toBe(1_500);
    expect(ageOf(frame(0), START)).toBe(0);
    expect([3_999, 4_000, 4_001].map((ms) => isOld(frame(0), START + ms))).toEqual([false, false, true]);
  });

  it('are too low when a node is missing', () => {
    expect(isPartial(frame(0))).toBe(false);
    expect(isPartial({ ...frame(0), nodesRunning: 2 })).toBe(true);
  });
});

describe('sales', () => {
  it('differ from their gates by what is known', () => {
    expect(driftOf({ unitsFree: 5, unitsFreeInGate: 3 })).toBe(-2);
    expect(driftOf({ unitsFree: 5, unitsFreeInGate: null })).toBeUndefined();
  });

  it('keep one point of each second, the later one, and only the last minutes', () => {
    const point = (ms: number, unitsFree: number) => ({ asOf: new Date(START + ms).toISOString(), unitsFree }) as Point;
    const held = joinPoints([point(0, 9), point(2_500, 7)], [point(2_900, 6), point(1_000, 8)]);
    expect(held.map(({ unitsFree }) => unitsFree)).toEqual([9, 8, 6]);
    expect(joinPoints(held, [...Array(KEPT).keys()].map((second) => point(5_000 + second * 1_000, 0)))).toHaveLength(KEPT);
  });

  it('keep their newest numbers', () => {
    const numbers = (saleId: string, unitsFree: number) => ({ saleId, unitsFree }) as SaleNumbers;
    const held = joinSales(new Map(), [numbers('a', 1), numbers('b', 2)]);
    expect(joinSales(held, [])).toBe(held);
    expect([...joinSales(held, [numbers('a', 7)]).values()].map(({ unitsFree }) => unitsFree)).toEqual([7, 2]);
  });
});

describe('a line', () => {
  it('goes through all values, the largest at the top', () => {
    expect(line([0, 5, 10], 100, 20)).toBe('0.0,20.0 50.0,10.0 100.0,0.0');
    expect(line([0], 100, 20)).toBe('0.0,20.0');
    expect(line([], 100, 20)).toBe('');
  });
});
