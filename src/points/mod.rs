//! Loyalty points: accounts, a ledger of double entries, and the holds by which points take part in global transactions.
//!
//! Points are moved by *transfers*, which are never changed or removed; each has two entries that cancel out, one on a buyer's account and
//! one on the shop's side. The shop's side has no stored balance: every payment would wait for it. A payment first *reserves* points
//! ([`holds`]); only confirming it moves them. The database of points may be the shop's or another.

pub mod audit;
pub mod holds;
mod service;

pub use crate::model::points::{
    Account, Direction, Entry, EntryKey, EntryList, EntryPage, Finding, Grant, GrantRefusal, INSUFFICIENT,
    NOT_RETURNABLE, Reservation, ReservationState, Transfer, TransferKind,
};
pub use holds::{Hold, PARTICIPANT};
pub use service::{Granted, Parts, Points};
