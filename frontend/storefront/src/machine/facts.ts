// What the page knows: from the server, from storage, from the shop's clock. Everything on a sale's page is derived from it.
import type { OrderQuery, SaleQuery, WatchStockSubscription } from '@kit/generated/operations';
import type { Press } from '@kit/wish';

export type Sale = NonNullable<SaleQuery['sale']>;
export type Stock = WatchStockSubscription['saleStockChanged'];
export type SaleTicket = NonNullable<Sale['viewerTicket']>;
export type Order = Omit<NonNullable<OrderQuery['order']>, 'sale'>;
/** A ticket without the order in it, which is a fact of its own. */
export type Ticket = Omit<SaleTicket, 'order'>;

/** A payment that this page has begun and whose outcome it has not heard yet. */
export type Paying = { method: 'POINTS' } | { method: 'ALIPAY'; url: string };

export interface Facts {
  /** `undefined`: not read yet; null: there is none. */
  sale: Sale | null | undefined;
  /** The newest push, while it is newer than what was read. */
  stock: Stock | undefined;
  /** The shop's time, and how far it may be off. */
  now: number;
  error: number;
  /** `undefined`: not read yet; null: nobody. */
  viewer: { id: string; name: string } | null | undefined;
  /** Somebody was signed in on this page, and is not any more. */
  signedOut: boolean;
  ticket: Ticket | undefined;
  order: Order | undefined;
  ticketsAhead: number | undefined;
  press: Press | undefined;
  /** When the press got where it is. */
  pressSince: number;
  /** The ticket that the press has left behind. */
  left: string | undefined;
  online: boolean;
  paying: Paying | undefined;
  /** When the browser came back from the cashier. */
  returnedAt: number | undefined;
  /** The buyer wants to pay otherwise than the payment that is under way. */
  otherwise: boolean;
}
