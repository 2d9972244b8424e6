//! Every gate beside the model, call by call.

use std::sync::Arc;
use std::time::Duration;

use doorbuster::gate::{Attempt, Counts, Decision, Gate};
use doorbuster::kernel::{Clock, ManualClock, Rng, SaleId, TicketId, Timestamp, UserId};
use doorbuster::model::gate::{KnownTicket, SaleTerms, SaleVersion};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::Runtime;

use super::model::{self, BUYERS, Before, Model, Op, SALES, SomeTerms, SomeTicket};

const HOUR: u64 = 3600 * 1000;

/// Where the hands of a gate's clock stand.
#[derive(Clone)]
pub enum Time {
    /// Where the test puts them.
    Set(ManualClock),
    /// Where they are by themselves: in the middle of the hour 3.
    Real(Clock),
}

impl Time {
    fn now(&self) -> Timestamp {
        match self {
            Self::Set(clock) => clock.clock().now(),
            Self::Real(clock) => clock.now(),
        }
    }

    fn base(&self) -> Timestamp {
        match self {
            Self::Set(_) => Timestamp::from_millis(0),
            Self::Real(clock) => clock.now().minus(Duration::from_millis(3 * HOUR + HOUR / 2)),
        }
    }
}

/// The gate beside its model. Remembers each ticket that it ever saw, with its buyer.
struct Pair {
    gate: Arc<dyn Gate>,
    time: Time,
    base: Timestamp,
    /// Look at every ticket after every call; otherwise only at the end.
    thorough: bool,
    model: Model,
    sales: Vec<SaleId>,
    buyers: Vec<UserId>,
    seen: Vec<(TicketId, UserId)>,
    admissions: Vec<Timestamp>,
}

impl Pair {
    async fn new(gate: Arc<dyn Gate>, time: Time, thorough: bool) -> Self {
        // Ids of its own for every case: a gate may be shared.
        let (clock, rng) = (Clock::system(), Rng::system());
        let sales: Vec<SaleId> = (0..SALES).map(|_| SaleId::generate(&clock, &rng)).collect();
        let buyers: Vec<UserId> = (0..BUYERS).map(|_| UserId::generate(&clock, &rng)).collect();
        let seen = vec![(TicketId { sale: sales[0], epoch: 1, seq: 1 }, buyers[1])];
        let (base, model) = (time.base(), Model::default());
        let mut pair = Self { gate, time, base, thorough, model, sales, buyers, seen, admissions: vec![base] };
        for sale in 0..SALES {
            let (epoch, version, limit_per_buyer, stock_total) = (1, 1, 2, 6);
            let (starts, ends, paused, ended) = (0, 7, false, false);
            let terms = SomeTerms { sale, epoch, version, starts, ends, limit_per_buyer, stock_total, paused, ended };
            pair.rebuild(&pair.terms(&terms), Vec::new()).await;
        }
        pair
    }

    fn hour(&self, hour: u64) -> Timestamp {
        self.base.plus(Duration::from_millis(hour * HOUR))
    }

    fn terms(&self, some: &SomeTerms) -> SaleTerms {
        SaleTerms {
            sale: self.sales[some.sale],
            epoch: some.epoch,
            version: some.version,
            starts_at: self.hour(some.starts),
            ends_at: self.hour(some.ends),
            limit_per_buyer: some.limit_per_buyer,
            stock_total: some.stock_total,
            paused: some.paused,
            ended: some.ended,
        }
    }

    fn known(&self, some: &SomeTicket) -> KnownTicket {
        KnownTicket {
            ticket: TicketId { sale: self.sales[some.sale], epoch: some.epoch, seq: some.seq },
            buyer: self.buyers[some.buyer],
            key: some.key.clone(),
            quantity: some.quantity,
            units: some.units,
        }
    }

    async fn rebuild(&mut self, terms: &SaleTerms, tickets: Vec<KnownTicket>) {
        self.seen.extend(tickets.iter().map(|known| (known.ticket, known.buyer)));
        self.gate.rebuild(terms.clone(), tickets.clone()).await.unwrap();
        self.model.rebuild(terms, &tickets);
    }

    async fn admit(&mut self, sale: SaleId, known: SaleVersion, attempts: Vec<Attempt>) {
        let decisions = self.gate.admit(sale, known, attempts.clone()).await.unwrap();
        let first = decisions.iter().find_map(|decision| match decision {
            Decision::Admitted { at, .. } => Some(*at),
            _ => None,
        });
        // All attempts of a call have one time. Which one, a clock that runs by itself tells.
        let now = match &self.time {
            Time::Set(_) => self.time.now(),
            Time::Real(clock) => first.unwrap_or_else(|| clock.now()),
        };
        assert!(now.since(self.time.now()).max(self.time.now().since(now)) < Duration::from_secs(60));
        let expected: Vec<_> = attempts.iter().map(|one| self.model.admit(sale, known, now, one)).collect();
        assert_eq!(decisions, expected);
        self.admissions.extend(first);
        for (attempt, decision) in attempts.iter().zip(decisions) {
            if let Decision::Admitted { ticket, .. } = decision {
                self.seen.push((ticket, attempt.buyer));
            }
        }
    }

    async fn run(&mut self, op: Op) {
        match op {
            Op::Admit { sale, known, attempts } => {
                let attempts = attempts.into_iter().map(|some| {
                    let model::SomeAttempt { buyer, key, quantity } = some;
                    Attempt { buyer: self.buyers[buyer], key, quantity }
                });
                let attempts = attempts.collect();
                self.admit(self.sales[sale], known, attempts).await;
            }
            Op::Settle(indexes) => {
                let tickets: Vec<TicketId> = indexes.iter().map(|index| self.seen(*index).0).collect();
                self.gate.settle(&tickets).await.unwrap();
                tickets.into_iter().for_each(|ticket| self.model.settle(ticket));
            }
            Op::Release { ticket, other_buyer, restock } => {
                let (ticket, owner) = self.seen(ticket);
                let by = other_buyer.map_or(owner, |buyer| self.buyers[buyer]);
                let released = self.gate.release(ticket, by, restock).await.unwrap();
                assert_eq!(released, self.model.release(ticket, by, restock));
            }
            Op::Update(some) => {
                let terms = self.terms(&some);
                self.gate.update(terms.clone()).await.unwrap();
                self.model.update(&terms);
            }
            Op::Rebuild { terms, tickets } => {
                let tickets = tickets.iter().map(|some| self.known(some)).collect();
                self.rebuild(&self.terms(&terms), tickets).await;
            }
            Op::Renew { sale, stock_total } => {
                let sale = self.sales[sale];
                if let Some(old) = self.model.terms(sale).cloned() {
                    let terms = SaleTerms { epoch: old.epoch + 1, stock_total, ..old };
                    self.rebuild(&terms, self.model.known(sale)).await;
                }
            }
            Op::Clock(hour) => {
                if let Time::Set(clock) = &self.time {
                    clock.set(self.hour(hour));
                }
            }
            Op::Pending { sale, before, max } => self.check_due(self.sales[sale], &before, max).await,
            Op::Forget(sale) => {
                self.gate.forget(self.sales[sale]).await.unwrap();
                self.model.forget(self.sales[sale]);
            }
        }
    }

    fn seen(&self, index: usize) -> (TicketId, UserId) {
        self.seen[index % self.seen.len()]
    }

    async fn check_due(&self, sale: SaleId, before: &Before, max: usize) {
        let before = match before {
            Before::Hour(hour) => self.hour(*hour),
            Before::Admission(index, later) => {
                self.admissions[index % self.admissions.len()].plus(Duration::from_millis(*later))
            }
        };
        let due = self.model.pending(sale, before, max);
        assert_eq!(self.gate.pending(sale, before, 0, max).await.unwrap(), due);
        // The next page goes on where this one ended.
        if let Some(last) = due.last() {
            let mut rest = self.model.pending(sale, before, usize::MAX).split_off(due.len());
            rest.truncate(max);
            assert_eq!(self.gate.pending(sale, before, last.ticket.seq, max).await.unwrap(), rest);
        }
    }

    async fn check_pending(&self) {
        for sale in &self.sales {
            let all = self.model.pending(*sale, Timestamp::from_millis(i64::MAX), usize::MAX);
            for holder in &self.buyers {
                let expected = all.iter().find(|pending| pending.buyer == *holder).cloned();
                assert_eq!(self.gate.find_pending_of(*sale, *holder).await.unwrap(), expected);
            }
            for (ticket, _) in self.seen.iter().filter(|(ticket, _)| ticket.sale == *sale) {
                let expected = all.iter().find(|pending| pending.ticket == *ticket).cloned();
                assert_eq!(self.gate.find_pending(*ticket).await.unwrap(), expected);
            }
        }
    }

    async fn check(&self) {
        let mut held = self.gate.sales().await.unwrap();
        held.retain(|sale| self.sales.contains(sale));
        held.sort_unstable();
        let mut expected = self.model.held_sales();
        expected.sort_unstable();
        assert_eq!(held, expected);
        for sale in &self.sales {
            assert_eq!(self.gate.terms(*sale).await.unwrap().as_ref(), self.model.terms(*sale));
            let counts = self.gate.counts(*sale).await.unwrap();
            assert_eq!(counts, self.model.counts(*sale));
            if let Some(Counts { left, held, gone, .. }) = counts {
                let total = self.model.terms(*sale).unwrap().stock_total;
                assert!(left + held + gone == total || (left == 0 && held + gone > total));
            }
        }
    }

    async fn follow(mut self, ops: Vec<Op>) {
        for op in ops {
            self.run(op).await;
            self.check().await;
            if self.thorough {
                self.check_pending().await;
            }
        }
        self.check_pending().await;
        for sale in &self.sales {
            self.gate.forget(*sale).await.unwrap();
        }
    }
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() })
}

/// The gate does what the model does. `make` gives the gate, used before or not, and its time.
pub fn answers_like_its_model(runtime: &Runtime, cases: u32, thorough: bool, make: impl Fn() -> (Arc<dyn Gate>, Time)) {
    let run = |ops| {
        let (gate, time) = make();
        runtime.block_on(async { Pair::new(gate, time, thorough).await.follow(ops).await });
        Ok(())
    };
    runner(cases).run(&vec(model::op(), 1..80), run).unwrap_or_else(|failure| panic!("{failure}"));
}

/// One generation, a total that stays: never more units out than there are, one live ticket per buyer, and a buyer is
/// refused for stock only when there is too little.
pub fn never_more_units_than_stock(runtime: &Runtime, cases: u32, make: impl Fn() -> Arc<dyn Gate>) {
    let attempts = vec((model::attempt(), any::<bool>()), 1..60);
    let run = |(attempts, stock)| runtime.block_on(one_generation(make(), attempts, stock));
    runner(cases).run(&(attempts, 0_u32..6), run).unwrap_or_else(|failure| panic!("{failure}"));
}

async fn one_generation(
    gate: Arc<dyn Gate>,
    attempts: Vec<(model::SomeAttempt, bool)>,
    stock_total: u32,
) -> Result<(), TestCaseError> {
    let (clock, rng) = (Clock::system(), Rng::system());
    let sale = SaleId::generate(&clock, &rng);
    let buyers: Vec<UserId> = (0..BUYERS).map(|_| UserId::generate(&clock, &rng)).collect();
    let hour = Duration::from_millis(HOUR);
    let (starts_at, ends_at) = (clock.now().minus(hour), clock.now().plus(hour));
    let (epoch, version, limit_per_buyer, paused, ended) = (1, 1, 2, false, false);
    let terms = SaleTerms { sale, epoch, version, starts_at, ends_at, limit_per_buyer, stock_total, paused, ended };
    gate.rebuild(terms, Vec::new()).await.unwrap();
    let mut live: Vec<(TicketId, UserId, u32)> = Vec::new();
    for (n, (model::SomeAttempt { buyer, quantity, .. }, back)) in attempts.into_iter().enumerate() {
        let free = stock_total - live.iter().map(|(.., quantity)| quantity).sum::<u32>();
        let buyer = buyers[buyer];
        let attempt = Attempt { buyer, key: format!("fresh-{n}"), quantity };
        match gate.admit(sale, SaleVersion::of_epoch(1), vec![attempt]).await.unwrap().remove(0) {
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
            prop_assert!(gate.release(ticket, holder, true).await.unwrap());
        }
    }
    gate.forget(sale).await.unwrap();
    Ok(())
}
