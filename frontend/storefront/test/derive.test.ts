import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { derive, deriveOrder, isSendable, nextChange, OPENING_MS, STATES, type State } from '../src/machine/derive';
import type { Facts } from '../src/machine/facts';
import { accepted, facts, NOW, order, payment, push, refund, refusal, sale, T0, T1 } from './facts';

const state = (changed: Partial<Facts>): State => derive(facts(changed)).state;
const signedOut = { viewer: null } as const;

describe('every state', () => {
  const cases: [State, Partial<Facts>][] = [
    ['loading', { sale: undefined }],
    ['missing', { sale: null }],
    ['missing', { press: refusal('SALE_NOT_FOUND') }],
    ['upcoming', { now: T0 - OPENING_MS - 1 }],
    ['opening', { now: T0 - OPENING_MS }],
    ['opening', { now: T0 - 1 }],
    ['open', { now: T0 }],
    ['open', { now: T0 - 5_000, stock: push({ status: 'OPEN' }) }],
    ['open', { viewer: undefined }],
    ['openSignedOut', signedOut],
    ['sending', { press: { phase: 'sending' } }],
    ['sendingAgain', { press: { phase: 'waiting', why: 'early', until: NOW + 20 } }],
    ['waitingRate', { press: { phase: 'waiting', why: 'rate', until: NOW + 900 } }],
    ['waitingBusy', { press: { phase: 'waiting', why: 'busy', until: NOW + 900 } }],
    ['unknown', { press: { phase: 'unknown', tries: 2 } }],
    ['unknownOffline', { press: { phase: 'unknown', tries: 2 }, online: false }],
    ['stopped', { press: { phase: 'stopped' } }],
    ['sessionOver', { press: { phase: 'signedOut' } }],
    ['signedOut', { ...signedOut, signedOut: true }],
    ['queued', { ticket: accepted({ status: 'QUEUED' }) }],
    ['queuedLong', { ticket: accepted({ status: 'QUEUED' }), now: NOW + 4_000 }],
    ['won', { order: order({}) }],
    ['payRedirect', { order: order({}), paying: { method: 'ALIPAY', url: 'https://example.test' } }],
    ['payingPoints', { order: order({}), paying: { method: 'POINTS' } }],
    ['payPending', { order: order({ payments: [payment('PENDING')] }) }],
    ['payPending', { order: order({ payments: [payment('PENDING')] }), returnedAt: NOW - 60_000 }],
    ['payPendingLong', { order: order({ payments: [payment('PENDING')] }), returnedAt: NOW - 60_001 }],
    ['won', { order: order({ payments: [payment('PENDING')] }), otherwise: true }],
    ['payClosed', { order: order({ payments: [payment('CLOSED')] }) }],
    ['payClosed', { order: order({ payments: [payment('FAILED')] }) }],
    ['payOver', { order: order({ payBefore: new Date(NOW).toISOString() }) }],
    ['paid', { order: order({ status: 'PAID' }) }],
    ['paid', { order: order({ status: 'PAID', refunds: [refund('FAILED', 'LATE_PAYMENT')] }) }],
    ['refunding', { order: order({ status: 'REFUNDING', refunds: [refund('PENDING')] }) }],
    ['refunded', { order: order({ status: 'REFUNDED', refunds: [refund('SUCCEEDED')] }) }],
    ['refundFailed', { order: order({ status: 'PAID', refunds: [refund('FAILED')] }) }],
    ['cancelled', { order: order({ status: 'CANCELLED' }) }],
    ['expired', { order: order({ status: 'EXPIRED' }) }],
    ['lostSoldOut', { ticket: accepted({ refusal: 'SOLD_OUT' }) }],
    ['lostEnded', { ticket: accepted({ refusal: 'SALE_ENDED' }) }],
    ['lostVoided', { ticket: accepted({ refusal: 'VOIDED' }) }],
    ['alreadyBought', { ticket: accepted({ refusal: 'ALREADY_BOUGHT' }) }],
    ['elsewise', { ticket: accepted({ refusal: 'SOMETHING_NEW' }) }],
    ['elsewise', { ticket: { ...accepted({ refusal: 'SOLD_OUT' }), refusal: null } }],
    ['alreadyBought', { press: refusal('ALREADY_BOUGHT') }],
    ['quantity', { press: refusal('QUANTITY_INVALID') }],
    ['ended', { press: refusal('SALE_ENDED') }],
    ['paused', { press: refusal('SALE_PAUSED') }],
    ['open', { press: refusal('SALE_PAUSED'), pressSince: NOW - 3_000 }],
    ['open', { press: refusal('SALE_NOT_STARTED') }],
    ['soldOut', { press: refusal('SOLD_OUT'), stock: push({ unitsHeld: 3 }) }],
    ['soldOutAll', { press: refusal('SOLD_OUT') }],
    ['open', { press: refusal('SOLD_OUT'), pressSince: NOW - 3_000 }],
    ['elsewise', { press: refusal('SOMETHING_NEW') }],
    ['fault', { press: { phase: 'fault', requestId: 'abc' } }],
    ['fault', { press: { phase: 'fault', requestId: undefined } }],
    ['soldOut', { stock: push({ stockRemaining: 0, unitsHeld: 2 }) }],
    ['soldOutAll', { stock: push({ stockRemaining: 0, unitsHeld: 0 }) }],
    ['soldOutAll', { sale: sale({ stockRemaining: 0, status: 'SOLD_OUT' }) }],
    ['paused', { stock: push({ status: 'PAUSED' }) }],
    ['ended', { now: T1 }],
    ['ended', { stock: push({ status: 'ENDED' }) }],
  ];
  it.each(cases)('%s', (expected, changed) => expect(state(changed)).toBe(expected));

  it('is covered', () => {
    expect([...new Set(cases.map(([name]) => name))].sort()).toEqual([...STATES].sort());
  });
});

describe('precedence', () => {
  it('shows an order whatever became of the sale, the ticket, the press and the network', () => {
    const changed = { order: order({}), sale: sale({ status: 'ENDED' }), press: { phase: 'unknown', tries: 9 } as const, online: false };
    expect(state(changed)).toBe('won');
  });

  it('leaves what has ended behind with a new press, and never what lives', () => {
    const ticket = accepted({ id: 't1' });
    const press = { phase: 'sending' } as const;
    expect(state({ order: order({ status: 'CANCELLED' }), ticket, left: 't1', press })).toBe('sending');
    expect(state({ order: order({ status: 'CANCELLED' }), ticket, left: 't0', press })).toBe('cancelled');
    expect(state({ order: order({ status: 'CANCELLED' }), ticket, left: 't1' })).toBe('cancelled');
    expect(state({ order: order({ status: 'PAID' }), ticket, left: 't1', press })).toBe('paid');
    expect(state({ ticket: accepted({ id: 't1', refusal: 'SOLD_OUT' }), left: 't1', press: refusal('SOLD_OUT') })).toBe('soldOutAll');
  });

  it('keeps what is buyable apart from what is shown', () => {
    const over = { order: order({ status: 'EXPIRED' as const }) };
    expect(derive(facts(over)).buyable).toBe(true);
    expect(derive(facts({ ...over, now: T1 })).buyable).toBe(false);
    expect(derive(facts({ ...over, stock: push({ stockRemaining: 0 }) })).buyable).toBe(false);
    expect(derive(facts({ ...over, stock: push({ status: 'PAUSED' }) })).buyable).toBe(false);
  });

  it('takes the push before the query', () => {
    expect(state({ sale: sale({ stockRemaining: 0 }), stock: push({ stockRemaining: 1 }) })).toBe('open');
    const later = new Date(T1 + 60_000).toISOString();
    expect(state({ now: T1 + 1, stock: push({ endsAt: later }) })).toBe('open');
  });
});

describe('sending', () => {
  const window = (status: 'UPCOMING' | 'OPEN' | 'PAUSED') => ({ status, free: 5, held: 0, startsAt: T0, endsAt: T1 });
  it('is for presses within the error of the clock', () => {
    expect(isSendable(window('UPCOMING'), T0 - 21, 20)).toBe(false);
    expect(isSendable(window('UPCOMING'), T0 - 20, 20)).toBe(true);
    expect(isSendable(window('UPCOMING'), T0 - 6_000, Infinity)).toBe(false);
    expect(isSendable(window('OPEN'), T0 - 6_000, 20)).toBe(true);
    expect(isSendable(window('PAUSED'), T0 + 1, 20)).toBe(false);
    expect(isSendable(window('OPEN'), T1, 20)).toBe(false);
  });
});

describe('the next change', () => {
  it('is the next moment at which the state may differ', () => {
    expect(nextChange(facts({ now: T0 - 60_000 }))).toBe(T0 - OPENING_MS);
    expect(nextChange(facts({ now: T0 - OPENING_MS }))).toBe(T0);
    expect(nextChange(facts({ now: T0 }))).toBe(T1);
    expect(nextChange(facts({ sale: undefined }))).toBe(Infinity);
    expect(nextChange(facts({ press: refusal('SOLD_OUT'), pressSince: NOW }))).toBe(NOW + 3_000);
    expect(nextChange(facts({ ticket: accepted({ status: 'QUEUED' }) }))).toBe(NOW + 3_001);
    const waiting = order({ payments: [payment('PENDING')], payBefore: new Date(NOW + 90_000).toISOString() });
    expect(nextChange(facts({ order: waiting }))).toBe(NOW + 90_000);
    expect(nextChange(facts({ order: waiting, returnedAt: NOW }))).toBe(NOW + 60_001);
  });
});

describe('any facts', () => {
  const orders = fc.record({
    status: fc.constantFrom('AWAITING_PAYMENT', 'PAID', 'REFUNDING', 'REFUNDED', 'CANCELLED', 'EXPIRED'),
    payments: fc.array(fc.constantFrom('PENDING', 'SUCCEEDED', 'CLOSED', 'FAILED', 'SURPLUS').map((status) => payment(status)), {
      maxLength: 3,
    }),
    refunds: fc.array(
      fc
        .tuple(fc.constantFrom('PENDING', 'SUCCEEDED', 'FAILED'), fc.constantFrom('BUYER', 'OPERATOR', 'SURPLUS', 'LATE_PAYMENT'))
        .map(([status, cause]) => refund(status, cause)),
      { maxLength: 3 },
    ),
  });
  const presses = fc.oneof(
    fc.constant(undefined),
    fc.constant({ phase: 'sending' as const }),
    fc.record({ phase: fc.constant('unknown' as const), tries: fc.nat(99) }),
    fc.record({
      phase: fc.constant('waiting' as const),
      why: fc.constantFrom('early' as const, 'rate' as const, 'busy' as const),
      until: fc.integer({ min: T0, max: T1 }),
    }),
    fc.constantFrom(...['SOLD_OUT', 'SALE_ENDED', 'SALE_PAUSED', 'ALREADY_BOUGHT', 'NEW_ONE'].map(refusal)),
    fc.constant({ phase: 'stopped' as const }),
    fc.constant({ phase: 'signedOut' as const }),
  );
  const statuses = fc.constantFrom('UPCOMING', 'OPEN', 'SOLD_OUT', 'PAUSED', 'ENDED');
  const any = fc
    .record({
      now: fc.integer({ min: T0 - 100_000, max: T1 + 100_000 }),
      error: fc.constantFrom(20, 500, Infinity),
      status: statuses,
      pushed: fc.option(statuses, { nil: undefined }),
      free: fc.integer({ min: 0, max: 5 }),
      held: fc.integer({ min: 0, max: 5 }),
      viewer: fc.constantFrom({ id: 'u', name: 'U' }, null, undefined),
      ticket: fc.constantFrom(undefined, 'QUEUED', 'CONFIRMED', 'SOLD_OUT', 'VOIDED', 'NEW_ONE'),
      order: fc.option(orders, { nil: undefined }),
      press: presses,
      left: fc.constantFrom(undefined, 't1'),
      online: fc.boolean(),
      signedOut: fc.boolean(),
    })
    .map(({ status, pushed, free, held, ticket, order: of, ...rest }) => ({
      ...facts({}),
      ...rest,
      sale: sale({ status: status as 'OPEN', stockRemaining: free, unitsHeld: held }),
      stock: pushed && push({ status: pushed as 'OPEN', stockRemaining: free, unitsHeld: held }),
      ticket:
        ticket === undefined
          ? undefined
          : ticket === 'QUEUED' || ticket === 'CONFIRMED'
            ? accepted({ status: ticket })
            : accepted({ refusal: ticket }),
      order: of && order(of as never),
    })) as fc.Arbitrary<Facts>;

  it('have one state, always the same', () => {
    fc.assert(
      fc.property(any, (of) => {
        const view = derive(of);
        expect(STATES).toContain(view.state);
        expect(derive(of)).toEqual(view);
      }),
      { numRuns: 2_000 },
    );
  });

  it('never hide money behind the network, the press or the sale', () => {
    fc.assert(
      fc.property(any, (of) => {
        if (!of.order || !['AWAITING_PAYMENT', 'PAID', 'REFUNDING'].includes(of.order.status)) return;
        expect(derive(of).state).toBe(deriveOrder(of.order, of).state);
      }),
      { numRuns: 2_000 },
    );
  });

  it('show a queued ticket unless there is an order', () => {
    fc.assert(
      fc.property(any, (of) => {
        if (of.order || of.ticket?.status !== 'QUEUED') return;
        expect(derive(of).state).toMatch(/^queued/);
      }),
    );
  });

  it('do not change before the next change, but for a push', () => {
    fc.assert(
      fc.property(any, fc.double({ min: 0, max: 1, noNaN: true }), (of, share) => {
        const next = Math.min(nextChange(of), of.now + 1_000_000);
        const then = Math.floor(of.now + (next - of.now) * share);
        if (then >= next) return;
        expect(derive({ ...of, now: then }).state).toBe(derive(of).state);
      }),
      { numRuns: 2_000 },
    );
  });
});
