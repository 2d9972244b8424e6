// The form of a product: what two operators have made of the same one.
import type { ProductUpdateInput } from '@kit/generated/operations';
import { minor } from './money';

/** What of a product can be edited. */
export interface Texts {
  name: string;
  title: string | null;
  description: string | null;
  imageUrl: string | null;
  price: { amount: string; currencyCode: 'CNY' | 'EUR' | 'USD' };
}

export const FIELDS = ['name', 'title', 'description', 'imageUrl', 'price'] as const satisfies readonly (keyof Texts)[];

const same = (name: keyof Texts, a: Texts, b: Texts): boolean => {
  // Nothing and an empty text are the same to who fills a form in.
  if (name !== 'price') return (a[name] ?? '') === (b[name] ?? '');
  return a.price.currencyCode === b.price.currencyCode && minor(a.price.amount) === minor(b.price.amount);
};

/** The names of what two pictures of a product differ in. */
export const differences = (a: Texts, b: Texts): (keyof Texts)[] => FIELDS.filter((name) => !same(name, a, b));

/** The edit: only what was changed in the form, so that what somebody else has changed elsewhere in it stays. */
export function edit(productId: string, version: number, from: Texts, to: Texts): ProductUpdateInput | undefined {
  const changed = differences(from, to);
  if (changed.length === 0) return undefined;
  return { productId, version, ...Object.fromEntries(changed.map((name) => [name, to[name]])) };
}
