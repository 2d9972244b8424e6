import { describe, expect, it } from 'vitest';
import { differences as productDifferences, edit as productEdit, type Texts } from '../src/catalogue';
import { match, orderAddress, to } from '../src/addresses';
import { creation, differences, edit, readTerms, termsOf, type Draft, type Terms } from '../src/draft';
import { left, minor, typedAmount, typedCount, written } from '../src/money';
import { searchOf } from '../src/order-search';
import { actsOf, later, numbersOf, type Stock } from '../src/sale-state';
import { timeline, type Lookup } from '../src/timeline';
import { addDays, daysOf, fromLocal, isDay, toInput, toLocal } from '../src/zone';

describe('amounts', () => {
  it('are counted in the smallest unit, however large', () => {
    expect(minor('79')).toBe(7_900n);
    expect(minor('79.5')).toBe(7_950n);
    expect(minor('0.01')).toBe(1n);
    expect(written(minor('90071992547409931.27') ?? 0n)).toBe('90071992547409931.27');
    expect(written(5n)).toBe('0.05');
    for (const odd of ['', '-1', '1.234', '1e3', '.5', '5.', '1,5', 'NaN', ' 1', '0x1']) expect(minor(odd), odd).toBeUndefined();
  });

  it('have a rest that is never a float and never below zero', () => {
    expect(left('79.00')).toBe('79.00');
    expect(left('79.00', '0.10', '0.20')).toBe('78.70');
    expect(left('0.30', '0.10', '0.20')).toBeUndefined();
    expect(left('79.00', '80.00')).toBeUndefined();
    expect(left('79.00', undefined, '9')).toBe('70.00');
    expect(left('x')).toBeUndefined();
  });

  it('are read as people type them', () => {
    expect(typedAmount(' ¥ 1,234.50 ')).toBe('1234.50');
    expect(typedAmount('￥79')).toBe('79');
    expect(typedAmount('1 000')).toBe('1000');
    // Not taken for another amount than was meant: refused instead.
    expect(minor(typedAmount('12,50'))).toBeUndefined();
    expect(minor(typedAmount('1,23,4'))).toBeUndefined();
  });

  it('of units are whole numbers', () => {
    expect(typedCount(' 1,200 ')).toBe(1200);
    expect(typedCount('0')).toBe(0);
    for (const odd of ['', '-1', '1.5', '1e3', 'ten', '9999999999999999']) expect(typedCount(odd), odd).toBeUndefined();
  });
});

describe('moments in the zone of the shop', () => {
  it('go there and back', () => {
    const ms = Date.parse('2026-11-30T02:00:00Z');
    expect(toLocal(ms, 'Asia/Shanghai')).toBe('2026-11-30T10:00:00');
    expect(toInput(ms, 'Asia/Shanghai')).toBe('2026-11-30T10:00');
    expect(fromLocal('2026-11-30T10:00', 'Asia/Shanghai')).toBe(ms);
    expect(fromLocal('2026-11-30T10:00:07', 'Asia/Shanghai')).toBe(ms + 7_000);
  });

  it('that clocks leave out are none, and the first of two is taken', () => {
    expect(fromLocal('2026-03-29T02:30', 'Europe/Berlin')).toBeUndefined();
    expect(fromLocal('2026-10-25T02:30', 'Europe/Berlin')).toBe(Date.parse('2026-10-25T00:30:00Z'));
    expect(fromLocal('2026-03-29T03:00', 'Europe/Berlin')).toBe(Date.parse('2026-03-29T01:00:00Z'));
  });

  it('that are none are refused', () => {
    for (const odd of ['', '2026-11-30', '2026-13-01T00:00', '2026-02-30T10:00', 'x']) expect(fromLocal(odd, 'UTC'), odd).toBeUndefined();
  });

  it('have days', () => {
    expect(addDays('2026-12-31', 1)).toBe('2027-01-01');
    expect(addDays('2026-03-01', -1)).toBe('2026-02-28');
    expect(isDay('2026-11-30')).toBe(true);
    for (const odd of [null, '', '2026-11-3', '2026-99-99', "2026-11-30'"]) expect(isDay(odd), String(odd)).toBe(false);
  });

  it('begin and end days, the last one included', () => {
    expect(daysOf('2026-11-30', '2026-11-30', 'Asia/Shanghai')).toEqual({ from: '2026-11-29T16:00:00.000Z', until: '2026-11-30T16:00:00.000Z' });
    expect(daysOf(null, 'x', 'UTC')).toEqual({ from: null, until: null });
    // Clocks in Beirut skip the first hour of this day.
    expect(daysOf('2026-03-29', null, 'Asia/Beirut').from).toBe('2026-03-28T22:00:00.000Z');
    // A day of 25 hours.
    expect(daysOf('2026-10-25', '2026-10-25', 'Europe/Berlin')).toEqual({ from: '2026-10-24T22:00:00.000Z', until: '2026-10-25T23:00:00.000Z' });
  });
});

const sale: Draft = {
  version: 3,
  stockTotal: 20,
  price: { amount: '79.00', currencyCode: 'CNY' },
  pointsPrice: null,
  limitPerBuyer: 1,
  payWithinSeconds: 900,
  returnsOnRefund: true,
  product: { id: 'product_1', name: 'Lamp' },
};

const form = (values: Record<string, string>): FormData => {
  const data = new FormData();
  for (const [name, value] of Object.entries(values)) data.set(name, value);
  return data;
};
const FILLED = {
  productId: 'product_1',
  stock: '20',
  price: '79',
  currency: 'CNY',
  limitPerBuyer: '1',
  payWithinSeconds: '900',
  returnsOnRefund: 'on',
};

describe('the form of a sale', () => {
  it('reads as the sale that it was filled with', () => {
    const { terms } = readTerms(form(FILLED));
    expect(differences(termsOf(sale), terms as Terms)).toEqual([]);
    expect(creation('session_1', terms as Terms)).toMatchObject({ sessionId: 'session_1', stock: 20, pointsPrice: null });
  });

  it('says everything that is wrong at once', () => {
    const wrong = { stock: 'many', price: '1.234', pointsPrice: 'x', limitPerBuyer: '', payWithinSeconds: '9999999999' };
    const { errors } = readTerms(form(wrong));
    expect(errors).toEqual({
      productId: 'PRODUCT_NOT_FOUND',
      stock: 'STOCK_INVALID',
      price: 'PRICE_INVALID',
      pointsPrice: 'POINTS_PRICE_INVALID',
      limitPerBuyer: 'LIMIT_PER_BUYER_INVALID',
      payWithinSeconds: 'PAY_WITHIN_INVALID',
    });
  });

  it('sends only what was changed, with the version that was looked at', () => {
    const from = termsOf(sale);
    const changed = readTerms(form({ ...FILLED, price: '79.5', pointsPrice: '100' })).terms as Terms;
    expect(edit('sale_1', 3, from, changed)).toEqual({
      saleId: 'sale_1',
      version: 3,
      price: { amount: '79.5', currencyCode: 'CNY' },
      pointsPrice: 100,
    });
    expect(edit('sale_1', 3, from, { ...from, returnsOnRefund: false })).toEqual({ saleId: 'sale_1', version: 3, returnsOnRefund: false });
    expect(edit('sale_1', 3, { ...from, pointsPrice: 5 }, from)).toEqual({ saleId: 'sale_1', version: 3, pointsPrice: null });
    expect(edit('sale_1', 3, from, { ...from })).toBeUndefined();
  });
});

describe('the form of a product', () => {
  const from: Texts = { name: 'Lamp', title: null, description: 'Dims.', imageUrl: null, price: { amount: '279.00', currencyCode: 'CNY' } };

  it('sends only what was changed, with the version that was looked at', () => {
    const same: Texts = { ...from, title: '', price: { amount: '279', currencyCode: 'CNY' } };
    expect(productDifferences(from, same)).toEqual([]);
    expect(productEdit('product_1', 2, from, same)).toBeUndefined();
    const changed: Texts = { ...from, description: null, price: { amount: '279', currencyCode: 'EUR' } };
    expect(productEdit('product_1', 2, from, changed)).toEqual({
      productId: 'product_1',
      version: 2,
      description: null,
      price: { amount: '279', currencyCode: 'EUR' },
    });
  });
});

describe('a sale', () => {
  const read = { status: 'OPEN', stockRemaining: 10, unitsHeld: 2, stockTotal: 20 } as const;
  const push = (version: number, over: Partial<Stock> = {}): Stock => ({
    saleId: 'sale_1',
    status: 'SOLD_OUT',
    stockRemaining: 0,
    unitsHeld: 5,
    soldOut: true,
    endsAt: '2026-11-30T12:00:00Z',
    version,
    asOf: '2026-11-30T10:00:00Z',
    ...over,
  });

  it('has numbers that add up, of what was pushed before what was read', () => {
    expect(numbersOf(read, undefined)).toMatchObject({ status: 'OPEN', free: 10, held: 2, gone: 8, total: 20, asOf: undefined });
    const pushed = numbersOf(read, push(1));
    expect(pushed).toMatchObject({ status: 'SOLD_OUT', free: 0, held: 5, gone: 15, total: 20, asOf: Date.parse('2026-11-30T10:00:00Z') });
    // Units were added, and the sale was not read again yet: nothing is ever below zero.
    const added = numbersOf(read, push(2, { stockRemaining: 30 }));
    expect(added).toMatchObject({ free: 30, gone: 0, total: 35 });
  });

  it('never goes back to an older push', () => {
    const held = push(5);
    expect(later(held, push(4))).toBe(held);
    const fresh = push(5);
    expect(later(held, fresh)).toBe(fresh);
    expect(later(undefined, held)).toBe(held);
  });

  it('offers what would not be refused', () => {
    expect(actsOf('DRAFT', 0, 1)).toEqual(['publish']);
    expect(actsOf('OPEN', 0, 1)).toEqual(['pause', 'stockAdd', 'end']);
    expect(actsOf('PAUSED', 0, 1)).toEqual(['resume', 'stockAdd', 'end']);
    expect(actsOf('PAUSED', 1, 1)).toEqual(['end']);
    expect(actsOf('PAUSED', 0, 1, true)).toEqual(['pause', 'resume', 'stockAdd', 'end']);
    expect(actsOf('PAUSED', 1, 1, true)).toEqual(['end']);
    for (const status of ['DRAFT', 'UPCOMING', 'OPEN', 'SOLD_OUT', 'ENDED'] as const) expect(actsOf(status, 1, 1), status).toEqual([]);
  });
});

describe('the timeline', () => {
  it('has everything in order', () => {
    const at = (second: number) => `2026-11-30T10:00:0${second}Z`;
    const words = { actor: 'gateway', from: null, to: 'SUCCEEDED', code: 'TRADE_SUCCESS', detail: null };
    const entry = (second: number, event: string) => ({ ...words, at: at(second), event });
    const notification = { notifyId: 'n1', receivedAt: at(3), tradeStatus: 'TRADE_SUCCESS', verdict: 'taken' };
    const lookup = {
      order: { number: '1-1', createdAt: at(0), paidAt: at(4), closedAt: null },
      payments: [{ number: 'P1', log: [entry(1, 'begun'), entry(4, 'succeeded')], notifications: [notification] }],
      refunds: [{ number: 'R1', log: [entry(9, 'sent')] }],
    } as unknown as Lookup;
    const moments = timeline(lookup);
    expect(moments.map(({ kind, event }) => `${kind} ${event}`)).toEqual([
      'order order.created',
      'payment begun',
      'notification TRADE_SUCCESS',
      'order order.paid',
      'payment succeeded',
      'refund sent',
    ]);
    expect(moments[1]?.detail).toBe('TRADE_SUCCESS');
    expect(moments[2]?.detail).toBe('taken · n1');
  });
});

describe('the search of orders', () => {
  it('knows numbers, names, and what is to be looked up', () => {
    expect(searchOf(null)).toEqual({ kind: 'all' });
    expect(searchOf('  ')).toEqual({ kind: 'all' });
    expect(searchOf(' 1001-1-000006 ')).toEqual({ kind: 'number', number: '1001-1-000006' });
    expect(searchOf('1001')).toEqual({ kind: 'number', number: '1001' });
    expect(searchOf('ada')).toEqual({ kind: 'buyer', buyer: 'ada' });
    expect(searchOf('2026ada')).toEqual({ kind: 'buyer', buyer: '2026ada' });
    expect(searchOf('order_AaIrl64O')).toEqual({ kind: 'lookup', words: 'order_AaIrl64O' });
    expect(searchOf('2026113022001400000000000001')).toMatchObject({ kind: 'lookup' });
    for (const short of ['1', '100', 'ad']) expect(searchOf(short), short).toEqual({ kind: 'short' });
  });
});

describe('addresses', () => {
  it('lead to pages', () => {
    expect(match('/console')).toEqual({ page: 'now' });
    expect(match('/console/')).toEqual({ page: 'now' });
    expect(match('/console/schedule')).toEqual({ page: 'schedule' });
    expect(match('/console/sales/sale_1')).toEqual({ page: 'sale', id: 'sale_1' });
    expect(match(orderAddress('a/b'))).toEqual({ page: 'order', id: 'a/b' });
    for (const odd of ['/', '/consoles', '/console/x', '/console/constructor', '/console/sales/%', '/console/a/b/c']) {
      expect(match(odd), odd).toEqual({ page: 'missing' });
    }
  });

  it('carry the query parameters', () => {
    expect(to('')).toBe('/console');
    expect(to('money', { tab: 'bills', day: undefined })).toBe('/console/money?tab=bills');
  });
});
