// Facts to derive from.
import type { Press } from '@kit/wish';
import type { Facts, Order, Sale, Stock, Ticket } from '../src/machine/facts';

export const T0 = Date.parse('2026-11-23T02:00:00.000Z');
export const T1 = T0 + 2 * 3_600_000;
export const NOW = T0 + 60_000;
const iso = (ms: number) => new Date(ms).toISOString();
const yuan = (amount: string) => ({ amount, currencyCode: 'CNY' as const });

export const sale = (changed: Partial<Sale> = {}): Sale => ({
  id: 'sale_1',
  status: 'UPCOMING',
  stockRemaining: 48,
  stockTotal: 120,
  unitsHeld: 0,
  limitPerBuyer: 1,
  payWithinSeconds: 900,
  returnsOnRefund: true,
  startsAt: iso(T0),
  endsAt: iso(T1),
  version: 1,
  pointsPrice: 790,
  price: yuan('79.00'),
  originalPrice: yuan('279.00'),
  product: { id: 'product_1', name: 'Halo lamp', title: 'Daylight on a desk', description: null, imageUrl: null, image: null },
  session: { id: 'session_1', name: null, startsAt: iso(T0) },
  viewerTicket: null,
  ...changed,
});

export const push = (changed: Partial<Stock>): Stock => ({
  saleId: 'sale_1',
  stockRemaining: 48,
  unitsHeld: 0,
  soldOut: false,
  status: 'OPEN',
  endsAt: iso(T1),
  version: 7,
  asOf: iso(NOW),
  ...changed,
});

interface Accepted {
  id?: string;
  status?: Ticket['status'];
  refusal?: string;
}

export const accepted = ({ id = 't1', status, refusal: code }: Accepted): Ticket => ({
  id,
  status: status ?? (code ? 'REFUSED' : 'CONFIRMED'),
  version: status === 'QUEUED' ? 1 : 2,
  quantity: 1,
  createdAt: iso(NOW),
  decidedAt: null,
  refusal: code ? { code: code as 'SOLD_OUT', message: 'A reason.' } : null,
});

export const payment = (status: string): Order['payments'][number] => ({
  id: 'payment_1',
  method: 'ALIPAY',
  status: status as 'PENDING',
  points: null,
  createdAt: iso(NOW),
  settledAt: null,
  redirectUrl: null,
  amount: yuan('79.00'),
});

export const refund = (status: string, cause = 'BUYER'): Order['refunds'][number] => ({
  id: 'refund_1',
  status: status as 'PENDING',
  cause: cause as 'BUYER',
  reason: null,
  points: null,
  createdAt: iso(NOW),
  settledAt: iso(NOW),
  amount: yuan('79.00'),
});

export const order = (changed: Partial<Order>): Order => ({
  id: 'order_1',
  number: '1002-1-000001',
  productName: 'Halo lamp',
  quantity: 1,
  status: 'AWAITING_PAYMENT',
  createdAt: iso(NOW),
  payBefore: iso(NOW + 900_000),
  paidAt: iso(NOW),
  closedAt: iso(NOW),
  pointsTotal: 790,
  availableActions: ['CANCEL', 'PAY_ALIPAY', 'PAY_POINTS'],
  version: 1,
  unitPrice: yuan('79.00'),
  total: yuan('79.00'),
  payments: [],
  refunds: [],
  ...changed,
});

export const refusal = (code: string): Press => ({ phase: 'refused', code, message: 'A reason.', until: undefined });

export const facts = (changed: Partial<Facts>): Facts => ({
  sale: sale(),
  stock: undefined,
  now: NOW,
  error: 20,
  viewer: { id: 'user_1', name: 'Grace' },
  signedOut: false,
  ticket: undefined,
  order: undefined,
  ticketsAhead: undefined,
  press: undefined,
  pressSince: changed.pressSince ?? NOW,
  left: undefined,
  online: true,
  paying: undefined,
  returnedAt: undefined,
  otherwise: false,
  ...changed,
});
