// The form of a sale: what it is filled with, how it is read, and what two operators have made of the same draft.
import type { SaleCreateInput, SaleUpdateInput } from '@kit/generated/operations';
import { minor, typedAmount, typedCount } from './money';

/** The terms of a sale, as the mutations take them. */
export interface Terms {
  productId: string;
  stock: number;
  price: { amount: string; currencyCode: 'CNY' | 'EUR' | 'USD' };
  pointsPrice: number | null;
  limitPerBuyer: number;
  payWithinSeconds: number;
  returnsOnRefund: boolean;
}

/** What a sale is read as. */
export interface Draft {
  version: number;
  stockTotal: number;
  price: Terms['price'];
  pointsPrice: number | null;
  limitPerBuyer: number;
  payWithinSeconds: number;
  returnsOnRefund: boolean;
  product: { id: string; name: string } | null;
}

export const FIELDS = [
  'productId',
  'stock',
  'price',
  'pointsPrice',
  'limitPerBuyer',
  'payWithinSeconds',
  'returnsOnRefund',
] as const satisfies readonly (keyof Terms)[];

export const termsOf = (sale: Draft): Terms => ({
  productId: sale.product?.id ?? '',
  stock: sale.stockTotal,
  price: { amount: sale.price.amount, currencyCode: sale.price.currencyCode },
  pointsPrice: sale.pointsPrice,
  limitPerBuyer: sale.limitPerBuyer,
  payWithinSeconds: sale.payWithinSeconds,
  returnsOnRefund: sale.returnsOnRefund,
});

export type Reading = { terms: Terms; errors?: undefined } | { terms?: undefined; errors: Record<string, string> };

/** Reads the form. Only what is no number at all is refused here, as the code of a text; the limits are the server's. */
export function readTerms(form: FormData): Reading {
  const text = (name: string) => String(form.get(name) ?? '').trim();
  const errors: Record<string, string> = {};
  const count = (name: string, code: string): number => {
    const found = typedCount(text(name));
    if (found === undefined || found > 2 ** 31 - 1) errors[name] = code;
    return found ?? 0;
  };
  const amount = typedAmount(text('price'));
  if (minor(amount) === undefined) errors.price = 'PRICE_INVALID';
  if (!text('productId')) errors.productId = 'PRODUCT_NOT_FOUND';
  const terms: Terms = {
    productId: text('productId'),
    stock: count('stock', 'STOCK_INVALID'),
    price: { amount, currencyCode: (text('currency') || 'CNY') as Terms['price']['currencyCode'] },
    pointsPrice: text('pointsPrice') ? count('pointsPrice', 'POINTS_PRICE_INVALID') : null,
    limitPerBuyer: count('limitPerBuyer', 'LIMIT_PER_BUYER_INVALID'),
    payWithinSeconds: count('payWithinSeconds', 'PAY_WITHIN_INVALID'),
    returnsOnRefund: form.get('returnsOnRefund') !== null,
  };
  return Object.keys(errors).length > 0 ? { errors } : { terms };
}

const same = (name: keyof Terms, a: Terms, b: Terms): boolean => {
  if (name !== 'price') return a[name] === b[name];
  return a.price.currencyCode === b.price.currencyCode && minor(a.price.amount) === minor(b.price.amount);
};

/** The names of the terms in which two pictures of a sale differ. */
export const differences = (a: Terms, b: Terms): (keyof Terms)[] => FIELDS.filter((name) => !same(name, a, b));

export const creation = (sessionId: string, terms: Terms): SaleCreateInput => ({ ...terms, sessionId });

/** The edit: only what was changed in the form, so that what somebody else has changed elsewhere in it stays. */
export function edit(saleId: string, version: number, from: Terms, to: Terms): SaleUpdateInput | undefined {
  const changed = differences(from, to);
  if (changed.length === 0) return undefined;
  return { saleId, version, ...Object.fromEntries(changed.map((name) => [name, to[name]])) };
}
