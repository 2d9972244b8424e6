//! The gateway's bills, and their discrepancies with the records.

use serde::{Deserialize, Serialize};

use crate::kernel::{BillDifferenceId, Money, Timestamp, UserId};

/// What differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Kind {
    /// The bill has a number that is not ours.
    MissingHere,
    /// We hold as paid, or as paid back, what the bill does not have.
    MissingThere,
    /// Both have it, with other amounts, or the bill has it twice.
    Amount,
    /// The bill has it, and here it is not paid, or not paid back.
    Status,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::MissingHere, Self::MissingThere, Self::Amount, Self::Status];

    /// As stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MissingHere => "MISSING_HERE",
            Self::MissingThere => "MISSING_THERE",
            Self::Amount => "AMOUNT",
            Self::Status => "STATUS",
        }
    }

    /// From its stored form.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A payment or a refund of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ours {
    /// Its number.
    pub number: String,
    /// How much.
    pub amount: Money,
    /// Whether the money has moved, as far as we know.
    pub moved: bool,
    /// Its state, for people.
    pub state: String,
}

/// A refund as the bill has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BilledRefund {
    /// The number of the payment that it was taken from.
    pub payment: String,
    /// How much.
    pub amount: Money,
    /// When.
    pub at: Timestamp,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The number of the payment or the refund.
    pub number: String,
    /// What differs.
    pub kind: Kind,
    /// What we have.
    pub ours: String,
    /// What the bill has.
    pub theirs: String,
    /// The refund that the bill has, once, under a number that is not ours: it can be booked.
    pub refund: Option<BilledRefund>,
}

/// What a comparison came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// Lines of the bill.
    pub rows: u64,
    /// Numbers on which both agree.
    pub matched: u64,
    /// Paid, by the bill, in minor units.
    pub paid: i64,
    /// Paid back, by the bill, in minor units.
    pub refunded: i64,
    /// What differs, by number.
    pub differences: Vec<Difference>,
}

/// A difference between a bill and the records, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Identity. It stands for what was seen: with other amounts it is another difference.
    pub id: BillDifferenceId,
    /// The bill's day in the gateway's zone, `2026-11-23`.
    pub day: String,
    /// The number of the payment or the refund.
    pub number: String,
    /// The kind of discrepancy.
    pub kind: Kind,
    /// The recorded value.
    pub ours: String,
    /// The value in the bill.
    pub theirs: String,
    /// The refund that the bill has and we have not, if it is one.
    #[serde(default)]
    pub refund: Option<BilledRefund>,
    /// When it was found first.
    pub found_at: Timestamp,
    /// When a comparison did not find it any more.
    pub resolved_at: Option<Timestamp>,
    /// That an operator closed it.
    pub closure: Option<Closure>,
}

impl Item {
    /// Whether somebody must look at it.
    pub const fn is_open(&self) -> bool {
        self.resolved_at.is_none() && self.closure.is_none()
    }
}

/// That an operator closed a difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closure {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: UserId,
    /// Why.
    pub reason: String,
}

/// A place in the list of differences, the oldest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ItemKey {
    /// When it was found.
    pub at: Timestamp,
    /// Which.
    pub id: BillDifferenceId,
}

/// A page of differences: `limit` newer than `after` or older than `before`, those nearest to it.
#[derive(Debug, Clone)]
pub struct ItemPage {
    /// Only open ones.
    pub open: bool,
    /// Only newer ones.
    pub after: Option<ItemKey>,
    /// Only older ones.
    pub before: Option<ItemKey>,
    /// How many at most.
    pub limit: usize,
    /// Count from the newest end.
    pub from_end: bool,
}

/// The result.
#[derive(Debug, Clone)]
pub struct ItemList {
    /// The page, the oldest first.
    pub items: Vec<Item>,
    /// Whether there is more beyond it, in the direction that was asked for.
    pub more: bool,
    /// How many there are in all.
    pub total: usize,
}

/// The last comparison of a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillReport {
    /// The day in the gateway's zone, `2026-11-23`.
    pub day: String,
    /// Lines of the bill.
    pub rows: u64,
    /// Numbers on which both agree.
    pub matched: u64,
    /// Paid, by the bill, in minor units.
    pub paid: i64,
    /// Paid back, by the bill, in minor units.
    pub refunded: i64,
    /// How often the day was compared.
    pub runs: u64,
    /// When it was compared last.
    pub compared_at: Timestamp,
    /// The discrepancies, including resolved and closed ones.
    pub items: Vec<Item>,
}

impl BillReport {
    /// Differences that are open.
    pub fn open(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|item| item.is_open())
    }
}
