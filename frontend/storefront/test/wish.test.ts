import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Fault } from '@kit/api';
import { createClock } from '@kit/clock';
import type { Store } from '@kit/storage';
import {
  createLock,
  createPresser,
  createWishes,
  keptKey,
  makeKey,
  PATIENCE_MS,
  type Answer,
  type Lock,
  type Presser,
  type Ticket,
  type Wish,
} from '@kit/wish';

const START = Date.parse('2026-11-23T02:00:00.000Z');

beforeEach(() => {
  vi.useFakeTimers({ now: START });
});
afterEach(() => {
  vi.useRealTimers();
});

const memory = (): Store & { map: Map<string, string> } => {
  const map = new Map<string, string>();
  return {
    map,
    get: (key) => map.get(key),
    set: (key, value) => void map.set(key, value),
    remove: (key) => void map.delete(key),
    durable: () => true,
  };
};

const ticketOf = (id: string, status: Ticket['status'] = 'QUEUED'): Ticket => ({
  id,
  status,
  quantity: 1,
  version: status === 'QUEUED' ? 1 : 2,
  createdAt: new Date(START).toISOString(),
});
const accepted = (id = 't1'): Answer<Ticket> => ({ ticket: ticketOf(id), userErrors: [] });
const refused = (code: string, more: Partial<Answer<Ticket>['userErrors'][number]> = {}): Answer<Ticket> => ({
  ticket: null,
  userErrors: [{ code, message: `${code}.`, retryAfterSeconds: null, retryAt: null, ...more }],
});
type Reply = Answer<Ticket> | Fault | Promise<Answer<Ticket>>;

/** Tabs of one browser, over one storage and one lock, and a shop that answers as it is told. */
function browser(replies: Reply[], { endsAt = START + 7_200_000, looks = [] as (Ticket | null)[], hears = 0 } = {}) {
  const store = memory();
  const held = createLock(undefined);
  // Other tabs may have the lock before this one goes on.
  const lock: Lock = async (name, act) => {
    const result = await held(name, act);
    if (hears > 0) await new Promise((resolve) => setTimeout(resolve, hears));
    return result;
  };
  const sent: Wish[] = [];
  const tabs: { presser: Presser<Ticket>; tickets: string[]; asks: number }[] = [];
  const open = () => {
    const tickets: string[] = [];
    const clock = createClock(() => performance.now(), () => Date.now());
    clock.learn(Date.now(), performance.now(), performance.now());
    const presser = createPresser<Ticket>({
      sale: 'sale_1',
      wishes: createWishes(store, 'user_1', 'sale_1'),
      clock,
      lock,
      send: async (wish) => {
        sent.push(wish);
        // What is sent was kept before.
        expect(createWishes(store, 'user_1', 'sale_1').read()?.key).toBe(wish.key);
        const reply = replies.shift() ?? new Fault('NETWORK', 'nothing');
        if (reply instanceof Fault) throw reply;
        return reply;
      },
      look: async () => looks.shift() ?? null,
      endsAt: () => endsAt,
      onTicket: (ticket) => tickets.push(ticket.id),
      onElsewhere: () => (tab.asks += 1),
      onPress: () => {
        for (const other of tabs) if (other.presser !== presser) other.presser.resume();
      },
      random: () => 0.5,
    });
    const tab = { presser, tickets, asks: 0 };
    tabs.push(tab);
    return tab;
  };
  const kept = () => createWishes(store, 'user_1', 'sale_1').read();
  return { store, sent, open, kept };
}

const settle = (ms = 0) => vi.advanceTimersByTimeAsync(ms);

describe('keys', () => {
  it('are 22 characters that the shop takes, and never the same', () => {
    const keys = new Set(Array.from({ length: 1_000 }, () => makeKey()));
    expect(keys.size).toBe(1_000);
    for (const key of keys) expect(key).toMatch(/^[A-Za-z0-9_-]{22}$/);
  });

  it('of other wishes are kept until they are retired', () => {
    const store = memory();
    const first = keptKey(store, 'db.pay.order_1.ALIPAY');
    expect(keptKey(store, 'db.pay.order_1.ALIPAY')).toBe(first);
    expect(keptKey(store, 'db.pay.order_1.POINTS')).not.toBe(first);
    store.remove('db.pay.order_1.ALIPAY');
    expect(keptKey(store, 'db.pay.order_1.ALIPAY')).not.toBe(first);
  });
});

describe('a press', () => {
  it('is sent once, kept before it leaves, and retired when its ticket is decided', async () => {
    const { open, sent, kept } = browser([accepted()]);
    const { presser, tickets } = open();
    presser.buy(1);
    expect(presser.press.value).toEqual({ phase: 'sending' });
    await settle();
    expect([sent.length, tickets, presser.press.value]).toEqual([1, ['t1'], undefined]);
    expect(kept()?.ticket).toBe('t1');
    presser.shown(ticketOf('t1'));
    expect(kept()).toBeDefined();
    presser.shown(ticketOf('t2', 'CONFIRMED'));
    expect(kept()).toBeDefined();
    presser.shown(ticketOf('t1', 'CONFIRMED'));
    expect(kept()).toBeUndefined();
  });

  it('is sent again with the same key until there is an answer', async () => {
    const { open, sent } = browser([new Fault('NETWORK', ''), new Fault('UNAVAILABLE', ''), new Fault('NETWORK', ''), accepted()]);
    const { presser, tickets } = open();
    presser.buy(2);
    await settle();
    expect(presser.press.value).toEqual({ phase: 'unknown', tries: 1 });
    await settle(250);
    expect(sent.length).toBe(2);
    await settle(500);
    expect(presser.press.value).toEqual({ phase: 'unknown', tries: 3 });
    await settle(1_000);
    expect(tickets).toEqual(['t1']);
    expect(new Set(sent.map(({ key }) => key)).size).toBe(1);
    expect(new Set(sent.map(({ quantity }) => quantity))).toEqual(new Set([2]));
  });

  it('pressed twice is one wish', async () => {
    const { open, sent } = browser([accepted()]);
    const { presser } = open();
    presser.buy(1);
    presser.buy(1);
    await settle(60_000);
    expect(sent.length).toBe(1);
  });

  it('in two tabs is one wish, and both know of it', async () => {
    const { open, sent } = browser([accepted()]);
    const [one, two] = [open(), open()];
    one.presser.buy(1);
    two.presser.buy(1);
    await settle(60_000);
    expect(sent.length).toBe(1);
    expect([one.presser.press.value, two.presser.press.value]).toEqual([undefined, undefined]);
    expect([...one.tickets, ...two.tickets]).toEqual(['t1']);
  });

  it('in a tab that has missed what another one was told is not forgotten: it asks', async () => {
    const { open, sent } = browser([accepted()]);
    const one = open();
    one.presser.buy(1);
    await settle();
    const two = open();
    two.presser.buy(1);
    await settle();
    expect(sent).toHaveLength(1);
    expect([one.asks, two.asks]).toEqual([0, 1]);
  });

  it('in two tabs that is refused leaves neither of them waiting', async () => {
    const { open, sent, kept } = browser([refused('SOLD_OUT'), refused('SOLD_OUT')], { hears: 20 });
    const [one, two] = [open(), open()];
    one.presser.buy(1);
    two.presser.buy(1);
    await settle(1_000);
    expect(sent.length).toBeLessThanOrEqual(2);
    expect(kept()?.end).toBe('SOLD_OUT');
    for (const { presser } of [one, two]) expect(presser.press.value?.phase ?? 'none').toMatch(/refused|none/);
  });

  it('goes on after a reload, with its key', async () => {
    const { open, sent } = browser([new Fault('NETWORK', ''), accepted()]);
    const first = open();
    first.presser.buy(1);
    await settle();
    first.presser.dispose();
    const second = open();
    second.presser.resume();
    await settle(10_000);
    expect(second.tickets).toEqual(['t1']);
    expect([sent.length, sent[0]?.key === sent[1]?.key]).toEqual([2, true]);
  });

  it('goes on in another tab when the first one is gone', async () => {
    const { open, sent } = browser([new Fault('NETWORK', ''), accepted()]);
    const [one, two] = [open(), open()];
    one.presser.buy(1);
    await settle();
    one.presser.dispose();
    await settle(10_000);
    expect(two.tickets).toEqual(['t1']);
    expect(sent[0]?.key).toBe(sent[1]?.key);
  });

  it('a moment too early is sent again at the moment that the shop names', async () => {
    const retryAt = new Date(START + 40).toISOString();
    const { open, sent } = browser([refused('SALE_NOT_STARTED', { retryAfterSeconds: 1, retryAt }), accepted()]);
    const { presser, tickets } = open();
    presser.buy(1);
    await settle();
    expect(presser.press.value).toMatchObject({ phase: 'waiting', why: 'early', until: START + 40.5 });
    await settle(38);
    expect(sent.length).toBe(1);
    await settle(3);
    expect(tickets).toEqual(['t1']);
    expect(sent[0]?.key).toBe(sent[1]?.key);
  });

  it('much too early is not sent again by itself', async () => {
    const retryAt = new Date(START + 60_000).toISOString();
    const { open, sent } = browser([refused('SALE_NOT_STARTED', { retryAt })]);
    const { presser } = open();
    presser.buy(1);
    await settle(120_000);
    expect([sent.length, presser.press.value?.phase]).toEqual([1, 'refused']);
  });

  it.each(['SOLD_OUT', 'ALREADY_BOUGHT', 'SALE_ENDED', 'SALE_PAUSED', 'QUANTITY_INVALID', 'SALE_NOT_FOUND', 'A_NEW_ONE'])(
    'refused by %s is over, and the next press may use its key again',
    async (code) => {
      const { open, sent, kept } = browser([refused(code), accepted()]);
      const { presser } = open();
      presser.buy(1);
      await settle(60_000);
      expect(sent.length).toBe(1);
      expect(presser.press.value).toMatchObject({ phase: 'refused', code });
      expect(kept()?.end).toBe(code);
      // After a reload nothing is bought by itself.
      open().presser.resume();
      await settle(60_000);
      expect(sent.length).toBe(1);
      presser.buy(1);
      await settle();
      expect(sent[1]?.key).toBe(sent[0]?.key);
    },
  );

  it.each(['IDEMPOTENCY_KEY_REUSED', 'IDEMPOTENCY_KEY_INVALID'])('refused by %s loses its key', async (code) => {
    const { open, kept } = browser([refused(code)]);
    const { presser } = open();
    presser.buy(1);
    await settle();
    expect([presser.press.value?.phase, kept()]).toEqual(['fault', undefined]);
  });

  it('waits as long as the shop says', async () => {
    const { open, sent } = browser([
      new Fault('RATE_LIMITED', '', undefined, 3_000),
      refused('TRY_LATER', { retryAfterSeconds: 2 }),
      new Fault('UNAVAILABLE', '', undefined, 5_000),
      accepted(),
    ]);
    const { presser, tickets } = open();
    presser.buy(1);
    await settle();
    expect(presser.press.value).toMatchObject({ phase: 'waiting', why: 'rate', until: START + 3_000.5 });
    await settle(3_000);
    expect(presser.press.value).toMatchObject({ phase: 'waiting', why: 'busy' });
    await settle(2_000);
    expect(presser.press.value).toMatchObject({ phase: 'waiting', why: 'busy' });
    await settle(4_999);
    expect(sent.length).toBe(3);
    await settle(1);
    expect(tickets).toEqual(['t1']);
  });

  it('given up is not sent again; whether the shop has it stays open only if that is not known', async () => {
    const unsure = browser([new Fault('NETWORK', '')]);
    const one = unsure.open();
    one.presser.buy(1);
    await settle();
    one.presser.stop();
    await settle(60_000);
    expect([unsure.sent.length, one.presser.press.value?.phase, unsure.kept()?.end]).toEqual([1, 'stopped', 'STOPPED']);
    one.presser.shown(ticketOf('t9'));
    expect(one.presser.press.value).toBeUndefined();

    const sure = browser([new Fault('RATE_LIMITED', '', undefined, 3_000)]);
    const two = sure.open();
    two.presser.buy(1);
    await settle();
    two.presser.stop();
    await settle(60_000);
    expect([sure.sent.length, two.presser.press.value]).toEqual([1, undefined]);
  });

  it('is not bought long after its buyer has left: the shop is asked instead', async () => {
    const { open, sent, kept } = browser([new Fault('NETWORK', '')], { looks: [null] });
    const first = open();
    first.presser.buy(1);
    await settle();
    first.presser.dispose();
    vi.setSystemTime(START + PATIENCE_MS + 1_000);
    const second = open();
    second.presser.resume();
    await settle();
    expect([sent.length, second.presser.press.value?.phase, kept()?.end]).toEqual([1, 'stopped', 'STOPPED']);
  });

  it('whose sale is over finds the ticket that the shop has made of it', async () => {
    const { open, sent } = browser([new Fault('NETWORK', '')], { endsAt: START + 100, looks: [ticketOf('t7')] });
    const { presser, tickets } = open();
    presser.buy(1);
    await settle(10_000);
    expect([sent.length, tickets]).toEqual([1, ['t7']]);
  });

  it('does not take the ticket that it has left behind for its own', async () => {
    const { open } = browser([new Fault('NETWORK', '')], { endsAt: START + 100, looks: [ticketOf('t0', 'CONFIRMED')] });
    const { presser, tickets } = open();
    presser.buy(1, 't0');
    await settle(10_000);
    expect([tickets, presser.press.value?.phase]).toEqual([[], 'stopped']);
  });

  it('waits for the sign-in that has ended, and goes on after it', async () => {
    const { open, sent, kept } = browser([new Fault('UNAUTHENTICATED', ''), accepted()]);
    const { presser, tickets } = open();
    presser.buy(1);
    await settle(60_000);
    expect([sent.length, presser.press.value?.phase, kept()?.end]).toEqual([1, 'signedOut', undefined]);
    presser.resume();
    await settle();
    expect([tickets, sent[0]?.key === sent[1]?.key]).toEqual([['t1'], true]);
  });

  it('is a fault if the shop has one, and keeps its key for another try', async () => {
    const { open, sent } = browser([new Fault('INTERNAL_SERVER_ERROR', '', 'r1'), accepted()]);
    const { presser } = open();
    presser.buy(1);
    await settle(60_000);
    expect(presser.press.value).toEqual({ phase: 'fault', requestId: 'r1' });
    presser.buy(1);
    await settle();
    expect(sent[1]?.key).toBe(sent[0]?.key);
  });

  it('does not mind what somebody else wrote into the storage', async () => {
    const { store, open, sent } = browser([accepted()]);
    store.set('db.wish.user_1.sale_1', '{"key":');
    const { presser } = open();
    presser.resume();
    await settle();
    expect(sent).toEqual([]);
    presser.buy(1);
    await settle();
    expect(sent.length).toBe(1);
  });
});
