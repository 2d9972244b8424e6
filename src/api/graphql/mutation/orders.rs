//! Buying and cancelling.

use std::time::Duration;

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};

use crate::api::graphql::context::{ContextExt as _, Services};
use crate::api::graphql::error::orders_fault;
use crate::api::graphql::types::orders::{Order, PurchaseTicket};
use crate::api::graphql::types::scalars::DateTime;
use crate::api::graphql::types::user_error::user_error;
use crate::kernel::{Clock, UserId};
use crate::orders::{Cancelled, PurchaseRefusal, PurchaseRequest};

/// What to buy.
#[derive(InputObject)]
pub struct SalePurchaseInput {
    /// The sale to buy in.
    pub sale_id: ID,
    /// Units, from 1 to the sale's limit per buyer.
    #[graphql(default = 1)]
    pub quantity: i32,
    /// Chosen by the client for this one wish to buy: 8 to 64 of `A-Z a-z 0-9 _ -`. The same key gets the same ticket for ever,
    /// however often it is sent; a key that was used for something else is refused.
    pub idempotency_key: String,
}

/// How long to wait after [`SalePurchaseErrorCode::TryLater`].
const TRY_LATER: Duration = Duration::from_secs(1);

/// Why there is no ticket. Stable: programs may rely on it.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum SalePurchaseErrorCode {
    /// There is no such sale.
    SaleNotFound,
    /// The sale has not begun; `retryAt` says when it does.
    SaleNotStarted,
    /// The sale is over.
    SaleEnded,
    /// The sale is stopped for now.
    SalePaused,
    /// Fewer units are left than asked for. Units of orders that are not paid come back.
    SoldOut,
    /// The buyer has an order in this sale already.
    AlreadyBought,
    /// The quantity is below 1 or above the sale's limit per buyer.
    QuantityInvalid,
    /// The key is too short, too long, or has other characters.
    IdempotencyKeyInvalid,
    /// The key was used before for another sale or quantity.
    IdempotencyKeyReused,
    /// The sale can't be bought from at this moment; `retryAt` says when to try again.
    TryLater,
}

/// Why there is no ticket.
#[derive(SimpleObject, Debug, Clone)]
pub struct SalePurchaseUserError {
    /// The reason.
    pub code: SalePurchaseErrorCode,
    /// The reason as a sentence for people.
    pub message: String,
    /// The path to the part of the input that it is about. Null when it is about the whole.
    pub field: Option<Vec<String>>,
    /// After how many seconds it makes sense to try again, rounded up. Null when it never does.
    pub retry_after_seconds: Option<i32>,
    /// From when on it makes sense to try again, to the millisecond; for `SALE_NOT_STARTED` the first moment of the sale. Null when it
    /// never does.
    pub retry_at: Option<DateTime>,
}

/// What came of the wish to buy.
#[derive(SimpleObject, Default)]
pub struct SalePurchasePayload {
    /// The ticket; null when there are user errors. It is a promise: it ends in exactly one recorded outcome.
    pub ticket: Option<PurchaseTicket>,
    /// Why there is no ticket; empty on success.
    pub user_errors: Vec<SalePurchaseUserError>,
}

impl SalePurchasePayload {
    /// Buys, and says what came of it.
    pub(super) async fn buy(services: &Services, buyer: UserId, request: PurchaseRequest) -> Result<Self> {
        let result = services.orders.purchase(buyer, request).await.map_err(|error| orders_fault(&error))?;
        Ok(match result {
            Ok(ticket) => Self { ticket: Some(PurchaseTicket(ticket)), user_errors: Vec::new() },
            Err(refusal) => {
                let error = SalePurchaseUserError::of(refusal, &services.clock);
                Self { ticket: None, user_errors: vec![error] }
            }
        })
    }
}

impl SalePurchaseUserError {
    fn of(refusal: PurchaseRefusal, clock: &Clock) -> Self {
        use SalePurchaseErrorCode as Code;
        let (code, message, field) = match refusal {
            PurchaseRefusal::SaleNotFound => (Code::SaleNotFound, "There is no such sale.".into(), Some("saleId")),
            PurchaseRefusal::NotStarted { .. } => (Code::SaleNotStarted, "The sale has not begun yet.".into(), None),
            PurchaseRefusal::Ended => (Code::SaleEnded, "The sale is over.".into(), None),
            PurchaseRefusal::Paused => (Code::SalePaused, "The sale is paused.".into(), None),
            PurchaseRefusal::SoldOut => (Code::SoldOut, "Sold out.".into(), None),
            PurchaseRefusal::AlreadyBought => {
                (Code::AlreadyBought, "You have an order in this sale already.".into(), None)
            }
            PurchaseRefusal::QuantityInvalid { limit } => {
                (Code::QuantityInvalid, format!("The quantity must be from 1 to {limit}."), Some("quantity"))
            }
            PurchaseRefusal::KeyInvalid => {
                let message = "The key must be 8 to 64 characters of A-Z a-z 0-9 _ -.".into();
                (Code::IdempotencyKeyInvalid, message, Some("idempotencyKey"))
            }
            PurchaseRefusal::KeyReused => {
                let message = "This key was used before for another purchase.".into();
                (Code::IdempotencyKeyReused, message, Some("idempotencyKey"))
            }
            PurchaseRefusal::TryLater => (Code::TryLater, "Please try again in a moment.".into(), None),
        };
        let now = clock.now();
        let retry_at = match refusal {
            PurchaseRefusal::NotStarted { starts_at } => Some(starts_at),
            PurchaseRefusal::TryLater => Some(now.plus(TRY_LATER)),
            _ => None,
        };
        let retry_after_seconds =
            retry_at.map(|at| at.since(now).as_millis().div_ceil(1000).try_into().unwrap_or(i32::MAX));
        let field = field.map(|field| vec!["input".to_owned(), field.to_owned()]);
        Self { code, message, field, retry_after_seconds, retry_at: retry_at.map(DateTime) }
    }
}

/// Which order to cancel.
#[derive(InputObject)]
pub struct OrderCancelInput {
    /// One's own order.
    pub order_id: ID,
}

/// Why the order was not cancelled. Stable: programs may rely on it.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderCancelErrorCode {
    /// The signed-in buyer has no such order.
    OrderNotFound,
    /// The order is paid, refunded or expired.
    OrderNotCancellable,
    /// A payment of it is under way and the payment gateway gives no clear answer now. Nothing has changed; try again shortly.
    TryLater,
}

user_error! {
    /// Why the order was not cancelled.
    OrderCancelUserError, OrderCancelErrorCode
}

/// What came of the wish to cancel.
#[derive(SimpleObject, Default)]
pub struct OrderCancelPayload {
    /// The order as it is now; null when there is no such order.
    pub order: Option<Order>,
    /// Why it was not cancelled; empty on success.
    pub user_errors: Vec<OrderCancelUserError>,
}

/// Mutations of orders.
#[derive(Default)]
pub struct OrdersMutation;

#[Object]
impl OrdersMutation {
    /// Buys in a sale. The answer is a ticket at once; its outcome is pushed to `purchaseTicketUpdated` and can be asked for with
    /// `purchaseTicket` at any time.
    async fn sale_purchase(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to buy.")] input: SalePurchaseInput,
    ) -> Result<SalePurchasePayload> {
        let viewer = ctx.require_viewer()?;
        let request =
            PurchaseRequest { sale: input.sale_id.parse().ok(), quantity: input.quantity, key: input.idempotency_key };
        SalePurchasePayload::buy(ctx.services(), viewer.id, request).await
    }

    /// Cancels one's own order before it is paid; its units are sold again. Cancelling twice is the same as once.
    async fn order_cancel(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which order to cancel.")] input: OrderCancelInput,
    ) -> Result<OrderCancelPayload> {
        let viewer = ctx.require_viewer()?;
        let cancelled = match input.order_id.parse() {
            Ok(order) => ctx.services().orders.cancel(viewer.id, order).await.map_err(|error| orders_fault(&error))?,
            Err(_) => Cancelled::NotFound,
        };
        use OrderCancelErrorCode as Code;
        Ok(match cancelled {
            Cancelled::Done(order) => OrderCancelPayload { order: Some(Order(order)), user_errors: Vec::new() },
            Cancelled::Refused(order) => {
                let error =
                    OrderCancelUserError::whole(Code::OrderNotCancellable, "This order can't be cancelled any more.");
                OrderCancelPayload { order: Some(Order(order)), user_errors: vec![error] }
            }
            Cancelled::TryLater(order) => {
                let message = "A payment of this order is under way. Please try again in a moment.";
                let error = OrderCancelUserError::whole(Code::TryLater, message);
                OrderCancelPayload { order: Some(Order(order)), user_errors: vec![error] }
            }
            Cancelled::NotFound => {
                let error = OrderCancelUserError::about(Code::OrderNotFound, "You have no such order.", "orderId");
                OrderCancelPayload { order: None, user_errors: vec![error] }
            }
        })
    }
}
