// One field that knows the numbers of orders, the names of buyers, and what only a look-up can find.

export type Search =
  | { kind: 'all' }
  | { kind: 'number'; number: string }
  | { kind: 'buyer'; buyer: string }
  /** An id, or a number of the payment gateway. */
  | { kind: 'lookup'; words: string }
  | { kind: 'short' };

const NUMBER_LEAST = 4;
const BUYER_LEAST = 3;

export function searchOf(text: string | null): Search {
  const words = text?.trim() ?? '';
  if (!words) return { kind: 'all' };
  if (/^(order|payment|refund)_/.test(words) || /^\d{16,}$/.test(words)) return { kind: 'lookup', words };
  if (/^\d+(-\d*){0,2}$/.test(words)) return words.length < NUMBER_LEAST ? { kind: 'short' } : { kind: 'number', number: words };
  return words.length < BUYER_LEAST ? { kind: 'short' } : { kind: 'buyer', buyer: words };
}
