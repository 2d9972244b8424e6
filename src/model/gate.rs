//! The values of admission that are stored or derived from what is stored.

use crate::kernel::{Epoch, SaleId, TicketId, Timestamp, UserId};

/// The terms of a sale that the gate needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaleTerms {
    /// The sale.
    pub sale: SaleId,
    /// Generation of the gate; calls that carry another one are answered `WrongEpoch`.
    pub epoch: Epoch,
    /// Version of the sale's row: older terms never replace newer ones.
    pub version: u32,
    /// First moment of the window.
    pub starts_at: Timestamp,
    /// First moment after the window.
    pub ends_at: Timestamp,
    /// Units one buyer may hold.
    pub limit_per_buyer: u32,
    /// Units the sale has in all. When it grows, the difference becomes available; when it shrinks below what is taken,
    /// nothing is taken back: there is nothing left until enough units have come back.
    pub stock_total: u32,
    /// Whether buying is stopped for now.
    pub paused: bool,
    /// Whether the operator ended the sale.
    pub ended: bool,
}

/// The state of a sale that somebody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SaleVersion {
    /// Generation of the gate.
    pub epoch: Epoch,
    /// Version of the sale's row.
    pub version: u32,
}

impl SaleVersion {
    /// Any terms of this epoch.
    pub const fn of_epoch(epoch: Epoch) -> Self {
        Self { epoch, version: 0 }
    }
}

/// The state of the units of a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Units {
    /// Taken by a live order, or by a ticket that still waits for its decision. The buyer cannot get another one.
    Held,
    /// Not for sale again, but the buyer is free: a refunded order of a sale that does not restock.
    Gone,
    /// Never taken, or given back.
    Free,
}

/// An admission that exists already: what a rebuilt gate is filled with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownTicket {
    /// The ticket, of any epoch.
    pub ticket: TicketId,
    /// The buyer that holds it.
    pub buyer: UserId,
    /// The key it was asked for with; `None` when the key belongs to another ticket.
    pub key: Option<String>,
    /// Units asked for.
    pub quantity: u32,
    /// The state of its units.
    pub units: Units,
}
