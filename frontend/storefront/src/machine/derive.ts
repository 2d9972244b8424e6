// The state of a sale's page, from facts alone. The first that fits is taken; a fact of money is never hidden by one of the network.
import type { Facts, Order, Sale, Stock, Ticket } from './facts';

export const STATES = [
  'loading',
  'missing',
  'upcoming',
  'opening',
  'open',
  'openSignedOut',
  'sending',
  'sendingAgain',
  'unknown',
  'unknownOffline',
  'stopped',
  'queued',
  'queuedLong',
  'won',
  'payRedirect',
  'payPending',
  'payPendingLong',
  'payingPoints',
  'payClosed',
  'payOver',
  'paid',
  'refunding',
  'refunded',
  'refundFailed',
  'cancelled',
  'expired',
  'lostSoldOut',
  'lostEnded',
  'lostVoided',
  'alreadyBought',
  'soldOut',
  'soldOutAll',
  'paused',
  'ended',
  'waitingRate',
  'waitingBusy',
  'quantity',
  'signedOut',
  'sessionOver',
  'fault',
  'elsewise',
] as const;
export type State = (typeof STATES)[number];

export interface View {
  state: State;
  /** The moment that a countdown in the state runs to. */
  until?: number;
  /** Whether units can be bought at this moment, for *buy again*. */
  buyable: boolean;
  /** What the server said, where the page has no words of its own. */
  message?: string;
  requestId?: string;
  tries?: number;
}

/** So long before the opening the page counts seconds. */
export const OPENING_MS = 10_000;
/** So long a queued ticket is nothing to explain. */
export const QUEUED_LONG_MS = 3_000;
/** So long Alipay usually takes to tell the shop. */
export const PENDING_LONG_MS = 60_000;
/** So long a refusal is shown although facts say otherwise: they may be older than it. */
export const REFUSAL_MS = 3_000;
/** A press so much before the opening is sent at most, however unsure the clock is. */
const SEND_EARLY_MOST_MS = 5_000;

export interface Window {
  status: Sale['status'];
  free: number;
  held: number;
  startsAt: number;
  endsAt: number;
}

/** The sale as the newest of push and query have it. */
export function windowOf(sale: Sale, stock: Stock | undefined): Window {
  return {
    status: stock?.status ?? sale.status,
    free: stock?.stockRemaining ?? sale.stockRemaining,
    held: stock?.unitsHeld ?? sale.unitsHeld,
    startsAt: Date.parse(sale.startsAt),
    endsAt: Date.parse(stock?.endsAt ?? sale.endsAt),
  };
}

const isOver = ({ status, endsAt }: Window, now: number) => status === 'ENDED' || now >= endsAt;
/** By the clock or by what the shop has pushed, whichever is first. */
const hasBegun = ({ status, startsAt }: Window, now: number) =>
  now >= startsAt || status === 'OPEN' || status === 'SOLD_OUT';

/** Whether a press is sent at this moment: the sale is open, or may be, within the error of the clock. */
export function isSendable(window: Window, now: number, error: number): boolean {
  const early = Math.min(error, SEND_EARLY_MOST_MS);
  return window.status !== 'PAUSED' && !isOver(window, now) && hasBegun(window, now + early);
}

export const pendingAlipay = (order: Order) =>
  order.payments.find(({ method, status }) => method === 'ALIPAY' && status === 'PENDING');

/** The refund that a buyer or an operator asked for last. */
export const lastRefund = (order: Order) =>
  order.refunds.filter(({ cause }) => cause !== 'SURPLUS' && cause !== 'LATE_PAYMENT').at(-1);

type PayFacts = Pick<Facts, 'now' | 'paying' | 'returnedAt' | 'otherwise'>;
type OrderState = { state: State; until?: number };

/** What an order's page says, wherever it is shown. */
export function deriveOrder(order: Order, { now, paying, returnedAt, otherwise }: PayFacts): OrderState {
  switch (order.status) {
    case 'PAID':
      return { state: lastRefund(order)?.status === 'FAILED' ? 'refundFailed' : 'paid' };
    case 'REFUNDING':
      return { state: 'refunding' };
    case 'REFUNDED':
      return { state: 'refunded' };
    case 'CANCELLED':
      return { state: 'cancelled' };
    case 'EXPIRED':
      return { state: 'expired' };
    default:
  }
  const until = Date.parse(order.payBefore);
  if (now >= until) return { state: 'payOver' };
  if (paying) return { state: paying.method === 'POINTS' ? 'payingPoints' : 'payRedirect', until };
  if (pendingAlipay(order) && !otherwise) {
    const long = returnedAt !== undefined && now - returnedAt > PENDING_LONG_MS;
    return { state: long ? 'payPendingLong' : 'payPending', until };
  }
  const last = order.payments.at(-1)?.status;
  return { state: last === 'CLOSED' || last === 'FAILED' ? 'payClosed' : 'won', until };
}

type Part = Omit<View, 'buyable'>;

function ofPress(facts: Facts): Part | undefined {
  const { press, online } = facts;
  switch (press?.phase) {
    case 'sending':
      return { state: 'sending' };
    case 'unknown':
      return { state: online ? 'unknown' : 'unknownOffline', tries: press.tries };
    case 'stopped':
      return { state: 'stopped' };
    case 'signedOut':
      return { state: 'sessionOver' };
    case 'waiting': {
      const states = { early: 'sendingAgain', rate: 'waitingRate', busy: 'waitingBusy' } as const;
      return { state: states[press.why], until: press.until };
    }
    default:
      return undefined;
  }
}

function ofRefusedTicket(ticket: Ticket): Part {
  switch (ticket.refusal?.code) {
    case 'SOLD_OUT':
      return { state: 'lostSoldOut' };
    case 'SALE_ENDED':
      return { state: 'lostEnded' };
    case 'VOIDED':
      return { state: 'lostVoided' };
    case 'ALREADY_BOUGHT':
      return { state: 'alreadyBought' };
    default:
      return { state: 'elsewise', message: ticket.refusal?.message ?? '' };
  }
}

const soldOut = ({ held }: Window): Part => ({ state: held > 0 ? 'soldOut' : 'soldOutAll' });

function ofRefusal(facts: Facts, window: Window): Part | undefined {
  const { press, now, pressSince } = facts;
  if (press?.phase === 'fault') {
    return { state: 'fault', ...(press.requestId !== undefined && { requestId: press.requestId }) };
  }
  if (press?.phase !== 'refused') return undefined;
  const fresh = now - pressSince < REFUSAL_MS;
  switch (press.code) {
    case 'ALREADY_BOUGHT':
      return { state: 'alreadyBought' };
    case 'QUANTITY_INVALID':
      return { state: 'quantity' };
    case 'SALE_NOT_FOUND':
      return { state: 'missing' };
    case 'SALE_ENDED':
      return { state: 'ended' };
    case 'SALE_PAUSED':
      return fresh ? { state: 'paused' } : undefined;
    case 'SOLD_OUT':
      return fresh ? soldOut(window) : undefined;
    case 'SALE_NOT_STARTED':
      return undefined;
    default:
      return { state: 'elsewise', message: press.message };
  }
}

function ofSale(facts: Facts, window: Window): Part {
  const { now, viewer } = facts;
  if (window.status === 'PAUSED') return { state: 'paused' };
  if (isOver(window, now)) return { state: 'ended' };
  if (!hasBegun(window, now)) {
    return { state: window.startsAt - now > OPENING_MS ? 'upcoming' : 'opening', until: window.startsAt };
  }
  if (window.free <= 0) return soldOut(window);
  return { state: viewer === null ? 'openSignedOut' : 'open' };
}

const LIVES = new Set<Order['status']>(['AWAITING_PAYMENT', 'PAID', 'REFUNDING']);

/** The state of the page. */
export function derive(facts: Facts): View {
  const { sale, ticket, order, now, press } = facts;
  if (sale === undefined) return { state: 'loading', buyable: false };
  if (sale === null) return { state: 'missing', buyable: false };
  const window = windowOf(sale, facts.stock);
  const begun = hasBegun(window, now) && !isOver(window, now) && window.status !== 'PAUSED';
  const buyable = begun && window.free > 0;
  const view = (part: Part): View => ({ ...part, buyable });

  // What a new press has left behind is not shown any more; what lives is always.
  const behind = press !== undefined && ticket !== undefined && ticket.id === facts.left;
  if (order && (LIVES.has(order.status) || !behind)) return view(deriveOrder(order, facts));
  if (ticket?.status === 'QUEUED') {
    const long = now - Date.parse(ticket.createdAt) > QUEUED_LONG_MS;
    return view({ state: long ? 'queuedLong' : 'queued' });
  }
  const pressed = ofPress(facts);
  if (pressed) return view(pressed);
  if (facts.signedOut) return view({ state: 'signedOut' });
  if (ticket?.status === 'REFUSED' && !behind) return view(ofRefusedTicket(ticket));
  return view(ofRefusal(facts, window) ?? ofSale(facts, window));
}

/** When, at the latest, the state has to be derived again: the next moment at which it may be another one. */
export function nextChange(facts: Facts): number {
  const { sale, stock, ticket, order, press, now } = facts;
  const moments: number[] = [];
  if (sale) {
    const { startsAt, endsAt } = windowOf(sale, stock);
    moments.push(startsAt - OPENING_MS, startsAt, endsAt);
  }
  if (ticket?.status === 'QUEUED') moments.push(Date.parse(ticket.createdAt) + QUEUED_LONG_MS + 1);
  if (order?.status === 'AWAITING_PAYMENT') {
    moments.push(Date.parse(order.payBefore));
    if (facts.returnedAt !== undefined) moments.push(facts.returnedAt + PENDING_LONG_MS + 1);
  }
  if (press?.phase === 'refused') moments.push(facts.pressSince + REFUSAL_MS);
  return Math.min(...moments.filter((moment) => moment > now), Infinity);
}
