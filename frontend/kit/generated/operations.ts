/** Internal type. DO NOT USE DIRECTLY. */
type Exact<T extends { [key: string]: unknown }> = { [K in keyof T]: T[K] };
/** Internal type. DO NOT USE DIRECTLY. */
export type Incremental<T> = T | { [P in keyof T]?: P extends ' $fragmentName' | '__typename' ? T[P] : never };
/** A currency the shop sells in (ISO 4217). */
export type CurrencyCode =
  /** Chinese yuan. */
  | 'CNY'
  /** Euro. */
  | 'EUR'
  /** United States dollar. */
  | 'USD';

/** What a buyer can do with an order. */
export type OrderActionCode =
  /** Cancel it: `orderCancel`. */
  | 'CANCEL'
  /** Pay at Alipay: `orderPay` with `ALIPAY`. */
  | 'PAY_ALIPAY'
  /** Pay with points, if the buyer has enough: `orderPay` with `POINTS`. */
  | 'PAY_POINTS'
  /** Get the money back: `orderRefund`. */
  | 'REFUND';

/** Why the order was not cancelled. Stable: programs may rely on it. */
export type OrderCancelErrorCode =
  /** The order is paid, refunded or expired. */
  | 'ORDER_NOT_CANCELLABLE'
  /** The signed-in buyer has no such order. */
  | 'ORDER_NOT_FOUND'
  /** A payment of it is under way and the payment gateway gives no clear answer now. Nothing has changed; try again shortly. */
  | 'TRY_LATER';

/** Which order to cancel. */
export type OrderCancelInput = {
  /** One's own order. */
  orderId: string;
};

/** Why no payment has begun. Stable: programs may rely on it. */
export type OrderPayErrorCode =
  /** The method does not take this currency or amount. */
  | 'AMOUNT_NOT_TAKEN'
  /** The attempt of this key ended without payment and took nothing. The order can still be paid, under a new key. */
  | 'ATTEMPT_ENDED'
  /** The key is too short, too long, or has other characters. */
  | 'IDEMPOTENCY_KEY_INVALID'
  /** The key was used before for something else. */
  | 'IDEMPOTENCY_KEY_REUSED'
  /** The buyer can spend fewer points than the order costs. */
  | 'INSUFFICIENT_POINTS'
  /** The shop or the sale does not take this method. */
  | 'METHOD_UNAVAILABLE'
  /** The sale takes no points. */
  | 'NOT_FOR_POINTS'
  /** The signed-in buyer has no such order. */
  | 'ORDER_NOT_FOUND'
  /** The order is paid, refunded or cancelled. */
  | 'ORDER_NOT_PAYABLE'
  /** The time to pay is over. */
  | 'PAYMENT_TOO_LATE'
  /** Not an address that browsers are sent to. */
  | 'RETURN_URL_INVALID'
  /** Too many attempts to pay this order were begun. */
  | 'TOO_MANY_ATTEMPTS';

/** What to pay, and how. */
export type OrderPayInput = {
  /**
   * Chosen by the client for this one wish to pay: 8 to 64 of `A-Z a-z 0-9 _ -`. The same key gets the same payment for ever, and goes
   * on with one that was interrupted; a key whose attempt has ended, or that was used for something else, is refused.
   */
  idempotencyKey: string;
  /** How to pay. */
  method: PaymentMethod;
  /** One's own order. */
  orderId: string;
  /** Where the browser should go after paying: a path on this server, or an address of the shop. */
  returnUrl?: string | null | undefined;
};

/** Why no money goes back. Stable: programs may rely on it. */
export type OrderRefundErrorCode =
  /** The key is too short, too long, or has other characters. */
  | 'IDEMPOTENCY_KEY_INVALID'
  /** The key was used before for something else. */
  | 'IDEMPOTENCY_KEY_REUSED'
  /** The signed-in buyer has no such order. */
  | 'ORDER_NOT_FOUND'
  /** The order is not paid, or its money is on its way back already. */
  | 'ORDER_NOT_REFUNDABLE'
  /** The reason is too long or has control characters. */
  | 'REASON_INVALID';

/** Which order's money should come back. */
export type OrderRefundInput = {
  /** Chosen by the client for this one wish: 8 to 64 of `A-Z a-z 0-9 _ -`. The same key gets the same refund for ever. */
  idempotencyKey: string;
  /** One's own paid order. */
  orderId: string;
  /** Why, for the shop: at most 500 characters. */
  reason?: string | null | undefined;
};

/** Where an order stands. */
export type OrderStatus =
  /** Has its units; to be paid before `payBefore`. */
  | 'AWAITING_PAYMENT'
  /** Cancelled by the buyer before it was paid. Final. */
  | 'CANCELLED'
  /** Not paid in time. Final. */
  | 'EXPIRED'
  /** Paid. */
  | 'PAID'
  /** The money went back. Final. */
  | 'REFUNDED'
  /** The money is on its way back. */
  | 'REFUNDING';

/** How an order is paid. */
export type PaymentMethod =
  /** At Alipay's cashier, where the browser is sent. */
  | 'ALIPAY'
  /** With the shop's loyalty points, at once. */
  | 'POINTS';

/** Why money goes back. */
export type PaymentRefundCause =
  /** The buyer asked. */
  | 'BUYER'
  /** It was sent back at the payment gateway's own site, and an operator has booked it (`billDifferenceBook`). */
  | 'EXTERNAL'
  /** It came when its order was closed already. */
  | 'LATE_PAYMENT'
  /** An operator asked. */
  | 'OPERATOR'
  /** The order was paid otherwise. */
  | 'SURPLUS';

/** Where an attempt to pay stands. */
export type PaymentStatus =
  /** Ended without payment. */
  | 'CLOSED'
  /** Refused. */
  | 'FAILED'
  /** Not paid yet, or not heard of yet. */
  | 'PENDING'
  /** It pays the order. */
  | 'SUCCEEDED'
  /**
   * Money that arrived and is not kept: it came too late or the order was paid otherwise, and is on its way back; or it is another
   * amount than was asked for, which an operator sends back.
   */
  | 'SURPLUS';

/** What moved points. */
export type PointsEntryKind =
  /** Given by an operator. */
  | 'GRANT'
  /** An order was paid with points. */
  | 'PAYMENT'
  /** A payment was given back. */
  | 'REFUND'
  /** The gift at sign-up. */
  | 'WELCOME';

/** Why a ticket became no order. Stable: programs may rely on it. */
export type PurchaseRefusalCode =
  /** The buyer has an order in this sale already. */
  | 'ALREADY_BOUGHT'
  /** The sale was over. */
  | 'SALE_ENDED'
  /** No unit was left. */
  | 'SOLD_OUT'
  /**
   * Taken back before it was decided, because of a fault or because its key belonged to another purchase. Buying again with a
   * new key is possible.
   */
  | 'VOIDED';

/** How far a ticket is. */
export type PurchaseTicketStatus =
  /** It became an order. */
  | 'CONFIRMED'
  /** Accepted, not decided. */
  | 'QUEUED'
  /** It became none; `refusal` says why. */
  | 'REFUSED';

/** Where a refund stands. */
export type RefundStatus =
  /** Refused for good. Operators are told. */
  | 'FAILED'
  /** On its way. */
  | 'PENDING'
  /** The money is back. */
  | 'SUCCEEDED';

/** Why there is no ticket. Stable: programs may rely on it. */
export type SalePurchaseErrorCode =
  /** The buyer has an order in this sale already. */
  | 'ALREADY_BOUGHT'
  /** The key is too short, too long, or has other characters. */
  | 'IDEMPOTENCY_KEY_INVALID'
  /** The key was used before for another sale or quantity. */
  | 'IDEMPOTENCY_KEY_REUSED'
  /** The quantity is below 1 or above the sale's limit per buyer. */
  | 'QUANTITY_INVALID'
  /** The sale is over. */
  | 'SALE_ENDED'
  /** There is no such sale. */
  | 'SALE_NOT_FOUND'
  /** The sale has not begun; `retryAt` says when it does. */
  | 'SALE_NOT_STARTED'
  /** The sale is stopped for now. */
  | 'SALE_PAUSED'
  /** Fewer units are left than asked for. Units of orders that are not paid come back. */
  | 'SOLD_OUT'
  /** The sale can't be bought from at this moment; `retryAt` says when to try again. */
  | 'TRY_LATER';

/** What to buy. */
export type SalePurchaseInput = {
  /**
   * Chosen by the client for this one wish to buy: 8 to 64 of `A-Z a-z 0-9 _ -`. The same key gets the same ticket for ever,
   * however often it is sent; a key that was used for something else is refused.
   */
  idempotencyKey: string;
  /** Units, from 1 to the sale's limit per buyer. */
  quantity?: number;
  /** The sale to buy in. */
  saleId: string;
};

/** Where a session stands. */
export type SaleSessionStatus =
  /** It is over. */
  | 'ENDED'
  /** It is now. */
  | 'RUNNING'
  /** It has not begun. */
  | 'UPCOMING';

/** Where a sale stands. */
export type SaleStatus =
  /** It is being prepared; only operators see it. */
  | 'DRAFT'
  /** It is over. */
  | 'ENDED'
  /** It can be bought from now. */
  | 'OPEN'
  /** It was stopped for now. */
  | 'PAUSED'
  /** Its session is running, but no unit is left at the moment. Cancelled units may come back. */
  | 'SOLD_OUT'
  /** Its session has not begun. */
  | 'UPCOMING';

/** Why the password was not changed. Stable: programs may rely on it. */
export type UserPasswordChangeErrorCode =
  /** The current password is wrong. */
  | 'INVALID_CREDENTIALS'
  /** The new password is too long. */
  | 'PASSWORD_TOO_LONG'
  /** The new password is too short. */
  | 'PASSWORD_TOO_SHORT';

/** The old password and the new one. */
export type UserPasswordChangeInput = {
  /** The password in force. */
  currentPassword: string;
  /** The password from now on: 8 to 128 bytes of anything. */
  newPassword: string;
};

/** What a user may do. */
export type UserRole =
  /** Buys. */
  | 'BUYER'
  /** Runs the shop, and may buy too. */
  | 'OPERATOR';

/** Why nobody was signed in. */
export type UserSignInErrorCode =
  /** There is no such user, or it has another password: which of them is not told. */
  | 'INVALID_CREDENTIALS';

/** Who wants to sign in. */
export type UserSignInInput = {
  /** The password. */
  password: string;
  /** The name chosen when signing up. */
  username: string;
};

/** Why nobody was signed out. */
export type UserSignOutErrorCode =
  /** Another request signed out with the same token at the same time. */
  | 'ALREADY_SIGNED_OUT';

/** Why nobody was signed up. */
export type UserSignUpErrorCode =
  /** The display name shows nothing, is too long, or has line breaks or other controls. */
  | 'DISPLAY_NAME_INVALID'
  /** The password is too long. */
  | 'PASSWORD_TOO_LONG'
  /** The password is too short. */
  | 'PASSWORD_TOO_SHORT'
  /** The shop takes no new accounts. */
  | 'SIGN_UP_CLOSED'
  /** The username is too short, too long, or has other characters. */
  | 'USERNAME_INVALID'
  /** Somebody has this username. */
  | 'USERNAME_TAKEN';

/** Who wants to sign up. */
export type UserSignUpInput = {
  /** The name that others see: 1 to 64 characters on one line, of which something is visible. */
  displayName: string;
  /** 8 to 128 bytes of anything. */
  password: string;
  /**
   * The name to sign in with: 3 to 32 characters of a-z, 0-9, `_`, `-` and `.`, beginning with a letter or digit. Upper
   * case is taken as lower case.
   */
  username: string;
};

export type HomeQueryVariables = Exact<{
  until?: string | null | undefined;
}>;


export type HomeQuery = { serverTime: string, shop: { name: string, timeZone: string, paymentMethods: Array<PaymentMethod>, signUpOpen: boolean, welcomePoints: number, supportUrl: string | null }, viewer: { signedInUntil: string, user: { id: string, username: string, displayName: string, role: UserRole }, points: { balance: number, reserved: number } } | null, saleSessions: { nodes: Array<{ id: string, name: string | null, status: SaleSessionStatus, startsAt: string, endsAt: string }> }, begun: { nodes: Array<{ id: string, status: SaleStatus, stockRemaining: number, stockTotal: number, unitsHeld: number, limitPerBuyer: number, startsAt: string, endsAt: string, version: number, pointsPrice: number | null, viewerTicket: { id: string, status: PurchaseTicketStatus, version: number } | null, session: { id: string }, price: { amount: string, currencyCode: CurrencyCode }, originalPrice: { amount: string, currencyCode: CurrencyCode } | null, product: { id: string, name: string, title: string | null, imageUrl: string | null } | null }>, pageInfo: { hasPreviousPage: boolean } }, coming: { nodes: Array<{ id: string, status: SaleStatus, stockRemaining: number, stockTotal: number, unitsHeld: number, limitPerBuyer: number, startsAt: string, endsAt: string, version: number, pointsPrice: number | null, session: { id: string }, price: { amount: string, currencyCode: CurrencyCode }, originalPrice: { amount: string, currencyCode: CurrencyCode } | null, product: { id: string, name: string, title: string | null, imageUrl: string | null } | null }>, pageInfo: { hasNextPage: boolean } } };

export type CardFragment = { id: string, status: SaleStatus, stockRemaining: number, stockTotal: number, unitsHeld: number, limitPerBuyer: number, startsAt: string, endsAt: string, version: number, pointsPrice: number | null, price: { amount: string, currencyCode: CurrencyCode }, originalPrice: { amount: string, currencyCode: CurrencyCode } | null, product: { id: string, name: string, title: string | null, imageUrl: string | null } | null };

export type OrderQueryVariables = Exact<{
  id: string;
}>;


export type OrderQuery = { serverTime: string, order: { id: string, number: string, productName: string, quantity: number, status: OrderStatus, createdAt: string, payBefore: string, paidAt: string | null, closedAt: string | null, pointsTotal: number | null, availableActions: Array<OrderActionCode>, version: number, unitPrice: { amount: string, currencyCode: CurrencyCode }, total: { amount: string, currencyCode: CurrencyCode }, payments: Array<{ id: string, method: PaymentMethod, status: PaymentStatus, points: number | null, createdAt: string, settledAt: string | null, redirectUrl: string | null, amount: { amount: string, currencyCode: CurrencyCode } | null }>, refunds: Array<{ id: string, status: RefundStatus, cause: PaymentRefundCause, reason: string | null, points: number | null, createdAt: string, settledAt: string | null, amount: { amount: string, currencyCode: CurrencyCode } | null }>, sale: { id: string, status: SaleStatus, product: { id: string, name: string, imageUrl: string | null } | null } } | null };

export type OrderCancelMutationVariables = Exact<{
  input: OrderCancelInput;
}>;


export type OrderCancelMutation = { orderCancel: { order: { id: string, status: OrderStatus, version: number, closedAt: string | null } | null, userErrors: Array<{ code: OrderCancelErrorCode, message: string, field: Array<string> | null }> } };

export type OrderPayMutationVariables = Exact<{
  input: OrderPayInput;
}>;


export type OrderPayMutation = { orderPay: { redirectUrl: string | null, order: { id: string, status: OrderStatus, version: number, paidAt: string | null, payments: Array<{ id: string, method: PaymentMethod, status: PaymentStatus, points: number | null, createdAt: string, settledAt: string | null, redirectUrl: string | null, amount: { amount: string, currencyCode: CurrencyCode } | null }> } | null, payment: { id: string, status: PaymentStatus } | null, userErrors: Array<{ code: OrderPayErrorCode, message: string, field: Array<string> | null }> } };

export type OrderRefundMutationVariables = Exact<{
  input: OrderRefundInput;
}>;


export type OrderRefundMutation = { orderRefund: { order: { id: string, status: OrderStatus, version: number, refunds: Array<{ id: string, status: RefundStatus, cause: PaymentRefundCause, reason: string | null, points: number | null, createdAt: string, settledAt: string | null, amount: { amount: string, currencyCode: CurrencyCode } | null }> } | null, refund: { id: string, status: RefundStatus } | null, userErrors: Array<{ code: OrderRefundErrorCode, message: string, field: Array<string> | null }> } };

export type OrdersQueryVariables = Exact<{
  statuses?: Array<OrderStatus> | OrderStatus | null | undefined;
  after?: string | null | undefined;
}>;


export type OrdersQuery = { serverTime: string, viewer: { orders: { nodes: Array<{ id: string, number: string, productName: string, quantity: number, status: OrderStatus, createdAt: string, payBefore: string, paidAt: string | null, closedAt: string | null, pointsTotal: number | null, version: number, total: { amount: string, currencyCode: CurrencyCode }, sale: { id: string, product: { id: string, imageUrl: string | null } | null } }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } } | null };

export type PasswordChangeMutationVariables = Exact<{
  input: UserPasswordChangeInput;
}>;


export type PasswordChangeMutation = { userPasswordChange: { user: { id: string } | null, userErrors: Array<{ code: UserPasswordChangeErrorCode, message: string, field: Array<string> | null }> } };

export type PointsQueryVariables = Exact<{
  after?: string | null | undefined;
}>;


export type PointsQuery = { serverTime: string, viewer: { points: { balance: number, reserved: number, entries: { nodes: Array<{ id: string, kind: PointsEntryKind, points: number, createdAt: string, reason: string | null, order: { id: string, number: string, productName: string } | null }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } } } | null };

export type PurchaseMutationVariables = Exact<{
  input: SalePurchaseInput;
}>;


export type PurchaseMutation = { salePurchase: { ticket: { id: string, status: PurchaseTicketStatus, quantity: number, version: number, createdAt: string } | null, userErrors: Array<{ code: SalePurchaseErrorCode, message: string, field: Array<string> | null, retryAfterSeconds: number | null, retryAt: string | null }> } };

export type PurchaseTicketQueryVariables = Exact<{
  id: string;
}>;


export type PurchaseTicketQuery = { purchaseTicket: { id: string, status: PurchaseTicketStatus, version: number, quantity: number, createdAt: string, decidedAt: string | null, ticketsAhead: number | null, refusal: { code: PurchaseRefusalCode, message: string } | null, order: { id: string, number: string, status: OrderStatus, payBefore: string, version: number, total: { amount: string, currencyCode: CurrencyCode } } | null } | null };

export type SaleQueryVariables = Exact<{
  id: string;
}>;


export type SaleQuery = { serverTime: string, sale: { id: string, status: SaleStatus, stockRemaining: number, stockTotal: number, unitsHeld: number, limitPerBuyer: number, payWithinSeconds: number, returnsOnRefund: boolean, startsAt: string, endsAt: string, version: number, pointsPrice: number | null, price: { amount: string, currencyCode: CurrencyCode }, originalPrice: { amount: string, currencyCode: CurrencyCode } | null, product: { id: string, name: string, title: string | null, description: string | null, imageUrl: string | null } | null, session: { id: string, name: string | null, startsAt: string }, viewerTicket: { id: string, status: PurchaseTicketStatus, version: number, quantity: number, createdAt: string, decidedAt: string | null, refusal: { code: PurchaseRefusalCode, message: string } | null, order: { id: string, number: string, productName: string, quantity: number, status: OrderStatus, createdAt: string, payBefore: string, paidAt: string | null, closedAt: string | null, pointsTotal: number | null, availableActions: Array<OrderActionCode>, version: number, unitPrice: { amount: string, currencyCode: CurrencyCode }, total: { amount: string, currencyCode: CurrencyCode }, payments: Array<{ id: string, method: PaymentMethod, status: PaymentStatus, points: number | null, createdAt: string, settledAt: string | null, redirectUrl: string | null, amount: { amount: string, currencyCode: CurrencyCode } | null }>, refunds: Array<{ id: string, status: RefundStatus, cause: PaymentRefundCause, reason: string | null, points: number | null, createdAt: string, settledAt: string | null, amount: { amount: string, currencyCode: CurrencyCode } | null }> } | null } | null } | null };

export type SaleSessionsQueryVariables = Exact<{
  on?: string | null | undefined;
  until?: string | null | undefined;
}>;


export type SaleSessionsQuery = { serverTime: string, saleSessions: { nodes: Array<{ id: string, name: string | null, status: SaleSessionStatus, startsAt: string, endsAt: string }> } };

export type SalesQueryVariables = Exact<{
  sessionId?: string | null | undefined;
  statuses?: Array<SaleStatus> | SaleStatus | null | undefined;
  after?: string | null | undefined;
  signedIn?: boolean | null | undefined;
}>;


export type SalesQuery = { serverTime: string, sales: { nodes: Array<{ id: string, status: SaleStatus, stockRemaining: number, stockTotal: number, unitsHeld: number, limitPerBuyer: number, startsAt: string, endsAt: string, version: number, pointsPrice: number | null, price: { amount: string, currencyCode: CurrencyCode }, originalPrice: { amount: string, currencyCode: CurrencyCode } | null, product: { id: string, name: string, title: string | null, imageUrl: string | null } | null, viewerTicket?: { id: string, status: PurchaseTicketStatus, version: number } | null }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } };

export type ServerTimeQueryVariables = Exact<{ [key: string]: never; }>;


export type ServerTimeQuery = { serverTime: string };

export type ShopQueryVariables = Exact<{ [key: string]: never; }>;


export type ShopQuery = { serverTime: string, shop: { name: string, timeZone: string, paymentMethods: Array<PaymentMethod>, signUpOpen: boolean, welcomePoints: number, supportUrl: string | null } };

export type SignInMutationVariables = Exact<{
  input: UserSignInInput;
}>;


export type SignInMutation = { userSignIn: { user: { id: string, username: string, displayName: string, role: UserRole } | null, userErrors: Array<{ code: UserSignInErrorCode, message: string, field: Array<string> | null }> } };

export type SignOutMutationVariables = Exact<{ [key: string]: never; }>;


export type SignOutMutation = { userSignOut: { userErrors: Array<{ code: UserSignOutErrorCode, message: string, field: Array<string> | null }> } };

export type SignOutEverywhereMutationVariables = Exact<{ [key: string]: never; }>;


export type SignOutEverywhereMutation = { userSignOutEverywhere: { ended: number, userErrors: Array<{ message: string, field: Array<string> | null }> } };

export type SignUpMutationVariables = Exact<{
  input: UserSignUpInput;
}>;


export type SignUpMutation = { userSignUp: { user: { id: string, username: string, displayName: string, role: UserRole } | null, userErrors: Array<{ code: UserSignUpErrorCode, message: string, field: Array<string> | null }> } };

export type ViewerQueryVariables = Exact<{ [key: string]: never; }>;


export type ViewerQuery = { serverTime: string, viewer: { signedInUntil: string, user: { id: string, username: string, displayName: string, role: UserRole }, points: { balance: number, reserved: number } } | null };

export type WatchMyOrdersSubscriptionVariables = Exact<{ [key: string]: never; }>;


export type WatchMyOrdersSubscription = { viewerOrderUpdated: { id: string, status: OrderStatus, payBefore: string, paidAt: string | null, closedAt: string | null, version: number } };

export type WatchOrderSubscriptionVariables = Exact<{
  id: string;
  afterVersion?: number | null | undefined;
}>;


export type WatchOrderSubscription = { orderUpdated: { id: string, number: string, productName: string, quantity: number, status: OrderStatus, createdAt: string, payBefore: string, paidAt: string | null, closedAt: string | null, pointsTotal: number | null, availableActions: Array<OrderActionCode>, version: number, unitPrice: { amount: string, currencyCode: CurrencyCode }, total: { amount: string, currencyCode: CurrencyCode }, payments: Array<{ id: string, method: PaymentMethod, status: PaymentStatus, points: number | null, createdAt: string, settledAt: string | null, redirectUrl: string | null, amount: { amount: string, currencyCode: CurrencyCode } | null }>, refunds: Array<{ id: string, status: RefundStatus, cause: PaymentRefundCause, reason: string | null, points: number | null, createdAt: string, settledAt: string | null, amount: { amount: string, currencyCode: CurrencyCode } | null }> } };

export type WatchStockSubscriptionVariables = Exact<{
  saleIds: Array<string> | string;
}>;


export type WatchStockSubscription = { saleStockChanged: { saleId: string, stockRemaining: number, unitsHeld: number, soldOut: boolean, status: SaleStatus, endsAt: string, version: number, asOf: string } };

export type WatchTicketSubscriptionVariables = Exact<{
  id: string;
  afterVersion?: number | null | undefined;
}>;


export type WatchTicketSubscription = { purchaseTicketUpdated: { id: string, status: PurchaseTicketStatus, version: number, quantity: number, createdAt: string, decidedAt: string | null, refusal: { code: PurchaseRefusalCode, message: string } | null, order: { id: string, number: string, status: OrderStatus, payBefore: string, version: number, total: { amount: string, currencyCode: CurrencyCode } } | null } };
