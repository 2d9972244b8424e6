//! Why an operator's change is rejected.

use crate::store::StoreError;

/// The reason for a rejection. Stable: clients see it as the `code` of a user error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Missing, too long, or with control characters.
    NameInvalid,
    /// Too long, or with control characters.
    TitleInvalid,
    /// Too long.
    DescriptionInvalid,
    /// Neither an `http(s)` URL nor an absolute path.
    ImageUrlInvalid,
    /// Not a plain decimal number.
    PriceInvalid,
    /// More decimal places than the currency has.
    PriceScaleInvalid,
    /// Zero, below zero, or too large.
    PriceOutOfRange,
    /// Zero, below zero, or too large.
    PointsPriceInvalid,
    /// The session does not end after it starts.
    WindowInvalid,
    /// The session is too long.
    WindowTooLong,
    /// Outside its limits.
    StockInvalid,
    /// Outside its limits.
    LimitPerBuyerInvalid,
    /// Outside its limits.
    PayWithinInvalid,
    /// Units to add outside their limits, or the sum is.
    UnitsInvalid,
    /// Not 8 to 64 of `A-Z a-z 0-9 _ -`.
    IdempotencyKeyInvalid,
    /// The key was used for something else.
    IdempotencyKeyReused,
    /// No such product.
    ProductNotFound,
    /// No such session.
    SessionNotFound,
    /// No such sale.
    SaleNotFound,
    /// Somebody else changed it in the meantime.
    VersionConflict,
    /// The sale is still a draft.
    SaleNotPublished,
    /// The sale is not a draft any more.
    SaleAlreadyPublished,
    /// The sale is paused already.
    SaleAlreadyPaused,
    /// The sale is not paused.
    SaleNotPaused,
    /// The sale was ended.
    SaleEnded,
    /// The sale's session is over.
    SessionEnded,
    /// No reason, too long, or with control characters.
    ReasonInvalid,
    /// All sales are stopped already.
    ShopAlreadyPaused,
    /// The shop is not stopped.
    ShopNotPaused,
}

/// One thing that is wrong with an act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What.
    pub reason: Reason,
    /// Which part of the input; empty when it is none of them. Names as in the public schema.
    pub field: &'static [&'static str],
    /// The same for a person.
    pub message: String,
}

impl Problem {
    /// A problem with one field of the input.
    pub fn new(reason: Reason, field: &'static [&'static str], message: impl Into<String>) -> Self {
        Self { reason, field, message: message.into() }
    }
}

/// Why an act did not happen. Nothing was changed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ActError {
    /// Refused: everything that is wrong with it, at least one thing.
    #[error("refused: {0:?}")]
    Refused(Vec<Problem>),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Vec<Problem>> for ActError {
    fn from(problems: Vec<Problem>) -> Self {
        Self::Refused(problems)
    }
}

impl From<Problem> for ActError {
    fn from(problem: Problem) -> Self {
        Self::Refused(vec![problem])
    }
}
