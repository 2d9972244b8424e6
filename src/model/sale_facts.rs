//! What the order writer reads before it decides on a batch of tickets.

use std::time::Duration;

use super::order_requests::TicketPrice;
use super::orders::OrderState;
use crate::kernel::{Epoch, TicketId, Timestamp, UserId};

/// The state of a sale that the order writer reads at the start of its transaction.
#[derive(Debug, Clone)]
pub struct SaleFacts {
    /// Short number.
    pub number: u64,
    /// Present generation of the gate.
    pub epoch: Epoch,
    /// Price of one unit.
    pub price: TicketPrice,
    /// The prices that it had before edits, the oldest first. Needed only for tickets that do not say theirs.
    pub former_prices: Vec<FormerPrice>,
    /// How long an order waits for its payment.
    pub pay_within: Duration,
    /// Name of the product.
    pub product_name: String,
    /// Units free before this batch.
    pub left: u32,
    /// When an operator ended the sale, by that node's clock.
    pub ended_at: Option<Timestamp>,
}

/// A price that an edit replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FormerPrice {
    /// When it was replaced.
    pub until: Timestamp,
    /// The price.
    pub price: TicketPrice,
}

/// A recorded ticket that may stand in the way of another: the same one, one of the same buyer and key, or the live order of the same
/// buyer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedTicket {
    /// The ticket.
    pub ticket: TicketId,
    /// Its buyer.
    pub buyer: UserId,
    /// Its key, unless that belongs to another ticket.
    pub key: Option<String>,
    /// Its state now.
    pub state: OrderState,
}
