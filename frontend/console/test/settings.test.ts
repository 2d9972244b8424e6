import { describe, expect, it } from 'vitest';
import {
  canPromote,
  canRollBack,
  confirmSeconds,
  found,
  isChanged,
  join,
  kindOf,
  plain,
  scopesOf,
  standing,
  waiting,
  wrongWith,
  type Change,
} from '../src/settings-model';

const change = (revision: number, more: Partial<Change> = {}): Change => ({
  revision,
  key: 'orders.sweep_every',
  scope: '*',
  act: 'SET',
  oldValue: null,
  newValue: '"5s"',
  operator: 'boss',
  via: 'graphql',
  reason: 'rush',
  at: '2026-11-30T10:00:00Z',
  undoes: null,
  confirmBefore: null,
  ...more,
});
const setting = (minimum: string | null, maximum: string | null, standard: string, choices: string[] = []) => ({
  minimum,
  maximum,
  default: standard,
  choices,
});

describe('a list of settings', () => {
  const all = [
    { key: 'orders.sweep_every', description: 'How often unpaid orders are looked for.', source: 'default', stored: [], hot: true },
    { key: 'store.url', description: 'The database.', source: 'shop.toml:3:1', stored: [], hot: false },
    { key: 'hub.stock_tick', description: 'How often stock is pushed.', source: 'default', stored: [{ scope: 'node:b', value: '"1s"', revision: 3 }], hot: true },
  ];
  const keys = (search: string | null, shown: string | null) => found(all, search, shown).map(({ key }) => key);

  it('is narrowed by every word, in the key or in the description', () => {
    expect(keys(null, null)).toHaveLength(3);
    expect(keys('HOW often', null)).toEqual(['orders.sweep_every', 'hub.stock_tick']);
    expect(keys('often stock', null)).toEqual(['hub.stock_tick']);
    expect(keys('nothing', null)).toEqual([]);
  });

  it('is narrowed to what is changed, also for other nodes, and to what can be changed', () => {
    expect(keys(null, 'changed')).toEqual(['store.url', 'hub.stock_tick']);
    expect(keys(null, 'hot')).toEqual(['orders.sweep_every', 'hub.stock_tick']);
    expect(isChanged({ source: 'default', stored: [] })).toBe(false);
  });
});

describe('values', () => {
  it('are shown as they are typed', () => {
    expect(plain('"500ms"')).toBe('500ms');
    expect(plain('"a \\"b\\""')).toBe('a "b"');
    expect(plain("'a\\b'")).toBe('a\\b');
    expect(plain('40')).toBe('40');
    expect(plain('["a"]')).toBe('["a"]');
    expect(plain('""')).toBe('');
  });

  it('have a kind', () => {
    expect(kindOf(setting(null, null, 'true', ['true', 'false']))).toBe('choice');
    expect(kindOf(setting(null, null, '["a"]'))).toBe('list');
    expect(kindOf(setting('1', '100', '3'))).toBe('number');
    expect(kindOf(setting('10ms', '1h', '"1s"'))).toBe('time');
    expect(kindOf(setting('1KiB', '1GiB', '"1MiB"'))).toBe('size');
    expect(kindOf(setting(null, null, '"info"'))).toBe('text');
  });

  it('are refused before they are sent where the page can tell', () => {
    const [time, number, size] = [setting('10ms', '1h', '"1s"'), setting('1', '100', '3'), setting('1KiB', '1MiB', '"2KiB"')];
    for (const good of ['10ms', '1h', '60m', ' 5s ']) expect(wrongWith(time, good), good).toBeUndefined();
    for (const bad of ['9ms', '61m', '1d']) expect(wrongWith(time, bad), bad).toBe('bounds');
    for (const odd of ['', '5', '5 s', '1.5s', '-1s', '5x', 'toString']) expect(wrongWith(time, odd), odd).toBe('form');
    expect(wrongWith(number, '100')).toBeUndefined();
    expect(wrongWith(number, '0')).toBe('bounds');
    expect(wrongWith(number, '1e2')).toBe('form');
    expect(wrongWith(size, '1025KiB')).toBe('bounds');
    expect(wrongWith(size, '1MiB')).toBeUndefined();
    expect(wrongWith(setting(null, null, '"info"'), 'anything at all')).toBeUndefined();
  });

  it('of times to confirm are whole seconds of a day', () => {
    expect(confirmSeconds(' ')).toBeNull();
    expect([confirmSeconds('300'), confirmSeconds('90s'), confirmSeconds('5m'), confirmSeconds('1d')]).toEqual([300, 90, 300, 86_400]);
    for (const odd of ['0', '0s', '500ms', '2d', 'soon', '-5', '1.5m']) expect(confirmSeconds(odd), odd).toBeUndefined();
  });
});

describe('changes', () => {
  const at = (seconds: number) => new Date(Date.UTC(2026, 10, 30, 10, 0, seconds)).toISOString();

  it('are joined by number, the newest first and the fresh ones over the old', () => {
    const joined = join([change(1), change(3, { reason: 'old' })], [change(2), change(3, { reason: 'new' })]);
    expect(joined.map(({ revision }) => revision)).toEqual([3, 2, 1]);
    expect(joined[0]?.reason).toBe('new');
  });

  it('wait to be confirmed until one of the same setting and scope follows', () => {
    const waits = change(1, { confirmBefore: at(30) });
    const sooner = change(2, { scope: 'node:a', confirmBefore: at(10) });
    const numbers = (all: Change[]) => waiting(all).map(({ revision }) => revision);
    expect(numbers([waits, sooner])).toEqual([2, 1]);
    expect(numbers([waits, sooner, change(3, { act: 'CONFIRM', undoes: 1 })])).toEqual([2]);
    expect(numbers([waits, change(3, { act: 'EXPIRE', undoes: 1 })])).toEqual([]);
    expect(numbers([waits, change(3, { act: 'ROLLBACK', undoes: 1 })])).toEqual([]);
    expect(numbers([waits, change(3, { key: 'hub.stock_tick' })])).toEqual([1]);
  });

  it('are rolled back one by one, the newest of a setting first; a confirmation stands in nobody’s way', () => {
    const first = change(1);
    const confirmed = change(2, { act: 'CONFIRM', undoes: 1 });
    expect(canRollBack(first, [first, confirmed])).toBe(true);
    expect(canRollBack(confirmed, [first, confirmed])).toBe(false);
    expect(canRollBack(first, [first, change(3)])).toBe(false);
    expect(canRollBack(first, [first, change(3, { scope: 'node:a' })])).toBe(true);
  });

  it('are promoted when they stored something for some nodes', () => {
    const narrow = change(1, { scope: 'role:api' });
    expect(canPromote(narrow, [narrow])).toBe(true);
    expect(canPromote(narrow, [narrow, change(2, { scope: 'role:api', act: 'UNSET', newValue: null })])).toBe(false);
    expect(canPromote(change(1), [])).toBe(false);
    expect(canPromote(change(1, { scope: 'role:api', act: 'UNSET', newValue: null }), [])).toBe(false);
  });
});

describe('nodes', () => {
  it('name the scopes: all, each role once, each node', () => {
    const node = (name: string, roles: string[], silent = false) => ({ name, roles, silent });
    const nodes = [node('b', ['jobs', 'api']), node('a', ['api']), node('gone', ['writer'], true)];
    expect(scopesOf(nodes)).toEqual(['*', 'role:api', 'role:jobs', 'node:b', 'node:a']);
    expect(scopesOf([])).toEqual(['*']);
  });

  it('follow, are behind, or are not known', () => {
    expect(standing({ settingsRevision: 7 }, 7)).toBe('follows');
    expect(standing({ settingsRevision: 6 }, 7)).toBe('behind');
    expect(standing({ settingsRevision: null }, 0)).toBe('unknown');
  });
});
