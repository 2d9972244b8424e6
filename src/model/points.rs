//! Accounts, transfers and reservations.

use serde::Serialize;

use crate::kernel::{Timestamp, TransferId, UserId};
use crate::model::tcc::BranchKey;

/// Why a debit is rejected: fewer points can be spent than asked for.
pub const INSUFFICIENT: &str = "INSUFFICIENT_POINTS";
/// Why a credit is rejected: there is no such payment of this buyer, or not so much of it is left to give back.
pub const NOT_RETURNABLE: &str = "NOT_RETURNABLE";

/// A buyer's points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// Whose.
    pub user: UserId,
    /// The sum of the account's entries.
    pub posted: i64,
    /// The part of it that is set aside for payments under way.
    pub reserved: i64,
}

impl Account {
    /// The points that can be spent.
    pub const fn available(&self) -> i64 {
        self.posted - self.reserved
    }
}

crate::model::tcc::stored_enum! {
    /// The kind of transfer.
    pub enum TransferKind {
        /// The gift at sign-up.
        Welcome = "WELCOME",
        /// Given by an operator.
        Grant = "GRANT",
        /// An order was paid.
        Payment = "PAYMENT",
        /// A payment was given back.
        Refund = "REFUND",
    }
}

crate::model::tcc::stored_enum! {
    /// How far a reservation is. Only `Tried` may become something else.
    pub enum ReservationState {
        /// Set aside.
        Tried = "TRIED",
        /// Moved.
        Confirmed = "CONFIRMED",
        /// Taken back.
        Cancelled = "CANCELLED",
        /// Cancelled before it was tried: a late Try finds this.
        Suspended = "SUSPENDED",
        /// Could not be set aside.
        Rejected = "REJECTED",
    }
}

/// Which way points go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the buyer.
    Debit,
    /// Back to the buyer, out of this confirmed debit.
    Credit {
        /// The debit.
        of: BranchKey,
    },
}

/// A branch of a global transaction, as points know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// Which branch.
    pub key: BranchKey,
    /// The owner of the points.
    pub user: UserId,
    /// Which way.
    pub direction: Direction,
    /// How many, at least one.
    pub points: i64,
    /// The ID of the order that is paid.
    pub subject: String,
    /// How far.
    pub state: ReservationState,
    /// Why it was rejected.
    pub reason: Option<String>,
    /// Of a debit: what credits have taken of it.
    pub returned: i64,
}

/// A movement between a buyer's account and the shop's side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// Which.
    pub id: TransferId,
    /// The kind of entry.
    pub kind: TransferKind,
    /// The owner of the account.
    pub user: UserId,
    /// The change to the account; negative when points are deducted.
    pub points: i64,
    /// Names the act it comes from, so that it is not done twice; a confirmed reservation's has its key instead.
    pub reference: Option<String>,
    /// The reservation it comes from.
    pub branch: Option<BranchKey>,
    /// The operator who granted it.
    pub operator: Option<UserId>,
    /// Why it was granted.
    pub reason: Option<String>,
    /// The ID of the order.
    pub subject: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// A line of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The transfer it belongs to.
    pub transfer: TransferId,
    /// The kind of entry.
    pub kind: TransferKind,
    /// The change to the account; negative when points were deducted.
    pub points: i64,
    /// Why it was granted.
    pub reason: Option<String>,
    /// The ID of the order.
    pub subject: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// A place in an account's entries, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryKey {
    /// When it was posted.
    pub at: Timestamp,
    /// Its transfer.
    pub transfer: TransferId,
}

/// A page of entries: `limit` entries older than `after` or newer than `before`, those nearest to it.
#[derive(Debug, Clone)]
pub struct EntryPage {
    /// Only older ones.
    pub after: Option<EntryKey>,
    /// Only newer ones.
    pub before: Option<EntryKey>,
    /// How many at most.
    pub limit: usize,
    /// Count from the oldest end.
    pub from_end: bool,
}

/// The result.
#[derive(Debug, Clone)]
pub struct EntryList {
    /// The page, newest first.
    pub entries: Vec<Entry>,
    /// Whether there is more beyond it, in the direction that was asked for.
    pub more: bool,
    /// How many there are in all.
    pub total: usize,
}

/// An operator's grant.
#[derive(Debug, Clone)]
pub struct Grant {
    /// To whom; `None` when there is no such user.
    pub user: Option<UserId>,
    /// How many.
    pub points: i64,
    /// Why.
    pub reason: String,
    /// Names the act: once per operator and key.
    pub key: String,
}

/// Why points are not granted. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GrantRefusal {
    /// No such user.
    UserNotFound,
    /// Fewer than one, or more than one grant may give.
    PointsInvalid,
    /// Empty, too long, or with control characters.
    ReasonInvalid,
    /// Not 8 to 64 of `A-Z a-z 0-9 _ -`.
    IdempotencyKeyInvalid,
    /// The operator used the key for another grant.
    IdempotencyKeyReused,
    /// The account would hold more than an account may.
    BalanceTooLarge,
}

/// Rows that break an invariant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The invariant. Of points: 1 the entries of a transfer sum up to zero; 2 an account is the sum of its entries and of its pending
    /// debits; 3 an account is not overdrawn; 9 a reservation is resolved once, and so its transfer is there once, and as its transaction
    /// was decided.
    pub invariant: u8,
    /// The ID that the rows concern.
    pub subject: String,
    /// The stored value and the expected value.
    pub detail: String,
}
