//! What the database says at one moment: the evidence that a history is checked against.

use std::time::Duration;

use super::orders::OrderState;
use crate::kernel::{Epoch, SaleId, TicketId, Timestamp, UserId};

/// A sale and its session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaleFact {
    /// Identity.
    pub id: SaleId,
    /// Units in all.
    pub stock_total: i64,
    /// Units free.
    pub stock_left: i64,
    /// Units one buyer may hold.
    pub limit_per_buyer: i64,
    /// How long an order waits for its payment.
    pub pay_within: Duration,
    /// Whether refunded units are sold again.
    pub returns_on_refund: bool,
    /// Generation of the gate.
    pub epoch: Epoch,
    /// First moment of the window.
    pub starts_at: Timestamp,
    /// First moment after the window.
    pub ends_at: Timestamp,
}

/// A decided ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderFact {
    /// Identity.
    pub id: TicketId,
    /// Its own column, which must agree with the identity.
    pub sale: SaleId,
    /// The buyer.
    pub buyer: UserId,
    /// Units.
    pub quantity: i64,
    /// Idempotency key.
    pub key: Option<String>,
    /// Where it stands.
    pub state: OrderState,
    /// When the gate admitted it.
    pub created_at: Timestamp,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// Until when it could be paid.
    pub pay_before: Timestamp,
    /// When it was paid.
    pub paid_at: Option<Timestamp>,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// Grows with each change.
    pub version: u32,
}

/// Everything that the checker reads of the database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// All sales.
    pub sales: Vec<SaleFact>,
    /// All decided tickets.
    pub orders: Vec<OrderFact>,
    /// Events that wait to be published.
    pub outbox: u64,
}

/// A user who can use the API at once.
#[derive(Debug, Clone)]
pub struct ReadyUser {
    /// Identity.
    pub id: UserId,
    /// Unique name.
    pub username: String,
    /// `BUYER` or `OPERATOR`.
    pub role: &'static str,
    /// SHA-256 of the access token.
    pub token_hash: [u8; 32],
}
