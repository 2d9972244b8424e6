//! Random sequences of calls against a plain model: lists of tickets, searched from end to end. Times are whole hours from
//! a base, so that a gate whose clock nobody can set stands somewhere within an hour and the model knows which one.

use doorbuster::gate::{Attempt, Counts, Decision, PendingTicket};
use doorbuster::kernel::{Epoch, SaleId, Seq, TicketId, Timestamp, UserId};
use doorbuster::model::gate::{KnownTicket, SaleTerms, SaleVersion, Units};
use proptest::collection::vec;
use proptest::prelude::*;

/// Sales in play.
pub const SALES: usize = 2;
/// Buyers in play.
pub const BUYERS: usize = 4;

/// One call, or a move of the clock. Sales and buyers by index.
#[derive(Debug, Clone)]
pub enum Op {
    Admit {
        sale: usize,
        known: SaleVersion,
        attempts: Vec<SomeAttempt>,
    },
    /// By index into the tickets that were ever seen.
    Settle(Vec<usize>),
    Release {
        ticket: usize,
        other_buyer: Option<usize>,
        restock: bool,
    },
    Update(SomeTerms),
    Rebuild {
        terms: SomeTerms,
        tickets: Vec<SomeTicket>,
    },
    /// As the server does it: the next epoch, and the tickets that are there.
    Renew {
        sale: usize,
        stock_total: u32,
    },
    Clock(u64),
    Pending {
        sale: usize,
        before: Before,
        max: usize,
    },
    Forget(usize),
}

#[derive(Debug, Clone)]
pub struct SomeAttempt {
    pub buyer: usize,
    pub key: String,
    pub quantity: u32,
}

#[derive(Debug, Clone)]
pub struct SomeTerms {
    pub sale: usize,
    pub epoch: Epoch,
    pub version: u32,
    pub starts: u64,
    pub ends: u64,
    pub limit_per_buyer: u32,
    pub stock_total: u32,
    pub paused: bool,
    pub ended: bool,
}

#[derive(Debug, Clone)]
pub struct SomeTicket {
    pub sale: usize,
    pub epoch: Epoch,
    pub seq: Seq,
    pub buyer: usize,
    pub key: Option<String>,
    pub quantity: u32,
    pub units: Units,
}

#[derive(Debug, Clone)]
pub enum Before {
    Hour(u64),
    /// This many milliseconds after some admission, by index.
    Admission(usize, u64),
}

#[derive(Debug, Clone)]
struct ModelTicket {
    ticket: TicketId,
    buyer: UserId,
    key: Option<String>,
    quantity: u32,
    at: Option<Timestamp>,
    pending: bool,
    units: Units,
}

/// What a gate should hold and answer.
#[derive(Default)]
pub struct Model {
    sales: Vec<(SaleTerms, Seq)>,
    tickets: Vec<ModelTicket>,
}

impl Model {
    pub fn terms(&self, sale: SaleId) -> Option<&SaleTerms> {
        self.sales.iter().find(|(terms, _)| terms.sale == sale).map(|(terms, _)| terms)
    }

    pub fn held_sales(&self) -> Vec<SaleId> {
        self.sales.iter().map(|(terms, _)| terms.sale).collect()
    }

    fn units(&self, sale: SaleId, units: Units) -> u64 {
        let of = |ticket: &&ModelTicket| ticket.ticket.sale == sale && ticket.units == units;
        self.tickets.iter().filter(of).map(|ticket| u64::from(ticket.quantity)).sum()
    }

    fn left(&self, sale: SaleId) -> u64 {
        let total = u64::from(self.terms(sale).unwrap().stock_total);
        total.saturating_sub(self.units(sale, Units::Held) + self.units(sale, Units::Gone))
    }

    fn owner(&self, buyer: UserId, key: &str) -> Option<&ModelTicket> {
        self.tickets.iter().find(|ticket| ticket.buyer == buyer && ticket.key.as_deref() == Some(key))
    }

    fn holds(&self, sale: SaleId, buyer: UserId) -> bool {
        let held = |ticket: &ModelTicket| ticket.ticket.sale == sale && ticket.units == Units::Held;
        self.tickets.iter().any(|ticket| held(ticket) && ticket.buyer == buyer)
    }

    pub fn admit(&mut self, sale: SaleId, known: SaleVersion, at: Timestamp, attempt: &Attempt) -> Decision {
        let Some(terms) = self.terms(sale) else { return Decision::WrongEpoch };
        let quantity = attempt.quantity;
        if let Some(used) = self.owner(attempt.buyer, &attempt.key) {
            if used.ticket.sale != sale || used.quantity != quantity {
                return Decision::KeyReused;
            }
            return Decision::Replayed { ticket: used.ticket, at: used.at, pending: used.pending };
        }
        let checks = [
            (known.epoch != terms.epoch, Decision::WrongEpoch),
            (known.version > terms.version, Decision::Behind),
            (quantity < 1 || quantity > terms.limit_per_buyer, Decision::OverLimit),
            (terms.ended, Decision::Ended),
            (at >= terms.ends_at, Decision::Ended),
            (terms.paused, Decision::Paused),
            (at < terms.starts_at, Decision::NotOpen),
            (self.holds(sale, attempt.buyer), Decision::AlreadyBought),
            (u64::from(quantity) > self.left(sale), Decision::SoldOut),
        ];
        if let Some((_, refusal)) = checks.into_iter().find(|(refused, _)| *refused) {
            return refusal;
        }
        let seq = &mut self.sales.iter_mut().find(|(terms, _)| terms.sale == sale).unwrap().1;
        *seq += 1;
        let ticket = TicketId { sale, epoch: known.epoch, seq: *seq };
        let (buyer, key) = (attempt.buyer, Some(attempt.key.clone()));
        let units = Units::Held;
        self.tickets.push(ModelTicket { ticket, buyer, key, quantity, at: Some(at), pending: true, units });
        Decision::Admitted { ticket, at }
    }

    pub fn settle(&mut self, ticket: TicketId) {
        self.tickets.iter_mut().filter(|known| known.ticket == ticket).for_each(|known| known.pending = false);
    }

    pub fn release(&mut self, ticket: TicketId, buyer: UserId, restock: bool) -> bool {
        let mut found = self.tickets.iter_mut().filter(|known| known.ticket == ticket && known.buyer == buyer);
        let Some(known) = found.find(|known| known.units == Units::Held) else { return false };
        known.units = if restock { Units::Free } else { Units::Gone };
        known.pending = false;
        true
    }

    pub fn update(&mut self, new: &SaleTerms) {
        for (terms, _) in &mut self.sales {
            if terms.sale == new.sale && terms.epoch == new.epoch && terms.version <= new.version {
                *terms = new.clone();
            }
        }
    }

    pub fn rebuild(&mut self, terms: &SaleTerms, tickets: &[KnownTicket]) {
        let held = self.sales.iter().find(|(held, _)| held.sale == terms.sale);
        if held.is_some_and(|(held, _)| held.epoch > terms.epoch) {
            return;
        }
        let mut seq = held.filter(|(held, _)| held.epoch == terms.epoch).map_or(0, |(_, seq)| *seq);
        self.forget(terms.sale);
        for KnownTicket { ticket, buyer, key, quantity, units } in tickets.iter().cloned() {
            let twice = self.tickets.iter().any(|known| known.ticket == ticket);
            if ticket.sale != terms.sale || twice {
                continue;
            }
            if ticket.epoch == terms.epoch {
                seq = seq.max(ticket.seq);
            }
            let second = units == Units::Held && self.holds(ticket.sale, buyer);
            let units = if second { Units::Free } else { units };
            let key = key.filter(|key| self.owner(buyer, key).is_none());
            self.tickets.push(ModelTicket { ticket, buyer, key, quantity, at: None, pending: false, units });
        }
        self.sales.push((terms.clone(), seq));
    }

    pub fn forget(&mut self, sale: SaleId) {
        self.sales.retain(|(terms, _)| terms.sale != sale);
        self.tickets.retain(|known| known.ticket.sale != sale);
    }

    pub fn pending(&self, sale: SaleId, before: Timestamp, max: usize) -> Vec<PendingTicket> {
        let mut due: Vec<PendingTicket> = Vec::new();
        for known in self.tickets.iter().filter(|known| known.pending && known.ticket.sale == sale) {
            let (ticket, buyer, quantity, at) = (known.ticket, known.buyer, known.quantity, known.at.unwrap());
            if at < before {
                due.push(PendingTicket { ticket, buyer, key: known.key.clone().unwrap(), quantity, at });
            }
        }
        due.sort_by_key(|pending| pending.ticket);
        due.truncate(max);
        due
    }

    pub fn counts(&self, sale: SaleId) -> Option<Counts> {
        let (_, seq) = self.sales.iter().find(|(terms, _)| terms.sale == sale)?;
        Some(Counts {
            left: self.left(sale) as u32,
            held: self.units(sale, Units::Held) as u32,
            gone: self.units(sale, Units::Gone) as u32,
            pending: self.tickets.iter().filter(|known| known.pending && known.ticket.sale == sale).count() as u32,
            seq: *seq,
        })
    }

    pub fn known(&self, sale: SaleId) -> Vec<KnownTicket> {
        let of = self.tickets.iter().filter(|known| known.ticket.sale == sale).cloned();
        of.map(|known| {
            let ModelTicket { ticket, buyer, key, quantity, units, .. } = known;
            KnownTicket { ticket, buyer, key, quantity, units }
        })
        .collect()
    }
}

fn key() -> impl Strategy<Value = String> {
    (0..4_u8).prop_map(|n| format!("key-{n}"))
}

/// Somebody buys something.
pub fn attempt() -> impl Strategy<Value = SomeAttempt> {
    let quantity = prop_oneof![1 => Just(0), 8 => Just(1), 3 => 2_u32..4];
    (0..BUYERS, key(), quantity).prop_map(|(buyer, key, quantity)| SomeAttempt { buyer, key, quantity })
}

prop_compose! {
    fn some_terms()(
        sale in 0..SALES, epoch in 1_u32..4, version in 1_u32..4, starts in 0_u64..5, length in 1_u64..6,
        limit_per_buyer in 1_u32..4, stock_total in 0_u32..8, stops in 0_u32..12,
    ) -> SomeTerms {
        let (ends, paused, ended) = (starts + length, stops == 0, stops == 1);
        SomeTerms { sale, epoch, version, starts, ends, limit_per_buyer, stock_total, paused, ended }
    }
}

prop_compose! {
    fn known_ticket()(
        sale in 0..SALES, epoch in 1_u32..4, seq in 1_u64..6, buyer in 0..BUYERS, key in proptest::option::of(key()),
        quantity in 1_u32..4, units in prop_oneof![Just(Units::Held), Just(Units::Gone), Just(Units::Free)],
    ) -> SomeTicket {
        SomeTicket { sale, epoch, seq, buyer, key, quantity, units }
    }
}

fn before() -> impl Strategy<Value = Before> {
    prop_oneof![
        (0_u64..9).prop_map(Before::Hour),
        (0_usize..64, 0_u64..2).prop_map(|(index, later)| Before::Admission(index, later)),
    ]
}

/// Mostly an old version, so that much is admitted.
fn sale_version() -> impl Strategy<Value = SaleVersion> {
    (1_u32..4, prop_oneof![4 => 0_u32..2, 1 => 2_u32..5]).prop_map(|(epoch, version)| SaleVersion { epoch, version })
}

/// Any call.
pub fn op() -> impl Strategy<Value = Op> {
    let index = 0_usize..64;
    prop_oneof![
        12 => (0..SALES, sale_version(), vec(attempt(), 0..6))
            .prop_map(|(sale, known, attempts)| Op::Admit { sale, known, attempts }),
        3 => vec(index.clone(), 0..4).prop_map(Op::Settle),
        6 => (index, proptest::option::weighted(0.1, 0..BUYERS), proptest::bool::weighted(0.8))
            .prop_map(|(ticket, other_buyer, restock)| Op::Release { ticket, other_buyer, restock }),
        2 => some_terms().prop_map(Op::Update),
        1 => (some_terms(), vec(known_ticket(), 0..8)).prop_map(|(terms, tickets)| Op::Rebuild { terms, tickets }),
        1 => (0..SALES, 0_u32..8).prop_map(|(sale, stock_total)| Op::Renew { sale, stock_total }),
        2 => (0_u64..8).prop_map(Op::Clock),
        2 => (0..SALES, before(), 0_usize..4).prop_map(|(sale, before, max)| Op::Pending { sale, before, max }),
        1 => (0..SALES).prop_map(Op::Forget),
    ]
}
