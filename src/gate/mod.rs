//! Admission: the atomic decision on each purchase. The gate is a cache, and the database is the system of record: a
//! gate that is lost is rebuilt from it under a new epoch.

mod coalescer;
mod memory;
mod redis;

use std::collections::HashSet;

use async_trait::async_trait;

pub use self::redis::{BareLink, RedisGate};
pub use crate::model::gate::{KnownTicket, SaleTerms, SaleVersion, Units};
pub use coalescer::{AdmitError, Coalescer};
pub use memory::MemoryGate;

use crate::kernel::{SaleId, Seq, TicketId, Timestamp, UserId};

/// One purchase attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The buyer.
    pub buyer: UserId,
    /// Idempotency key, already checked for its form.
    pub key: String,
    /// Units; 0 is answered [`Decision::OverLimit`].
    pub quantity: u32,
}

/// The gate's answer to one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Units are set aside for this new ticket. It is pending until [`Gate::settle`].
    Admitted {
        /// The ticket.
        ticket: TicketId,
        /// When, by the gate's clock.
        at: Timestamp,
    },
    /// The same buyer, key, sale and quantity as before: here is the ticket again.
    Replayed {
        /// The ticket.
        ticket: TicketId,
        /// When it was admitted, if this gate admitted it (and was not rebuilt since).
        at: Option<Timestamp>,
        /// Whether this gate admitted it and has not heard of its decision: the caller publishes it again before it
        /// answers.
        pending: bool,
    },
    /// The key was used before for another sale or quantity.
    KeyReused,
    /// The buyer holds a live ticket of this sale under another key.
    AlreadyBought,
    /// The quantity is not in `1..=limit_per_buyer`.
    OverLimit,
    /// Fewer units are left than asked for.
    SoldOut,
    /// The window has not begun.
    NotOpen,
    /// The window is over or the operator ended the sale.
    Ended,
    /// The operator paused the sale.
    Paused,
    /// The gate does not have this sale (whatever the key), or has another epoch of it: closed until rebuilt.
    WrongEpoch,
    /// The gate's terms are older than those the caller knows. Nothing new is admitted by them: [`Gate::update`] first.
    Behind,
}

/// A ticket that is admitted but not known to be decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingTicket {
    /// The ticket.
    pub ticket: TicketId,
    /// The buyer that holds it.
    pub buyer: UserId,
    /// Its key.
    pub key: String,
    /// Units.
    pub quantity: u32,
    /// When it was admitted, by the gate's clock.
    pub at: Timestamp,
}

/// A ticket whose buyer is to be let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Release {
    /// The ticket, of whatever epoch.
    pub ticket: TicketId,
    /// The buyer that held it.
    pub buyer: UserId,
    /// Whether its units are for sale again.
    pub restock: bool,
}

/// Counts of one sale, for metrics and reconciliation.
///
/// `left + held + gone == stock_total` at every moment; only if the total was lowered below `held + gone`, or the gate
/// was rebuilt with more tickets than units, is the sum larger, and then `left` is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Units free.
    pub left: u32,
    /// Units of live and pending tickets.
    pub held: u32,
    /// Units released without restocking.
    pub gone: u32,
    /// Tickets pending.
    pub pending: u32,
    /// The last seq handed out.
    pub seq: Seq,
}

/// The gate could not be asked. Whether it acted is unknown; asking again with the same keys is safe.
#[derive(Debug, Clone, thiserror::Error)]
#[error("gate unavailable: {0}")]
pub struct GateError(pub String);

/// A sale that is closed while its tickets are loaded, see [`Gate::begin`]. Dropped before [`Loading::open`], it stays closed.
#[async_trait]
pub trait Loading: Send {
    /// Adds tickets of the sale, each ticket once.
    async fn add(&mut self, tickets: Vec<KnownTicket>) -> Result<(), GateError>;

    /// Opens the sale under the newest terms that the gate has received in the meantime. Fails when the sale was forgotten since, or
    /// another rebuild of it has begun.
    async fn open(self: Box<Self>) -> Result<(), GateError>;
}

/// The contract of every gate.
///
/// Each method is atomic for its sale. A buyer has at most one live ticket per sale; every pending ticket is live. A
/// key belongs to its buyer over all sales that the gate holds, from the admission that used it until the sale is
/// forgotten; a refused attempt leaves no key behind. Time is the gate's own.
#[async_trait]
pub trait Gate: Send + Sync + 'static {
    /// Decides one attempt at once, as [`Self::admit`] would. `None` from a gate that has to wait for something: there, several
    /// are better asked for together.
    fn admit_now(&self, sale: SaleId, known: SaleVersion, attempt: &Attempt) -> Option<Decision> {
        let _ = (sale, known, attempt);
        None
    }

    /// Decides attempts in the given order; one decision each. `known` is the state of the sale that the caller knows.
    ///
    /// Checks go in this order: a sale that is not held is `WrongEpoch`; then the buyer's key (`Replayed`,
    /// `KeyReused`), then the epoch, then `Behind`, then `OverLimit`, then the window (`Ended`, `Paused`, `NotOpen`),
    /// then `AlreadyBought`, then stock. So a known key gets its ticket after the sale sold out, paused or ended, after
    /// the order was cancelled, and from a caller that holds a stale epoch or a newer version: nothing said later
    /// contradicts an acceptance.
    async fn admit(&self, sale: SaleId, known: SaleVersion, attempts: Vec<Attempt>)
    -> Result<Vec<Decision>, GateError>;

    /// Fills and opens a sale in one go; see [`Self::begin`], which is for those with many tickets. Second mentions of a
    /// ticket are ignored.
    async fn rebuild(&self, terms: SaleTerms, mut tickets: Vec<KnownTicket>) -> Result<(), GateError> {
        let mut seen = HashSet::with_capacity(tickets.len());
        tickets.retain(|known| seen.insert(known.ticket));
        let Some(mut loading) = self.begin(terms).await? else { return Ok(()) };
        loading.add(tickets).await?;
        loading.open().await
    }

    /// Closes the sale (`WrongEpoch`), forgets whatever it held of it, and starts the terms' epoch with the tickets that are
    /// added before [`Loading::open`]: `left` is then the total less the units held and gone, `seq` starts after the highest
    /// of this epoch, nothing is pending. `None`, and nothing changes, when the gate holds or loads a later epoch.
    ///
    /// The epoch must be new to the sale, or else a ticket that was admitted but is not in the list could get a twin.
    /// Tickets of other sales are ignored. Of several held tickets of one buyer the
    /// first counts and only the keys of the others are kept (the order writer will refuse them); of several owners of
    /// one key the first keeps it, and an owner in another sale that the gate holds comes before all. So list decided
    /// rows first, then what waits in the broker, oldest first.
    async fn begin(&self, terms: SaleTerms) -> Result<Option<Box<dyn Loading + '_>>, GateError>;

    /// Takes over the terms (window, pause, limit, total), also of a sale that is being loaded. Older versions, other epochs
    /// and unknown sales are ignored.
    async fn update(&self, terms: SaleTerms) -> Result<(), GateError>;

    /// The terms that it holds of the sale; `None` when it does not hold the sale.
    async fn terms(&self, sale: SaleId) -> Result<Option<SaleTerms>, GateError>;

    /// Marks tickets decided: they are no longer pending. Unknown and already settled ones are ignored.
    async fn settle(&self, tickets: &[TicketId]) -> Result<(), GateError>;

    /// Gives each ticket's units back and frees its buyer, if the ticket (of whatever epoch, pending or not) is the
    /// buyer's present one; anything else is ignored, so a second call changes nothing. With `restock` false the buyer
    /// is freed but the units are gone. The ticket is decided by this, and its key stays known. Returns how many did
    /// anything. After an error some of them may have, and calling again with all of them is safe.
    async fn release_all(&self, releases: &[Release]) -> Result<usize, GateError>;

    /// [`Self::release_all`] of one. Returns whether it did anything.
    async fn release(&self, ticket: TicketId, buyer: UserId, restock: bool) -> Result<bool, GateError> {
        Ok(self.release_all(&[Release { ticket, buyer, restock }]).await? > 0)
    }

    /// A page of the sale's tickets that are pending since before `before`, in the order of admission: the first `max` at most
    /// of those with a seq above `after`.
    async fn pending(
        &self,
        sale: SaleId,
        before: Timestamp,
        after: Seq,
        max: usize,
    ) -> Result<Vec<PendingTicket>, GateError>;

    /// The ticket, if it is pending.
    async fn find_pending(&self, ticket: TicketId) -> Result<Option<PendingTicket>, GateError>;

    /// The buyer's ticket in the sale, if it is pending.
    async fn find_pending_of(&self, sale: SaleId, buyer: UserId) -> Result<Option<PendingTicket>, GateError>;

    /// Counts of the sale; `None` when the gate does not hold it.
    async fn counts(&self, sale: SaleId) -> Result<Option<Counts>, GateError>;

    /// The sales it holds.
    async fn sales(&self) -> Result<Vec<SaleId>, GateError>;

    /// Closes and forgets the sale, with its keys.
    async fn forget(&self, sale: SaleId) -> Result<(), GateError>;
}
