// What a state says, in the page's language.
import type { Formats, Params } from '@kit/i18n';
import type { Messages } from '../messages';
import { lastRefund, windowOf, type View } from './derive';
import type { Facts, Order } from './facts';

type Keys = keyof Messages & string;
export interface Context {
  t(key: Keys, params?: Params): string;
  f: Formats;
  /** Whether what is stored survives the page. */
  durable: boolean;
  /** Who pressed, should the sign-in have ended. */
  presser: string | undefined;
}

/** What an order cost, by how it was paid. */
export function paidWith(order: Order, { t, f }: Pick<Context, 't' | 'f'>): string {
  const paid = order.payments.find(({ status }) => status === 'SUCCEEDED');
  if (paid?.method !== 'POINTS') return f.money(order.total);
  return t('pay.points.amount', { points: f.number(paid.points ?? order.pointsTotal ?? 0) });
}

export const amountOf = (
  { amount, points }: { amount: Order['total'] | null; points: number | null },
  { t, f }: Pick<Context, 't' | 'f'>,
): string => (amount ? f.money(amount) : t('pay.points.amount', { points: f.number(points ?? 0) }));

const at = (moment: string | null | undefined): number | undefined => (moment ? Date.parse(moment) : undefined);

function ofOrder(order: Order, context: Context): Params {
  const { f } = context;
  const refund = lastRefund(order);
  const time = (moment: string | null | undefined) => {
    const ms = at(moment);
    return ms === undefined ? '' : f.moment(ms);
  };
  return {
    n: f.number(order.quantity),
    product: order.productName,
    cost: f.money(order.total),
    payBefore: f.time(Date.parse(order.payBefore)),
    points: f.number(order.pointsTotal ?? 0),
    number: order.number,
    paidWith: paidWith(order, context),
    paidAt: time(order.paidAt),
    closedAt: time(order.closedAt),
    amount: refund ? amountOf(refund, context) : f.money(order.total),
    askedAt: time(refund?.createdAt),
    settledAt: time(refund?.settledAt ?? order.closedAt),
  };
}

/** Everything that a text about this page may name. */
export function paramsOf(view: View, facts: Facts, context: Context): Params {
  const { f } = context;
  const { sale, stock, now, ticket, order } = facts;
  const params: Params = {
    message: view.message ?? '',
    requestId: view.requestId ?? '',
    name: context.presser ?? facts.viewer?.name ?? '',
    place: context.t(context.durable ? 'place.device' : 'place.page'),
  };
  if (sale) {
    const window = windowOf(sale, stock);
    Object.assign(params, {
      total: f.number(sale.stockTotal),
      limit: f.number(sale.limitPerBuyer),
      left: f.number(window.free),
      held: f.number(window.held),
      sold: f.number(Math.max(0, sale.stockTotal - window.free - window.held)),
      day: f.day(window.startsAt, now),
      time: f.minute(window.startsAt),
      price: f.money(sale.price),
    });
  }
  if (ticket) params.acceptedAt = f.exact(Date.parse(ticket.createdAt));
  if (facts.ticketsAhead !== undefined) params.ahead = f.number(facts.ticketsAhead);
  if (order) Object.assign(params, ofOrder(order, context));
  if (view.until !== undefined) {
    const ms = view.until - now;
    params.timer = f.countdown(ms);
    params.s = Math.max(1, Math.ceil(ms / 1000));
    if (view.state === 'sendingAgain') params.time = f.exact(view.until);
  }
  // The number of tries is another one than the number of units.
  if (view.tries !== undefined) params.n = f.number(Math.max(1, view.tries));
  return params;
}

/** A state's title and body. */
export function describe(view: View, facts: Facts, context: Context): { title: string; body: string } {
  const { state } = view;
  const { t } = context;
  const params = paramsOf(view, facts, context);
  let body: Keys = `state.${state}.body`;
  if (state === 'queuedLong' && facts.ticketsAhead === undefined) body = 'state.queuedLong.bodyUnknown';
  if (state === 'fault' && !view.requestId) body = 'state.fault.bodyPlain';
  return { title: t(`state.${state}.title`, params), body: t(body, params) };
}
