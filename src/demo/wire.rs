//! The documents that shoppers and operators send, and the shapes of the answers. Every document names its root field
//! `it`, so that one shape fits them all.

use serde::{Deserialize, Deserializer};

use super::history::{OrderSeen, OrderStatus, TicketSeen, TicketStatus};
use crate::kernel::{OrderId, SaleId, TicketId, Timestamp, UserId};

macro_rules! ticket_fields {
    () => {
        "id status version quantity sale { id } refusal { code } \
         order { id status version quantity payBefore closedAt }"
    };
}

/// Signs up: `{input: {username password displayName}}`.
pub const SIGN_UP: &str = "mutation SignUp($input: UserSignUpInput!) { it: userSignUp(input: $input) { \
    user { id } accessToken { token } userErrors { code message } } }";

/// Signs in: `{input: {username password}}`.
pub const SIGN_IN: &str = "mutation SignIn($input: UserSignInInput!) { it: userSignIn(input: $input) { \
    user { id } accessToken { token } userErrors { code message } } }";

/// What a shopper reads first: the list. No variables.
pub const LIST: &str = "query List { it: saleSessions(first: 10) { nodes { id name status startsAt \
    sales(first: 10) { nodes { id status stockRemaining price { amount currencyCode } product { name imageUrl } } } } } }";

/// The server's time. No variables.
pub const SERVER_TIME: &str = "query Time { it: serverTime }";

/// One sale: `{id}`.
pub const SALE: &str = "query Detail($id: ID!) { it: sale(id: $id) { id status startsAt endsAt stockTotal stockRemaining \
    limitPerBuyer product { name description imageUrl } } }";

/// Buys: `{input: {saleId quantity idempotencyKey}}`.
pub const PURCHASE: &str = concat!(
    "mutation Buy($input: SalePurchaseInput!) { it: salePurchase(input: $input) { ticket { ",
    ticket_fields!(),
    " } userErrors { code message retryAfterSeconds } } }"
);

/// Reads one's own ticket: `{id}`.
pub const TICKET: &str = concat!("query Ticket($id: ID!) { it: purchaseTicket(id: $id) { ", ticket_fields!(), " } }");

/// Cancels an order: `{input: {orderId}}`.
pub const CANCEL: &str = "mutation Cancel($input: OrderCancelInput!) { it: orderCancel(input: $input) { \
    order { id status version quantity payBefore closedAt } userErrors { code message } } }";

/// Pays: `{input: {orderId method idempotencyKey}}`.
pub const PAY: &str = "mutation Pay($input: OrderPayInput!) { it: orderPay(input: $input) { \
    payment { id status } redirectUrl userErrors { code message } } }";

/// Wants the money back: `{input: {orderId reason idempotencyKey}}`.
pub const REFUND: &str = "mutation Refund($input: OrderRefundInput!) { it: orderRefund(input: $input) { \
    refund { id status } userErrors { code message } } }";

/// Reads one's own order: `{id}`.
pub const ORDER: &str = "query Order($id: ID!) { it: order(id: $id) { status } }";

/// Follows one's own ticket: `{id afterVersion}`.
pub const FOLLOW: &str = concat!(
    "subscription Follow($id: ID!, $afterVersion: Int) { it: purchaseTicketUpdated(id: $id, afterVersion: $afterVersion) { ",
    ticket_fields!(),
    " } }"
);

/// Follows the stock of sales: `{saleIds}`.
pub const STOCK: &str = "subscription Stock($saleIds: [ID!]!) { it: saleStockChanged(saleIds: $saleIds) { \
    saleId stockRemaining version } }";

/// A GraphQL answer.
#[derive(Debug, Deserialize)]
pub struct Answer<T> {
    /// Absent or null when the whole request failed.
    #[serde(default = "Option::default")]
    pub data: Option<Data<T>>,
    /// Client and server faults.
    #[serde(default = "Vec::new")]
    pub errors: Vec<TopError>,
}

/// The root of an answer: the one field that was asked for.
#[derive(Debug, Deserialize)]
pub struct Data<T> {
    /// The field; null when it failed or there is no such thing.
    #[serde(default = "Option::default")]
    pub it: Option<T>,
}

/// A top-level error.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct TopError {
    /// For people.
    pub message: String,
    /// For programs.
    #[serde(default)]
    pub extensions: Extensions,
}

/// What a top-level error carries for programs.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Extensions {
    /// The stable code.
    #[serde(default)]
    pub code: String,
}

/// A refusal in a payload.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserError {
    /// The stable code.
    pub code: String,
    /// For people.
    #[serde(default)]
    pub message: String,
}

/// `userSignUp` and `userSignIn`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Signed {
    /// Who; null when refused.
    pub user: Option<Owner>,
    /// The token; null when refused.
    pub access_token: Option<Token>,
    /// Why not.
    pub user_errors: Vec<UserError>,
}

/// A user.
#[derive(Debug, Deserialize)]
pub struct Owner {
    /// Identity.
    pub id: UserId,
}

/// An access token.
#[derive(Debug, Deserialize)]
pub struct Token {
    /// The opaque text.
    pub token: String,
}

/// `salePurchase`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Purchased {
    /// The ticket; null when refused.
    pub ticket: Option<Ticket>,
    /// Why not.
    pub user_errors: Vec<UserError>,
}

/// `orderCancel`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cancelled {
    /// The order; null when refused.
    pub order: Option<Order>,
    /// Why not.
    pub user_errors: Vec<UserError>,
}

/// A ticket as sent.
#[derive(Debug, Deserialize)]
pub struct Ticket {
    id: TicketId,
    status: TicketStatus,
    version: u32,
    quantity: u32,
    sale: SaleRef,
    refusal: Option<Refusal>,
    order: Option<Order>,
}

#[derive(Debug, Deserialize)]
struct SaleRef {
    id: SaleId,
}

#[derive(Debug, Deserialize)]
struct Refusal {
    code: String,
}

/// An order as sent.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    id: OrderId,
    status: OrderStatus,
    version: u32,
    quantity: u32,
    #[serde(deserialize_with = "moment")]
    pay_before: Timestamp,
    #[serde(deserialize_with = "optional_moment")]
    closed_at: Option<Timestamp>,
}

/// A sale's stock as pushed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stock {
    /// Which sale.
    pub sale_id: SaleId,
    /// Units free.
    pub stock_remaining: i64,
    /// Grows with every change.
    pub version: u32,
}

impl From<Ticket> for TicketSeen {
    fn from(ticket: Ticket) -> Self {
        Self {
            id: ticket.id,
            sale: ticket.sale.id,
            quantity: ticket.quantity,
            status: ticket.status,
            version: ticket.version,
            refusal: ticket.refusal.map(|refusal| refusal.code),
            order: ticket.order.map(OrderSeen::from),
        }
    }
}

impl From<Order> for OrderSeen {
    fn from(order: Order) -> Self {
        Self {
            id: order.id,
            status: order.status,
            version: order.version,
            quantity: order.quantity,
            pay_before: order.pay_before,
            closed_at: order.closed_at,
        }
    }
}

/// RFC 3339 text.
pub fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(deserializer)?;
    Timestamp::parse_rfc3339(&text).ok_or_else(|| serde::de::Error::custom("not an RFC 3339 time"))
}

fn optional_moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    Option::<String>::deserialize(deserializer)?
        .map(|text| Timestamp::parse_rfc3339(&text).ok_or_else(|| serde::de::Error::custom("not an RFC 3339 time")))
        .transpose()
}
