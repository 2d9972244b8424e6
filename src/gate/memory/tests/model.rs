//! Random sequences of calls against a plain model: lists of tickets, searched from end to end.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const SALES: u8 = 2;
const BUYERS: u32 = 4;

#[derive(Debug, Clone)]
enum Op {
    Admit {
        sale: u8,
        epoch: Epoch,
        attempts: Vec<Attempt>,
    },
    /// By index into the tickets that were ever seen.
    Settle(Vec<usize>),
    Release {
        ticket: usize,
        other_buyer: Option<u32>,
        restock: bool,
    },
    Update(SaleTerms),
    Rebuild {
        terms: SaleTerms,
        tickets: Vec<KnownTicket>,
    },
    /// As the server does it: the next epoch, and the tickets that are there.
    Renew {
        sale: u8,
        stock_total: u32,
    },
    Clock(i64),
    Pending {
        sale: u8,
        before: i64,
        max: usize,
    },
    Forget(u8),
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

#[derive(Default)]
struct Model {
    now: i64,
    sales: Vec<(SaleTerms, Seq)>,
    tickets: Vec<ModelTicket>,
}

impl Model {
    fn terms(&self, sale: SaleId) -> Option<&SaleTerms> {
        self.sales.iter().find(|(terms, _)| terms.sale == sale).map(|(terms, _)| terms)
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

    fn admit(&mut self, sale: SaleId, epoch: Epoch, attempt: &Attempt) -> Decision {
        let Some(terms) = self.terms(sale) else { return Decision::WrongEpoch };
        let quantity = attempt.quantity;
        if let Some(known) = self.owner(attempt.buyer, &attempt.key) {
            if known.ticket.sale != sale || known.quantity != quantity {
                return Decision::KeyReused;
            }
            return Decision::Replayed { ticket: known.ticket, at: known.at, pending: known.pending };
        }
        let at = Timestamp::from_millis(self.now);
        let checks = [
            (epoch != terms.epoch, Decision::WrongEpoch),
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
        let ticket = TicketId { sale, epoch, seq: *seq };
        let (buyer, key) = (attempt.buyer, Some(attempt.key.clone()));
        let units = Units::Held;
        self.tickets.push(ModelTicket { ticket, buyer, key, quantity, at: Some(at), pending: true, units });
        Decision::Admitted { ticket, at }
    }

    fn settle(&mut self, ticket: TicketId) {
        self.tickets.iter_mut().filter(|known| known.ticket == ticket).for_each(|known| known.pending = false);
    }

    fn release(&mut self, ticket: TicketId, buyer: UserId, restock: bool) -> bool {
        let mut found = self.tickets.iter_mut().filter(|known| known.ticket == ticket && known.buyer == buyer);
        let Some(known) = found.find(|known| known.units == Units::Held) else { return false };
        known.units = if restock { Units::Free } else { Units::Gone };
        known.pending = false;
        true
    }

    fn update(&mut self, new: &SaleTerms) {
        for (terms, _) in &mut self.sales {
            if terms.sale == new.sale && terms.epoch == new.epoch && terms.version <= new.version {
                *terms = new.clone();
            }
        }
    }

    fn rebuild(&mut self, terms: &SaleTerms, tickets: &[KnownTicket]) {
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

    fn forget(&mut self, sale: SaleId) {
        self.sales.retain(|(terms, _)| terms.sale != sale);
        self.tickets.retain(|known| known.ticket.sale != sale);
    }

    fn pending(&self, sale: SaleId, before: Timestamp, max: usize) -> Vec<PendingTicket> {
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

    fn counts(&self, sale: SaleId) -> Option<Counts> {
        let (_, seq) = self.sales.iter().find(|(terms, _)| terms.sale == sale)?;
        Some(Counts {
            left: self.left(sale) as u32,
            held: self.units(sale, Units::Held) as u32,
            gone: self.units(sale, Units::Gone) as u32,
            pending: self.tickets.iter().filter(|known| known.pending && known.ticket.sale == sale).count() as u32,
            seq: *seq,
        })
    }

    fn known(&self, sale: SaleId) -> Vec<KnownTicket> {
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

fn attempt() -> impl Strategy<Value = Attempt> {
    let quantity = prop_oneof![1 => Just(0), 8 => Just(1), 3 => 2_u32..4];
    (0..BUYERS, key(), quantity).prop_map(|(n, key, quantity)| Attempt { buyer: buyer(n), key, quantity })
}

prop_compose! {
    fn some_terms()(
        n in 0..SALES, epoch in 1_u32..4, version in 1_u32..4, starts in 0_i64..3, length in 1_i64..6,
        limit_per_buyer in 1_u32..4, stock_total in 0_u32..8, stops in 0_u32..12,
    ) -> SaleTerms {
        SaleTerms {
            sale: sale(n),
            epoch,
            version,
            starts_at: Timestamp::from_millis(starts),
            ends_at: Timestamp::from_millis(starts + length),
            limit_per_buyer,
            stock_total,
            paused: stops == 0,
            ended: stops == 1,
        }
    }
}

prop_compose! {
    fn known_ticket()(
        n in 0..SALES, epoch in 1_u32..4, seq in 1_u64..6, holder in 0..BUYERS, key in proptest::option::of(key()),
        quantity in 1_u32..4, units in prop_oneof![Just(Units::Held), Just(Units::Gone), Just(Units::Free)],
    ) -> KnownTicket {
        KnownTicket { ticket: TicketId { sale: sale(n), epoch, seq }, buyer: buyer(holder), key, quantity, units }
    }
}

fn op() -> impl Strategy<Value = Op> {
    let index = 0_usize..64;
    prop_oneof![
        12 => (0..SALES, 1_u32..4, vec(attempt(), 0..6))
            .prop_map(|(sale, epoch, attempts)| Op::Admit { sale, epoch, attempts }),
        3 => vec(index.clone(), 0..4).prop_map(Op::Settle),
        6 => (index, proptest::option::weighted(0.1, 0..BUYERS), proptest::bool::weighted(0.8))
            .prop_map(|(ticket, other_buyer, restock)| Op::Release { ticket, other_buyer, restock }),
        2 => some_terms().prop_map(Op::Update),
        1 => (some_terms(), vec(known_ticket(), 0..8)).prop_map(|(terms, tickets)| Op::Rebuild { terms, tickets }),
        1 => (0..SALES, 0_u32..8).prop_map(|(sale, stock_total)| Op::Renew { sale, stock_total }),
        2 => (0_i64..8).prop_map(Op::Clock),
        2 => (0..SALES, 0_i64..9, 0_usize..4).prop_map(|(sale, before, max)| Op::Pending { sale, before, max }),
        1 => (0..SALES).prop_map(Op::Forget),
    ]
}

/// The gate beside its model. Remembers each ticket that it ever saw, with its buyer.
struct Pair {
    gate: MemoryGate,
    clock: ManualClock,
    model: Model,
    seen: Vec<(TicketId, UserId)>,
}

impl Pair {
    fn new() -> Self {
        let clock = ManualClock::at(Timestamp::from_millis(0));
        let gate = MemoryGate::new(clock.clock());
        let mut pair = Self { gate, clock, model: Model::default(), seen: vec![(ticket(1, 1), buyer(1))] };
        let (starts_at, ends_at) = (Timestamp::from_millis(0), Timestamp::from_millis(7));
        for n in 0..SALES {
            pair.rebuild(&SaleTerms { sale: sale(n), starts_at, ends_at, ..terms(6) }, &[]);
        }
        pair
    }

    fn rebuild(&mut self, terms: &SaleTerms, tickets: &[KnownTicket]) {
        self.seen.extend(tickets.iter().map(|known| (known.ticket, known.buyer)));
        now(self.gate.rebuild(terms.clone(), tickets.to_vec()));
        self.model.rebuild(terms, tickets);
    }

    fn admit(&mut self, sale: SaleId, epoch: Epoch, attempts: &[Attempt]) {
        let decisions = now(self.gate.admit(sale, epoch, attempts.to_vec()));
        let expected: Vec<_> = attempts.iter().map(|one| self.model.admit(sale, epoch, one)).collect();
        assert_eq!(decisions, expected);
        for (attempt, decision) in attempts.iter().zip(decisions) {
            if let Decision::Admitted { ticket, .. } = decision {
                self.seen.push((ticket, attempt.buyer));
            }
        }
    }

    fn run(&mut self, op: &Op) {
        let seen = |index: &usize| self.seen[index % self.seen.len()];
        match op {
            Op::Admit { sale: n, epoch, attempts } => self.admit(sale(*n), *epoch, attempts),
            Op::Settle(indexes) => {
                let tickets: Vec<TicketId> = indexes.iter().map(|index| seen(index).0).collect();
                now(self.gate.settle(&tickets));
                for ticket in tickets {
                    self.model.settle(ticket);
                }
            }
            Op::Release { ticket, other_buyer, restock } => {
                let (ticket, owner) = seen(ticket);
                let by = other_buyer.map_or(owner, buyer);
                assert_eq!(now(self.gate.release(ticket, by, *restock)), self.model.release(ticket, by, *restock));
            }
            Op::Update(terms) => {
                now(self.gate.update(terms.clone()));
                self.model.update(terms);
            }
            Op::Rebuild { terms, tickets } => self.rebuild(terms, tickets),
            Op::Renew { sale: n, stock_total } => {
                if let Some(old) = self.model.terms(sale(*n)).cloned() {
                    let terms = SaleTerms { epoch: old.epoch + 1, stock_total: *stock_total, ..old };
                    self.rebuild(&terms, &self.model.known(sale(*n)));
                }
            }
            Op::Clock(millis) => {
                self.clock.set(Timestamp::from_millis(*millis));
                self.model.now = *millis;
            }
            Op::Pending { sale: n, before, max } => {
                let before = Timestamp::from_millis(*before);
                assert_eq!(now(self.gate.pending(sale(*n), before, *max)), self.model.pending(sale(*n), before, *max));
            }
            Op::Forget(n) => {
                now(self.gate.forget(sale(*n)));
                self.model.forget(sale(*n));
            }
        }
    }

    fn check_pending(&self) {
        for n in 0..SALES {
            let all = self.model.pending(sale(n), Timestamp::from_millis(i64::MAX), usize::MAX);
            for holder in (0..BUYERS).map(buyer) {
                let expected = all.iter().find(|pending| pending.buyer == holder).cloned();
                assert_eq!(now(self.gate.find_pending_of(sale(n), holder)), expected);
            }
            for (ticket, _) in self.seen.iter().filter(|(ticket, _)| ticket.sale == sale(n)) {
                let expected = all.iter().find(|pending| pending.ticket == *ticket).cloned();
                assert_eq!(now(self.gate.find_pending(*ticket)), expected);
            }
        }
    }

    fn check(&self) {
        self.check_pending();
        let mut held = now(self.gate.sales());
        held.sort_unstable();
        let mut expected: Vec<SaleId> = self.model.sales.iter().map(|(terms, _)| terms.sale).collect();
        expected.sort_unstable();
        assert_eq!(held, expected);
        for n in 0..SALES {
            let counts = now(self.gate.counts(sale(n)));
            assert_eq!(counts, self.model.counts(sale(n)));
            if let Some(Counts { left, held, gone, .. }) = counts {
                let total = self.model.terms(sale(n)).unwrap().stock_total;
                assert!(left + held + gone == total || (left == 0 && held + gone > total));
            }
        }
        // The books inside: the sums are those of the tickets.
        let state = self.gate.state.lock();
        for held in state.sales.values() {
            assert_eq!(held.held, held.holders.values().map(|holding| u64::from(holding.quantity)).sum::<u64>());
            for pending in held.pending.values() {
                assert_eq!(held.holders[&pending.buyer].ticket, pending.ticket);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn the_gate_answers_like_its_model(ops in vec(op(), 1..80)) {
        let mut pair = Pair::new();
        for op in &ops {
            pair.run(op);
            pair.check();
        }
    }

    /// One generation, a total that stays: never more units out than there are, one live ticket per buyer, and a buyer
    /// is refused for stock only when there is too little.
    #[test]
    fn never_more_units_than_stock(attempts in vec((attempt(), any::<bool>()), 1..60), stock in 0_u32..6) {
        let (gate, _) = open_gate(stock);
        let mut live: Vec<(TicketId, UserId, u32)> = Vec::new();
        for (n, (attempt, back)) in attempts.into_iter().enumerate() {
            let free = stock - live.iter().map(|(.., quantity)| quantity).sum::<u32>();
            let Attempt { buyer, quantity, .. } = attempt;
            let attempt = Attempt { key: format!("fresh-{n}"), ..attempt };
            match now(gate.admit(sale(1), 1, vec![attempt])).remove(0) {
                Decision::Admitted { ticket, .. } => {
                    prop_assert!(quantity <= free);
                    prop_assert!(live.iter().all(|(_, holder, _)| *holder != buyer));
                    live.push((ticket, buyer, quantity));
                }
                Decision::SoldOut => prop_assert!(quantity > free),
                Decision::AlreadyBought => prop_assert!(live.iter().any(|(_, holder, _)| *holder == buyer)),
                Decision::OverLimit => prop_assert!(!(1..=2).contains(&quantity)),
                other => prop_assert!(false, "{:?}", other),
            }
            if back && !live.is_empty() {
                let (ticket, holder, _) = live.swap_remove(n % live.len());
                prop_assert!(now(gate.release(ticket, holder, true)));
            }
        }
    }
}
