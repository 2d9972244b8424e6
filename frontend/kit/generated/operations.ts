/** Internal type. DO NOT USE DIRECTLY. */
type Exact<T extends { [key: string]: unknown }> = { [K in keyof T]: T[K] };
/** Internal type. DO NOT USE DIRECTLY. */
export type Incremental<T> = T | { [P in keyof T]?: P extends ' $fragmentName' | '__typename' ? T[P] : never };
/** A filter of audit log entries. All given conditions must match. */
export type AuditFilterInput = {
  /** Only this action, or actions that start with this prefix, such as `sale.`. */
  act?: string | null | undefined;
  /** At or after. */
  from?: string | null | undefined;
  /** The operator's username. */
  operator?: string | null | undefined;
  /** The affected object. */
  subject?: string | null | undefined;
  /** Before. */
  until?: string | null | undefined;
};

/** Why the refund was not recorded. Values are stable, so programs may rely on them. */
export type BillDifferenceBookErrorCode =
  /** The refund was already recorded by another operator or for another reason. */
  | 'ALREADY_BOOKED'
  /** The refund is greater than the remaining amount of the payment. Amounts in pending refunds do not count as remaining. */
  | 'AMOUNT_EXCEEDS_PAID'
  /** No such discrepancy exists, or the values now differ in another way. */
  | 'DIFFERENCE_NOT_FOUND'
  /** The discrepancy has been resolved: a later comparison no longer found it. */
  | 'DIFFERENCE_NOT_OPEN'
  /** The bill does not list exactly one refund with a number that the gateway assigned. */
  | 'NOT_A_REFUND'
  /** The refunded payment is not one of the shop's payments. */
  | 'PAYMENT_NOT_FOUND'
  /** The reason is missing, too long, or contains control characters. */
  | 'REASON_INVALID';

/** The refund to record, and the reason. */
export type BillDifferenceBookInput = {
  /** The discrepancy that shows the refund. */
  differenceId: string;
  /** Why the money was refunded, for the buyer and the audit log: 1 to 500 characters on one line. */
  reason: string;
};

/** Why the discrepancy was not closed. Values are stable, so programs may rely on them. */
export type BillDifferenceCloseErrorCode =
  /** No such discrepancy exists, or the values now differ in another way. */
  | 'DIFFERENCE_NOT_FOUND'
  /** The discrepancy has been resolved, or was already closed by another operator or for another reason. */
  | 'DIFFERENCE_NOT_OPEN'
  /** The reason is missing, too long, or contains control characters. */
  | 'REASON_INVALID';

/** The discrepancy to close, and the reason. */
export type BillDifferenceCloseInput = {
  /** The discrepancy. */
  differenceId: string;
  /** Why no further action is needed, for the audit log: 1 to 500 characters on one line. */
  reason: string;
};

/** The kinds of discrepancy between a bill and the shop's records. */
export type BillDifferenceKind =
  /** Both have the transaction, but the amounts differ, or the bill lists it twice. */
  | 'AMOUNT'
  /** The bill lists a number that the shop has no record of. */
  | 'MISSING_HERE'
  /** The shop has recorded a payment or refund as completed that the bill does not list. */
  | 'MISSING_THERE'
  /** The bill lists the payment or refund, but the shop has not recorded it as completed. */
  | 'STATUS';

/** A currency that the shop sells in (ISO 4217). */
export type CurrencyCode =
  /** Chinese yuan. */
  | 'CNY'
  /** Euro. */
  | 'EUR'
  /** United States dollar. */
  | 'USD';

/** Why the message was not dismissed. Values are stable, so programs may rely on them. */
export type FailureDismissErrorCode =
  /** The message has already been replayed or dismissed. */
  | 'FAILURE_ALREADY_HANDLED'
  /** No such message exists. */
  | 'FAILURE_NOT_FOUND'
  /** The reason is missing, too long, or contains control characters. */
  | 'REASON_INVALID';

/** The message to dismiss, and the reason. */
export type FailureDismissInput = {
  /** The dead-letter message. */
  failureId: string;
  /** The reason, for the audit log: 1 to 500 characters on one line. */
  reason: string;
};

/** Why the message was not replayed. Values are stable, so programs may rely on them. */
export type FailureReplayErrorCode =
  /** The message has already been replayed or dismissed. */
  | 'FAILURE_ALREADY_HANDLED'
  /** No such message exists. */
  | 'FAILURE_NOT_FOUND'
  /** The reason is missing, too long, or contains control characters. */
  | 'REASON_INVALID'
  /** This version of the program can't decode the message. */
  | 'UNREADABLE';

/** The message to replay, and the reason. */
export type FailureReplayInput = {
  /** The dead-letter message. */
  failureId: string;
  /** The reason, for the audit log: 1 to 500 characters on one line. */
  reason: string;
};

/** An amount of money, as input. */
export type MoneyInput = {
  /**
   * The amount in major units, such as `"19.90"`, without a sign or digit grouping, and with no more decimal
   * places than the currency has.
   */
  amount: string;
  /** The currency of the amount. */
  currencyCode?: CurrencyCode;
};

/** The actions that a buyer can take on an order. */
export type OrderActionCode =
  /** Cancel the order with `orderCancel`. */
  | 'CANCEL'
  /** Pay with Alipay, using `orderPay` with `ALIPAY`. */
  | 'PAY_ALIPAY'
  /** Pay with points, using `orderPay` with `POINTS`, if the buyer has enough. */
  | 'PAY_POINTS'
  /** Request a refund with `orderRefund`. */
  | 'REFUND';

/** Why the order was not cancelled. Values are stable, so programs may rely on them. */
export type OrderCancelErrorCode =
  /** The order has already been paid, has been refunded or has expired. */
  | 'ORDER_NOT_CANCELLABLE'
  /** The viewer has no such order. */
  | 'ORDER_NOT_FOUND'
  /**
   * A payment for the order is in progress, and its outcome at the payment gateway is currently unknown. Nothing
   * has changed; try again shortly.
   */
  | 'TRY_LATER';

/** The order to cancel. */
export type OrderCancelInput = {
  /** One of the viewer's orders. */
  orderId: string;
};

/** What happens to orders. */
export type OrderEventCode =
  /** The buyer cancelled the order. */
  | 'CANCELLED'
  /** A ticket became an order. */
  | 'CREATED'
  /** The order was not paid in time. */
  | 'EXPIRED'
  /** The order was paid. */
  | 'PAID'
  /** All of the order's money was refunded. */
  | 'REFUNDED';

/** A filter of orders. All given conditions must match. */
export type OrderFilterInput = {
  /** The buyer's username, or its beginning: at least 3 characters, and so many that at most 100 usernames begin so. */
  buyer?: string | null | undefined;
  /** Made at or after. */
  from?: string | null | undefined;
  /** The order's number, or its beginning from the whole number of the sale on (`100017`, `100017-1-00`): at least 4 characters. */
  number?: string | null | undefined;
  /** Only orders of this sale. */
  saleId?: string | null | undefined;
  /** Only orders with one of these statuses. */
  statuses?: Array<OrderStatus> | null | undefined;
  /** Made before. */
  until?: string | null | undefined;
};

/** Why no payment was started. Values are stable, so programs may rely on them. */
export type OrderPayErrorCode =
  /** The payment method does not support this currency or amount. */
  | 'AMOUNT_NOT_TAKEN'
  /** The payment attempt with this idempotency key ended without taking any money. The order can still be paid with a new key. */
  | 'ATTEMPT_ENDED'
  /** The idempotency key is too short, too long, or contains invalid characters. */
  | 'IDEMPOTENCY_KEY_INVALID'
  /** The idempotency key was already used for a different request. */
  | 'IDEMPOTENCY_KEY_REUSED'
  /** The buyer does not have enough points. */
  | 'INSUFFICIENT_POINTS'
  /** The shop or the sale does not support this payment method. */
  | 'METHOD_UNAVAILABLE'
  /** The sale does not accept points. */
  | 'NOT_FOR_POINTS'
  /** The viewer has no such order. */
  | 'ORDER_NOT_FOUND'
  /** The order has already been paid, refunded or cancelled. */
  | 'ORDER_NOT_PAYABLE'
  /** The payment deadline has passed. */
  | 'PAYMENT_TOO_LATE'
  /** The return URL is not allowed. */
  | 'RETURN_URL_INVALID'
  /** The order has reached the maximum number of payment attempts. */
  | 'TOO_MANY_ATTEMPTS';

/** The order to pay, and the payment method. */
export type OrderPayInput = {
  /**
   * An idempotency key generated by the client for this payment: 8 to 64 characters of `A-Z a-z 0-9 _ -`.
   * Repeating a request with the same key always returns the same payment, and resumes one that was interrupted. A
   * key whose attempt has ended, or that was used for a different request, is rejected.
   */
  idempotencyKey: string;
  /** The payment method. */
  method: PaymentMethod;
  /** One of the viewer's orders. */
  orderId: string;
  /** Where the gateway sends the browser after the payment: a path on this server, or a URL whose origin the shop allows. */
  returnUrl?: string | null | undefined;
};

/** Why no refund was created. Values are stable, so programs may rely on them. */
export type OrderRefundErrorCode =
  /** The idempotency key is too short, too long, or contains invalid characters. */
  | 'IDEMPOTENCY_KEY_INVALID'
  /** The idempotency key was already used for a different request. */
  | 'IDEMPOTENCY_KEY_REUSED'
  /** The viewer has no such order. */
  | 'ORDER_NOT_FOUND'
  /** The order is not paid, or is already being refunded. */
  | 'ORDER_NOT_REFUNDABLE'
  /** The reason is too long or contains control characters. */
  | 'REASON_INVALID';

/** The order to refund. */
export type OrderRefundInput = {
  /**
   * An idempotency key generated by the client for this refund: 8 to 64 characters of `A-Z a-z 0-9 _ -`. Repeating
   * a request with the same key always returns the same refund.
   */
  idempotencyKey: string;
  /** One of the viewer's paid orders. */
  orderId: string;
  /** The buyer's reason, for the shop: at most 500 characters. */
  reason?: string | null | undefined;
};

/** The status of an order. */
export type OrderStatus =
  /** The units are reserved, and the order must be paid before `payBefore`. */
  | 'AWAITING_PAYMENT'
  /** The buyer cancelled the order before it was paid. This status is final. */
  | 'CANCELLED'
  /** The order was not paid in time. This status is final. */
  | 'EXPIRED'
  /** The order is paid. */
  | 'PAID'
  /** The money has been returned. This status is final. */
  | 'REFUNDED'
  /** A refund is in progress. */
  | 'REFUNDING';

/** A condition that needs an operator's attention. */
export type PaymentFlag =
  /** The gateway received an amount other than the one requested. It does not pay the order, and stays until an operator refunds it. */
  | 'AMOUNT_MISMATCH'
  /** The gateway closed or refunded a payment that is recorded as paid, without a request from the shop. */
  | 'CHANGED_OUTSIDE'
  /** The gateway reports a different amount for a refund. */
  | 'REFUND_MISMATCH'
  /** The gateway rejected a refund permanently. */
  | 'REFUND_REJECTED'
  /** Two payments refer to the same gateway transaction, or one payment refers to two. */
  | 'TRADE_MISMATCH';

/** Why the flag was not cleared. Values are stable, so programs may rely on them. */
export type PaymentFlagClearErrorCode =
  /** The payment does not have this flag, or no longer has it. */
  | 'FLAG_NOT_SET'
  /**
   * The gateway received an amount other than the one requested, which does not pay the order. Refund it with
   * `paymentRefund`, which also clears the flag.
   */
  | 'MONEY_WAITS'
  /** No such payment exists. */
  | 'PAYMENT_NOT_FOUND'
  /** The reason is missing, too long, or contains control characters. */
  | 'REASON_INVALID';

/** The payment whose flag to clear, and the reason. */
export type PaymentFlagClearInput = {
  /** The flag that was reviewed. If the payment has a different flag by now, nothing changes. */
  flag: PaymentFlag;
  /** The payment. */
  paymentId: string;
  /** Why no further action is needed, for the payment log and the audit log: 1 to 500 characters on one line. */
  reason: string;
};

/** How an order is paid. */
export type PaymentMethod =
  /** Alipay. The browser is redirected to Alipay's cashier page. */
  | 'ALIPAY'
  /** The shop's loyalty points. Such payments are settled immediately. */
  | 'POINTS';

/** Why a refund was made. */
export type PaymentRefundCause =
  /** The buyer requested it. */
  | 'BUYER'
  /** It was made on the payment gateway's own site, and an operator recorded it (`billDifferenceBook`). */
  | 'EXTERNAL'
  /** The payment arrived after its order was closed. */
  | 'LATE_PAYMENT'
  /** An operator requested it. */
  | 'OPERATOR'
  /** The order was already paid by another payment. */
  | 'SURPLUS';

/** Why no refund was created. Values are stable, so programs may rely on them. */
export type PaymentRefundErrorCode =
  /** The amount, with what staff refunded of the order before, exceeds what the viewer's role may refund of one order. */
  | 'AMOUNT_ABOVE_LIMIT'
  /** The amount is not a plain decimal number above zero in the payment's currency, or exceeds what is left to refund. */
  | 'AMOUNT_INVALID'
  /** The idempotency key is too short, too long, or contains invalid characters. */
  | 'IDEMPOTENCY_KEY_INVALID'
  /** The idempotency key was already used for a different request. */
  | 'IDEMPOTENCY_KEY_REUSED'
  /** No such payment exists. */
  | 'PAYMENT_NOT_FOUND'
  /** No money was received, or all of it has been refunded or is being refunded. */
  | 'PAYMENT_NOT_REFUNDABLE'
  /** The reason is missing, too long, or contains control characters. */
  | 'REASON_INVALID';

/** The payment to refund. */
export type PaymentRefundInput = {
  /** The amount to refund. Defaults to all that is left. Payments with points can only be refunded in full. */
  amount?: MoneyInput | null | undefined;
  /**
   * An idempotency key generated by the client for this refund: 8 to 64 characters of `A-Z a-z 0-9 _ -`. Repeating
   * a request with the same key always returns the same refund.
   */
  idempotencyKey: string;
  /** The payment. */
  paymentId: string;
  /** The reason, for the audit log: 1 to 500 characters. */
  reason: string;
};

/** The status of a payment attempt. */
export type PaymentStatus =
  /** The attempt ended without a payment. */
  | 'CLOSED'
  /** The payment was rejected. */
  | 'FAILED'
  /** The payment has not been made, or its outcome is not known yet. */
  | 'PENDING'
  /** The payment succeeded and pays the order. */
  | 'SUCCEEDED'
  /**
   * Money was received but does not pay the order. Late and duplicate payments are refunded automatically; an
   * amount other than the one requested is refunded by an operator.
   */
  | 'SURPLUS';

/** The kinds of ledger entry. */
export type PointsEntryKind =
  /** An operator granted the points. */
  | 'GRANT'
  /** An order was paid with points. */
  | 'PAYMENT'
  /** A payment with points was refunded. */
  | 'REFUND'
  /** The points were granted at sign-up. */
  | 'WELCOME';

/** Why no points were granted. Values are stable, so programs may rely on them. */
export type PointsGrantErrorCode =
  /** The account would exceed the maximum balance. */
  | 'BALANCE_TOO_LARGE'
  /** The idempotency key is too short, too long, or contains invalid characters. */
  | 'IDEMPOTENCY_KEY_INVALID'
  /** The operator already used the idempotency key for another grant. */
  | 'IDEMPOTENCY_KEY_REUSED'
  /** The number of points is below 1 or above the maximum of one grant. */
  | 'POINTS_INVALID'
  /** The reason has no visible characters, is too long, or contains line breaks or other control characters. */
  | 'REASON_INVALID'
  /** No such user exists, or the input does not contain exactly one of `username` and `userId`. */
  | 'USER_NOT_FOUND';

/** The points to grant, and the user. Set either `username` or `userId`. */
export type PointsGrantInput = {
  /**
   * An idempotency key generated by the client for this grant: 8 to 64 characters of `A-Z a-z 0-9 _ -`. Repeating
   * a request with the same key grants the points only once.
   */
  idempotencyKey: string;
  /** The number of points, at least 1. */
  points: number;
  /** The reason, which the user can read: 1 to 200 characters on one line, with at least one visible character. */
  reason: string;
  /** The user's ID. */
  userId?: string | null | undefined;
  /** The username. */
  username?: string | null | undefined;
};

/** Why a product was not created. */
export type ProductCreateErrorCode =
  /** The description is too long. */
  | 'DESCRIPTION_INVALID'
  /** The image URL is neither an `http` or `https` URL nor an absolute path, or the uploaded picture was removed. */
  | 'IMAGE_URL_INVALID'
  /** The name is missing, too long, or contains control characters. */
  | 'NAME_INVALID'
  /** The price is not a plain decimal number. */
  | 'PRICE_INVALID'
  /** The price is zero, negative or too high. */
  | 'PRICE_OUT_OF_RANGE'
  /** The price has more decimal places than its currency. */
  | 'PRICE_SCALE_INVALID'
  /** The title is too long or contains control characters. */
  | 'TITLE_INVALID';

/** A new product. */
export type ProductCreateInput = {
  /** A longer description: at most 10000 characters. */
  description?: string | null | undefined;
  /** An image: an `http` or `https` URL, or a path on this server that begins with a slash. */
  imageUrl?: string | null | undefined;
  /** The short name: 1 to 200 characters on one line. */
  name: string;
  /** The regular price, above zero. */
  price: MoneyInput;
  /** A one-line tagline: at most 200 characters. */
  title?: string | null | undefined;
};

/** Why a product was not updated. */
export type ProductUpdateErrorCode =
  /** The description is too long. */
  | 'DESCRIPTION_INVALID'
  /** The image URL is neither an `http` or `https` URL nor an absolute path, or the uploaded picture was removed. */
  | 'IMAGE_URL_INVALID'
  /** The name is missing, too long, or contains control characters. */
  | 'NAME_INVALID'
  /** The price is not a plain decimal number. */
  | 'PRICE_INVALID'
  /** The price is zero, negative or too high. */
  | 'PRICE_OUT_OF_RANGE'
  /** The price has more decimal places than its currency. */
  | 'PRICE_SCALE_INVALID'
  /** No such product exists. */
  | 'PRODUCT_NOT_FOUND'
  /** The title is too long or contains control characters. */
  | 'TITLE_INVALID'
  /** The product has been updated since the given version. */
  | 'VERSION_CONFLICT';

/** The changes to a product. Fields that are absent stay unchanged; null clears an optional field. */
export type ProductUpdateInput = {
  /** A longer description: at most 10000 characters. */
  description?: string | null | undefined;
  /** An image: an `http` or `https` URL, or a path on this server that begins with a slash. */
  imageUrl?: string | null | undefined;
  /** The short name: 1 to 200 characters on one line. */
  name?: string | null | undefined;
  /** The regular price, above zero. */
  price?: MoneyInput | null | undefined;
  /** The product. */
  productId: string;
  /** A one-line tagline: at most 200 characters. */
  title?: string | null | undefined;
  /** The version that the changes are based on. The update is rejected if a newer one exists. If absent, the version is not checked. */
  version?: number | null | undefined;
};

/** What an operator should look at. */
export type PulseAlertCode =
  /** The oldest undecided ticket is older than 2 seconds. */
  | 'DECISIONS_LATE'
  /** The database, the gate, the broker or the payment gateway does not respond. */
  | 'DEPENDENCY_DOWN'
  /** Messages are in the dead-letter queue. */
  | 'FAILURES'
  /** The gate and the orders have differed for 10 seconds. */
  | 'GATE_DRIFT'
  /** Payments, refunds or bills need an operator's attention. */
  | 'MONEY'
  /** A node is not ready. */
  | 'NODE_NOT_READY'
  /** A node has been silent for longer than its lease. */
  | 'NODE_SILENT'
  /** More than 1 result in 20 was `TRY_LATER` or `UNAVAILABLE`, for 5 seconds. */
  | 'OVERLOAD'
  /** 99 of 100 accepted purchases took longer than `limits.latency_target`, for 5 seconds. */
  | 'PURCHASES_SLOW';

/** A result of `salePurchase`: the two kinds of acceptance, the refusals, and faults. */
export type PurchaseAnswerCode =
  /** A new ticket was issued. */
  | 'ADMITTED'
  /** The buyer already had an order in the sale. */
  | 'ALREADY_BOUGHT'
  /** The idempotency key was too short, too long, or contained invalid characters. */
  | 'IDEMPOTENCY_KEY_INVALID'
  /** The idempotency key had been used for another sale or quantity. */
  | 'IDEMPOTENCY_KEY_REUSED'
  /** The quantity was below 1 or above the sale's limit per buyer. */
  | 'QUANTITY_INVALID'
  /**
   * The buyer exceeded a rate limit. Requests that exceed the limit of their address are rejected before they are read, and are counted
   * in `requestsRefused` only.
   */
  | 'RATE_LIMITED'
  /** The ticket of an earlier request with the same idempotency key was returned. */
  | 'REPLAYED'
  /** The sale had ended. */
  | 'SALE_ENDED'
  /** No such sale existed. */
  | 'SALE_NOT_FOUND'
  /** The sale had not started. */
  | 'SALE_NOT_STARTED'
  /** The sale, or the whole shop, was paused. */
  | 'SALE_PAUSED'
  /** Fewer units were left than requested. */
  | 'SOLD_OUT'
  /** The sale was temporarily unavailable. */
  | 'TRY_LATER'
  /** Nobody was signed in. */
  | 'UNAUTHENTICATED'
  /** Something that purchases need was unavailable, or the server was overloaded. A ticket may exist nevertheless. */
  | 'UNAVAILABLE';

/** Why a ticket did not become an order. Values are stable, so programs may rely on them. */
export type PurchaseRefusalCode =
  /** The buyer already has an order in this sale. */
  | 'ALREADY_BOUGHT'
  /** The sale had ended. */
  | 'SALE_ENDED'
  /** No units were left. */
  | 'SOLD_OUT'
  /**
   * The ticket was withdrawn before it was decided, because of a fault or because its idempotency key belonged to
   * another purchase. The buyer can try again with a new key.
   */
  | 'VOIDED';

/** The status of a ticket. */
export type PurchaseTicketStatus =
  /** The ticket became an order. */
  | 'CONFIRMED'
  /** The ticket has been accepted but not decided yet. */
  | 'QUEUED'
  /** The ticket did not become an order; `refusal` explains why. */
  | 'REFUSED';

/** The status of a refund. */
export type RefundStatus =
  /** The gateway rejected the refund permanently. The payment is flagged for operators. */
  | 'FAILED'
  /** The refund is in progress. */
  | 'PENDING'
  /** The money has been returned. */
  | 'SUCCEEDED';

/** Why a sale was not created. */
export type SaleCreateErrorCode =
  /** The limit per buyer is out of range. */
  | 'LIMIT_PER_BUYER_INVALID'
  /** The payment period is out of range. */
  | 'PAY_WITHIN_INVALID'
  /**
   * The price in points is zero, negative or too high, or an order of `limitPerBuyer` units would cost more
   * than 2147483647 points.
   */
  | 'POINTS_PRICE_INVALID'
  /** The price is not a plain decimal number. */
  | 'PRICE_INVALID'
  /** The price is zero, negative or too high. */
  | 'PRICE_OUT_OF_RANGE'
  /** The price has more decimal places than its currency. */
  | 'PRICE_SCALE_INVALID'
  /** No such product exists. */
  | 'PRODUCT_NOT_FOUND'
  /** No such session exists. */
  | 'SESSION_NOT_FOUND'
  /** The stock is out of range. */
  | 'STOCK_INVALID';

/** A new sale, which starts as a draft. */
export type SaleCreateInput = {
  /** The maximum number of units per buyer, from 1 to 1000. */
  limitPerBuyer?: number;
  /** How many seconds a buyer has to pay an order, from 1 to 604800. */
  payWithinSeconds?: number;
  /**
   * The price per unit in loyalty points, from 1 to 1000000000; multiplied by `limitPerBuyer`, at most 2147483647.
   * If absent, the sale does not accept points.
   */
  pointsPrice?: number | null | undefined;
  /** The price per unit, above zero. */
  price: MoneyInput;
  /** The product. */
  productId: string;
  /** Whether refunded units go back on sale. */
  returnsOnRefund?: boolean;
  /** The session in which the sale runs. */
  sessionId: string;
  /** The number of units, from 1 to 10000000. */
  stock: number;
};

/** Why a sale was not ended. */
export type SaleEndErrorCode =
  /** The reason is empty, too long, or contains control characters. */
  | 'REASON_INVALID'
  /** The sale has already ended. */
  | 'SALE_ENDED'
  /** No such sale exists. */
  | 'SALE_NOT_FOUND'
  /** The sale is still a draft. */
  | 'SALE_NOT_PUBLISHED'
  /** The sale was changed in the meantime. */
  | 'VERSION_CONFLICT';

/** The sale to end. */
export type SaleEndInput = {
  /** The reason, for the audit log: 1 to 500 characters on one line. */
  reason?: string | null | undefined;
  /** The sale. */
  saleId: string;
  /**
   * The version of the sale that was looked at. If the sale has another version by now, nothing is changed. If absent, it is not
   * compared.
   */
  version?: number | null | undefined;
};

/** Why a sale was not paused. */
export type SalePauseErrorCode =
  /** The reason is empty, too long, or contains control characters. */
  | 'REASON_INVALID'
  /** The sale is already paused. */
  | 'SALE_ALREADY_PAUSED'
  /** The sale has ended. */
  | 'SALE_ENDED'
  /** No such sale exists. */
  | 'SALE_NOT_FOUND'
  /** The sale is still a draft. */
  | 'SALE_NOT_PUBLISHED'
  /** The session of the sale is over. */
  | 'SESSION_ENDED'
  /** The sale was changed in the meantime. */
  | 'VERSION_CONFLICT';

/** The sale to pause. */
export type SalePauseInput = {
  /** The reason, for the audit log: 1 to 500 characters on one line. */
  reason?: string | null | undefined;
  /** The sale. */
  saleId: string;
  /**
   * The version of the sale that was looked at. If the sale has another version by now, nothing is changed. If absent, it is not
   * compared.
   */
  version?: number | null | undefined;
};

/** Why a sale was not published. */
export type SalePublishErrorCode =
  /** The reason is empty, too long, or contains control characters. */
  | 'REASON_INVALID'
  /** The sale is no longer a draft. */
  | 'SALE_ALREADY_PUBLISHED'
  /** The sale has ended. */
  | 'SALE_ENDED'
  /** No such sale exists. */
  | 'SALE_NOT_FOUND'
  /** The session of the sale is over. */
  | 'SESSION_ENDED'
  /** The sale was changed in the meantime. */
  | 'VERSION_CONFLICT';

/** The sale to publish. */
export type SalePublishInput = {
  /** The reason, for the audit log: 1 to 500 characters on one line. */
  reason?: string | null | undefined;
  /** The sale. */
  saleId: string;
  /**
   * The version of the sale that was looked at. If the sale has another version by now, nothing is changed. If absent, it is not
   * compared.
   */
  version?: number | null | undefined;
};

/** Why no ticket was issued. Values are stable, so programs may rely on them. */
export type SalePurchaseErrorCode =
  /** The buyer already has an order in this sale. */
  | 'ALREADY_BOUGHT'
  /** The idempotency key is too short, too long, or contains invalid characters. */
  | 'IDEMPOTENCY_KEY_INVALID'
  /** The idempotency key was already used for another sale or quantity. */
  | 'IDEMPOTENCY_KEY_REUSED'
  /** The quantity is below 1 or above the sale's limit per buyer. */
  | 'QUANTITY_INVALID'
  /** The sale has ended. */
  | 'SALE_ENDED'
  /** No such sale exists. */
  | 'SALE_NOT_FOUND'
  /** The sale has not started; `retryAt` is its start time. */
  | 'SALE_NOT_STARTED'
  /** The sale is paused. */
  | 'SALE_PAUSED'
  /** Fewer units are left than requested. Units of unpaid orders may become available again. */
  | 'SOLD_OUT'
  /** The sale is temporarily unavailable; `retryAt` is the time to try again. */
  | 'TRY_LATER';

/** The purchase. */
export type SalePurchaseInput = {
  /**
   * An idempotency key generated by the client for this purchase: 8 to 64 characters of `A-Z a-z 0-9 _ -`.
   * Repeating a request with the same key always returns the same ticket. A key that was used for a different
   * purchase is rejected.
   */
  idempotencyKey: string;
  /** The number of units, from 1 to the sale's limit per buyer. */
  quantity?: number;
  /** The sale to buy from. */
  saleId: string;
};

/** Why a check is undecided or not applicable. */
export type SaleReportCheckCause =
  /** The sale is a draft. */
  | 'DRAFT'
  /** A number from before the gate was rebuilt has no ticket: either a node was killed before it told anybody, or a row was deleted. */
  | 'FORMER_EPOCH'
  /** The gate no longer holds the sale, which ended long ago. */
  | 'GATE_FORGOT'
  /** The gate is in the memory of the server, and a command can't query it. */
  | 'GATE_NOT_ASKED'
  /** The gate did not respond. */
  | 'GATE_UNREACHABLE'
  /** The sale was created in SQL, so its units at publication are not recorded. */
  | 'NOT_RECORDED'
  /** Accepted purchases are waiting for their decision. */
  | 'PURCHASES_PENDING'
  /** The sale is running, so both numbers are changing. */
  | 'SALE_RUNNING';

/** A condition that every sale must meet. */
export type SaleReportCheckCode =
  /** The gate and the database agree about the available units. */
  | 'GATE_AGREES'
  /** No order has more units than the limit per buyer. */
  | 'LIMIT_PER_BUYER'
  /** The money received is the total of the paid orders plus the surplus. */
  | 'MONEY_RECEIVED'
  /** No payment was refunded by more than was received. */
  | 'MONEY_RETURNED'
  /** No buyer has two active orders. */
  | 'ONE_ORDER_PER_BUYER'
  /** Every order has exactly one status, which agrees with its times and its identity. */
  | 'ORDERS_CONSISTENT'
  /** The tickets of each epoch are numbered without gaps. */
  | 'SEQUENCE_COMPLETE'
  /** The total number of units is the number at publication plus the units that were added. */
  | 'STOCK_TOTAL'
  /** Every accepted purchase resulted in an order or a rejection. */
  | 'TICKETS_DECIDED'
  /** Every unit is available or belongs to an order. */
  | 'UNITS_ACCOUNTED';

/** The result of a check. */
export type SaleReportCheckStatus =
  /** The condition holds. */
  | 'HOLDS'
  /** There is nothing to compare. `cause` explains it. */
  | 'NOT_APPLICABLE'
  /** It can't be determined, or not yet. `cause` explains it. */
  | 'UNDECIDED'
  /** The condition is violated. */
  | 'VIOLATED';

/** The result of all checks of a sale. */
export type SaleReportStatus =
  /** All checks hold, and the sale is settled. */
  | 'HOLDS'
  /** No check is violated, but the sale is not settled, or a check is undecided. */
  | 'PROVISIONAL'
  /** A check is violated. */
  | 'VIOLATED';

/** Why a sale was not resumed. */
export type SaleResumeErrorCode =
  /** The reason is empty, too long, or contains control characters. */
  | 'REASON_INVALID'
  /** The sale has ended. */
  | 'SALE_ENDED'
  /** No such sale exists. */
  | 'SALE_NOT_FOUND'
  /** The sale is not paused. */
  | 'SALE_NOT_PAUSED'
  /** The sale is still a draft. */
  | 'SALE_NOT_PUBLISHED'
  /** The session of the sale is over. */
  | 'SESSION_ENDED'
  /** The sale was changed in the meantime. */
  | 'VERSION_CONFLICT';

/** The sale to resume. */
export type SaleResumeInput = {
  /** The reason, for the audit log: 1 to 500 characters on one line. */
  reason?: string | null | undefined;
  /** The sale. */
  saleId: string;
  /**
   * The version of the sale that was looked at. If the sale has another version by now, nothing is changed. If absent, it is not
   * compared.
   */
  version?: number | null | undefined;
};

/** Why a session was not created. */
export type SaleSessionCreateErrorCode =
  /** The name is too long or contains control characters. */
  | 'NAME_INVALID'
  /** The end of the session is not after its start. */
  | 'WINDOW_INVALID'
  /** The session is longer than seven days. */
  | 'WINDOW_TOO_LONG';

/** A new sale session. */
export type SaleSessionCreateInput = {
  /** When the session ends, exclusive: at most seven days after its start. Defaults to two hours after the start. */
  endsAt?: string | null | undefined;
  /** The name that shoppers see: at most 200 characters on one line. */
  name?: string | null | undefined;
  /** When the session starts. */
  startsAt: string;
};

/** The status of a session. */
export type SaleSessionStatus =
  /** It has ended. */
  | 'ENDED'
  /** The session is in progress. */
  | 'RUNNING'
  /** The session has not started. */
  | 'UPCOMING';

/** The status of a sale. */
export type SaleStatus =
  /** The sale is a draft, visible only to operators. */
  | 'DRAFT'
  /** It has ended. */
  | 'ENDED'
  /** The sale is open. */
  | 'OPEN'
  /** The sale is paused. */
  | 'PAUSED'
  /** The session is in progress, but no units are available. Units of cancelled and expired orders may become available again. */
  | 'SOLD_OUT'
  /** The session of the sale has not started. */
  | 'UPCOMING';

/** Why no units were added. */
export type SaleStockAddErrorCode =
  /** The idempotency key is too short, too long, or contains invalid characters. */
  | 'IDEMPOTENCY_KEY_INVALID'
  /** The idempotency key was already used with another number of units. */
  | 'IDEMPOTENCY_KEY_REUSED'
  /** The reason is empty, too long, or contains control characters. */
  | 'REASON_INVALID'
  /** The sale has ended. */
  | 'SALE_ENDED'
  /** No such sale exists. */
  | 'SALE_NOT_FOUND'
  /** The sale is still a draft. Update its stock instead. */
  | 'SALE_NOT_PUBLISHED'
  /** The session of the sale is over. */
  | 'SESSION_ENDED'
  /** The number of units, or the resulting total, is out of range. */
  | 'UNITS_INVALID';

/** The units to add to a sale. */
export type SaleStockAddInput = {
  /**
   * An idempotency key: 8 to 64 characters of `A-Z a-z 0-9 _ -`. Within one sale, repeating a request with the
   * same key adds the units only once.
   */
  idempotencyKey: string;
  /** The reason, for the audit log: 1 to 500 characters on one line. */
  reason?: string | null | undefined;
  /** The sale. */
  saleId: string;
  /** The number of units to add, at least 1. The resulting total must not exceed 10000000. */
  units: number;
};

/** Why a sale was not updated. */
export type SaleUpdateErrorCode =
  /** The limit per buyer is out of range. */
  | 'LIMIT_PER_BUYER_INVALID'
  /** The payment period is out of range. */
  | 'PAY_WITHIN_INVALID'
  /**
   * The price in points is zero, negative or too high, or an order of `limitPerBuyer` units would cost more
   * than 2147483647 points.
   */
  | 'POINTS_PRICE_INVALID'
  /** The price is not a plain decimal number. */
  | 'PRICE_INVALID'
  /** The price is zero, negative or too high. */
  | 'PRICE_OUT_OF_RANGE'
  /** The price has more decimal places than its currency. */
  | 'PRICE_SCALE_INVALID'
  /** No such product exists. */
  | 'PRODUCT_NOT_FOUND'
  /** The sale is no longer a draft. */
  | 'SALE_ALREADY_PUBLISHED'
  /** The sale has ended. */
  | 'SALE_ENDED'
  /** No such sale exists. */
  | 'SALE_NOT_FOUND'
  /** No such session exists. */
  | 'SESSION_NOT_FOUND'
  /** The stock is out of range. */
  | 'STOCK_INVALID'
  /** The sale has been changed since the given version. */
  | 'VERSION_CONFLICT';

/** The changes to a draft. Fields that are absent stay unchanged. */
export type SaleUpdateInput = {
  /** The maximum number of units per buyer, from 1 to 1000. */
  limitPerBuyer?: number | null | undefined;
  /** How many seconds a buyer has to pay an order, from 1 to 604800. */
  payWithinSeconds?: number | null | undefined;
  /**
   * The price per unit in loyalty points, from 1 to 1000000000; multiplied by `limitPerBuyer`, at most 2147483647.
   * If null, the sale does not accept points.
   */
  pointsPrice?: number | null | undefined;
  /** The price per unit, above zero. */
  price?: MoneyInput | null | undefined;
  /** The product. */
  productId?: string | null | undefined;
  /** Whether refunded units go back on sale. */
  returnsOnRefund?: boolean | null | undefined;
  /** The sale. */
  saleId: string;
  /** The session in which the sale runs. */
  sessionId?: string | null | undefined;
  /** The number of units, from 1 to 10000000. */
  stock?: number | null | undefined;
  /** The version that the changes are based on. The update is rejected if a newer one exists. If absent, the version is not checked. */
  version?: number | null | undefined;
};

/** Whether the shop asks its staff for a second factor. */
export type SecondFactorPolicy =
  /** Nobody is asked for one. */
  | 'OFF'
  /** Those who have set one up are asked for it. */
  | 'OPTIONAL'
  /** Staff without one can sign in, but has no rights until one is set up. */
  | 'REQUIRED';

/** The kinds of changes of settings. */
export type SettingChangeAct =
  /** A change that would have expired was confirmed. */
  | 'CONFIRM'
  /** A change expired because nobody confirmed it in time. */
  | 'EXPIRE'
  /** A value that held on some nodes was stored for all nodes. */
  | 'PROMOTE'
  /** An earlier change was rolled back. */
  | 'ROLLBACK'
  /** A value was stored. */
  | 'SET'
  /** A stored value was removed. */
  | 'UNSET';

/** Why a change was not confirmed. */
export type SettingConfirmErrorCode =
  /** A node could not run with the whole configuration. The message names the node and the other setting. */
  | 'CONFIGURATION_INVALID'
  /** The setting can only be changed with a time to confirm the change, because a mistake would lock everybody out. */
  | 'CONFIRMATION_REQUIRED'
  /** The reason is missing, too long, or contains control characters. */
  | 'REASON_REQUIRED'
  /** The change does not exist, or can't be treated this way. */
  | 'REVISION_INVALID'
  /** The setting takes effect only at a start, or is a secret. */
  | 'SETTING_NOT_HOT'
  /** The setting does not exist. The message suggests the most similar one. */
  | 'SETTING_UNKNOWN'
  /** The operator has made 60 changes within a minute. */
  | 'TOO_MANY_CHANGES'
  /** The value, the scope or the time is invalid. */
  | 'VALUE_INVALID'
  /** Something was changed in the meantime, or a later change of the setting must be rolled back first. */
  | 'VERSION_CONFLICT';

/** The change to confirm. */
export type SettingConfirmInput = {
  /** Check the change without making it. */
  dryRun?: boolean;
  /** Change nothing if the newest change is not this one. Not compared when absent. */
  expectedRevision?: number | null | undefined;
  /** Make the change even if a node could not run with it. The node then keeps its configuration and reports it. */
  force?: boolean;
  /** For the history and the audit log: 1 to 500 characters on one line. */
  reason: string;
  /** The change. */
  revision: number;
};

/** Why a value was not promoted. */
export type SettingPromoteErrorCode =
  /** A node could not run with the whole configuration. The message names the node and the other setting. */
  | 'CONFIGURATION_INVALID'
  /** The setting can only be changed with a time to confirm the change, because a mistake would lock everybody out. */
  | 'CONFIRMATION_REQUIRED'
  /** The reason is missing, too long, or contains control characters. */
  | 'REASON_REQUIRED'
  /** The change does not exist, or can't be treated this way. */
  | 'REVISION_INVALID'
  /** The setting takes effect only at a start, or is a secret. */
  | 'SETTING_NOT_HOT'
  /** The setting does not exist. The message suggests the most similar one. */
  | 'SETTING_UNKNOWN'
  /** The operator has made 60 changes within a minute. */
  | 'TOO_MANY_CHANGES'
  /** The value, the scope or the time is invalid. */
  | 'VALUE_INVALID'
  /** Something was changed in the meantime, or a later change of the setting must be rolled back first. */
  | 'VERSION_CONFLICT';

/** The change to promote. */
export type SettingPromoteInput = {
  /** Check the change without making it. */
  dryRun?: boolean;
  /** Change nothing if the newest change is not this one. Not compared when absent. */
  expectedRevision?: number | null | undefined;
  /** Make the change even if a node could not run with it. The node then keeps its configuration and reports it. */
  force?: boolean;
  /** For the history and the audit log: 1 to 500 characters on one line. */
  reason: string;
  /** The change, which stored a value for some nodes. */
  revision: number;
};

/** Why changes were not rolled back. */
export type SettingRollbackErrorCode =
  /** A node could not run with the whole configuration. The message names the node and the other setting. */
  | 'CONFIGURATION_INVALID'
  /** The setting can only be changed with a time to confirm the change, because a mistake would lock everybody out. */
  | 'CONFIRMATION_REQUIRED'
  /** The reason is missing, too long, or contains control characters. */
  | 'REASON_REQUIRED'
  /** The change does not exist, or can't be treated this way. */
  | 'REVISION_INVALID'
  /** The setting takes effect only at a start, or is a secret. */
  | 'SETTING_NOT_HOT'
  /** The setting does not exist. The message suggests the most similar one. */
  | 'SETTING_UNKNOWN'
  /** The operator has made 60 changes within a minute. */
  | 'TOO_MANY_CHANGES'
  /** The value, the scope or the time is invalid. */
  | 'VALUE_INVALID'
  /** Something was changed in the meantime, or a later change of the setting must be rolled back first. */
  | 'VERSION_CONFLICT';

/** The changes to roll back. */
export type SettingRollbackInput = {
  /** Check the change without making it. */
  dryRun?: boolean;
  /** Change nothing if the newest change is not this one. Not compared when absent. */
  expectedRevision?: number | null | undefined;
  /** Make the change even if a node could not run with it. The node then keeps its configuration and reports it. */
  force?: boolean;
  /** For the history and the audit log: 1 to 500 characters on one line. */
  reason: string;
  /** The change. */
  revision: number;
  /** Restore the whole state after this change, instead of taking this change back. */
  wholeState?: boolean;
};

/** Why a value was not stored. */
export type SettingSetErrorCode =
  /** A node could not run with the whole configuration. The message names the node and the other setting. */
  | 'CONFIGURATION_INVALID'
  /** The setting can only be changed with a time to confirm the change, because a mistake would lock everybody out. */
  | 'CONFIRMATION_REQUIRED'
  /** The reason is missing, too long, or contains control characters. */
  | 'REASON_REQUIRED'
  /** The change does not exist, or can't be treated this way. */
  | 'REVISION_INVALID'
  /** The setting takes effect only at a start, or is a secret. */
  | 'SETTING_NOT_HOT'
  /** The setting does not exist. The message suggests the most similar one. */
  | 'SETTING_UNKNOWN'
  /** The operator has made 60 changes within a minute. */
  | 'TOO_MANY_CHANGES'
  /** The value, the scope or the time is invalid. */
  | 'VALUE_INVALID'
  /** Something was changed in the meantime, or a later change of the setting must be rolled back first. */
  | 'VERSION_CONFLICT';

/** A value to store. */
export type SettingSetInput = {
  /**
   * Take the value back unless the change is confirmed within so many seconds (`settingConfirm`): 1 to 86400. The change stays when
   * absent.
   */
  confirmWithinSeconds?: number | null | undefined;
  /** Check the change without making it. */
  dryRun?: boolean;
  /** Change nothing if the newest change is not this one. Not compared when absent. */
  expectedRevision?: number | null | undefined;
  /** Make the change even if a node could not run with it. The node then keeps its configuration and reports it. */
  force?: boolean;
  /** The key, such as `orders.sweep_every`. */
  key: string;
  /** For the history and the audit log: 1 to 500 characters on one line. */
  reason: string;
  /** The nodes on which it holds: `*` (all), `role:NAME` or `node:NAME`. */
  scope?: string;
  /** The value, as it would be written in the environment or in the file: `500ms`, `40`, `true`. */
  value: string;
};

/** Why a stored value was not removed. */
export type SettingUnsetErrorCode =
  /** A node could not run with the whole configuration. The message names the node and the other setting. */
  | 'CONFIGURATION_INVALID'
  /** The setting can only be changed with a time to confirm the change, because a mistake would lock everybody out. */
  | 'CONFIRMATION_REQUIRED'
  /** The reason is missing, too long, or contains control characters. */
  | 'REASON_REQUIRED'
  /** The change does not exist, or can't be treated this way. */
  | 'REVISION_INVALID'
  /** The setting takes effect only at a start, or is a secret. */
  | 'SETTING_NOT_HOT'
  /** The setting does not exist. The message suggests the most similar one. */
  | 'SETTING_UNKNOWN'
  /** The operator has made 60 changes within a minute. */
  | 'TOO_MANY_CHANGES'
  /** The value, the scope or the time is invalid. */
  | 'VALUE_INVALID'
  /** Something was changed in the meantime, or a later change of the setting must be rolled back first. */
  | 'VERSION_CONFLICT';

/** A stored value to remove. */
export type SettingUnsetInput = {
  /** Check the change without making it. */
  dryRun?: boolean;
  /** Change nothing if the newest change is not this one. Not compared when absent. */
  expectedRevision?: number | null | undefined;
  /** Make the change even if a node could not run with it. The node then keeps its configuration and reports it. */
  force?: boolean;
  /** The key. */
  key: string;
  /** For the history and the audit log: 1 to 500 characters on one line. */
  reason: string;
  /** The scope of the stored value. */
  scope?: string;
};

/** Why all sales were not stopped. */
export type ShopPauseErrorCode =
  /** The reason is missing, too long, or contains control characters. */
  | 'REASON_INVALID'
  /** All sales are stopped already. */
  | 'SHOP_ALREADY_PAUSED';

/** The reason for stopping all sales. */
export type ShopPauseInput = {
  /** For the audit log: 1 to 500 characters on one line. */
  reason: string;
};

/** Why the shop does not sell again. */
export type ShopResumeErrorCode =
  /** The reason is missing, too long, or contains control characters. */
  | 'REASON_INVALID'
  /** The shop is not stopped. */
  | 'SHOP_NOT_PAUSED';

/** The reason for letting the shop sell again. */
export type ShopResumeInput = {
  /** For the audit log: 1 to 500 characters on one line. */
  reason: string;
};

/** Whether the shop sells. */
export type ShopStatus =
  /** Sales can be bought from during their sessions. */
  | 'OPEN'
  /**
   * An operator has stopped all sales until further notice. Their status is `PAUSED`, and purchases are rejected with
   * `SALE_PAUSED`.
   */
  | 'PAUSED';

/** Why the password was not changed. Values are stable, so programs may rely on them. */
export type UserPasswordChangeErrorCode =
  /** The current password is wrong. */
  | 'INVALID_CREDENTIALS'
  /** The new password is too long. */
  | 'PASSWORD_TOO_LONG'
  /** The new password is too short. */
  | 'PASSWORD_TOO_SHORT';

/** The current password and the new one. */
export type UserPasswordChangeInput = {
  /** The current password. */
  currentPassword: string;
  /** The new password: 8 to 128 bytes, with any characters. */
  newPassword: string;
};

/** Why no recovery codes were made. */
export type UserRecoveryCodesRenewErrorCode =
  /** The code is wrong, or was already used. */
  | 'CODE_INVALID'
  /** The password is wrong. */
  | 'INVALID_CREDENTIALS'
  /** No second factor is in force. */
  | 'NOT_ENABLED';

/** The password, and a code. */
export type UserRecoveryCodesRenewInput = {
  /** A code of the authenticator app, or a recovery code. */
  code: string;
  /** The password. */
  password: string;
};

/** The roles of users. */
export type UserRole =
  /** Can buy in sales, as all others can too. */
  | 'BUYER'
  /** Can see everything in the control room, and change nothing. */
  | 'OBSERVER'
  /** Can manage the shop. */
  | 'OPERATOR'
  /** Can look up buyers and their orders, and refund payments up to a limit (`accounts.support_refund_max_minor`). */
  | 'SUPPORT';

/** Why no second factor was begun. */
export type UserSecondFactorBeginErrorCode =
  /** The second factor is already in force. It has to be switched off first. */
  | 'ALREADY_ENABLED'
  /** The password is wrong. */
  | 'INVALID_CREDENTIALS'
  /** An upgrade of the shop is not finalised: nodes of the previous version would not ask for the second factor. */
  | 'NOT_FINALISED'
  /** The shop does not use second factors (`accounts.second_factor`). */
  | 'SWITCHED_OFF';

/** The password of who sets up a second factor. */
export type UserSecondFactorBeginInput = {
  /** The password. */
  password: string;
};

/** Why the second factor was not put in force. */
export type UserSecondFactorConfirmErrorCode =
  /** The code is wrong. */
  | 'CODE_INVALID'
  /** No second factor was begun, or another one was begun meanwhile, or one is already in force. */
  | 'NOT_ENABLED';

/** The first code of the authenticator app. */
export type UserSecondFactorConfirmInput = {
  /** The code that the app shows now: 6 digits. */
  code: string;
};

/** Why the second factor was not switched off. */
export type UserSecondFactorDisableErrorCode =
  /** The code is wrong, or was already used. */
  | 'CODE_INVALID'
  /** The password is wrong. */
  | 'INVALID_CREDENTIALS'
  /** No second factor is in force. */
  | 'NOT_ENABLED';

/** The password, and a code. */
export type UserSecondFactorDisableInput = {
  /** A code of the authenticator app, or a recovery code. */
  code: string;
  /** The password. */
  password: string;
};

/** Why the sign-in failed. */
export type UserSignInErrorCode =
  /** The username or the password is wrong. The error does not reveal which. */
  | 'INVALID_CREDENTIALS'
  /** The password is right, and the code is wrong or was already used. */
  | 'SECOND_FACTOR_INVALID'
  /** The password is right, and the user has a second factor: sign in again with `code`. */
  | 'SECOND_FACTOR_REQUIRED';

/** The credentials. */
export type UserSignInInput = {
  /** The second factor, if the user has one: a code of the authenticator app, or a recovery code. Each is accepted once. */
  code?: string | null | undefined;
  /** The password. */
  password: string;
  /** The username chosen at sign-up. */
  username: string;
};

/** Why the sign-out failed. */
export type UserSignOutErrorCode =
  /** A concurrent request signed out with the same token. */
  | 'ALREADY_SIGNED_OUT';

/** Why the sign-up failed. */
export type UserSignUpErrorCode =
  /** The display name has no visible characters, is too long, or contains line breaks or other control characters. */
  | 'DISPLAY_NAME_INVALID'
  /** The password is too long. */
  | 'PASSWORD_TOO_LONG'
  /** The password is too short. */
  | 'PASSWORD_TOO_SHORT'
  /** The shop does not accept new accounts. */
  | 'SIGN_UP_CLOSED'
  /** The username is too short, too long, or contains invalid characters. */
  | 'USERNAME_INVALID'
  /** The username is already taken. */
  | 'USERNAME_TAKEN';

/** The new account. */
export type UserSignUpInput = {
  /** The name that other users see: 1 to 64 characters on one line, with at least one visible character. */
  displayName: string;
  /** The password: 8 to 128 bytes, with any characters. */
  password: string;
  /**
   * The name used to sign in: 3 to 32 characters of `a-z`, `0-9`, `_`, `-` and `.`, beginning with a letter or
   * digit. Upper case is converted to lower case.
   */
  username: string;
};

export type AuditEntriesQueryVariables = Exact<{
  filter?: AuditFilterInput | null | undefined;
  after?: string | null | undefined;
}>;


export type AuditEntriesQuery = { serverTime: string, auditEntries: { nodes: Array<{ id: string, at: string, act: string, subject: string, detail: string, reason: string | null, operator: { id: string, username: string } }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } };

export type BillDifferenceBookMutationVariables = Exact<{
  input: BillDifferenceBookInput;
}>;


export type BillDifferenceBookMutation = { billDifferenceBook: { refund: { number: string, orderId: string } | null, userErrors: Array<{ code: BillDifferenceBookErrorCode, message: string, field: Array<string> | null }> } };

export type BillDifferenceCloseMutationVariables = Exact<{
  input: BillDifferenceCloseInput;
}>;


export type BillDifferenceCloseMutation = { billDifferenceClose: { difference: { id: string, closedAt: string | null } | null, userErrors: Array<{ code: BillDifferenceCloseErrorCode, message: string, field: Array<string> | null }> } };

export type BillDifferencesQueryVariables = Exact<{
  open: boolean;
  after?: string | null | undefined;
}>;


export type BillDifferencesQuery = { serverTime: string, billDifferences: { totalCount: number, nodes: Array<{ id: string, day: string, kind: BillDifferenceKind, number: string, ours: string, theirs: string, refundOfPayment: string | null, foundAt: string, resolvedAt: string | null, closedAt: string | null, closeReason: string | null, closedBy: { id: string, username: string } | null }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } };

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

export type ConsoleShopQueryVariables = Exact<{ [key: string]: never; }>;


export type ConsoleShopQuery = { serverTime: string, shop: { name: string, timeZone: string, status: ShopStatus, statusSince: string } };

export type ConsoleViewerQueryVariables = Exact<{ [key: string]: never; }>;


export type ConsoleViewerQuery = { serverTime: string, viewer: { signedInUntil: string, user: { id: string, username: string, displayName: string, role: UserRole }, secondFactor: { policy: SecondFactorPolicy, enabledAt: string | null, recoveryCodesLeft: number } | null } | null };

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


export type FailuresQuery = { serverTime: string, failures: { totalCount: number, nodes: Array<{ id: string, topic: string, reason: string, failedAt: string, payload: string, truncated: boolean, ticketId: string | null, handledAt: string | null }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } };

export type HomeQueryVariables = Exact<{
  until?: string | null | undefined;
}>;


export type HomeQuery = { serverTime: string, shop: { name: string, timeZone: string, paymentMethods: Array<PaymentMethod>, signUpOpen: boolean, welcomePoints: number, supportUrl: string | null, status: ShopStatus }, viewer: { signedInUntil: string, user: { id: string, username: string, displayName: string, role: UserRole }, points: { balance: number, reserved: number } } | null, saleSessions: { nodes: Array<{ id: string, name: string | null, status: SaleSessionStatus, startsAt: string, endsAt: string }> }, begun: { nodes: Array<{ id: string, status: SaleStatus, stockRemaining: number, stockTotal: number, unitsHeld: number, limitPerBuyer: number, startsAt: string, endsAt: string, version: number, pointsPrice: number | null, viewerTicket: { id: string, status: PurchaseTicketStatus, version: number } | null, session: { id: string }, price: { amount: string, currencyCode: CurrencyCode }, originalPrice: { amount: string, currencyCode: CurrencyCode } | null, product: { id: string, name: string, title: string | null, imageUrl: string | null, image: { colour: string | null, variants: Array<{ url: string, width: number }> } | null } | null }>, pageInfo: { hasPreviousPage: boolean } }, coming: { nodes: Array<{ id: string, status: SaleStatus, stockRemaining: number, stockTotal: number, unitsHeld: number, limitPerBuyer: number, startsAt: string, endsAt: string, version: number, pointsPrice: number | null, session: { id: string }, price: { amount: string, currencyCode: CurrencyCode }, originalPrice: { amount: string, currencyCode: CurrencyCode } | null, product: { id: string, name: string, title: string | null, imageUrl: string | null, image: { colour: string | null, variants: Array<{ url: string, width: number }> } | null } | null }>, pageInfo: { hasNextPage: boolean } } };

export type CardFragment = { id: string, status: SaleStatus, stockRemaining: number, stockTotal: number, unitsHeld: number, limitPerBuyer: number, startsAt: string, endsAt: string, version: number, pointsPrice: number | null, price: { amount: string, currencyCode: CurrencyCode }, originalPrice: { amount: string, currencyCode: CurrencyCode } | null, product: { id: string, name: string, title: string | null, imageUrl: string | null, image: { colour: string | null, variants: Array<{ url: string, width: number }> } | null } | null };

export type OrderQueryVariables = Exact<{
  id: string;
}>;


export type OrderQuery = { serverTime: string, order: { id: string, number: string, productName: string, quantity: number, status: OrderStatus, createdAt: string, payBefore: string, paidAt: string | null, closedAt: string | null, pointsTotal: number | null, availableActions: Array<OrderActionCode>, version: number, unitPrice: { amount: string, currencyCode: CurrencyCode }, total: { amount: string, currencyCode: CurrencyCode }, payments: Array<{ id: string, method: PaymentMethod, status: PaymentStatus, points: number | null, createdAt: string, settledAt: string | null, redirectUrl: string | null, amount: { amount: string, currencyCode: CurrencyCode } | null }>, refunds: Array<{ id: string, status: RefundStatus, cause: PaymentRefundCause, reason: string | null, points: number | null, createdAt: string, settledAt: string | null, amount: { amount: string, currencyCode: CurrencyCode } | null }>, sale: { id: string, status: SaleStatus, product: { id: string, name: string, imageUrl: string | null, image: { colour: string | null, variants: Array<{ url: string, width: number }> } | null } | null } } | null };

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


export type OrdersQuery = { serverTime: string, viewer: { orders: { nodes: Array<{ id: string, number: string, productName: string, quantity: number, status: OrderStatus, createdAt: string, payBefore: string, paidAt: string | null, closedAt: string | null, pointsTotal: number | null, version: number, total: { amount: string, currencyCode: CurrencyCode }, sale: { id: string, product: { id: string, imageUrl: string | null, image: { colour: string | null, variants: Array<{ url: string, width: number }> } | null } | null } }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } } | null };

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

export type PaymentsQueryVariables = Exact<{
  statuses?: Array<PaymentStatus> | PaymentStatus | null | undefined;
  methods?: Array<PaymentMethod> | PaymentMethod | null | undefined;
  flagged?: boolean | null | undefined;
  buyer?: string | null | undefined;
  from?: string | null | undefined;
  until?: string | null | undefined;
  after?: string | null | undefined;
}>;


export type PaymentsQuery = { serverTime: string, payments: { nodes: Array<{ number: string, orderId: string, flag: PaymentFlag | null, received: { amount: string, currencyCode: CurrencyCode } | null, refunded: { amount: string, currencyCode: CurrencyCode } | null, buyer: { id: string, username: string } | null, payment: { id: string, method: PaymentMethod, status: PaymentStatus, points: number | null, createdAt: string, amount: { amount: string, currencyCode: CurrencyCode } | null } }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } };

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

export type PulsesQueryVariables = Exact<{
  seconds: number;
}>;


export type PulsesQuery = { shopPulses: Array<{ at: string, nodesHeard: number, nodesRunning: number, ticketsWaiting: number | null, oldestTicketMs: number | null, purchases: Array<{ answer: PurchaseAnswerCode, count: number }>, orderEvents: Array<{ event: OrderEventCode, count: number }>, purchaseLatency: { p50Ms: number | null, p99Ms: number | null } }> };

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

export type RecoveryCodesRenewMutationVariables = Exact<{
  input: UserRecoveryCodesRenewInput;
}>;


export type RecoveryCodesRenewMutation = { userRecoveryCodesRenew: { recoveryCodes: Array<string> | null, userErrors: Array<{ code: UserRecoveryCodesRenewErrorCode, message: string, field: Array<string> | null }> } };

export type RefundLookupQueryVariables = Exact<{
  id: string;
}>;


export type RefundLookupQuery = { serverTime: string, refundLookup: { orderId: string, number: string } | null };

export type RefundsQueryVariables = Exact<{
  statuses?: Array<RefundStatus> | RefundStatus | null | undefined;
  causes?: Array<PaymentRefundCause> | PaymentRefundCause | null | undefined;
  from?: string | null | undefined;
  until?: string | null | undefined;
  after?: string | null | undefined;
}>;


export type RefundsQuery = { serverTime: string, refunds: { nodes: Array<{ number: string, orderId: string, attempts: number, lastCode: string | null, cause: PaymentRefundCause, refund: { id: string, status: RefundStatus, reason: string | null, points: number | null, createdAt: string, settledAt: string | null, amount: { amount: string, currencyCode: CurrencyCode } | null } }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } };

export type SaleQueryVariables = Exact<{
  id: string;
}>;


export type SaleQuery = { serverTime: string, sale: { id: string, status: SaleStatus, stockRemaining: number, stockTotal: number, unitsHeld: number, limitPerBuyer: number, payWithinSeconds: number, returnsOnRefund: boolean, startsAt: string, endsAt: string, version: number, pointsPrice: number | null, price: { amount: string, currencyCode: CurrencyCode }, originalPrice: { amount: string, currencyCode: CurrencyCode } | null, product: { id: string, name: string, title: string | null, description: string | null, imageUrl: string | null, image: { altText: string, colour: string | null, variants: Array<{ url: string, width: number }> } | null } | null, session: { id: string, name: string | null, startsAt: string }, viewerTicket: { id: string, status: PurchaseTicketStatus, version: number, quantity: number, createdAt: string, decidedAt: string | null, refusal: { code: PurchaseRefusalCode, message: string } | null, order: { id: string, number: string, productName: string, quantity: number, status: OrderStatus, createdAt: string, payBefore: string, paidAt: string | null, closedAt: string | null, pointsTotal: number | null, availableActions: Array<OrderActionCode>, version: number, unitPrice: { amount: string, currencyCode: CurrencyCode }, total: { amount: string, currencyCode: CurrencyCode }, payments: Array<{ id: string, method: PaymentMethod, status: PaymentStatus, points: number | null, createdAt: string, settledAt: string | null, redirectUrl: string | null, amount: { amount: string, currencyCode: CurrencyCode } | null }>, refunds: Array<{ id: string, status: RefundStatus, cause: PaymentRefundCause, reason: string | null, points: number | null, createdAt: string, settledAt: string | null, amount: { amount: string, currencyCode: CurrencyCode } | null }> } | null } | null } | null };

export type SaleCreateMutationVariables = Exact<{
  input: SaleCreateInput;
}>;


export type SaleCreateMutation = { saleCreate: { sale: { id: string, version: number } | null, userErrors: Array<{ code: SaleCreateErrorCode, message: string, field: Array<string> | null }> } };

export type SaleEndMutationVariables = Exact<{
  input: SaleEndInput;
}>;


export type SaleEndMutation = { saleEnd: { sale: { id: string, status: SaleStatus, stockRemaining: number, stockTotal: number, version: number } | null, userErrors: Array<{ code: SaleEndErrorCode, message: string, field: Array<string> | null }> } };

export type SaleOutcomeQueryVariables = Exact<{
  id: string;
}>;


export type SaleOutcomeQuery = { sale: { id: string, outcome: { tickets: number, orders: number, unitsTotal: number, unitsSold: number, unitsRefunded: number, unitsUnpaid: number, unitsUnsold: number, settled: boolean, digest: string | null, asOf: string } | null } | null };

export type SalePauseMutationVariables = Exact<{
  input: SalePauseInput;
}>;


export type SalePauseMutation = { salePause: { sale: { id: string, status: SaleStatus, stockRemaining: number, stockTotal: number, version: number } | null, userErrors: Array<{ code: SalePauseErrorCode, message: string, field: Array<string> | null }> } };

export type SalePublishMutationVariables = Exact<{
  input: SalePublishInput;
}>;


export type SalePublishMutation = { salePublish: { sale: { id: string, status: SaleStatus, stockRemaining: number, stockTotal: number, version: number } | null, userErrors: Array<{ code: SalePublishErrorCode, message: string, field: Array<string> | null }> } };

export type SalePulsesQueryVariables = Exact<{
  seconds: number;
  saleId: string;
}>;


export type SalePulsesQuery = { shopPulses: Array<{ sales: Array<{ asOf: string, unitsFree: number, unitsFreeInGate: number | null, unitsHeld: number, unitsPaid: number | null, tickets: number | null, ticketsWaiting: number | null, purchases: Array<{ answer: PurchaseAnswerCode, count: number }>, revenue: { amount: string, currencyCode: CurrencyCode } | null }> }> };

export type SaleReportQueryVariables = Exact<{
  id: string;
}>;


export type SaleReportQuery = { serverTime: string, saleReport: { asOf: string, settled: boolean, verdict: SaleReportStatus, digest: string | null, downloadUrl: string, sale: { id: string, status: SaleStatus, product: { name: string } | null }, lines: Array<{ name: string, count: number, amount: { amount: string, currencyCode: CurrencyCode } | null }>, checks: Array<{ code: SaleReportCheckCode, left: string, right: string, status: SaleReportCheckStatus, cause: SaleReportCheckCause | null, examples: Array<string> }> } | null };

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
}>;


export type SalesQuery = { serverTime: string, sales: { nodes: Array<{ id: string, status: SaleStatus, stockRemaining: number, stockTotal: number, unitsHeld: number, limitPerBuyer: number, startsAt: string, endsAt: string, version: number, pointsPrice: number | null, price: { amount: string, currencyCode: CurrencyCode }, originalPrice: { amount: string, currencyCode: CurrencyCode } | null, product: { id: string, name: string, title: string | null, imageUrl: string | null, image: { colour: string | null, variants: Array<{ url: string, width: number }> } | null } | null, viewerTicket: { id: string, status: PurchaseTicketStatus, version: number } | null }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } };

export type SecondFactorBeginMutationVariables = Exact<{
  input: UserSecondFactorBeginInput;
}>;


export type SecondFactorBeginMutation = { userSecondFactorBegin: { secret: string | null, otpauthUrl: string | null, qrCode: Array<string> | null, userErrors: Array<{ code: UserSecondFactorBeginErrorCode, message: string, field: Array<string> | null }> } };

export type SecondFactorConfirmMutationVariables = Exact<{
  input: UserSecondFactorConfirmInput;
}>;


export type SecondFactorConfirmMutation = { userSecondFactorConfirm: { recoveryCodes: Array<string> | null, userErrors: Array<{ code: UserSecondFactorConfirmErrorCode, message: string, field: Array<string> | null }> } };

export type SecondFactorDisableMutationVariables = Exact<{
  input: UserSecondFactorDisableInput;
}>;


export type SecondFactorDisableMutation = { userSecondFactorDisable: { user: { id: string } | null, userErrors: Array<{ code: UserSecondFactorDisableErrorCode, message: string, field: Array<string> | null }> } };

export type ServerNodesQueryVariables = Exact<{ [key: string]: never; }>;


export type ServerNodesQuery = { serverTime: string, serverNodes: Array<{ name: string, roles: Array<string>, address: string, version: string, startedAt: string, seenAt: string, silent: boolean, cpu: number | null, memoryBytes: number | null, sockets: number | null, readiness: { ready: boolean, checks: Array<{ name: string, ready: boolean, reason: string | null }> } | null }>, jobs: Array<{ name: string, holder: string | null, token: number }> };

export type ServerTimeQueryVariables = Exact<{ [key: string]: never; }>;


export type ServerTimeQuery = { serverTime: string };

export type SettingChangesQueryVariables = Exact<{
  key?: string | null | undefined;
  after?: string | null | undefined;
}>;


export type SettingChangesQuery = { serverTime: string, settingChanges: { nodes: Array<{ revision: number, key: string, scope: string, act: SettingChangeAct, oldValue: string | null, newValue: string | null, operator: string | null, via: string, reason: string, at: string, undoes: number | null, confirmBefore: string | null }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } };

export type SettingConfirmMutationVariables = Exact<{
  input: SettingConfirmInput;
}>;


export type SettingConfirmMutation = { settingConfirm: { changes: Array<{ revision: number, key: string, scope: string, oldValue: string | null, newValue: string | null, confirmBefore: string | null }> | null, overriddenOn: Array<{ key: string, node: string }>, userErrors: Array<{ code: SettingConfirmErrorCode, message: string, field: Array<string> | null }> } };

export type SettingNodesQueryVariables = Exact<{ [key: string]: never; }>;


export type SettingNodesQuery = { serverNodes: Array<{ name: string, roles: Array<string>, silent: boolean, settingsRevision: number | null, rejectedSettings: Array<{ key: string, scope: string, revision: number, problem: string }> }> };

export type SettingPromoteMutationVariables = Exact<{
  input: SettingPromoteInput;
}>;


export type SettingPromoteMutation = { settingPromote: { changes: Array<{ revision: number, key: string, scope: string, oldValue: string | null, newValue: string | null, confirmBefore: string | null }> | null, overriddenOn: Array<{ key: string, node: string }>, userErrors: Array<{ code: SettingPromoteErrorCode, message: string, field: Array<string> | null }> } };

export type SettingRollbackMutationVariables = Exact<{
  input: SettingRollbackInput;
}>;


export type SettingRollbackMutation = { settingRollback: { changes: Array<{ revision: number, key: string, scope: string, oldValue: string | null, newValue: string | null, confirmBefore: string | null }> | null, overriddenOn: Array<{ key: string, node: string }>, userErrors: Array<{ code: SettingRollbackErrorCode, message: string, field: Array<string> | null }> } };

export type SettingSetMutationVariables = Exact<{
  input: SettingSetInput;
}>;


export type SettingSetMutation = { settingSet: { changes: Array<{ revision: number, key: string, scope: string, oldValue: string | null, newValue: string | null, confirmBefore: string | null }> | null, overriddenOn: Array<{ key: string, node: string }>, userErrors: Array<{ code: SettingSetErrorCode, message: string, field: Array<string> | null }> } };

export type SettingUnsetMutationVariables = Exact<{
  input: SettingUnsetInput;
}>;


export type SettingUnsetMutation = { settingUnset: { changes: Array<{ revision: number, key: string, scope: string, oldValue: string | null, newValue: string | null, confirmBefore: string | null }> | null, overriddenOn: Array<{ key: string, node: string }>, userErrors: Array<{ code: SettingUnsetErrorCode, message: string, field: Array<string> | null }> } };

export type SettingsQueryVariables = Exact<{ [key: string]: never; }>;


export type SettingsQuery = { serverTime: string, settings: Array<{ key: string, value: string, default: string, source: string, description: string, minimum: string | null, maximum: string | null, choices: Array<string>, hot: boolean, confirmationRequired: boolean, stored: Array<{ scope: string, value: string, revision: number }> }> };

export type ShopQueryVariables = Exact<{ [key: string]: never; }>;


export type ShopQuery = { serverTime: string, shop: { name: string, timeZone: string, paymentMethods: Array<PaymentMethod>, signUpOpen: boolean, welcomePoints: number, supportUrl: string | null, status: ShopStatus } };

export type ShopPauseMutationVariables = Exact<{
  input: ShopPauseInput;
}>;


export type ShopPauseMutation = { shopPause: { shop: { name: string, timeZone: string, status: ShopStatus, statusSince: string } | null, userErrors: Array<{ code: ShopPauseErrorCode, message: string, field: Array<string> | null }> } };

export type ShopResumeMutationVariables = Exact<{
  input: ShopResumeInput;
}>;


export type ShopResumeMutation = { shopResume: { shop: { name: string, timeZone: string, status: ShopStatus, statusSince: string } | null, userErrors: Array<{ code: ShopResumeErrorCode, message: string, field: Array<string> | null }> } };

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

export type StuckPaymentsQueryVariables = Exact<{
  after?: string | null | undefined;
}>;


export type StuckPaymentsQuery = { serverTime: string, stuckPayments: { pageInfo: { hasNextPage: boolean, endCursor: string | null }, payments: Array<{ number: string, orderId: string, flag: PaymentFlag | null, nextCheckAt: string | null, received: { amount: string, currencyCode: CurrencyCode } | null, payment: { id: string, method: PaymentMethod, status: PaymentStatus, points: number | null, createdAt: string, amount: { amount: string, currencyCode: CurrencyCode } | null } }>, refunds: Array<{ number: string, orderId: string, attempts: number, lastCode: string | null, nextTryAt: string | null, refund: { id: string, status: RefundStatus, points: number | null, createdAt: string, amount: { amount: string, currencyCode: CurrencyCode } | null } }> } };

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

export type WatchPulseSubscriptionVariables = Exact<{ [key: string]: never; }>;


export type WatchPulseSubscription = { shopPulse: { at: string, nodesHeard: number, nodesRunning: number, ticketsWaiting: number | null, oldestTicketMs: number | null, purchases: Array<{ answer: PurchaseAnswerCode, count: number }>, orderEvents: Array<{ event: OrderEventCode, count: number }>, purchaseLatency: { p50Ms: number | null, p99Ms: number | null }, alerts: Array<{ code: PulseAlertCode, since: string, detail: string, saleId: string | null }>, sales: Array<{ saleId: string, asOf: string, unitsFree: number, unitsFreeInGate: number | null, unitsPaid: number | null, tickets: number | null, refusals: Array<{ code: PurchaseRefusalCode, count: number }> | null, purchases: Array<{ answer: PurchaseAnswerCode, count: number }>, revenue: { amount: string, currencyCode: CurrencyCode } | null }> } };

export type WatchSalePulseSubscriptionVariables = Exact<{
  saleId: string;
}>;


export type WatchSalePulseSubscription = { salePulse: { asOf: string, unitsFree: number, unitsFreeInGate: number | null, unitsHeld: number, unitsPaid: number | null, tickets: number | null, ticketsWaiting: number | null, purchases: Array<{ answer: PurchaseAnswerCode, count: number }>, revenue: { amount: string, currencyCode: CurrencyCode } | null } };

export type WatchSettingsSubscriptionVariables = Exact<{
  afterRevision?: number | null | undefined;
}>;


export type WatchSettingsSubscription = { settingChanged: { revision: number, key: string, scope: string, act: SettingChangeAct, oldValue: string | null, newValue: string | null, operator: string | null, via: string, reason: string, at: string, undoes: number | null, confirmBefore: string | null } };

export type WatchStockSubscriptionVariables = Exact<{
  saleIds: Array<string> | string;
}>;


export type WatchStockSubscription = { saleStockChanged: { saleId: string, stockRemaining: number, unitsHeld: number, soldOut: boolean, status: SaleStatus, endsAt: string, version: number, asOf: string } };

export type WatchTicketSubscriptionVariables = Exact<{
  id: string;
  afterVersion?: number | null | undefined;
}>;


export type WatchTicketSubscription = { purchaseTicketUpdated: { id: string, status: PurchaseTicketStatus, version: number, quantity: number, createdAt: string, decidedAt: string | null, refusal: { code: PurchaseRefusalCode, message: string } | null, order: { id: string, number: string, status: OrderStatus, payBefore: string, version: number, total: { amount: string, currencyCode: CurrencyCode } } | null } };
