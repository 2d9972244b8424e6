//! The gate in the process. It is exact because everything is behind one lock, which is held for one batch and never
//! across an await. It stores nothing on disk; after a restart it is rebuilt.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use parking_lot::Mutex;

use super::{Attempt, Counts, Decision, Gate, GateError, Loading, PendingTicket, Release};
use crate::kernel::{Clock, SaleId, Seq, TicketId, Timestamp, UserId};
use crate::model::gate::{KnownTicket, SaleTerms, SaleVersion, Units};

/// Tickets released under one lock: well below a millisecond.
const PIECE: usize = 500;

/// The gate of the embedded profile. Calls never fail and never wait.
pub struct MemoryGate {
    clock: Clock,
    state: Mutex<State>,
}

impl MemoryGate {
    /// A gate that holds no sale yet and takes its time from `clock`.
    pub fn new(clock: Clock) -> Self {
        Self { clock, state: Mutex::default() }
    }
}

#[derive(Default)]
struct State {
    sales: HashMap<SaleId, Sale>,
    keys: Keys,
    loading: HashMap<SaleId, LoadingHead>,
    /// Rebuilds that were ever begun.
    begun: u64,
}

/// The gate's state of a rebuild in progress.
struct LoadingHead {
    number: u64,
    terms: SaleTerms,
    seq: Seq,
}

/// A rebuild under way. What is added stays outside of the lock until the sale is opened.
struct MemoryLoading<'a> {
    gate: &'a MemoryGate,
    number: u64,
    sale: Sale,
    keys: Vec<(UserId, KeyUse)>,
}

#[async_trait]
impl Loading for MemoryLoading<'_> {
    async fn add(&mut self, tickets: Vec<KnownTicket>) -> Result<(), GateError> {
        for known in tickets {
            if known.ticket.sale == self.sale.terms.sale {
                self.keys.extend(self.sale.restore(known));
            }
        }
        Ok(())
    }

    async fn open(self: Box<Self>) -> Result<(), GateError> {
        let Self { gate, number, sale, keys } = *self;
        gate.state.lock().open(number, sale, keys)
    }
}

/// One sale that is held.
struct Sale {
    terms: SaleTerms,
    seq: Seq,
    /// Units of `holders`. What is left is never stored but derived from the total, so that no order of changes to the
    /// total and of releases can bring the records out of step. Wider than a quantity: a sum of them cannot overflow.
    held: u64,
    gone: u64,
    holders: HashMap<UserId, Holding>,
    /// Of the present epoch; each one is also some holder's.
    pending: BTreeMap<Seq, PendingTicket>,
    /// Buyers with keys of this sale, once per key: where to look when the sale is forgotten.
    keyed: Vec<UserId>,
}

/// A buyer's one live ticket of a sale.
struct Holding {
    ticket: TicketId,
    quantity: u32,
}

/// The purchase that a buyer used a key for.
struct KeyUse {
    key: String,
    ticket: TicketId,
    quantity: u32,
    at: Option<Timestamp>,
}

/// The keys of all sales. A buyer's are sorted: a buyer has few, and even one who bought and cancelled all day is
/// searched quickly, while the many who never got anything cost one look.
#[derive(Default)]
struct Keys(HashMap<UserId, Vec<KeyUse>>);

impl Keys {
    fn find(&self, buyer: UserId, key: &str) -> Option<&KeyUse> {
        let uses = self.0.get(&buyer)?;
        let index = uses.binary_search_by(|known| known.key.as_str().cmp(key)).ok()?;
        uses.get(index)
    }

    /// Adds it unless the buyer's key has an owner already. Returns whether it did.
    fn insert(&mut self, buyer: UserId, new: KeyUse) -> bool {
        // Nearly all have one.
        let uses = self.0.entry(buyer).or_insert_with(|| Vec::with_capacity(1));
        match uses.binary_search_by(|known| known.key.cmp(&new.key)) {
            Ok(_) => false,
            Err(index) => {
                uses.insert(index, new);
                true
            }
        }
    }

    fn forget(&mut self, sale: SaleId, buyers: Vec<UserId>) {
        for buyer in buyers {
            if let Some(uses) = self.0.get_mut(&buyer) {
                uses.retain(|known| known.ticket.sale != sale);
                if uses.is_empty() {
                    self.0.remove(&buyer);
                }
            }
        }
    }
}

impl State {
    fn forget(&mut self, sale: SaleId) {
        self.loading.remove(&sale);
        if let Some(old) = self.sales.remove(&sale) {
            self.keys.forget(sale, old.keyed);
        }
    }

    fn admit(&mut self, sale: SaleId, known: SaleVersion, clock: &Clock, attempt: &Attempt) -> Decision {
        let Some(held) = self.sales.get_mut(&sale) else { return Decision::WrongEpoch };
        // Read under the lock: the order of the times is then the order of the seqs.
        held.decide(&mut self.keys, known, clock.now(), attempt)
    }

    /// The number of the rebuild and the empty sale; `None` when there is a later epoch.
    fn begin(&mut self, terms: SaleTerms) -> Option<(u64, Sale)> {
        let held = self.sales.get(&terms.sale).map(|held| (held.terms.epoch, held.seq));
        let loading = self.loading.get(&terms.sale).map(|head| (head.terms.epoch, head.seq));
        let mut seq = 0;
        for (epoch, given) in [held, loading].into_iter().flatten() {
            if epoch > terms.epoch {
                return None;
            }
            // The epoch should be new. If it is not, at least no seq that this gate gave is given again.
            if epoch == terms.epoch {
                seq = seq.max(given);
            }
        }
        self.forget(terms.sale);
        self.begun += 1;
        self.loading.insert(terms.sale, LoadingHead { number: self.begun, terms: terms.clone(), seq });
        Some((self.begun, Sale::new(terms, seq)))
    }

    fn open(&mut self, number: u64, mut sale: Sale, keys: Vec<(UserId, KeyUse)>) -> Result<(), GateError> {
        let id = sale.terms.sale;
        if self.loading.get(&id).is_none_or(|head| head.number != number) {
            return Err(GateError("superseded by another rebuild".to_owned()));
        }
        if let Some(head) = self.loading.remove(&id) {
            sale.terms = head.terms;
        }
        for (buyer, used) in keys {
            if self.keys.insert(buyer, used) {
                sale.keyed.push(buyer);
            }
        }
        self.sales.insert(id, sale);
        Ok(())
    }
}

impl Sale {
    fn new(terms: SaleTerms, seq: Seq) -> Self {
        Self { terms, seq, held: 0, gone: 0, holders: HashMap::new(), pending: BTreeMap::new(), keyed: Vec::new() }
    }

    fn left(&self) -> u64 {
        u64::from(self.terms.stock_total).saturating_sub(self.held + self.gone)
    }

    fn hold(&mut self, buyer: UserId, ticket: TicketId, quantity: u32) {
        self.held += u64::from(quantity);
        self.holders.insert(buyer, Holding { ticket, quantity });
    }

    /// Counts the ticket in; returns its key.
    fn restore(&mut self, known: KnownTicket) -> Option<(UserId, KeyUse)> {
        let KnownTicket { ticket, buyer, key, quantity, units } = known;
        if ticket.epoch == self.terms.epoch {
            self.seq = self.seq.max(ticket.seq);
        }
        match units {
            Units::Held if !self.holders.contains_key(&buyer) => self.hold(buyer, ticket, quantity),
            Units::Held | Units::Free => {}
            Units::Gone => self.gone += u64::from(quantity),
        }
        key.map(|key| (buyer, KeyUse { key, ticket, quantity, at: None }))
    }

    fn decide(&mut self, keys: &mut Keys, known: SaleVersion, now: Timestamp, attempt: &Attempt) -> Decision {
        if let Some(used) = keys.find(attempt.buyer, &attempt.key) {
            return self.replay(used, attempt.quantity);
        }
        if let Some(refusal) = self.refuse(known, now, attempt) {
            return refusal;
        }
        self.seq += 1;
        let Attempt { buyer, ref key, quantity } = *attempt;
        let ticket = TicketId { sale: self.terms.sale, epoch: self.terms.epoch, seq: self.seq };
        self.hold(buyer, ticket, quantity);
        self.pending.insert(ticket.seq, PendingTicket { ticket, buyer, key: key.clone(), quantity, at: now });
        keys.insert(buyer, KeyUse { key: key.clone(), ticket, quantity, at: Some(now) });
        self.keyed.push(buyer);
        Decision::Admitted { ticket, at: now }
    }

    fn replay(&self, known: &KeyUse, quantity: u32) -> Decision {
        let ticket = known.ticket;
        if ticket.sale == self.terms.sale && known.quantity == quantity {
            Decision::Replayed { ticket, at: known.at, pending: self.is_pending(ticket) }
        } else {
            Decision::KeyReused
        }
    }

    fn refuse(&self, known: SaleVersion, now: Timestamp, attempt: &Attempt) -> Option<Decision> {
        let terms = &self.terms;
        let bought = self.holders.contains_key(&attempt.buyer);
        #[cfg(feature = "sabotage")]
        let bought = bought && !crate::kernel::sabotage::active("gate.no_buyer_check");
        if known.epoch != terms.epoch {
            Some(Decision::WrongEpoch)
        } else if known.version > terms.version {
            Some(Decision::Behind)
        } else if attempt.quantity == 0 || attempt.quantity > terms.limit_per_buyer {
            Some(Decision::OverLimit)
        } else if terms.ended || now >= terms.ends_at {
            Some(Decision::Ended)
        } else if terms.paused {
            Some(Decision::Paused)
        } else if now < terms.starts_at {
            Some(Decision::NotOpen)
        } else if bought {
            Some(Decision::AlreadyBought)
        } else if u64::from(attempt.quantity) > self.left() {
            Some(Decision::SoldOut)
        } else {
            None
        }
    }

    fn is_pending(&self, ticket: TicketId) -> bool {
        ticket.epoch == self.terms.epoch && self.pending.contains_key(&ticket.seq)
    }

    fn settle(&mut self, ticket: TicketId) {
        if ticket.epoch == self.terms.epoch {
            self.pending.remove(&ticket.seq);
        }
    }

    fn release(&mut self, Release { ticket, buyer, restock }: Release) -> bool {
        let present = self.holders.get(&buyer).is_some_and(|holding| holding.ticket == ticket);
        #[cfg(feature = "sabotage")]
        let present = present || crate::kernel::sabotage::active("gate.release_without_seq_check");
        if !present {
            return false;
        }
        let Some(holding) = self.holders.remove(&buyer) else { return false };
        let quantity = u64::from(holding.quantity);
        self.held -= quantity;
        if !restock {
            self.gone += quantity;
        }
        self.settle(ticket);
        true
    }

    fn counts(&self) -> Counts {
        let units = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        Counts {
            left: units(self.left()),
            held: units(self.held),
            gone: units(self.gone),
            pending: units(self.pending.len() as u64),
            seq: self.seq,
        }
    }
}

#[async_trait]
impl Gate for MemoryGate {
    fn admit_now(&self, sale: SaleId, known: SaleVersion, attempt: &Attempt) -> Option<Decision> {
        let mut state = self.state.lock();
        Some(state.admit(sale, known, &self.clock, attempt))
    }

    async fn admit(
        &self,
        sale: SaleId,
        known: SaleVersion,
        attempts: Vec<Attempt>,
    ) -> Result<Vec<Decision>, GateError> {
        let mut state = self.state.lock();
        Ok(attempts.iter().map(|attempt| state.admit(sale, known, &self.clock, attempt)).collect())
    }

    async fn begin(&self, terms: SaleTerms) -> Result<Option<Box<dyn Loading + '_>>, GateError> {
        let begun = self.state.lock().begin(terms);
        Ok(begun.map(|(number, sale)| {
            Box::new(MemoryLoading { gate: self, number, sale, keys: Vec::new() }) as Box<dyn Loading + '_>
        }))
    }

    async fn update(&self, terms: SaleTerms) -> Result<(), GateError> {
        let mut state = self.state.lock();
        let State { sales, loading, .. } = &mut *state;
        let held = sales.get_mut(&terms.sale).map(|held| &mut held.terms);
        if let Some(held) = held.or_else(|| loading.get_mut(&terms.sale).map(|head| &mut head.terms))
            && terms.epoch == held.epoch
            && terms.version >= held.version
        {
            *held = terms;
        }
        Ok(())
    }

    async fn terms(&self, sale: SaleId) -> Result<Option<SaleTerms>, GateError> {
        Ok(self.state.lock().sales.get(&sale).map(|held| held.terms.clone()))
    }

    async fn settle(&self, tickets: &[TicketId]) -> Result<(), GateError> {
        let mut state = self.state.lock();
        for ticket in tickets {
            if let Some(held) = state.sales.get_mut(&ticket.sale) {
                held.settle(*ticket);
            }
        }
        Ok(())
    }

    async fn release_all(&self, releases: &[Release]) -> Result<usize, GateError> {
        let mut released = 0;
        // Purchases get their turn in between.
        for piece in releases.chunks(PIECE) {
            let mut state = self.state.lock();
            let done = |one: &&Release| state.sales.get_mut(&one.ticket.sale).is_some_and(|held| held.release(**one));
            released += piece.iter().filter(done).count();
        }
        Ok(released)
    }

    async fn pending(
        &self,
        sale: SaleId,
        before: Timestamp,
        after: Seq,
        max: usize,
    ) -> Result<Vec<PendingTicket>, GateError> {
        let state = self.state.lock();
        let Some(held) = state.sales.get(&sale) else { return Ok(Vec::new()) };
        let later = held.pending.range(after.saturating_add(1)..).map(|(_, ticket)| ticket);
        // Not a prefix: the system's clock may step back.
        Ok(later.filter(|ticket| ticket.at < before).take(max).cloned().collect())
    }

    async fn find_pending(&self, ticket: TicketId) -> Result<Option<PendingTicket>, GateError> {
        let state = self.state.lock();
        let held = state.sales.get(&ticket.sale).filter(|held| held.is_pending(ticket));
        Ok(held.and_then(|held| held.pending.get(&ticket.seq)).cloned())
    }

    async fn find_pending_of(&self, sale: SaleId, buyer: UserId) -> Result<Option<PendingTicket>, GateError> {
        let state = self.state.lock();
        let held = state.sales.get(&sale);
        let ticket = held.and_then(|held| held.holders.get(&buyer)).map(|holding| holding.ticket);
        let pending = held.zip(ticket).filter(|(held, ticket)| held.is_pending(*ticket));
        Ok(pending.and_then(|(held, ticket)| held.pending.get(&ticket.seq)).cloned())
    }

    async fn sales(&self) -> Result<Vec<SaleId>, GateError> {
        Ok(self.state.lock().sales.keys().copied().collect())
    }

    async fn counts(&self, sale: SaleId) -> Result<Option<Counts>, GateError> {
        Ok(self.state.lock().sales.get(&sale).map(Sale::counts))
    }

    async fn forget(&self, sale: SaleId) -> Result<(), GateError> {
        self.state.lock().forget(sale);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
