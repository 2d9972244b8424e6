// Everything that is known about an order's money, in one list by time.
import type { PaymentLookupQuery } from '@kit/generated/operations';

export type Lookup = NonNullable<PaymentLookupQuery['paymentLookup']>;

export interface Moment {
  at: number;
  kind: 'order' | 'payment' | 'refund' | 'notification';
  /** The number of the order, the payment or the refund. */
  number: string;
  /** What happened, as the key of a text or in the log's own words. */
  event: string;
  from: string | null;
  to: string | null;
  actor: string | null;
  detail: string | null;
}

/** Oldest first; what happened at the same moment stays in the order of order, payment, notification, refund. */
export function timeline({ order, payments, refunds }: Lookup): Moment[] {
  const moments: Moment[] = [];
  const none = { from: null, to: null, actor: null, detail: null };
  const ofOrder = (event: string, at: string | null) => {
    if (at) moments.push({ ...none, at: Date.parse(at), kind: 'order', number: order.number, event });
  };
  ofOrder('order.created', order.createdAt);
  ofOrder('order.paid', order.paidAt);
  ofOrder('order.closed', order.closedAt);
  const ofLog = (kind: 'payment' | 'refund', number: string, log: Lookup['payments'][number]['log']) => {
    for (const { at, event, from, to, actor, code, detail } of log) {
      const words = [code, detail].filter(Boolean).join(' · ') || null;
      moments.push({ at: Date.parse(at), kind, number, event, from, to, actor, detail: words });
    }
  };
  for (const { number, log, notifications } of payments) {
    ofLog('payment', number, log);
    for (const { notifyId, receivedAt, tradeStatus, verdict } of notifications) {
      const detail = `${verdict} · ${notifyId}`;
      moments.push({ ...none, at: Date.parse(receivedAt), kind: 'notification', number, event: tradeStatus, detail });
    }
  }
  for (const { number, log } of refunds) ofLog('refund', number, log);
  return moments
    .map((moment, index) => ({ moment, index }))
    .sort((a, b) => a.moment.at - b.moment.at || a.index - b.index)
    .map(({ moment }) => moment);
}
