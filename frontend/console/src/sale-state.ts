// What a sale's numbers are, and what can be done with it, from what was read and what was pushed.
import type { ConsoleSalesQuery, SaleStatus, WatchStockSubscription } from '@kit/generated/operations';

export type Sale = ConsoleSalesQuery['sales']['nodes'][number];
export type Stock = WatchStockSubscription['saleStockChanged'];

export interface Numbers {
  status: SaleStatus;
  free: number;
  held: number;
  /** Neither free nor held: paid, and refunded ones that are not offered again. */
  gone: number;
  total: number;
  asOf: number | undefined;
}

/** The numbers of a sale: what was pushed, and what was read where nothing was. */
export function numbersOf(sale: Pick<Sale, 'status' | 'stockRemaining' | 'unitsHeld' | 'stockTotal'>, stock: Stock | undefined): Numbers {
  const free = stock?.stockRemaining ?? sale.stockRemaining;
  const held = stock?.unitsHeld ?? sale.unitsHeld;
  // A push may know of added units before the sale is read again.
  const total = Math.max(sale.stockTotal, free + held);
  const asOf = stock ? Date.parse(stock.asOf) : undefined;
  return { status: stock?.status ?? sale.status, free, held, gone: total - free - held, total, asOf };
}

export type ActName = 'publish' | 'pause' | 'resume' | 'end' | 'stockAdd';

/** What can be done with a sale that stands so. While all are stopped, one that is paused by itself looks like the others: it can be either. */
export function actsOf(status: SaleStatus, now: number, endsAt: number, stopped = false): ActName[] {
  const over = now >= endsAt;
  switch (status) {
    case 'DRAFT':
      return over ? [] : ['publish'];
    case 'UPCOMING':
    case 'OPEN':
    case 'SOLD_OUT':
      return over ? [] : ['pause', 'stockAdd', 'end'];
    case 'PAUSED':
      return over ? ['end'] : [...(stopped ? (['pause'] as const) : []), 'resume', 'stockAdd', 'end'];
    case 'ENDED':
      return [];
  }
}

/** Of two pushes about a sale the one with the higher version; of two equal ones the second. */
export const later = (held: Stock | undefined, fresh: Stock): Stock => (held && held.version > fresh.version ? held : fresh);
