//! The history, indexed by call.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::findings::{Counts, Evidence};
use super::held::Held;
use super::rows;
use crate::demo::history::{Ending, Reply, Request, Step, TicketSeen};
use crate::kernel::{TicketId, Timestamp, UserId};
use crate::model::facts::OrderFact;
use crate::model::orders::OrderState;

/// A request and everything that came of it.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    /// Which shopper.
    pub shopper: u32,
    /// Signed in as whom.
    pub buyer: UserId,
    /// What was asked.
    pub request: &'a Request,
    /// When, by the monotonic clock.
    pub invoked_us: u64,
    /// When, by the wall clock.
    pub invoked: Timestamp,
    /// The answer.
    pub answer: Option<At<&'a Step>>,
    /// What was pushed.
    pub pushes: Vec<At<&'a Reply>>,
    /// How the subscription ended.
    pub ended: Option<At<Ending>>,
}

/// Something, and when.
#[derive(Debug, Clone, Copy)]
pub struct At<T> {
    /// By the monotonic clock.
    pub us: u64,
    /// By the wall clock.
    pub wall: Timestamp,
    /// What.
    pub it: T,
}

impl<'a> Call<'a> {
    /// The ticket it was answered with.
    pub fn ticket(&self) -> Option<&'a TicketSeen> {
        match self.answer {
            Some(At { it: Step::Ok { reply: Reply::Ticket(seen) }, .. }) => Some(seen),
            _ => None,
        }
    }

    /// The code it was refused with.
    pub fn refusal(&self) -> Option<&'a str> {
        match self.answer {
            Some(At { it: Step::Fail { code }, .. }) => Some(code),
            _ => None,
        }
    }

    /// The code it was refused with, if that says for certain that nothing was done.
    pub fn definite_refusal(&self) -> Option<&'a str> {
        self.refusal().filter(|code| !matches!(*code, "TRY_LATER" | "UNAVAILABLE" | "INTERNAL_SERVER_ERROR"))
    }

    /// Every reply: the answer first, then the pushes.
    pub fn replies(&self) -> impl Iterator<Item = At<&'a Reply>> {
        let answer = self.answer.and_then(|answer| match answer.it {
            Step::Ok { reply } => Some(At { us: answer.us, wall: answer.wall, it: reply }),
            _ => None,
        });
        answer.into_iter().chain(self.pushes.iter().copied())
    }

    /// Where to find it in the history.
    pub fn place(&self) -> String {
        format!("shopper {} at {}.{:06} s", self.shopper, self.invoked_us / 1_000_000, self.invoked_us % 1_000_000)
    }
}

/// The evidence, arranged.
pub struct Index<'a> {
    /// As given.
    pub evidence: Evidence<'a>,
    /// In the order of their invocation.
    pub calls: Vec<Call<'a>>,
    /// Rows by ticket.
    pub rows: HashMap<TicketId, &'a OrderFact>,
    /// Everybody who was signed in.
    pub buyers: HashSet<UserId>,
}

impl<'a> Index<'a> {
    pub(super) fn new(evidence: Evidence<'a>) -> Self {
        let mut signed_in: HashMap<u32, UserId> = HashMap::new();
        let mut positions: HashMap<(u32, u32), usize> = HashMap::new();
        let mut calls: Vec<Call<'a>> = Vec::new();
        for entry in evidence.history {
            let (us, wall) = (entry.mono_us, entry.wall);
            if let Step::Begin { buyer } = &entry.step {
                signed_in.insert(entry.shopper, *buyer);
                continue;
            }
            if let (Step::Invoke { request }, Some(buyer)) = (&entry.step, signed_in.get(&entry.shopper)) {
                positions.insert((entry.shopper, entry.call), calls.len());
                let (shopper, buyer) = (entry.shopper, *buyer);
                let (answer, pushes, ended) = (None, Vec::new(), None);
                calls.push(Call { shopper, buyer, request, invoked_us: us, invoked: wall, answer, pushes, ended });
                continue;
            }
            let Some(call) = positions.get(&(entry.shopper, entry.call)).and_then(|at| calls.get_mut(*at)) else {
                continue;
            };
            match &entry.step {
                Step::Push { seen } => call.pushes.push(At { us, wall, it: seen }),
                Step::End { how } => call.ended = Some(At { us, wall, it: *how }),
                step => call.answer = Some(At { us, wall, it: step }),
            }
        }
        let rows = evidence.facts.orders.iter().map(|order| (order.id, order)).collect();
        Self { evidence, calls, rows, buyers: signed_in.into_values().collect() }
    }

    /// The purchases.
    pub fn purchases(&self) -> impl Iterator<Item = (&Call<'a>, Purchase<'a>)> {
        self.calls.iter().filter_map(|call| match call.request {
            Request::Purchase { sale, key, quantity } => {
                Some((call, Purchase { sale: *sale, key, quantity: *quantity }))
            }
            _ => None,
        })
    }

    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        let (mut tickets, mut keys, mut shoppers) = (BTreeSet::new(), HashSet::new(), BTreeMap::new());
        for (call, purchase) in self.purchases() {
            counts.purchases += 1;
            counts.repeated += u64::from(!keys.insert((call.buyer, purchase.key)));
            let answered: &mut bool = shoppers.entry(call.shopper).or_default();
            *answered |= call.ticket().is_some() || call.definite_refusal().is_some();
            if let Some(ticket) = call.ticket() {
                counts.replayed += u64::from(!tickets.insert(ticket.id));
            }
            if let Some(code) = call.refusal() {
                *counts.refused.entry(code.to_owned()).or_default() += 1;
            }
        }
        counts.accepted = tickets.len() as u64;
        counts.shoppers = shoppers.len() as u64;
        counts.unanswered = shoppers.values().filter(|answered| !**answered).count() as u64;
        for call in &self.calls {
            counts.pushes += call.pushes.len() as u64;
            counts.unknown += u64::from(matches!(call.answer, Some(At { it: Step::Unknown { .. }, .. })));
            counts.peeks += u64::from(matches!(call.request, Request::Peek { .. }));
            if let Request::Follow { after, .. } = call.request {
                counts.resumed += u64::from(after.is_some());
                counts.lost_sockets += u64::from(matches!(call.ended, Some(At { it: Ending::Lost, .. })));
            }
        }
        let mut epochs = BTreeSet::new();
        for order in self.evidence.facts.orders.iter().filter(|order| self.buyers.contains(&order.buyer)) {
            epochs.insert((order.sale, order.id.epoch));
            counts.orders += u64::from(!rows::is_refused(order));
            counts.refused_rows += u64::from(rows::is_refused(order));
            counts.cancelled += u64::from(order.state == OrderState::Cancelled);
            counts.expired += u64::from(order.state == OrderState::Expired);
        }
        counts.epochs = epochs.len() as u64;
        let facts = self.evidence.facts;
        for sale in &facts.sales {
            let held = Held::of(facts.orders.iter().filter(|order| order.sale == sale.id), Vec::new());
            counts.fully_sold += u64::from(held.peak() >= sale.stock_total);
        }
        counts
    }
}

/// The arguments of a purchase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purchase<'a> {
    /// Where.
    pub sale: crate::kernel::SaleId,
    /// Idempotency key.
    pub key: &'a str,
    /// Units.
    pub quantity: i64,
}
