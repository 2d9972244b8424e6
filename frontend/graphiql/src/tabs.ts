/** The tabs a newcomer finds: sign in, look at the sales, buy, watch the answer arrive. */

export interface TabSeed {
  query: string;
  variables: string;
  headers?: string;
}

/** A key for one purchase attempt. Sending the same key again returns the same ticket. */
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

const SIGN_IN = `# The play button asks which: SignUp makes an account,
# SignIn uses the one you have. The token that comes
# back is put into the Headers of every tab.

mutation SignIn($signIn: UserSignInInput!) {
  userSignIn(input: $signIn) {
    user { username displayName role }
    accessToken { token expiresAt }
    userErrors { code message field }
  }
}

mutation SignUp($signUp: UserSignUpInput!) {
  userSignUp(input: $signUp) {
    user { username displayName role }
    accessToken { token expiresAt }
    userErrors { code message field }
  }
}
`;

const SALE_LIST = `# Today's sessions and their sales. The first open
# sale is put into the Variables of the next tabs.

query SaleList {
  serverTime
  saleSessions {
    nodes { id name status startsAt endsAt }
  }
  sales(first: 20) {
    nodes {
      id
      status
      stockRemaining
      stockTotal
      limitPerBuyer
      price { amount currencyCode }
      originalPrice { amount currencyCode }
      product { name imageUrl }
      endsAt
    }
  }
}
`;

const PURCHASE = `# The answer is a ticket: accepted, not yet decided.
# The next tab watches its outcome. The same
# idempotencyKey always gives the same ticket;
# change the key to make another attempt.

mutation Purchase($input: SalePurchaseInput!) {
  salePurchase(input: $input) {
    ticket {
      id
      status
      quantity
      createdAt
    }
    userErrors { code message field retryAfterSeconds }
  }
}
`;

const WATCH = `# Live, over a WebSocket; the present state comes
# first. WatchTicket ends with the final state,
# WatchStock goes on until you stop it.

subscription WatchTicket($ticketId: ID!) {
  purchaseTicketUpdated(id: $ticketId) {
    id
    status
    version
    decidedAt
    refusal { code message }
    order {
      id
      number
      status
      payBefore
      total { amount currencyCode }
    }
  }
}

subscription WatchStock($saleIds: [ID!]!) {
  saleStockChanged(saleIds: $saleIds) {
    saleId
    stockRemaining
    soldOut
    status
    asOf
  }
}
`;

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
  ];
}
