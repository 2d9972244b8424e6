import { existsSync, readFileSync } from 'node:fs';
import { buildSchema, GraphQLError, parse, validate } from 'graphql';
import { describe, expect, test } from 'vitest';
import { authorizationOf, fill, find } from '../src/carry';
import { overheard, socketPerAuthorization } from '../src/fetcher';
import { defaultTabs, freshKey } from '../src/tabs';

const [, , purchase, watch, pay] = defaultTabs();
const parsed = (text: string | null | undefined) => JSON.parse(text ?? '{}');

describe('the default tabs', () => {
  test('are named for what they do', () => {
    const names = defaultTabs().map(({ query }) => /(?:query|mutation|subscription) (\w+)/.exec(query)?.[1]);
    expect(names).toEqual(['SignIn', 'SaleList', 'Purchase', 'WatchTicket', 'Pay']);
  });

  const exported = new URL('../../../schema/schema.graphql', import.meta.url);
  test.runIf(existsSync(exported))('are valid against the exported schema', () => {
    const schema = buildSchema(readFileSync(exported, 'utf8'));
    for (const { query } of defaultTabs()) {
      expect(validate(schema, parse(query)).map((error: GraphQLError) => error.message)).toEqual([]);
    }
  });

  test('begin with a key the server accepts, another one each time', () => {
    expect(freshKey()).toMatch(/^[A-Za-z0-9_-]{8,64}$/);
    expect(freshKey()).not.toBe(freshKey());
    expect(parsed(purchase?.variables).input.idempotencyKey).toMatch(/^[A-Za-z0-9_-]{8,64}$/);
  });
});

describe('what a sign-in answers', () => {
  const found = find({ data: { userSignUp: { accessToken: { token: 't0ken' }, userErrors: [] } } });

  test('goes into the headers of every tab', () => {
    for (const tab of defaultTabs()) {
      expect(parsed(fill(tab, found).headers)).toEqual({ authorization: 'Bearer t0ken' });
    }
  });

  test('replaces an older token and leaves other headers', () => {
    const tab = { headers: '{"Authorization": "Bearer old", "x-trace": "1"}' };
    expect(parsed(fill(tab, found).headers)).toEqual({ authorization: 'Bearer t0ken', 'x-trace': '1' });
  });

  test('does not touch headers that are being edited', () => {
    const tab = { headers: '{"authorization": ' };
    expect(fill(tab, found)).toBe(tab);
  });

  test('is nothing when it was refused', () => {
    expect(find({ data: { userSignIn: { accessToken: null, userErrors: [{ code: 'X' }] } } })).toEqual({});
    expect(find({ data: null, errors: [{ message: 'no' }] })).toEqual({});
    expect(find(undefined)).toEqual({});
  });
});

describe('what a ticket answers', () => {
  const found = find({ data: { purchaseTicketUpdated: { id: 'ticket', order: { id: 'order-1' } } } });

  test('offers its order to the tab that pays, once', () => {
    const filled = fill({ ...pay }, found);
    expect(parsed(filled.variables)).toMatchObject({ orderId: 'order-1', pay: { orderId: 'order-1', method: 'ALIPAY' } });
    expect(parsed(filled.variables).pay.idempotencyKey).not.toBe(parsed(pay?.variables).pay.idempotencyKey);
    expect(fill(filled, found)).toBe(filled);
  });

  test('is heard as it streams by, and stopping does not wait', async () => {
    const heard: unknown[] = [];
    let stopped = false;
    const source = {
      [Symbol.asyncIterator]: () => ({
        next: () => (heard.length === 0 ? Promise.resolve({ done: false as const, value: 1 }) : new Promise<never>(() => {})),
        return: () => {
          stopped = true;
          return Promise.resolve({ done: true as const, value: undefined });
        },
      }),
    };
    const stream = overheard(source, (result) => heard.push(result));
    expect(await stream.next()).toEqual({ done: false, value: 1 });
    void stream.next();
    await stream.return?.();
    expect([heard, stopped]).toEqual([[1], true]);
  });
});

describe('what the sale list answers', () => {
  const nodes = [
    { id: 'ended', status: 'ENDED' },
    { id: 'open', status: 'OPEN' },
    { id: 'later', status: 'UPCOMING' },
  ];
  const found = find({ data: { sales: { nodes } } });

  test('offers the first open sale to the purchase and watch tabs', () => {
    expect(parsed(fill({ ...purchase }, found).variables).input).toMatchObject({ saleId: 'open', quantity: 1 });
    expect(parsed(fill({ ...watch }, found).variables)).toEqual({ ticketId: '', saleIds: ['open'] });
  });

  test('offers the first sale when none is open', () => {
    const upcoming = find({ data: { sales: { nodes: [nodes[2]] } } });
    expect(parsed(fill({ ...purchase }, upcoming).variables).input.saleId).toBe('later');
  });

  test('keeps a sale the user chose, and its key', () => {
    const chosen = { variables: JSON.stringify({ input: { saleId: 'later', idempotencyKey: 'mine-mine' } }) };
    expect(fill(chosen, found)).toBe(chosen);
  });

  test('replaces a sale that is gone, with a new key', () => {
    const stale = { variables: JSON.stringify({ input: { saleId: 'gone', idempotencyKey: 'used-used' } }) };
    const { input } = parsed(fill(stale, found).variables);
    expect(input.saleId).toBe('open');
    expect(input.idempotencyKey).not.toBe('used-used');
  });
});

test('a new ticket goes to the watch tab only', () => {
  const found = find({ data: { salePurchase: { ticket: { id: 'T1' }, userErrors: [] } } });
  expect(parsed(fill({ ...watch }, found).variables).ticketId).toBe('T1');
  expect(fill(purchase!, found)).toBe(purchase);
});

describe('the socket', () => {
  test('is kept while the authorization stays and replaced when it changes', async () => {
    const made: { options: unknown; disposed: boolean }[] = [];
    const socketFor = socketPerAuthorization('ws://shop/graphql', ((options: unknown) => {
      const entry = { options, disposed: false };
      made.push(entry);
      return { dispose: () => void (entry.disposed = true) };
    }) as never);
    const anonymous = socketFor(undefined);
    expect(socketFor(undefined)).toBe(anonymous);
    expect(socketFor('Bearer a')).not.toBe(anonymous);
    expect(made.map(({ disposed }) => disposed)).toEqual([true, false]);
    expect(made.map(({ options }) => (options as { connectionParams: unknown }).connectionParams)).toEqual([
      {},
      { authorization: 'Bearer a' },
    ]);
  });

  test('takes the authorization from the headers tab, in any case', () => {
    expect(authorizationOf({ Authorization: 'Bearer a' })).toBe('Bearer a');
    expect(authorizationOf({ authorization: 7 })).toBeUndefined();
    expect(authorizationOf(undefined)).toBeUndefined();
  });
});
