//! What is checked, on what evidence, and what is found.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::demo::history::Entry;
use crate::model::facts::Facts;

/// What must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// I1: live units <= stock.
    NoOversell,
    /// I2: free units + live units == stock. Also I6: each closed order returns its units exactly once.
    Conservation,
    /// I3: each accepted ticket has a recorded outcome, and each recorded outcome was asked for.
    AcceptedIsRecorded,
    /// I4: nobody hears "sold out" when units have been free for a while.
    NoUndersell,
    /// I5: one key, one answer.
    Idempotency,
    /// I7: one live order per buyer and sale, within the limit.
    BuyerLimit,
    /// I8: nothing is admitted outside the window.
    Window,
    /// I9: the outcome is pushed and can be asked for.
    Delivery,
    /// I10: no order expires early, or paid.
    NoEarlyExpiry,
    /// I11: only allowed transitions, versions grow, end states stay.
    Transitions,
    /// I13: nobody sees another's ticket or order.
    Isolation,
    /// I16: pushed stock is possible and never goes back in version.
    Freshness,
    /// I17: epochs follow one another; a ticket's identity is unique.
    Epochs,
    /// Bad input gets no ticket.
    BadInput,
    /// Without faults, each admitted purchase becomes an order: the gate's count is exact.
    ExactGate,
    /// Every shopper gets an answer.
    Answered,
}

impl Invariant {
    /// The number and name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoOversell => "I1 no oversell",
            Self::Conservation => "I2/I6 conservation",
            Self::AcceptedIsRecorded => "I3 accepted is recorded",
            Self::NoUndersell => "I4 no undersell",
            Self::Idempotency => "I5 idempotency",
            Self::BuyerLimit => "I7 buyer limit",
            Self::Window => "I8 window",
            Self::Delivery => "I9 delivery",
            Self::NoEarlyExpiry => "I10 no early expiry",
            Self::Transitions => "I11 transitions",
            Self::Isolation => "I13 isolation",
            Self::Freshness => "I16 freshness",
            Self::Epochs => "I17 epochs",
            Self::BadInput => "bad input",
            Self::ExactGate => "exact gate",
            Self::Answered => "answered",
        }
    }
}

/// A broken promise, with its evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// What was broken.
    pub invariant: Invariant,
    /// Where.
    pub evidence: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant.name(), self.evidence)
    }
}

/// What is checked.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// What the shoppers did and saw.
    pub history: &'a [Entry],
    /// What the database says afterwards.
    pub facts: &'a Facts,
    /// Whether nothing is on its way any more: then accepted tickets must be decided.
    pub settled: bool,
    /// Whether the run had no faults.
    pub calm: bool,
    /// How long a unit that was given back may take to be for sale again; [`RETURN_GRACE`](super::RETURN_GRACE) on one node.
    pub return_grace: Duration,
}

/// How much of each thing happened. A check of nothing proves nothing: tests demand minimum counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Shoppers that asked to buy.
    pub shoppers: u64,
    /// Purchases sent.
    pub purchases: u64,
    /// Different tickets that purchases were answered with.
    pub accepted: u64,
    /// Purchases whose key had been sent before.
    pub repeated: u64,
    /// Purchases answered with a ticket that had been answered before.
    pub replayed: u64,
    /// Purchases refused, by code.
    pub refused: BTreeMap<String, u64>,
    /// Sales of which every unit was taken at one moment.
    pub fully_sold: u64,
    /// Requests whose outcome stayed unknown.
    pub unknown: u64,
    /// Payloads pushed.
    pub pushes: u64,
    /// Ticket subscriptions that lost their connection.
    pub lost_sockets: u64,
    /// Ticket subscriptions that resumed from the version seen last.
    pub resumed: u64,
    /// Looks at somebody else's ticket.
    pub peeks: u64,
    /// Rows that are orders, of the shoppers.
    pub orders: u64,
    /// Rows cancelled.
    pub cancelled: u64,
    /// Rows expired.
    pub expired: u64,
    /// Rows that record a refusal.
    pub refused_rows: u64,
    /// Different epochs among the rows.
    pub epochs: u64,
    /// Shoppers without an answer.
    pub unanswered: u64,
}

/// Collects violations.
#[derive(Default)]
pub(super) struct Findings(pub(super) Vec<Violation>);

impl Findings {
    pub(super) fn add(&mut self, invariant: Invariant, evidence: impl Into<String>) {
        self.0.push(Violation { invariant, evidence: evidence.into() });
    }
}
