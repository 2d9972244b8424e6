/** Internal type. DO NOT USE DIRECTLY. */
type Exact<T extends { [key: string]: unknown }> = { [K in keyof T]: T[K] };
/** Internal type. DO NOT USE DIRECTLY. */
export type Incremental<T> = T | { [P in keyof T]?: P extends ' $fragmentName' | '__typename' ? T[P] : never };
/** What entries to look for: all that is given must hold. */
export type AuditFilterInput = {
  /** Only such acts, or those that begin so: `sale.` */
  act?: string | null | undefined;
  /** At or after. */
  from?: string | null | undefined;
  /** By this operator's username. */
  operator?: string | null | undefined;
  /** About this object. */
  subject?: string | null | undefined;
  /** Before. */
  until?: string | null | undefined;
};

/** Why a difference was not closed. Stable: programs may rely on it. */
export type BillDifferenceCloseErrorCode =
  /** There is no such difference, or it differs otherwise by now. */
  | 'DIFFERENCE_NOT_FOUND'
  /** It is resolved, or was closed before, by another operator or for another reason. */
  | 'DIFFERENCE_NOT_OPEN'
  /** The reason is missing, too long, or has control characters. */
  | 'REASON_INVALID';

/** Which difference to close, and why. */
export type BillDifferenceCloseInput = {
  /** The difference. */
  differenceId: string;
  /** Why it needs nothing more, for the audit log: 1 to 500 characters on one line. */
  reason: string;
};

/** In what a bill and the books differ. */
export type BillDifferenceKind =
  /** Both have it, with other amounts, or the bill has it twice. */
  | 'AMOUNT'
  /** The bill has a number that is not the shop's. */
  | 'MISSING_HERE'
  /** The shop holds as paid, or as paid back, what the bill does not have. */
  | 'MISSING_THERE'
  /** The bill has it, and here it is not paid, or not paid back. */
  | 'STATUS';

/** A currency the shop sells in (ISO 4217). */
export type CurrencyCode =
  /** Chinese yuan. */
  | 'CNY'
  /** Euro. */
  | 'EUR'
  /** United States dollar. */
  | 'USD';

/** Why a message was not put away. Stable: programs may rely on it. */
export type FailureDismissErrorCode =
  /** It was replayed or put away before. */
  | 'FAILURE_ALREADY_HANDLED'
  /** There is no such message. */
  | 'FAILURE_NOT_FOUND'
  /** The reason is missing, too long, or has control characters. */
  | 'REASON_INVALID';

/** Which message to put away. */
export type FailureDismissInput = {
  /** The parked message. */
  failureId: string;
  /** For the audit log: 1 to 500 characters on one line. */
  reason: string;
};

/** Why a message was not handled once more. Stable: programs may rely on it. */
export type FailureReplayErrorCode =
  /** It was replayed or put away before. */
  | 'FAILURE_ALREADY_HANDLED'
  /** There is no such message. */
  | 'FAILURE_NOT_FOUND'
  /** The reason is missing, too long, or has control characters. */
  | 'REASON_INVALID'
  /** This version can't read the message. */
  | 'UNREADABLE';

/** Which message to handle once more. */
export type FailureReplayInput = {
  /** The parked message. */
  failureId: string;
  /** For the audit log: 1 to 500 characters on one line. */
  reason: string;
};

/** An amount of money given to the shop. */
export type MoneyInput = {
  /** The amount in major units, such as `"19.90"`: no sign, no grouping, no more decimal places than the currency has. */
  amount: string;
  /** What the amount is of. */
  currencyCode?: CurrencyCode;
};

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

/** What orders to look for: all that is given must hold. */
export type OrderFilterInput = {
  /** The buyer's username, or its beginning: at least 3 characters, and so many that at most 100 usernames begin so. */
  buyer?: string | null | undefined;
  /** Made at or after. */
  from?: string | null | undefined;
  /** The order's number, or its beginning from the whole number of the sale on (`100017`, `100017-1-00`): at least 4 characters. */
  number?: string | null | undefined;
  /** Only of this sale. */
  saleId?: string | null | undefined;
  /** Only those that stand so. */
  statuses?: Array<OrderStatus> | null | undefined;
  /** Made before. */
  until?: string | null | undefined;
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

/** What a person must look at. */
export type PaymentFlag =
  /** The gateway took another amount than was asked for. It pays nothing, and stays until an operator sends it back. */
  | 'AMOUNT_MISMATCH'
  /** The gateway closed or refunded what is held as paid, and not because of the shop. */
  | 'CHANGED_OUTSIDE'
  /** The gateway knows another amount under a refund's number. */
  | 'REFUND_MISMATCH'
  /** The gateway refused a refund for good. */
  | 'REFUND_REJECTED'
  /** Two payments claim the same trade, or one claims two. */
  | 'TRADE_MISMATCH';

/** Why a payment's mark was not taken away. Stable: programs may rely on it. */
export type PaymentFlagClearErrorCode =
  /** The payment has no such mark, or not any more. */
  | 'FLAG_NOT_SET'
  /** Another amount than was asked for came in and pays nothing: `paymentRefund` sends it back, which takes the mark away. */
  | 'MONEY_WAITS'
  /** There is no such payment. */
  | 'PAYMENT_NOT_FOUND'
  /** The reason is missing, too long, or has control characters. */
  | 'REASON_INVALID';

/** Which payment's mark to take away, and why. */
export type PaymentFlagClearInput = {
  /** The mark that was looked at. If the payment has another one by now, nothing is done. */
  flag: PaymentFlag;
  /** The payment. */
  paymentId: string;
  /** Why it needs nothing more, for the payment's log and the audit log: 1 to 500 characters on one line. */
  reason: string;
};

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
  /** It came when its order was closed already. */
  | 'LATE_PAYMENT'
  /** An operator asked. */
  | 'OPERATOR'
  /** The order was paid otherwise. */
  | 'SURPLUS';

/** Why no money goes back. Stable: programs may rely on it. */
export type PaymentRefundErrorCode =
  /** Not a plain decimal number above zero, of the payment's currency, and at most what is left. */
  | 'AMOUNT_INVALID'
  /** The key is too short, too long, or has other characters. */
  | 'IDEMPOTENCY_KEY_INVALID'
  /** The key was used before for something else. */
  | 'IDEMPOTENCY_KEY_REUSED'
  /** There is no such payment. */
  | 'PAYMENT_NOT_FOUND'
  /** It brought no money, or all of it went back or is on its way. */
  | 'PAYMENT_NOT_REFUNDABLE'
  /** The reason is missing, too long, or has control characters. */
  | 'REASON_INVALID';

/** Which payment's money should go back. */
export type PaymentRefundInput = {
  /** How much; all that is left when absent. Payments in points go back whole. */
  amount?: MoneyInput | null | undefined;
  /** Chosen by the client for this one decision: 8 to 64 of `A-Z a-z 0-9 _ -`. The same key gets the same refund for ever. */
  idempotencyKey: string;
  /** The payment. */
  paymentId: string;
  /** Why, for the audit log: 1 to 500 characters. */
  reason: string;
};

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

/** Why no points were granted. Stable: programs may rely on it. */
export type PointsGrantErrorCode =
  /** The account would hold more than an account may. */
  | 'BALANCE_TOO_LARGE'
  /** The key is too short, too long, or has other characters. */
  | 'IDEMPOTENCY_KEY_INVALID'
  /** The operator used the key before for another grant. */
  | 'IDEMPOTENCY_KEY_REUSED'
  /** Fewer than 1, or more than one grant may give. */
  | 'POINTS_INVALID'
  /** The reason shows nothing, is too long, or has line breaks or other controls. */
  | 'REASON_INVALID'
  /** There is no such user, or not exactly one of `username` and `userId` was given. */
  | 'USER_NOT_FOUND';

/** What to give, and to whom: give either `username` or `userId`. */
export type PointsGrantInput = {
  /** Chosen by the client for this one grant: 8 to 64 of `A-Z a-z 0-9 _ -`. The same key gives once, however often it is sent. */
  idempotencyKey: string;
  /** How many points, at least 1. */
  points: number;
  /** Why: 1 to 200 characters on one line, of which something is visible. The user can read it. */
  reason: string;
  /** The user's id. */
  userId?: string | null | undefined;
  /** The name that the user signs in with. */
  username?: string | null | undefined;
};

/** What is wrong with a new product. */
export type ProductCreateErrorCode =
  /** The description is too long. */
  | 'DESCRIPTION_INVALID'
  /** The picture is neither an `http` or `https` URL nor an absolute path. */
  | 'IMAGE_URL_INVALID'
  /** The name is missing, too long, or has control characters. */
  | 'NAME_INVALID'
  /** The price is not a plain decimal number. */
  | 'PRICE_INVALID'
  /** The price is zero, below zero, or too large. */
  | 'PRICE_OUT_OF_RANGE'
  /** The price has more decimal places than its currency. */
  | 'PRICE_SCALE_INVALID'
  /** The title is too long, or has control characters. */
  | 'TITLE_INVALID';

/** A new product. */
export type ProductCreateInput = {
  /** Longer text: at most 10000 characters. */
  description?: string | null | undefined;
  /** A picture: an `http` or `https` URL, or a path on this server that begins with a slash. */
  imageUrl?: string | null | undefined;
  /** The short name: 1 to 200 characters on one line. */
  name: string;
  /** The ordinary price, above zero. */
  price: MoneyInput;
  /** One line of advertising: at most 200 characters. */
  title?: string | null | undefined;
};

/** What is wrong with an edit of a product. */
export type ProductUpdateErrorCode =
  /** The description is too long. */
  | 'DESCRIPTION_INVALID'
  /** The picture is neither an `http` or `https` URL nor an absolute path. */
  | 'IMAGE_URL_INVALID'
  /** The name is missing, too long, or has control characters. */
  | 'NAME_INVALID'
  /** The price is not a plain decimal number. */
  | 'PRICE_INVALID'
  /** The price is zero, below zero, or too large. */
  | 'PRICE_OUT_OF_RANGE'
  /** The price has more decimal places than its currency. */
  | 'PRICE_SCALE_INVALID'
  /** There is no such product. */
  | 'PRODUCT_NOT_FOUND'
  /** The title is too long, or has control characters. */
  | 'TITLE_INVALID'
  /** Somebody else edited the product in the meantime. */
  | 'VERSION_CONFLICT';

/** An edit of a product. What is absent stays as it is; null empties what may be empty. */
export type ProductUpdateInput = {
  /** Longer text: at most 10000 characters. */
  description?: string | null | undefined;
  /** A picture: an `http` or `https` URL, or a path on this server that begins with a slash. */
  imageUrl?: string | null | undefined;
  /** The short name: 1 to 200 characters on one line. */
  name?: string | null | undefined;
  /** The ordinary price, above zero. */
  price?: MoneyInput | null | undefined;
  /** The product. */
  productId: string;
  /** One line of advertising: at most 200 characters. */
  title?: string | null | undefined;
  /** The version that the edit was made from: refused when there is a newer one. Absent: the edit is made in any case. */
  version?: number | null | undefined;
};

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

/** What is wrong with a new sale. */
export type SaleCreateErrorCode =
  /** The limit per buyer is outside its limits. */
  | 'LIMIT_PER_BUYER_INVALID'
  /** The seconds to pay are outside their limits. */
  | 'PAY_WITHIN_INVALID'
  /** The price in points is zero, below zero, or too large, or an order of `limitPerBuyer` units would cost more than 2147483647. */
  | 'POINTS_PRICE_INVALID'
  /** The price is not a plain decimal number. */
  | 'PRICE_INVALID'
  /** The price is zero, below zero, or too large. */
  | 'PRICE_OUT_OF_RANGE'
  /** The price has more decimal places than its currency. */
  | 'PRICE_SCALE_INVALID'
  /** There is no such product. */
  | 'PRODUCT_NOT_FOUND'
  /** There is no such session. */
  | 'SESSION_NOT_FOUND'
  /** The stock is outside its limits. */
  | 'STOCK_INVALID';

/** A new sale; it begins as a draft. */
export type SaleCreateInput = {
  /** Units one buyer may hold, 1 to 1000. */
  limitPerBuyer?: number;
  /** How long an order waits for its payment, 1 to 604800 seconds. */
  payWithinSeconds?: number;
  /**
   * The price of one unit in loyalty points, 1 to 1000000000, and times `limitPerBuyer` at most 2147483647; absent when it is not
   * sold for points.
   */
  pointsPrice?: number | null | undefined;
  /** The price of one unit, above zero. */
  price: MoneyInput;
  /** What it sells. */
  productId: string;
  /** Whether refunded units are sold again. */
  returnsOnRefund?: boolean;
  /** The session in which it sells. */
  sessionId: string;
  /** Units, 1 to 10000000. */
  stock: number;
};

/** Why ending a sale was refused. */
export type SaleEndErrorCode =
  /** The sale was ended already. */
  | 'SALE_ENDED'
  /** There is no such sale. */
  | 'SALE_NOT_FOUND'
  /** The sale is still a draft. */
  | 'SALE_NOT_PUBLISHED';

/** Which sale to end. */
export type SaleEndInput = {
  /** The sale. */
  saleId: string;
};

/** Why pausing a sale was refused. */
export type SalePauseErrorCode =
  /** The sale is paused already. */
  | 'SALE_ALREADY_PAUSED'
  /** The sale was ended. */
  | 'SALE_ENDED'
  /** There is no such sale. */
  | 'SALE_NOT_FOUND'
  /** The sale is still a draft. */
  | 'SALE_NOT_PUBLISHED'
  /** The sale's session is over. */
  | 'SESSION_ENDED';

/** Which sale to pause. */
export type SalePauseInput = {
  /** The sale. */
  saleId: string;
};

/** Why publishing a sale was refused. */
export type SalePublishErrorCode =
  /** The sale is not a draft any more. */
  | 'SALE_ALREADY_PUBLISHED'
  /** The sale was ended. */
  | 'SALE_ENDED'
  /** There is no such sale. */
  | 'SALE_NOT_FOUND'
  /** The sale's session is over. */
  | 'SESSION_ENDED';

/** Which sale to publish. */
export type SalePublishInput = {
  /** The sale. */
  saleId: string;
};

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

/** Why resuming a sale was refused. */
export type SaleResumeErrorCode =
  /** The sale was ended. */
  | 'SALE_ENDED'
  /** There is no such sale. */
  | 'SALE_NOT_FOUND'
  /** The sale is not paused. */
  | 'SALE_NOT_PAUSED'
  /** The sale is still a draft. */
  | 'SALE_NOT_PUBLISHED'
  /** The sale's session is over. */
  | 'SESSION_ENDED';

/** Which sale to resume. */
export type SaleResumeInput = {
  /** The sale. */
  saleId: string;
};

/** What is wrong with a new session. */
export type SaleSessionCreateErrorCode =
  /** The name is too long, or has control characters. */
  | 'NAME_INVALID'
  /** The session does not end after it starts. */
  | 'WINDOW_INVALID'
  /** The session is longer than seven days. */
  | 'WINDOW_TOO_LONG';

/** A new sale session. */
export type SaleSessionCreateInput = {
  /** The first moment after it, at most seven days later; two hours later when absent. */
  endsAt?: string | null | undefined;
  /** What shoppers call it: at most 200 characters on one line. */
  name?: string | null | undefined;
  /** Its first moment. */
  startsAt: string;
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

/** Why adding units was refused. */
export type SaleStockAddErrorCode =
  /** The key is too short, too long, or has other characters. */
  | 'IDEMPOTENCY_KEY_INVALID'
  /** The key was used with another number of units. */
  | 'IDEMPOTENCY_KEY_REUSED'
  /** The sale was ended. */
  | 'SALE_ENDED'
  /** There is no such sale. */
  | 'SALE_NOT_FOUND'
  /** The sale is still a draft: change its stock instead. */
  | 'SALE_NOT_PUBLISHED'
  /** The sale's session is over. */
  | 'SESSION_ENDED'
  /** The units are outside their limits, or the sum is. */
  | 'UNITS_INVALID';

/** Units to add to a sale. */
export type SaleStockAddInput = {
  /** 8 to 64 of A-Z, a-z, 0-9, `_` and `-`. Within one sale the same key adds only once, however often it is sent. */
  idempotencyKey: string;
  /** The sale. */
  saleId: string;
  /** How many: at least 1, and at most 10000000 in all with those there already. */
  units: number;
};

/** What is wrong with an edit of a sale. */
export type SaleUpdateErrorCode =
  /** The limit per buyer is outside its limits. */
  | 'LIMIT_PER_BUYER_INVALID'
  /** The seconds to pay are outside their limits. */
  | 'PAY_WITHIN_INVALID'
  /** The price in points is zero, below zero, or too large, or an order of `limitPerBuyer` units would cost more than 2147483647. */
  | 'POINTS_PRICE_INVALID'
  /** The price is not a plain decimal number. */
  | 'PRICE_INVALID'
  /** The price is zero, below zero, or too large. */
  | 'PRICE_OUT_OF_RANGE'
  /** The price has more decimal places than its currency. */
  | 'PRICE_SCALE_INVALID'
  /** There is no such product. */
  | 'PRODUCT_NOT_FOUND'
  /** The sale is not a draft any more. */
  | 'SALE_ALREADY_PUBLISHED'
  /** The sale was ended. */
  | 'SALE_ENDED'
  /** There is no such sale. */
  | 'SALE_NOT_FOUND'
  /** There is no such session. */
  | 'SESSION_NOT_FOUND'
  /** The stock is outside its limits. */
  | 'STOCK_INVALID'
  /** Somebody else changed the sale in the meantime. */
  | 'VERSION_CONFLICT';

/** An edit of a draft. What is absent stays as it is. */
export type SaleUpdateInput = {
  /** Units one buyer may hold, 1 to 1000. */
  limitPerBuyer?: number | null | undefined;
  /** How long an order waits for its payment, 1 to 604800 seconds. */
  payWithinSeconds?: number | null | undefined;
  /**
   * The price of one unit in loyalty points, 1 to 1000000000, and times `limitPerBuyer` at most 2147483647; null to not sell for
   * points.
   */
  pointsPrice?: number | null | undefined;
  /** The price of one unit, above zero. */
  price?: MoneyInput | null | undefined;
  /** What it sells. */
  productId?: string | null | undefined;
  /** Whether refunded units are sold again. */
  returnsOnRefund?: boolean | null | undefined;
  /** The sale. */
  saleId: string;
  /** The session in which it sells. */
  sessionId?: string | null | undefined;
  /** Units, 1 to 10000000. */
  stock?: number | null | undefined;
  /** The version that the edit was made from: refused when there is a newer one. Absent: the edit is made in any case. */
  version?: number | null | undefined;
};

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

export type AuditEntriesQueryVariables = Exact<{
  filter?: AuditFilterInput | null | undefined;
  after?: string | null | undefined;
}>;


export type AuditEntriesQuery = { serverTime: string, auditEntries: { nodes: Array<{ id: string, at: string, act: string, subject: string, detail: string, reason: string | null, operator: { id: string, username: string } }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } };

export type BillDifferenceCloseMutationVariables = Exact<{
  input: BillDifferenceCloseInput;
}>;


export type BillDifferenceCloseMutation = { billDifferenceClose: { difference: { id: string, closedAt: string | null } | null, userErrors: Array<{ code: BillDifferenceCloseErrorCode, message: string, field: Array<string> | null }> } };

export type BillDifferencesQueryVariables = Exact<{
  open: boolean;
  after?: string | null | undefined;
}>;


export type BillDifferencesQuery = { serverTime: string, billDifferences: { totalCount: number, nodes: Array<{ id: string, day: string, kind: BillDifferenceKind, number: string, ours: string, theirs: string, foundAt: string, resolvedAt: string | null, closedAt: string | null, closeReason: string | null, closedBy: { id: string, username: string } | null }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } };

export type BooksAuditQueryVariables = Exact<{ [key: string]: never; }>;


export type BooksAuditQuery = { serverTime: string, booksAudit: { ok: boolean, at: string, invariants: Array<{ number: number, title: string, breaches: Array<string> }> } };

export type ConsoleSaleQueryVariables = Exact<{
  id: string;
}>;


export type ConsoleSaleQuery = { serverTime: string, sale: { id: string, status: SaleStatus, stockRemaining: number, stockTotal: number, unitsHeld: number, gateUpToDate: boolean | null, limitPerBuyer: number, payWithinSeconds: number, returnsOnRefund: boolean, pointsPrice: number | null, startsAt: string, endsAt: string, version: number, price: { amount: string, currencyCode: CurrencyCode }, product: { id: string, name: string, imageUrl: string | null, price: { amount: string, currencyCode: CurrencyCode } } | null, session: { id: string, name: string | null, status: SaleSessionStatus, startsAt: string, endsAt: string } } | null };

export type ConsoleSalesQueryVariables = Exact<{
  sessionId?: string | null | undefined;
  statuses?: Array<SaleStatus> | SaleStatus | null | undefined;
  after?: string | null | undefined;
}>;


export type ConsoleSalesQuery = { serverTime: string, sales: { nodes: Array<{ id: string, status: SaleStatus, stockRemaining: number, stockTotal: number, unitsHeld: number, startsAt: string, endsAt: string, version: number, price: { amount: string, currencyCode: CurrencyCode }, product: { id: string, name: string } | null }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } };

export type FailureCountQueryVariables = Exact<{ [key: string]: never; }>;


export type FailureCountQuery = { serverTime: string, failures: { totalCount: number } };

export type FailureDismissMutationVariables = Exact<{
  input: FailureDismissInput;
}>;


export type FailureDismissMutation = { failureDismiss: { failure: { id: string, handledAt: string | null } | null, userErrors: Array<{ code: FailureDismissErrorCode, message: string, field: Array<string> | null }> } };

export type FailureReplayMutationVariables = Exact<{
  input: FailureReplayInput;
}>;


export type FailureReplayMutation = { failureReplay: { failure: { id: string, handledAt: string | null } | null, userErrors: Array<{ code: FailureReplayErrorCode, message: string, field: Array<string> | null }> } };

export type FailuresQueryVariables = Exact<{
  topic?: string | null | undefined;
  after?: string | null | undefined;
}>;


export type FailuresQuery = { serverTime: string, failures: { totalCount: number, nodes: Array<{ id: string, topic: string, reason: string, parkedAt: string, payload: string, truncated: boolean, ticketId: string | null, handledAt: string | null }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } };

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

export type OrderSearchQueryVariables = Exact<{
  filter?: OrderFilterInput | null | undefined;
  after?: string | null | undefined;
}>;


export type OrderSearchQuery = { serverTime: string, orders: { nodes: Array<{ id: string, number: string, status: OrderStatus, productName: string, quantity: number, createdAt: string, pointsTotal: number | null, total: { amount: string, currencyCode: CurrencyCode }, buyer: { id: string, username: string, displayName: string } | null }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } };

export type OrdersQueryVariables = Exact<{
  statuses?: Array<OrderStatus> | OrderStatus | null | undefined;
  after?: string | null | undefined;
}>;


export type OrdersQuery = { serverTime: string, viewer: { orders: { nodes: Array<{ id: string, number: string, productName: string, quantity: number, status: OrderStatus, createdAt: string, payBefore: string, paidAt: string | null, closedAt: string | null, pointsTotal: number | null, version: number, total: { amount: string, currencyCode: CurrencyCode }, sale: { id: string, product: { id: string, imageUrl: string | null } | null } }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } } | null };

export type PasswordChangeMutationVariables = Exact<{
  input: UserPasswordChangeInput;
}>;


export type PasswordChangeMutation = { userPasswordChange: { user: { id: string } | null, userErrors: Array<{ code: UserPasswordChangeErrorCode, message: string, field: Array<string> | null }> } };

export type PaymentFlagClearMutationVariables = Exact<{
  input: PaymentFlagClearInput;
}>;


export type PaymentFlagClearMutation = { paymentFlagClear: { payment: { number: string, flag: PaymentFlag | null } | null, userErrors: Array<{ code: PaymentFlagClearErrorCode, message: string, field: Array<string> | null }> } };

export type PaymentLookupQueryVariables = Exact<{
  id: string;
}>;


export type PaymentLookupQuery = { serverTime: string, paymentLookup: { order: { id: string, number: string, status: OrderStatus, productName: string, quantity: number, createdAt: string, payBefore: string, paidAt: string | null, closedAt: string | null, pointsTotal: number | null, total: { amount: string, currencyCode: CurrencyCode }, sale: { id: string }, buyer: { id: string, username: string, displayName: string } | null }, payments: Array<{ number: string, flag: PaymentFlag | null, gatewayTradeNumber: string | null, nextCheckAt: string | null, received: { amount: string, currencyCode: CurrencyCode } | null, refunded: { amount: string, currencyCode: CurrencyCode } | null, refundPending: { amount: string, currencyCode: CurrencyCode } | null, payment: { id: string, method: PaymentMethod, status: PaymentStatus, points: number | null, createdAt: string, settledAt: string | null, amount: { amount: string, currencyCode: CurrencyCode } | null }, notifications: Array<{ notifyId: string, receivedAt: string, tradeStatus: string, verdict: string }>, log: Array<{ at: string, actor: string, event: string, from: string | null, to: string, code: string | null, detail: string | null }> }>, refunds: Array<{ number: string, attempts: number, lastCode: string | null, nextTryAt: string | null, cause: PaymentRefundCause, refund: { id: string, status: RefundStatus, reason: string | null, points: number | null, createdAt: string, settledAt: string | null, amount: { amount: string, currencyCode: CurrencyCode } | null, payment: { id: string } }, log: Array<{ at: string, actor: string, event: string, from: string | null, to: string, code: string | null, detail: string | null }> }> } | null };

export type PaymentRefundMutationVariables = Exact<{
  input: PaymentRefundInput;
}>;


export type PaymentRefundMutation = { paymentRefund: { refund: { id: string, status: RefundStatus } | null, userErrors: Array<{ code: PaymentRefundErrorCode, message: string, field: Array<string> | null }> } };

export type PointsQueryVariables = Exact<{
  after?: string | null | undefined;
}>;


export type PointsQuery = { serverTime: string, viewer: { points: { balance: number, reserved: number, entries: { nodes: Array<{ id: string, kind: PointsEntryKind, points: number, createdAt: string, reason: string | null, order: { id: string, number: string, productName: string } | null }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } } } | null };

export type PointsGrantMutationVariables = Exact<{
  input: PointsGrantInput;
}>;


export type PointsGrantMutation = { pointsGrant: { pointsAccount: { balance: number, reserved: number } | null, pointsEntry: { id: string, points: number } | null, userErrors: Array<{ code: PointsGrantErrorCode, message: string, field: Array<string> | null }> } };

export type ProductByIdQueryVariables = Exact<{
  id: string;
}>;


export type ProductByIdQuery = { serverTime: string, node:
    | { id: string, name: string, title: string | null, description: string | null, imageUrl: string | null, version: number, price: { amount: string, currencyCode: CurrencyCode } }
    | Record<PropertyKey, never>
   | null };

export type ProductCreateMutationVariables = Exact<{
  input: ProductCreateInput;
}>;


export type ProductCreateMutation = { productCreate: { product: { id: string, name: string, title: string | null, description: string | null, imageUrl: string | null, version: number, price: { amount: string, currencyCode: CurrencyCode } } | null, userErrors: Array<{ code: ProductCreateErrorCode, message: string, field: Array<string> | null }> } };

export type ProductUpdateMutationVariables = Exact<{
  input: ProductUpdateInput;
}>;


export type ProductUpdateMutation = { productUpdate: { product: { id: string, name: string, title: string | null, description: string | null, imageUrl: string | null, version: number, price: { amount: string, currencyCode: CurrencyCode } } | null, userErrors: Array<{ code: ProductUpdateErrorCode, message: string, field: Array<string> | null }> } };

export type ProductsQueryVariables = Exact<{
  search?: string | null | undefined;
  after?: string | null | undefined;
}>;


export type ProductsQuery = { serverTime: string, products: { totalCount: number, nodes: Array<{ id: string, name: string, title: string | null, description: string | null, imageUrl: string | null, version: number, updatedAt: string, price: { amount: string, currencyCode: CurrencyCode } }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } };

export type PurchaseMutationVariables = Exact<{
  input: SalePurchaseInput;
}>;


export type PurchaseMutation = { salePurchase: { ticket: { id: string, status: PurchaseTicketStatus, quantity: number, version: number, createdAt: string } | null, userErrors: Array<{ code: SalePurchaseErrorCode, message: string, field: Array<string> | null, retryAfterSeconds: number | null, retryAt: string | null }> } };

export type PurchaseTicketQueryVariables = Exact<{
  id: string;
}>;


export type PurchaseTicketQuery = { purchaseTicket: { id: string, status: PurchaseTicketStatus, version: number, quantity: number, createdAt: string, decidedAt: string | null, ticketsAhead: number | null, refusal: { code: PurchaseRefusalCode, message: string } | null, order: { id: string, number: string, status: OrderStatus, payBefore: string, version: number, total: { amount: string, currencyCode: CurrencyCode } } | null } | null };

export type QueuesQueryVariables = Exact<{ [key: string]: never; }>;


export type QueuesQuery = { serverTime: string, queues: Array<{ topic: string, partitions: number, waiting: number, shares: Array<{ partition: string, reader: string | null, waiting: number }> }> };

export type RefundLookupQueryVariables = Exact<{
  id: string;
}>;


export type RefundLookupQuery = { serverTime: string, refundLookup: { orderId: string, number: string } | null };

export type SaleQueryVariables = Exact<{
  id: string;
}>;


export type SaleQuery = { serverTime: string, sale: { id: string, status: SaleStatus, stockRemaining: number, stockTotal: number, unitsHeld: number, limitPerBuyer: number, payWithinSeconds: number, returnsOnRefund: boolean, startsAt: string, endsAt: string, version: number, pointsPrice: number | null, price: { amount: string, currencyCode: CurrencyCode }, originalPrice: { amount: string, currencyCode: CurrencyCode } | null, product: { id: string, name: string, title: string | null, description: string | null, imageUrl: string | null } | null, session: { id: string, name: string | null, startsAt: string }, viewerTicket: { id: string, status: PurchaseTicketStatus, version: number, quantity: number, createdAt: string, decidedAt: string | null, refusal: { code: PurchaseRefusalCode, message: string } | null, order: { id: string, number: string, productName: string, quantity: number, status: OrderStatus, createdAt: string, payBefore: string, paidAt: string | null, closedAt: string | null, pointsTotal: number | null, availableActions: Array<OrderActionCode>, version: number, unitPrice: { amount: string, currencyCode: CurrencyCode }, total: { amount: string, currencyCode: CurrencyCode }, payments: Array<{ id: string, method: PaymentMethod, status: PaymentStatus, points: number | null, createdAt: string, settledAt: string | null, redirectUrl: string | null, amount: { amount: string, currencyCode: CurrencyCode } | null }>, refunds: Array<{ id: string, status: RefundStatus, cause: PaymentRefundCause, reason: string | null, points: number | null, createdAt: string, settledAt: string | null, amount: { amount: string, currencyCode: CurrencyCode } | null }> } | null } | null } | null };

export type SaleCreateMutationVariables = Exact<{
  input: SaleCreateInput;
}>;


export type SaleCreateMutation = { saleCreate: { sale: { id: string, version: number } | null, userErrors: Array<{ code: SaleCreateErrorCode, message: string, field: Array<string> | null }> } };

export type SaleEndMutationVariables = Exact<{
  input: SaleEndInput;
}>;


export type SaleEndMutation = { saleEnd: { sale: { id: string, status: SaleStatus, stockRemaining: number, stockTotal: number, version: number } | null, userErrors: Array<{ code: SaleEndErrorCode, message: string, field: Array<string> | null }> } };

export type SalePauseMutationVariables = Exact<{
  input: SalePauseInput;
}>;


export type SalePauseMutation = { salePause: { sale: { id: string, status: SaleStatus, stockRemaining: number, stockTotal: number, version: number } | null, userErrors: Array<{ code: SalePauseErrorCode, message: string, field: Array<string> | null }> } };

export type SalePublishMutationVariables = Exact<{
  input: SalePublishInput;
}>;


export type SalePublishMutation = { salePublish: { sale: { id: string, status: SaleStatus, stockRemaining: number, stockTotal: number, version: number } | null, userErrors: Array<{ code: SalePublishErrorCode, message: string, field: Array<string> | null }> } };

export type SaleResumeMutationVariables = Exact<{
  input: SaleResumeInput;
}>;


export type SaleResumeMutation = { saleResume: { sale: { id: string, status: SaleStatus, stockRemaining: number, stockTotal: number, version: number } | null, userErrors: Array<{ code: SaleResumeErrorCode, message: string, field: Array<string> | null }> } };

export type SaleSessionCreateMutationVariables = Exact<{
  input: SaleSessionCreateInput;
}>;


export type SaleSessionCreateMutation = { saleSessionCreate: { session: { id: string, name: string | null, startsAt: string, endsAt: string } | null, userErrors: Array<{ code: SaleSessionCreateErrorCode, message: string, field: Array<string> | null }> } };

export type SaleSessionsQueryVariables = Exact<{
  on?: string | null | undefined;
  until?: string | null | undefined;
}>;


export type SaleSessionsQuery = { serverTime: string, saleSessions: { nodes: Array<{ id: string, name: string | null, status: SaleSessionStatus, startsAt: string, endsAt: string }> } };

export type SaleStockAddMutationVariables = Exact<{
  input: SaleStockAddInput;
}>;


export type SaleStockAddMutation = { saleStockAdd: { sale: { id: string, status: SaleStatus, stockRemaining: number, stockTotal: number, version: number } | null, userErrors: Array<{ code: SaleStockAddErrorCode, message: string, field: Array<string> | null }> } };

export type SaleUpdateMutationVariables = Exact<{
  input: SaleUpdateInput;
}>;


export type SaleUpdateMutation = { saleUpdate: { sale: { id: string, version: number } | null, userErrors: Array<{ code: SaleUpdateErrorCode, message: string, field: Array<string> | null }> } };

export type SalesQueryVariables = Exact<{
  sessionId?: string | null | undefined;
  statuses?: Array<SaleStatus> | SaleStatus | null | undefined;
  after?: string | null | undefined;
  signedIn?: boolean | null | undefined;
}>;


export type SalesQuery = { serverTime: string, sales: { nodes: Array<{ id: string, status: SaleStatus, stockRemaining: number, stockTotal: number, unitsHeld: number, limitPerBuyer: number, startsAt: string, endsAt: string, version: number, pointsPrice: number | null, price: { amount: string, currencyCode: CurrencyCode }, originalPrice: { amount: string, currencyCode: CurrencyCode } | null, product: { id: string, name: string, title: string | null, imageUrl: string | null } | null, viewerTicket?: { id: string, status: PurchaseTicketStatus, version: number } | null }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } };

export type ServerNodesQueryVariables = Exact<{ [key: string]: never; }>;


export type ServerNodesQuery = { serverTime: string, serverNodes: Array<{ name: string, roles: Array<string>, address: string, version: string, startedAt: string, seenAt: string, cpu: number | null, memoryBytes: number | null, sockets: number | null, readiness: { ready: boolean, checks: Array<{ name: string, ready: boolean, reason: string | null }> } | null }>, jobs: Array<{ name: string, holder: string | null, token: number }> };

export type ServerTimeQueryVariables = Exact<{ [key: string]: never; }>;


export type ServerTimeQuery = { serverTime: string };

export type SettingsQueryVariables = Exact<{
  search?: string | null | undefined;
}>;


export type SettingsQuery = { serverTime: string, settings: Array<{ key: string, value: string, default: string, source: string, description: string, hot: boolean }> };

export type ShopQueryVariables = Exact<{ [key: string]: never; }>;


export type ShopQuery = { serverTime: string, shop: { name: string, timeZone: string, paymentMethods: Array<PaymentMethod>, signUpOpen: boolean, welcomePoints: number, supportUrl: string | null } };

export type SignInMutationVariables = Exact<{
  input: UserSignInInput;
}>;


export type SignInMutation = { userSignIn: { user: { id: string, username: string, displayName: string, role: UserRole } | null, userErrors: Array<{ code: UserSignInErrorCode, message: string, field: Array<string> | null }> } };

export type SignInAttemptsQueryVariables = Exact<{
  username?: string | null | undefined;
  after?: string | null | undefined;
}>;


export type SignInAttemptsQuery = { serverTime: string, signInAttempts: { nodes: Array<{ at: string, username: string, address: string, outcome: string, user: { id: string } | null }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } };

export type SignOutMutationVariables = Exact<{ [key: string]: never; }>;


export type SignOutMutation = { userSignOut: { userErrors: Array<{ code: UserSignOutErrorCode, message: string, field: Array<string> | null }> } };

export type SignOutEverywhereMutationVariables = Exact<{ [key: string]: never; }>;


export type SignOutEverywhereMutation = { userSignOutEverywhere: { ended: number, userErrors: Array<{ message: string, field: Array<string> | null }> } };

export type SignUpMutationVariables = Exact<{
  input: UserSignUpInput;
}>;


export type SignUpMutation = { userSignUp: { user: { id: string, username: string, displayName: string, role: UserRole } | null, userErrors: Array<{ code: UserSignUpErrorCode, message: string, field: Array<string> | null }> } };

export type StuckPaymentsQueryVariables = Exact<{ [key: string]: never; }>;


export type StuckPaymentsQuery = { serverTime: string, stuckPayments: { payments: Array<{ number: string, orderId: string, flag: PaymentFlag | null, nextCheckAt: string | null, received: { amount: string, currencyCode: CurrencyCode } | null, payment: { id: string, method: PaymentMethod, status: PaymentStatus, points: number | null, createdAt: string, amount: { amount: string, currencyCode: CurrencyCode } | null } }>, refunds: Array<{ number: string, orderId: string, attempts: number, lastCode: string | null, nextTryAt: string | null, refund: { id: string, status: RefundStatus, points: number | null, createdAt: string, amount: { amount: string, currencyCode: CurrencyCode } | null } }> } };

export type UsersQueryVariables = Exact<{
  search?: string | null | undefined;
  roles?: Array<UserRole> | UserRole | null | undefined;
  after?: string | null | undefined;
}>;


export type UsersQuery = { serverTime: string, users: { nodes: Array<{ id: string, username: string, displayName: string, role: UserRole, createdAt: string, points: { balance: number, reserved: number } | null }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } };

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
