//! What goes wrong on purpose: a list of switches, each for a kind, perhaps one method or trade, a number of times, a share of
//! cases.

use doorbuster::kernel::Rng;
use serde::{Deserialize, Serialize};

/// The kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A delivery of a notification is lost; the schedule goes on.
    DropNotification,
    /// A delivery waits for `millis`.
    DelayNotification,
    /// A notification is delivered twice at the same time.
    DuplicateNotification,
    /// A notification is delivered after the next one.
    ReorderNotification,
    /// A notification is signed by a stranger.
    WrongKeyNotification,
    /// A notification's amount is changed after signing.
    TamperNotification,
    /// The work is done and the connection closed.
    AnswerLost,
    /// The work is done and the answer takes `millis`.
    Hang,
    /// The work is done and the answer has no signature.
    Unsigned,
    /// The work is done and the answer is signed by a stranger.
    WrongKeyAnswer,
    /// The work is done and the answer is 20000.
    UnknownAfterWork,
    /// Nothing is done and the answer is 20000.
    UnknownWithoutWork,
    /// The work is done and the answer stands under another key.
    WrongEnvelope,
    /// An HTML page instead of an answer; nothing is done.
    Html,
    /// Status 500; nothing is done.
    Status500,
    /// An empty body; nothing is done.
    Empty,
    /// An answer without a signature that refuses the application; nothing is done.
    ErrorResponse,
    /// The seller has no money for refunds.
    SellerBalanceEmpty,
    /// A refund is done and says `fund_change=N`.
    FundChangeN,
    /// A refund is done and does not say whether money moved.
    FundChangeAbsent,
}

/// One switch.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The kind of fault.
    pub kind: Kind,
    /// With which method; all if absent.
    #[serde(default)]
    pub method: Option<String>,
    /// With which trade (`out_trade_no`); all if absent.
    #[serde(default)]
    pub number: Option<String>,
    /// How often; for ever if absent.
    #[serde(default)]
    pub times: Option<u32>,
    /// In how many of a hundred cases.
    #[serde(default = "always")]
    pub percent: u64,
    /// How long, where that matters.
    #[serde(default)]
    pub millis: u64,
}

const fn always() -> u64 {
    100
}

/// The switches that are on.
#[derive(Debug, Default)]
pub struct Faults(pub Vec<Fault>);

impl Faults {
    /// Whether this goes wrong now; uses it up.
    pub fn take(&mut self, kind: Kind, method: &str, number: &str, rng: &Rng) -> Option<Fault> {
        let fault = self.0.iter_mut().find(|fault| {
            let method = fault.method.as_deref().is_none_or(|only| only == method);
            let number = fault.number.as_deref().is_none_or(|only| only == number);
            fault.kind == kind && fault.times != Some(0) && method && number
        })?;
        if rng.below(100) >= fault.percent {
            return None;
        }
        if let Some(times) = &mut fault.times {
            *times -= 1;
        }
        Some(fault.clone())
    }
}
