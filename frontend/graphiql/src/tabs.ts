/** The tabs a newcomer finds: sign in, look at the sales, buy, watch the answer arrive, pay. */

import PAY from './tabs/Pay.graphql?raw';
import PURCHASE from './tabs/Purchase.graphql?raw';
import SALE_LIST from './tabs/SaleList.graphql?raw';
import SIGN_IN from './tabs/SignIn.graphql?raw';
import WATCH from './tabs/Watch.graphql?raw';

export interface TabSeed {
  query: string;
  variables: string;
  headers?: string;
}

/** A key for one wish to buy or to pay. Sending the same key again returns the same ticket or payment. */
export function freshKey(): string {
  return `web-${randomHex(12)}`;
}

function randomHex(bytes: number): string {
  // Not randomUUID: it exists only on https and localhost.
  return Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join('');
}

const json = (value: unknown) => JSON.stringify(value, null, 2);

export function defaultTabs(): TabSeed[] {
  const username = `shopper-${randomHex(3)}`;
  const password = `correct horse ${randomHex(4)}`;
  return [
    {
      query: SIGN_IN,
      variables: json({
        signIn: { username, password },
        signUp: { username, password, displayName: 'A shopper' },
      }),
    },
    { query: SALE_LIST, variables: '' },
    {
      query: PURCHASE,
      variables: json({ input: { saleId: '', quantity: 1, idempotencyKey: freshKey() } }),
    },
    { query: WATCH, variables: json({ ticketId: '', saleIds: [] }) },
    {
      query: PAY,
      variables: json({
        orderId: '',
        pay: { orderId: '', method: 'ALIPAY', idempotencyKey: freshKey() },
      }),
    },
  ];
}
