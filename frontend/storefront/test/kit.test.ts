import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { createApi, Fault } from '@kit/api';
import { backoff } from '@kit/backoff';
import { describe as describeDocument } from '@kit/build/documents.mts';
import { createClock } from '@kit/clock';
import { fill, formats, pickLocale } from '@kit/i18n';
import { createStore } from '@kit/storage';
import { newer, newest } from '@kit/store';
import { match, ownPath } from '../src/addresses';

/** A device and a shop: the device's clock may be set while the monotonic one goes on. */
function world(shopStart: number, wallOffset: number) {
  const state = { t: 1_000, wallOffset };
  return {
    state,
    monotonic: () => state.t,
    wall: () => shopStart + state.t + state.wallOffset,
    shop: () => shopStart + state.t,
  };
}

describe('the clock', () => {
  it('knows the true time within its error, whatever the device thinks and however long the way is', () => {
    const delays = fc.integer({ min: 0, max: 400 });
    fc.assert(
      fc.property(
        fc.integer({ min: -5 * 3_600_000, max: 5 * 3_600_000 }),
        fc.array(fc.record({ out: delays, back: delays, pause: fc.integer({ min: 0, max: 600_000 }) }), { minLength: 1, maxLength: 8 }),
        fc.double({ min: -40e-6, max: 40e-6, noNaN: true }),
        (wallOffset, exchanges, drift) => {
          // The shop's clock goes a little slower or faster than the device's monotonic one.
          const start = 1_700_000_000_000;
          const shopAt = (t: number) => start + t * (1 + drift);
          let t = 0;
          const clock = createClock(
            () => t,
            () => start + t + wallOffset,
          );
          for (const { out, back, pause } of exchanges) {
            const sent = t;
            const server = Math.floor(shopAt(t + out));
            t += out + back;
            clock.learn(server, sent, t);
            t += pause;
            expect(Math.abs(clock.now() - shopAt(t))).toBeLessThanOrEqual(clock.error() + 0.001);
          }
        },
      ),
      { numRuns: 10_000 },
    );
  });

  it('keeps the quickest exchange until a later one is better than its age', () => {
    const { state, monotonic, wall, shop } = world(1_700_000_000_000, 0);
    const clock = createClock(monotonic, wall);
    const exchange = (rtt: number) => {
      const sent = state.t;
      const server = shop() + rtt / 2;
      state.t += rtt;
      return clock.learn(server, sent, state.t);
    };
    expect(exchange(20)).toBe(true);
    expect(exchange(200)).toBe(false);
    expect(clock.error()).toBeLessThan(11);
    state.t += 3_600_000;
    expect(exchange(200)).toBe(true);
  });

  it('is unsure after the device slept or its clock was set, until it hears of the shop again', () => {
    const { state, monotonic, wall, shop } = world(1_700_000_000_000, 0);
    const clock = createClock(monotonic, wall);
    const heard = vi.fn();
    clock.subscribe(heard);
    clock.learn(shop(), state.t, state.t);
    expect(clock.check()).toBe(false);
    state.wallOffset = 5 * 3_600_000;
    expect(clock.check()).toBe(true);
    expect(clock.error()).toBe(Infinity);
    // What it knew is still the best it has.
    expect(clock.now()).toBeCloseTo(shop(), -1);
    expect(clock.check()).toBe(false);
    clock.learn(shop(), state.t, state.t + 400);
    state.t += 400;
    expect(clock.error()).toBeLessThan(250);
    expect(clock.ahead()).toBeGreaterThan(4.9 * 3_600_000);
    expect(heard).toHaveBeenCalledTimes(3);
  });

  it('is shared by tabs whose monotonic clocks began at other moments', () => {
    const one = world(1_700_000_000_000, 3_000);
    const first = createClock(one.monotonic, one.wall);
    first.learn(one.shop(), one.state.t, one.state.t);
    const shared = first.share();
    const second = createClock(
      () => one.state.t - 700,
      () => one.wall(),
    );
    expect(second.error()).toBe(Infinity);
    one.state.t += 50;
    expect(shared && second.adopt(shared)).toBe(true);
    expect(Math.abs(second.now() - one.shop())).toBeLessThanOrEqual(second.error());
    // What comes back does not go round for ever.
    const back = second.share();
    expect(back && first.adopt(back)).toBe(false);
  });
});

describe('the cache', () => {
  it('keeps the higher version, and of equal ones the later', () => {
    const map = new Map<string, { version: number; from: string }>();
    expect(newest(map, 'a', { version: 2, from: 'query' })).toBe(true);
    expect(newest(map, 'a', { version: 1, from: 'late' })).toBe(false);
    expect(newest(map, 'a', { version: 2, from: 'push' })).toBe(true);
    expect(map.get('a')?.from).toBe('push');
    expect(newer(undefined, { version: 0 }).version).toBe(0);
  });
});

describe('waiting', () => {
  it('doubles up to a limit, with a spread', () => {
    expect(backoff(0, 250, 8_000, 0.25, () => 0.5)).toBe(250);
    expect(backoff(3, 250, 8_000, 0.25, () => 0.5)).toBe(2_000);
    expect(backoff(99, 250, 8_000, 0.25, () => 0.5)).toBe(8_000);
    expect(backoff(0, 1_000, 8_000, 0.25, () => 0)).toBe(750);
    expect(backoff(0, 1_000, 8_000, 0.25, () => 1)).toBe(1_250);
  });
});

describe('storage', () => {
  it('is memory where the browser has none, or no room', () => {
    const blocked = createStore(() => {
      throw new Error('blocked');
    });
    blocked.set('a', '1');
    expect([blocked.get('a'), blocked.durable()]).toEqual(['1', false]);
    blocked.remove('a');
    expect(blocked.get('a')).toBeUndefined();
    const kept = new Map([['b', 'old']]);
    const full = createStore(
      () =>
        ({
          getItem: (key: string) => kept.get(key) ?? null,
          setItem() {
            throw new Error('full');
          },
          removeItem: (key: string) => kept.delete(key),
        }) as unknown as Storage,
    );
    full.set('b', 'new');
    expect(full.get('b')).toBe('new');
  });
});

describe('asking', () => {
  const doc = { id: 'sha256:1', name: 'It', kind: 'query' } as const;
  const answering = (status: number, body: string, headers: Record<string, string> = {}) =>
    createApi({ url: '/graphql', fetch: async () => new Response(body, { status, headers }) });
  const faultOf = async (ask: Promise<unknown>) => (await ask.catch((error: unknown) => error)) as Fault;

  it('sends the id of the document alone', async () => {
    const sent: unknown[] = [];
    const ask = createApi({
      url: '/graphql',
      fetch: async (_, init) => {
        sent.push(JSON.parse(String(init?.body)));
        return new Response('{"data":{"a":1}}');
      },
    });
    await ask(doc, { x: 1 });
    expect(sent).toEqual([{ documentId: 'sha256:1', variables: { x: 1 } }]);
  });

  it('tells each fault from the others', async () => {
    const limited = '{"errors":[{"message":"slow","extensions":{"code":"RATE_LIMITED","retryAfterSeconds":3}}]}';
    const fault = await faultOf(answering(429, limited, { 'x-request-id': 'r1' })(doc, {}));
    expect([fault.code, fault.retryAfterMs, fault.requestId, fault.unknown]).toEqual(['RATE_LIMITED', 3_000, 'r1', false]);
    const busy = await faultOf(answering(503, '', { 'retry-after': '2' })(doc, {}));
    expect([busy.code, busy.retryAfterMs, busy.unknown]).toEqual(['UNAVAILABLE', 2_000, true]);
    expect((await faultOf(answering(502, '<html>')(doc, {}))).code).toBe('UNAVAILABLE');
    expect((await faultOf(answering(401, '{}')(doc, {}))).code).toBe('UNAUTHENTICATED');
    expect((await faultOf(answering(200, '<html>')(doc, {}))).code).toBe('NETWORK');
    const refused = createApi({ url: '/graphql', fetch: () => Promise.reject(new TypeError('offline')) });
    expect((await faultOf(refused(doc, {}))).unknown).toBe(true);
  });

  it('keeps what an error further down left, and takes nothing for an answer that was none', async () => {
    const partly = '{"data":{"sale":{"id":"1","product":null}},"errors":[{"message":"m","path":["sale","product"]}]}';
    expect(await answering(200, partly)(doc, {})).toEqual({ sale: { id: '1', product: null } });
    const whole = '{"data":{"sale":null},"errors":[{"message":"m","path":["sale"],"extensions":{"code":"UNAVAILABLE"}}]}';
    expect((await faultOf(answering(200, whole)(doc, {}))).code).toBe('UNAVAILABLE');
  });
});

describe('documents', () => {
  it('have the ids that the server computes', () => {
    const folder = join(import.meta.dirname, '../../documents');
    const names = new Set<string>();
    for (const file of readdirSync(folder)) {
      const bytes = readFileSync(join(folder, file));
      const { id, name } = describeDocument(bytes);
      expect(id).toBe(`sha256:${createHash('sha256').update(bytes.toString('utf8')).digest('hex')}`);
      expect(`${name}.graphql`).toBe(file);
      names.add(name);
    }
    expect(names.size).toBeGreaterThan(20);
  });

  it('are in the manifest that the server is built with', () => {
    const manifest = JSON.parse(readFileSync(join(import.meta.dirname, '../../persisted-documents.json'), 'utf8')) as object;
    const folder = join(import.meta.dirname, '../../documents');
    for (const file of readdirSync(folder)) {
      expect(manifest, file).toHaveProperty([describeDocument(readFileSync(join(folder, file))).id]);
    }
  });
});

describe('addresses', () => {
  it('lead to pages', () => {
    expect(match('/')).toEqual({ page: 'home' });
    expect(match('/sales/sale_1')).toEqual({ page: 'sale', id: 'sale_1' });
    expect(match('/orders/')).toEqual({ page: 'orders' });
    expect(match('/orders/order_1')).toEqual({ page: 'order', id: 'order_1' });
    expect(match('/sign-in')).toEqual({ page: 'signIn' });
    for (const odd of ['/sales/a/b', '/constructor', '/sales/%', '/nothing']) expect(match(odd)).toEqual({ page: 'missing' });
  });

  it('after a sign-in are the shop’s own', () => {
    expect(ownPath('/orders?x=1')).toBe('/orders?x=1');
    for (const odd of [null, '', 'https://elsewhere', '//elsewhere', '/\\elsewhere', 'orders']) expect(ownPath(odd)).toBe('/');
  });
});

describe('words', () => {
  const english = new Intl.PluralRules('en');
  it('are filled in', () => {
    const text = '{n, plural, one: One purchase, other: {n} purchases} before {who}';
    expect(fill(text, { n: 1, who: 'you' }, english)).toBe('One purchase before you');
    expect(fill(text, { n: '1,200', who: 'you' }, english)).toBe('1,200 purchases before you');
    expect(fill('{missing}', {}, english)).toBe('{missing}');
    expect(fill('{name}', { name: '{other}' }, english)).toBe('{other}');
  });

  it('for time and money follow the shop’s zone and the language', () => {
    const en = formats('en', 'Asia/Shanghai');
    const noon = Date.parse('2026-11-23T02:00:00.123Z');
    expect([en.time(noon), en.minute(noon), en.exact(noon)]).toEqual(['10:00:00', '10:00', '10:00:00.123']);
    expect([en.day(noon, noon), en.day(noon + 86_400_000, noon)]).toEqual(['today', 'tomorrow']);
    expect(en.money({ amount: '1299.00', currencyCode: 'CNY' })).toBe('¥1,299.00');
    expect(en.money({ amount: '9007199254740993.07', currencyCode: 'CNY' })).toBe('¥9,007,199,254,740,993.07');
    expect([en.countdown(300), en.countdown(763_000), en.countdown(3_723_000)]).toEqual(['00:01', '12:43', '1:02:03']);
    expect([en.span(192_000), en.span(3_600_000), en.span(400)]).toEqual(['3 min 12 s', '1 h', '0 s']);
    expect(en.seconds(20, 2)).toBe('0.02 s');
    expect(formats('zh-CN', 'Asia/Shanghai').span(192_000)).toBe('3 分 12 秒');
  });

  it('are in the language that was chosen, or that the browser prefers', () => {
    expect(pickLocale('zh-CN', ['en'])).toBe('zh-CN');
    expect(pickLocale(undefined, ['fr', 'zh-TW', 'en'])).toBe('zh-CN');
    expect(pickLocale('fr', ['fr'])).toBe('en');
  });
});
