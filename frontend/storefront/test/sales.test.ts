import { describe, expect, it } from 'vitest';
import type { HomeQuery } from '@kit/generated/operations';
import { likely, salesOf, type Session } from '../src/machine/sales';
import { sale } from './facts';

const HOUR = 3_600_000;
const NOW = Date.parse('2026-11-23T02:30:00.000Z');
const session = (id: string, opens: number, lasts = HOUR): Session => ({
  id,
  name: null,
  status: 'UPCOMING',
  startsAt: new Date(NOW + opens).toISOString(),
  endsAt: new Date(NOW + opens + lasts).toISOString(),
});

describe('the session that is shown first', () => {
  it('is the one that began last of those that run, else the next, else the last', () => {
    const [over, old, young, next] = [session('over', -9 * HOUR), session('old', -HOUR / 2, 9 * HOUR), session('young', -1_000), session('next', HOUR)];
    expect(likely([over, old, young, next], NOW)?.id).toBe('young');
    expect(likely([over, next], NOW)?.id).toBe('next');
    expect(likely([over], NOW)?.id).toBe('over');
    expect(likely([], NOW)).toBeUndefined();
  });
});

const card = (id: string, of: string, status: 'OPEN' | 'UPCOMING' | 'PAUSED') => ({ ...sale({ id, status }), session: { id: of } });
function answer(begun: string[], coming: string[], { before = false, after = false } = {}): HomeQuery {
  const nodes = (sessions: string[], status: 'OPEN' | 'UPCOMING') => sessions.map((of, n) => card(`${of}-${status}-${n}`, of, status));
  return {
    begun: { nodes: nodes(begun, 'OPEN'), pageInfo: { hasPreviousPage: before } },
    coming: { nodes: nodes(coming, 'UPCOMING'), pageInfo: { hasNextPage: after } },
  } as unknown as HomeQuery;
}

describe('the first answer', () => {
  const count = (of: HomeQuery, id: string) => salesOf(of, id)?.length;

  it('has the sales of a session that runs, and of one to come', () => {
    expect(count(answer(['a', 'b', 'b'], ['c']), 'b')).toBe(2);
    expect(count(answer(['a'], ['c', 'c', 'd']), 'c')).toBe(2);
    expect(salesOf(answer([], ['c']), 'c')?.[0]?.viewerTicket).toBeNull();
  });

  it('does not answer for a session of which there may be more', () => {
    expect(count(answer(['b', 'b'], [], { before: true }), 'b')).toBeUndefined();
    expect(count(answer(['a', 'b'], [], { before: true }), 'b')).toBe(1);
    expect(count(answer([], ['c', 'c'], { after: true }), 'c')).toBeUndefined();
    expect(count(answer([], ['c', 'd'], { after: true }), 'c')).toBe(1);
    // Partly stopped before its opening: the order of the two lists is not known.
    expect(count(answer(['c'], ['c']), 'c')).toBeUndefined();
    expect(count(answer(['a'], ['c'], { before: true, after: true }), 'elsewhere')).toBeUndefined();
  });
});
