//! What purchases are answered, and how often in a sale.

use std::sync::atomic::{AtomicU64, Ordering};

/// An answer to `salePurchase`: the two kinds of acceptance, then the refusals of the schema, then faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// A new ticket.
    Admitted,
    /// The ticket of an earlier request with the same key.
    Replayed,
    /// Fewer units are left than were asked for.
    SoldOut,
    /// The buyer has an order in this sale.
    AlreadyBought,
    /// No such sale.
    SaleNotFound,
    /// The sale has not started.
    SaleNotStarted,
    /// The sale has ended.
    SaleEnded,
    /// The sale is paused.
    SalePaused,
    /// The quantity is out of bounds.
    QuantityInvalid,
    /// The key has a wrong form.
    IdempotencyKeyInvalid,
    /// The key belongs to another purchase.
    IdempotencyKeyReused,
    /// The sale can't be bought from at this moment.
    TryLater,
    /// Nobody is signed in.
    Unauthenticated,
    /// The buyer is over a limit.
    RateLimited,
    /// Something that purchases need is not available.
    Unavailable,
}

impl Answer {
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    /// Every answer; its place here is its number.
    pub const ALL: [Self; 15] = [
        Self::Admitted,
        Self::Replayed,
        Self::SoldOut,
        Self::AlreadyBought,
        Self::SaleNotFound,
        Self::SaleNotStarted,
        Self::SaleEnded,
        Self::SalePaused,
        Self::QuantityInvalid,
        Self::IdempotencyKeyInvalid,
        Self::IdempotencyKeyReused,
        Self::TryLater,
        Self::Unauthenticated,
        Self::RateLimited,
        Self::Unavailable,
    ];

    /// Its name in the metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admitted => "admitted",
            Self::Replayed => "replayed",
            Self::SoldOut => "sold_out",
            Self::AlreadyBought => "already_bought",
            Self::SaleNotFound => "sale_not_found",
            Self::SaleNotStarted => "sale_not_started",
            Self::SaleEnded => "sale_ended",
            Self::SalePaused => "sale_paused",
            Self::QuantityInvalid => "quantity_invalid",
            Self::IdempotencyKeyInvalid => "idempotency_key_invalid",
            Self::IdempotencyKeyReused => "idempotency_key_reused",
            Self::TryLater => "try_later",
            Self::Unauthenticated => "unauthenticated",
            Self::RateLimited => "rate_limited",
            Self::Unavailable => "unavailable",
        }
    }

    /// All names, in the same order.
    pub const fn names() -> [&'static str; Self::COUNT] {
        let mut names = [""; Self::COUNT];
        let mut index = 0;
        while index < Self::COUNT {
            names[index] = Self::ALL[index].name();
            index += 1;
        }
        names
    }
}

/// Answers given in one sale by this process, by answer.
#[derive(Debug, Default)]
pub struct Tally([AtomicU64; Answer::COUNT]);

impl Tally {
    /// Counts one.
    pub fn count(&self, answer: Answer) {
        self.0[answer as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// The counts so far.
    pub fn counts(&self) -> [u64; Answer::COUNT] {
        std::array::from_fn(|index| self.0[index].load(Ordering::Relaxed))
    }
}
