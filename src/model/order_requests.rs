//! The messages that the orders slice publishes. Samples of each version are in `schema/messages/`.

use serde::{Deserialize, Serialize};

use crate::kernel::{Money, TicketId, Timestamp, UserId};

/// Type of the messages of `order-requests`.
pub const REQUESTS: &str = "order-requests";
/// Version of [`OrderRequests`] that this build writes.
pub const REQUESTS_VERSION: u32 = 1;

/// Type of the messages of `payment-timeouts`.
pub const TIMEOUTS: &str = "payment-timeouts";
/// Version of [`PaymentTimeouts`] that this build writes.
pub const TIMEOUTS_VERSION: u32 = 1;

/// Admitted tickets of one sale, in the order of admission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRequests {
    /// One per ticket.
    pub tickets: Vec<OrderRequest>,
}

/// One admitted ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRequest {
    /// The ticket.
    pub ticket: TicketId,
    /// The buyer that holds it.
    pub buyer: UserId,
    /// The key it was asked for with.
    pub key: String,
    /// Units.
    pub quantity: u32,
    /// When the gate admitted it.
    pub at: Timestamp,
    /// The price at which it was admitted. Absent in messages of programs that did not say it, and where a ticket is published again:
    /// then it is the sale's price of that moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<TicketPrice>,
}

/// The price of one unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketPrice {
    /// In money.
    pub unit: Money,
    /// In points, if points are taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub points: Option<u32>,
}

/// Orders that were decided together and so run out of time together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentTimeouts {
    /// Their time to pay ends here.
    pub due: Timestamp,
    /// The orders.
    pub orders: Vec<TicketId>,
}
