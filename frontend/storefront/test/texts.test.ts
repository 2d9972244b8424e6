import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildSchema, type GraphQLEnumType } from 'graphql';
import { describe, expect, it } from 'vitest';
import { fill, formats } from '@kit/i18n';
import enBuy from '../src/messages/en/buy';
import enOrder from '../src/messages/en/order';
import enRest from '../src/messages/en/rest';
import enSale from '../src/messages/en/sale';
import enShop from '../src/messages/en/shop';
import zhBuy from '../src/messages/zh-CN/buy';
import zhOrder from '../src/messages/zh-CN/order';
import zhRest from '../src/messages/zh-CN/rest';
import zhSale from '../src/messages/zh-CN/sale';
import zhShop from '../src/messages/zh-CN/shop';
import { derive, STATES, type State } from '../src/machine/derive';
import type { Facts } from '../src/machine/facts';
import { describe as say, type Context } from '../src/machine/texts';
import { accepted, facts, NOW, order, payment, push, refund, refusal, T0 } from './facts';

const en: Record<string, string> = { ...enShop, ...enSale, ...enBuy, ...enOrder, ...enRest };
const zh: Record<string, string> = { ...zhShop, ...zhSale, ...zhBuy, ...zhOrder, ...zhRest };
const source = join(import.meta.dirname, '../src');
const schema = buildSchema(readFileSync(process.env.SCHEMA ?? join(import.meta.dirname, '../../../schema/schema.graphql'), 'utf8'));

const namesIn = (text: string) => new Set([...text.matchAll(/\{(\w+)/g)].map(([, name]) => name));

describe('texts', () => {
  it('have the same keys and the same places in both languages', () => {
    expect(Object.keys(zh).sort()).toEqual(Object.keys(en).sort());
    for (const [key, text] of Object.entries(zh)) {
      for (const name of namesIn(text)) expect(namesIn(en[key] ?? ''), key).toContain(name);
    }
  });

  it('are not much longer in Chinese, and have its punctuation', () => {
    for (const [key, text] of Object.entries(zh)) {
      // The button that changes the language is in the other one.
      if (key.startsWith('nav.language')) continue;
      expect(text.length, key).toBeLessThanOrEqual(Math.max(8, (en[key]?.length ?? 0) * 2.2));
      if (/[\u4e00-\u9fff]/.test(text)) expect(text, key).not.toMatch(/[\u4e00-\u9fff][,!?:;](\s|$)/);
      expect(text, key).not.toContain('您');
    }
  });

  it('do not cheer, apologise or hurry', () => {
    for (const [key, text] of Object.entries(en)) {
      if (key !== 'state.won.title') expect(text, key).not.toContain('!');
      expect(text, key).not.toMatch(/\b(oops|sorry|hurry|hot|few left)\b/i);
    }
  });

  it('for every code of the schema that a page may show', () => {
    const codes: [string, string][] = [
      ['OrderCancelErrorCode', 'error.cancel'],
      ['OrderPayErrorCode', 'error.pay'],
      ['OrderRefundErrorCode', 'error.refund'],
      ['UserSignInErrorCode', 'error.signIn'],
      ['UserSignUpErrorCode', 'error.signUp'],
      ['UserPasswordChangeErrorCode', 'error.password'],
      ['OrderStatus', 'orders.status'],
      ['PaymentStatus', 'payment'],
      ['PaymentMethod', 'method'],
      ['RefundStatus', 'refund'],
      ['PaymentRefundCause', 'cause'],
      ['PointsEntryKind', 'points'],
    ];
    for (const [type, prefix] of codes) {
      const values = (schema.getType(type) as GraphQLEnumType).getValues();
      expect(values.length, type).toBeGreaterThan(0);
      for (const { name } of values) {
        expect(en, `${prefix}.${name}`).toHaveProperty([`${prefix}.${name}`]);
        expect(zh, `${prefix}.${name}`).toHaveProperty([`${prefix}.${name}`]);
      }
    }
  });

  it('are in no page as plain words, and are known where they are said', () => {
    const parts: Record<string, Record<string, string>> = { shop: enShop, sale: enSale, buy: enBuy, order: enOrder, rest: enRest };
    // What is drawn before any page's own texts are there.
    const always = /^(shell|banner|clock-line|page|prices)\.tsx$|^pages\/home\.tsx$|^machine\/trouble\.ts$/;
    const sale = /^pages\/sale\.tsx$/;
    const panel = /^(panel|purchase)\.tsx$/;
    let keys = 0;
    for (const entry of readdirSync(source, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !/\.tsx?$/.test(entry.name)) continue;
      const path = join(entry.parentPath, entry.name);
      const name = path.slice(source.length + 1);
      const text = readFileSync(path, 'utf8');
      if (/\.tsx$/.test(name)) expect(text.match(/>\s*[A-Za-z][a-z]+ [a-z][^<>{}();=]*</g), name).toBeNull();
      if (name.startsWith('messages')) continue;
      for (const [, key = ''] of text.matchAll(/\bt\(\s*'([\w.-]+)'/g)) {
        keys += 1;
        expect(en, `${name}: ${key}`).toHaveProperty([key]);
        if (always.test(name)) expect(parts.shop, `${name}: ${key}`).toHaveProperty([key]);
        if (sale.test(name)) expect({ ...parts.shop, ...parts.sale }, `${name}: ${key}`).toHaveProperty([key]);
        if (panel.test(name)) expect({ ...parts.shop, ...parts.sale, ...parts.buy, ...parts.order }, `${name}: ${key}`).toHaveProperty([key]);
      }
    }
    expect(keys).toBeGreaterThan(150);
  });
});

const waiting = { payments: [payment('PENDING')] };
const shown: Record<State, Partial<Facts>> = {
  loading: { sale: undefined },
  missing: { sale: null },
  upcoming: { now: T0 - 763_000 },
  opening: { now: T0 - 4_200 },
  open: {},
  openSignedOut: { viewer: null },
  sending: { press: { phase: 'sending' } },
  sendingAgain: { press: { phase: 'waiting', why: 'early', until: NOW + 20 } },
  unknown: { press: { phase: 'unknown', tries: 3 } },
  unknownOffline: { press: { phase: 'unknown', tries: 3 }, online: false },
  stopped: { press: { phase: 'stopped' } },
  queued: { ticket: accepted({ status: 'QUEUED' }) },
  queuedLong: { ticket: accepted({ status: 'QUEUED' }), now: NOW + 4_000, ticketsAhead: 12 },
  won: { order: order({}), now: NOW + 8_000 },
  payRedirect: { order: order({}), paying: { method: 'ALIPAY', url: 'https://example.test' } },
  payPending: { order: order(waiting) },
  payPendingLong: { order: order(waiting), returnedAt: NOW - 61_000 },
  payingPoints: { order: order({}), paying: { method: 'POINTS' } },
  payClosed: { order: order({ payments: [payment('CLOSED')] }) },
  payOver: { order: order({}), now: NOW + 900_000 },
  paid: { order: order({ status: 'PAID' }) },
  refunding: { order: order({ status: 'REFUNDING', refunds: [refund('PENDING')] }) },
  refunded: { order: order({ status: 'REFUNDED', refunds: [refund('SUCCEEDED')] }) },
  refundFailed: { order: order({ status: 'PAID', refunds: [refund('FAILED')] }) },
  cancelled: { order: order({ status: 'CANCELLED' }) },
  expired: { order: order({ status: 'EXPIRED' }) },
  lostSoldOut: { ticket: accepted({ refusal: 'SOLD_OUT' }) },
  lostEnded: { ticket: accepted({ refusal: 'SALE_ENDED' }) },
  lostVoided: { ticket: accepted({ refusal: 'VOIDED' }) },
  alreadyBought: { press: refusal('ALREADY_BOUGHT') },
  soldOut: { stock: push({ stockRemaining: 0, unitsHeld: 3 }) },
  soldOutAll: { stock: push({ stockRemaining: 0 }) },
  paused: { stock: push({ status: 'PAUSED' }) },
  ended: { stock: push({ status: 'ENDED', stockRemaining: 20 }) },
  waitingRate: { press: { phase: 'waiting', why: 'rate', until: NOW + 2_400 } },
  waitingBusy: { press: { phase: 'waiting', why: 'busy', until: NOW + 2_400 } },
  quantity: { press: refusal('QUANTITY_INVALID') },
  signedOut: { viewer: null, signedOut: true },
  sessionOver: { press: { phase: 'signedOut' } },
  fault: { press: { phase: 'fault', requestId: 'r1' } },
  elsewise: { press: refusal('SOMETHING_NEW') },
};

const contextOf = (locale: string, messages: Record<string, string>): Context => ({
  t: (key, params = {}) => fill(messages[key] ?? key, params, new Intl.PluralRules(locale)),
  f: formats(locale, 'Asia/Shanghai'),
  durable: true,
  presser: 'Grace',
});

describe.each([
  ['en', en],
  ['zh-CN', zh],
])('what each state says (%s)', (locale, messages) => {
  it.each(STATES.map((state) => [state]))('%s', (state) => {
    const of = facts(shown[state]);
    const view = derive(of);
    expect(view.state).toBe(state);
    const said = say(view, of, contextOf(locale, messages));
    expect(said.title).not.toBe('');
    for (const text of [said.title, said.body]) expect(text).not.toMatch(/[{}]|undefined|NaN|state\./);
    expect(said).toMatchSnapshot();
  });
});
