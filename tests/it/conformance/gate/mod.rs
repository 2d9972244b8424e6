//! What every gate must do, said with the public contract only. The gate's clock may be anybody's: windows are hours
//! wide around `clock`, and no case waits for time to pass.

use std::sync::Arc;
use std::time::Duration;

use doorbuster::gate::{Attempt, Counts, Decision, Gate, Release};
use doorbuster::kernel::{Clock, Epoch, Rng, SaleId, Seq, TicketId, Timestamp, UserId};
use doorbuster::model::gate::{KnownTicket, SaleTerms, SaleVersion, Units};

const HOUR: Duration = Duration::from_secs(3600);

/// Declares one test per case; `$rig` makes a fresh [`Rig`].
macro_rules! suite {
    ($rig:expr; $($case:ident),* $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            let rig: $crate::conformance::gate::Rig = $rig;
            $crate::conformance::gate::$case(&rig.case(), &rig.buyers()).await;
        }
    )*};
}

/// Every case by name, for `suite!`.
macro_rules! all_cases {
    ($rig:expr) => {
        suite! { $rig;
            unknown_sales_are_closed, admits_in_order_until_sold_out, keys_replay,
            keys_belong_to_their_buyer_over_all_sales, refusals_come_in_their_order, one_live_ticket_per_buyer,
            releases_once_and_only_the_present_ticket, releases_many_in_one_call, released_units_can_be_gone,
            pending_until_settled, rebuilt_under_a_new_epoch, a_rebuild_bears_repetition, terms_change,
            terms_are_told_as_they_are_held, nothing_is_admitted_by_terms_older_than_the_callers, forgets, many_at_once,
        }
    };
}

mod memory;
mod model;
mod properties;
mod redis;
mod terms;

use terms::{nothing_is_admitted_by_terms_older_than_the_callers, terms_are_told_as_they_are_held};

/// A gate for one case. `clock` shows about the gate's time.
pub struct Rig {
    pub gate: Arc<dyn Gate>,
    pub clock: Clock,
    pub rng: Rng,
}

impl Rig {
    /// A gate on the system's clock.
    pub fn of(gate: Arc<dyn Gate>) -> Self {
        Self { gate, clock: Clock::system(), rng: Rng::system() }
    }

    /// A new sale on it.
    fn case(&self) -> Case<'_> {
        let sale = SaleId::generate(&self.clock, &self.rng);
        Case { rig: self, gate: &*self.gate, sale, now: self.clock.now() }
    }

    fn buyers(&self) -> Vec<UserId> {
        (0..8).map(|_| self.buyer()).collect()
    }

    fn buyer(&self) -> UserId {
        UserId::generate(&self.clock, &self.rng)
    }
}

/// A sale with its gate.
struct Case<'a> {
    rig: &'a Rig,
    gate: &'a dyn Gate,
    sale: SaleId,
    now: Timestamp,
}

impl Case<'_> {
    /// Epoch 1, open, two units per buyer.
    fn terms(&self, stock_total: u32) -> SaleTerms {
        SaleTerms {
            sale: self.sale,
            epoch: 1,
            version: 1,
            starts_at: self.now.minus(HOUR),
            ends_at: self.now.plus(HOUR),
            limit_per_buyer: 2,
            stock_total,
            paused: false,
            ended: false,
        }
    }

    async fn open(&self, stock_total: u32) {
        self.gate.rebuild(self.terms(stock_total), Vec::new()).await.unwrap();
    }

    async fn admit(&self, epoch: Epoch, attempts: Vec<Attempt>) -> Vec<Decision> {
        let wanted = attempts.len();
        let decisions = self.gate.admit(self.sale, SaleVersion::of_epoch(epoch), attempts).await.unwrap();
        assert_eq!(decisions.len(), wanted);
        decisions
    }

    async fn buy(&self, buyer: UserId, key: &str, quantity: u32) -> Decision {
        self.admit(1, vec![attempt(buyer, key, quantity)]).await.remove(0)
    }

    async fn counts(&self) -> Counts {
        self.gate.counts(self.sale).await.unwrap().unwrap()
    }

    async fn assert_counts(&self, left: u32, held: u32, gone: u32, pending: u32, seq: Seq) {
        assert_eq!(self.counts().await, Counts { left, held, gone, pending, seq });
    }

    async fn pending_seqs(&self, max: usize) -> Vec<Seq> {
        let pending = self.gate.pending(self.sale, self.now.plus(HOUR), 0, max).await.unwrap();
        pending.into_iter().map(|pending| pending.ticket.seq).collect()
    }

    fn ticket(&self, epoch: Epoch, seq: Seq) -> TicketId {
        TicketId { sale: self.sale, epoch, seq }
    }
}

fn attempt(buyer: UserId, key: &str, quantity: u32) -> Attempt {
    Attempt { buyer, key: key.to_owned(), quantity }
}

fn admitted(decision: &Decision) -> TicketId {
    match decision {
        Decision::Admitted { ticket, .. } => *ticket,
        other => panic!("not admitted: {other:?}"),
    }
}

fn replayed(decision: &Decision) -> (TicketId, bool) {
    match decision {
        Decision::Replayed { ticket, pending, .. } => (*ticket, *pending),
        other => panic!("not replayed: {other:?}"),
    }
}

async fn unknown_sales_are_closed(case: &Case<'_>, buyers: &[UserId]) {
    let two = vec![attempt(buyers[0], "key-0000", 1), attempt(buyers[1], "key-0000", 0)];
    assert_eq!(case.admit(1, two).await, [Decision::WrongEpoch, Decision::WrongEpoch]);
    assert_eq!(case.gate.counts(case.sale).await.unwrap(), None);
    assert_eq!(case.pending_seqs(9).await, [] as [Seq; 0]);
    case.gate.update(case.terms(5)).await.unwrap();
    case.gate.settle(&[case.ticket(1, 1)]).await.unwrap();
    assert!(!case.gate.release(case.ticket(1, 1), buyers[0], true).await.unwrap());
    case.gate.forget(case.sale).await.unwrap();
    assert_eq!(case.gate.counts(case.sale).await.unwrap(), None);
}

async fn admits_in_order_until_sold_out(case: &Case<'_>, buyers: &[UserId]) {
    case.open(4).await;
    assert_eq!(case.admit(1, Vec::new()).await, []);
    let wants = [1, 2, 2, 1, 1];
    let attempts = wants.iter().zip(buyers).map(|(quantity, buyer)| attempt(*buyer, "key-0000", *quantity)).collect();
    let decisions = case.admit(1, attempts).await;
    assert_eq!(admitted(&decisions[0]), case.ticket(1, 1));
    assert_eq!(admitted(&decisions[1]), case.ticket(1, 2));
    assert_eq!(decisions[2], Decision::SoldOut, "one unit is not enough for two");
    assert_eq!(admitted(&decisions[3]), case.ticket(1, 3));
    assert_eq!(decisions[4], Decision::SoldOut);
    case.assert_counts(0, 4, 0, 3, 3).await;
    let Decision::Admitted { at, .. } = decisions[0] else { unreachable!() };
    assert!(at.since(case.now) < HOUR && case.now.since(at) < HOUR);
}

async fn keys_replay(case: &Case<'_>, buyers: &[UserId]) {
    case.open(1).await;
    let twice = vec![attempt(buyers[0], "key-0000", 1), attempt(buyers[0], "key-0000", 1)];
    let decisions = case.admit(1, twice).await;
    let ticket = admitted(&decisions[0]);
    assert_eq!(replayed(&decisions[1]), (ticket, true));
    let (Decision::Admitted { at, .. }, Decision::Replayed { at: again, .. }) = (&decisions[0], &decisions[1]) else {
        unreachable!()
    };
    assert_eq!(again.as_ref(), Some(at));
    assert_eq!(case.buy(buyers[0], "key-0000", 2).await, Decision::KeyReused);
    case.gate.settle(&[ticket]).await.unwrap();
    assert_eq!(replayed(&case.buy(buyers[0], "key-0000", 1).await), (ticket, false));
    // Neither the end of the sale, nor a release, nor a stale epoch takes the answer back.
    case.gate.release(ticket, buyers[0], true).await.unwrap();
    case.gate.update(SaleTerms { version: 2, paused: true, ended: true, ..case.terms(1) }).await.unwrap();
    assert_eq!(replayed(&case.buy(buyers[0], "key-0000", 1).await), (ticket, false));
    let stale = case.admit(9, vec![attempt(buyers[0], "key-0000", 1)]).await;
    assert_eq!(replayed(&stale[0]), (ticket, false));
    case.assert_counts(1, 0, 0, 0, 1).await;
}

async fn keys_belong_to_their_buyer_over_all_sales(case: &Case<'_>, buyers: &[UserId]) {
    let other = case.rig.case();
    case.open(5).await;
    other.open(5).await;
    admitted(&case.buy(buyers[0], "key-shared", 1).await);
    admitted(&case.buy(buyers[1], "key-shared", 1).await);
    assert_eq!(other.buy(buyers[0], "key-shared", 1).await, Decision::KeyReused);
    // Once the sale is forgotten its keys are free; a refused attempt never took one.
    case.gate.forget(case.sale).await.unwrap();
    admitted(&other.buy(buyers[0], "key-shared", 1).await);
    assert_eq!(other.buy(buyers[1], "key-limit", 3).await, Decision::OverLimit);
    admitted(&other.buy(buyers[1], "key-limit", 1).await);
}

async fn refusals_come_in_their_order(case: &Case<'_>, buyers: &[UserId]) {
    case.open(1).await;
    admitted(&case.buy(buyers[0], "key-0000", 1).await);
    // All reasons at once; then one less each time.
    let mut terms = SaleTerms {
        version: 2,
        starts_at: case.now.plus(HOUR),
        ends_at: case.now.plus(2 * HOUR),
        paused: true,
        ended: true,
        ..case.terms(1)
    };
    case.gate.update(terms.clone()).await.unwrap();
    let wrong = case.admit(2, vec![attempt(buyers[0], "key-0001", 3)]).await;
    assert_eq!(wrong, [Decision::WrongEpoch]);
    assert_eq!(case.buy(buyers[0], "key-0001", 3).await, Decision::OverLimit);
    assert_eq!(case.buy(buyers[0], "key-0001", 0).await, Decision::OverLimit);
    assert_eq!(case.buy(buyers[0], "key-0001", 1).await, Decision::Ended);
    (terms.version, terms.ended) = (3, false);
    case.gate.update(terms.clone()).await.unwrap();
    assert_eq!(case.buy(buyers[0], "key-0001", 1).await, Decision::Paused);
    (terms.version, terms.paused) = (4, false);
    case.gate.update(terms.clone()).await.unwrap();
    assert_eq!(case.buy(buyers[0], "key-0001", 1).await, Decision::NotOpen);
    case.gate.update(SaleTerms { version: 5, ..case.terms(1) }).await.unwrap();
    assert_eq!(case.buy(buyers[0], "key-0001", 1).await, Decision::AlreadyBought);
    assert_eq!(case.buy(buyers[1], "key-0001", 1).await, Decision::SoldOut);
    let over = SaleTerms { version: 6, ends_at: case.now.minus(HOUR / 2), paused: true, ..case.terms(1) };
    case.gate.update(over).await.unwrap();
    assert_eq!(case.buy(buyers[1], "key-0001", 1).await, Decision::Ended, "the window is over");
    case.assert_counts(0, 1, 0, 1, 1).await;
}

async fn one_live_ticket_per_buyer(case: &Case<'_>, buyers: &[UserId]) {
    case.open(9).await;
    let twice = vec![attempt(buyers[0], "key-0000", 1), attempt(buyers[0], "key-0001", 1)];
    let decisions = case.admit(1, twice).await;
    assert_eq!(decisions[1], Decision::AlreadyBought);
    let first = admitted(&decisions[0]);
    case.gate.settle(&[first]).await.unwrap();
    assert_eq!(case.buy(buyers[0], "key-0001", 1).await, Decision::AlreadyBought);
    case.gate.release(first, buyers[0], true).await.unwrap();
    assert_eq!(admitted(&case.buy(buyers[0], "key-0001", 1).await).seq, 2);
}

async fn releases_once_and_only_the_present_ticket(case: &Case<'_>, buyers: &[UserId]) {
    case.open(2).await;
    let first = admitted(&case.buy(buyers[0], "key-0000", 2).await);
    let release = async |ticket, buyer| case.gate.release(ticket, buyer, true).await.unwrap();
    assert!(!release(first, buyers[1]).await, "someone else's");
    assert!(!release(TicketId { epoch: 2, ..first }, buyers[0]).await, "another epoch's");
    assert!(release(first, buyers[0]).await);
    assert!(!release(first, buyers[0]).await, "a second time");
    case.assert_counts(2, 0, 0, 0, 1).await;
    let second = admitted(&case.buy(buyers[0], "key-0001", 1).await);
    assert!(!release(first, buyers[0]).await, "the buyer has another ticket by now");
    case.assert_counts(1, 1, 0, 1, 2).await;
    assert!(release(second, buyers[0]).await);
    case.assert_counts(2, 0, 0, 0, 2).await;
}

async fn releases_many_in_one_call(case: &Case<'_>, _: &[UserId]) {
    let unknown = case.rig.case().sale;
    // More than go in one piece.
    let buyers: Vec<UserId> = (0..1_200).map(|_| case.rig.buyer()).collect();
    let many = buyers.len() as u32;
    case.open(2 * many).await;
    let attempts = buyers.iter().map(|buyer| attempt(*buyer, "key-0000", 1)).collect();
    let tickets: Vec<TicketId> = case.admit(1, attempts).await.iter().map(admitted).collect();
    let release = |(ticket, buyer): (&TicketId, &UserId)| Release { ticket: *ticket, buyer: *buyer, restock: true };
    let mut all: Vec<Release> = tickets.iter().zip(&buyers).map(release).collect();
    all[1].restock = false;
    // Another's, another epoch's, an unknown sale's, and one twice.
    all.push(Release { buyer: buyers[0], ..all[2] });
    all.push(Release { ticket: TicketId { epoch: 2, ..tickets[0] }, ..all[0] });
    all.push(Release { ticket: TicketId { sale: unknown, ..tickets[0] }, ..all[0] });
    all.push(all[3]);
    let kept = all.remove(0);
    assert_eq!(case.gate.release_all(&all).await.unwrap(), buyers.len() - 1);
    case.assert_counts(2 * many - 2, 1, 1, 1, u64::from(many)).await;
    assert_eq!(case.gate.release_all(&all).await.unwrap(), 0, "a second time");
    assert_eq!(case.gate.release_all(&[]).await.unwrap(), 0);
    assert!(case.gate.release(kept.ticket, kept.buyer, true).await.unwrap());
    case.assert_counts(2 * many - 1, 0, 1, 0, u64::from(many)).await;
}

async fn released_units_can_be_gone(case: &Case<'_>, buyers: &[UserId]) {
    case.open(2).await;
    let ticket = admitted(&case.buy(buyers[0], "key-0000", 2).await);
    assert!(case.gate.release(ticket, buyers[0], false).await.unwrap());
    assert!(!case.gate.release(ticket, buyers[0], true).await.unwrap());
    case.assert_counts(0, 0, 2, 0, 1).await;
    assert_eq!(case.buy(buyers[0], "key-0001", 1).await, Decision::SoldOut, "free to buy, but nothing is left");
}

async fn pending_until_settled(case: &Case<'_>, buyers: &[UserId]) {
    case.open(9).await;
    let attempts = buyers[..5].iter().map(|buyer| attempt(*buyer, "key-0000", 1)).collect();
    let tickets: Vec<TicketId> = case.admit(1, attempts).await.iter().map(admitted).collect();
    assert_eq!(case.pending_seqs(9).await, [1, 2, 3, 4, 5]);
    assert_eq!(case.pending_seqs(2).await, [1, 2]);
    assert_eq!(case.gate.pending(case.sale, case.now.minus(HOUR), 0, 9).await.unwrap(), []);
    let oldest = case.gate.pending(case.sale, case.now.plus(HOUR), 0, 1).await.unwrap().remove(0);
    assert_eq!((oldest.ticket, oldest.buyer, &*oldest.key, oldest.quantity), (tickets[0], buyers[0], "key-0000", 1));
    assert_eq!(case.gate.find_pending(tickets[0]).await.unwrap().as_ref(), Some(&oldest));
    assert_eq!(case.gate.find_pending_of(case.sale, buyers[0]).await.unwrap(), Some(oldest));
    let unknown = case.ticket(1, 77);
    let stale = TicketId { epoch: 0, ..tickets[0] };
    case.gate.settle(&[tickets[1], unknown, stale, tickets[3], tickets[1]]).await.unwrap();
    assert_eq!(case.pending_seqs(9).await, [1, 3, 5]);
    for none in [tickets[1], unknown, stale] {
        assert_eq!(case.gate.find_pending(none).await.unwrap(), None);
    }
    for settled_or_stranger in [buyers[1], buyers[7]] {
        assert_eq!(case.gate.find_pending_of(case.sale, settled_or_stranger).await.unwrap(), None);
    }
    // A void: released before it was decided.
    assert!(case.gate.release(tickets[2], buyers[2], true).await.unwrap());
    assert_eq!(case.pending_seqs(9).await, [1, 5]);
    assert_eq!(replayed(&case.buy(buyers[2], "key-0000", 1).await), (tickets[2], false));
    case.assert_counts(5, 4, 0, 2, 5).await;
    // Settled tickets are still held, and released like others.
    assert!(case.gate.release(tickets[1], buyers[1], true).await.unwrap());
    case.assert_counts(6, 3, 0, 2, 5).await;
}

async fn rebuilt_under_a_new_epoch(case: &Case<'_>, buyers: &[UserId]) {
    case.open(9).await;
    admitted(&case.buy(buyers[7], "key-lost", 1).await);
    let known = |seq, buyer: usize, quantity, units| KnownTicket {
        ticket: case.ticket(1, seq),
        buyer: buyers[buyer],
        key: Some(format!("key-{buyer}")),
        quantity,
        units,
    };
    let decided = vec![
        known(11, 0, 2, Units::Held),
        known(12, 1, 1, Units::Gone),
        known(13, 2, 1, Units::Free),
        KnownTicket { key: None, ..known(14, 3, 1, Units::Held) },
    ];
    case.gate.rebuild(SaleTerms { epoch: 2, ..case.terms(6) }, decided).await.unwrap();
    case.assert_counts(2, 3, 1, 0, 0).await;
    let wrong = case.buy(buyers[4], "key-0000", 1).await;
    assert_eq!(wrong, Decision::WrongEpoch, "a caller that has not heard of it");
    let ask = |buyer: usize, key: &str, quantity| attempt(buyers[buyer], key, quantity);
    let attempts = vec![
        ask(0, "key-0", 2),
        ask(0, "key-0000", 1),
        ask(1, "key-1", 1),
        ask(2, "key-2", 1),
        ask(2, "key-2", 2),
        ask(3, "key-3", 1),
        ask(1, "key-0000", 1),
        ask(7, "key-lost", 1),
        ask(4, "key-0000", 1),
    ];
    let decisions = case.admit(2, attempts).await;
    let old = |seq| Decision::Replayed { ticket: case.ticket(1, seq), at: None, pending: false };
    assert_eq!(
        decisions[..6],
        [old(11), Decision::AlreadyBought, old(12), old(13), Decision::KeyReused, Decision::AlreadyBought]
    );
    assert_eq!((admitted(&decisions[6]), admitted(&decisions[7])), (case.ticket(2, 1), case.ticket(2, 2)));
    assert_eq!(decisions[8], Decision::SoldOut);
    // Tickets of the old epoch are released like those of the new one; the forgotten one is not known.
    assert!(!case.gate.release(case.ticket(1, 1), buyers[7], true).await.unwrap());
    assert!(case.gate.release(case.ticket(1, 11), buyers[0], true).await.unwrap());
    case.assert_counts(2, 3, 1, 2, 2).await;
    // A rebuild for an earlier epoch comes too late.
    case.gate.rebuild(case.terms(99), Vec::new()).await.unwrap();
    case.assert_counts(2, 3, 1, 2, 2).await;
}

async fn a_rebuild_bears_repetition(case: &Case<'_>, buyers: &[UserId]) {
    let known = |seq, key: &str| KnownTicket {
        ticket: case.ticket(3, seq),
        buyer: buyers[0],
        key: Some(key.to_owned()),
        quantity: 1,
        units: Units::Held,
    };
    let elsewhere =
        KnownTicket { ticket: TicketId { sale: SaleId::from_bytes([0; 16]), epoch: 3, seq: 9 }, ..known(9, "k") };
    // The same ticket from the database and from the broker; another one of the same buyer; the same key again.
    let tickets = vec![known(5, "key-0"), known(5, "key-x"), known(6, "key-1"), known(7, "key-0"), elsewhere];
    case.gate.rebuild(SaleTerms { epoch: 3, ..case.terms(5) }, tickets).await.unwrap();
    case.assert_counts(4, 1, 0, 0, 7).await;
    let attempts = vec![attempt(buyers[0], "key-0", 1), attempt(buyers[0], "key-1", 1), attempt(buyers[1], "key-0", 1)];
    let decisions = case.admit(3, attempts).await;
    assert_eq!((replayed(&decisions[0]).0.seq, replayed(&decisions[1]).0.seq), (5, 6));
    assert_eq!(admitted(&decisions[2]), case.ticket(3, 8), "after the highest of this epoch");
    assert!(!case.gate.release(case.ticket(3, 6), buyers[0], true).await.unwrap(), "its units were never counted");
    assert!(case.gate.release(case.ticket(3, 5), buyers[0], true).await.unwrap());
    case.assert_counts(4, 1, 0, 1, 8).await;
}

async fn terms_change(case: &Case<'_>, buyers: &[UserId]) {
    case.open(4).await;
    let tickets =
        [admitted(&case.buy(buyers[0], "key-0000", 2).await), admitted(&case.buy(buyers[1], "key-0000", 2).await)];
    case.gate.update(SaleTerms { version: 3, stock_total: 5, limit_per_buyer: 1, ..case.terms(0) }).await.unwrap();
    case.assert_counts(1, 4, 0, 2, 2).await;
    assert_eq!(case.buy(buyers[2], "key-0000", 2).await, Decision::OverLimit);
    case.gate.update(SaleTerms { version: 2, stock_total: 50, ..case.terms(0) }).await.unwrap();
    case.gate.update(SaleTerms { version: 4, epoch: 2, stock_total: 50, ..case.terms(0) }).await.unwrap();
    case.assert_counts(1, 4, 0, 2, 2).await;
    // Fewer than are taken: nothing is left until enough has come back.
    case.gate.update(SaleTerms { version: 5, stock_total: 3, ..case.terms(0) }).await.unwrap();
    case.assert_counts(0, 4, 0, 2, 2).await;
    case.gate.release(tickets[0], buyers[0], true).await.unwrap();
    case.assert_counts(1, 2, 0, 1, 2).await;
}

async fn forgets(case: &Case<'_>, buyers: &[UserId]) {
    case.open(4).await;
    let ticket = admitted(&case.buy(buyers[0], "key-0000", 2).await);
    assert!(case.gate.sales().await.unwrap().contains(&case.sale));
    case.gate.forget(case.sale).await.unwrap();
    assert!(!case.gate.sales().await.unwrap().contains(&case.sale));
    assert_eq!(case.gate.find_pending(ticket).await.unwrap(), None);
    assert_eq!(case.gate.counts(case.sale).await.unwrap(), None);
    assert_eq!(case.pending_seqs(9).await, [] as [Seq; 0]);
    assert_eq!(case.buy(buyers[0], "key-0000", 2).await, Decision::WrongEpoch);
    assert!(!case.gate.release(ticket, buyers[0], true).await.unwrap());
}

/// Batches from many tasks at once: each unit goes once, each buyer gets at most one ticket.
async fn many_at_once(case: &Case<'_>, _: &[UserId]) {
    const STOCK: u32 = 40;
    let (sale, rig) = (case.sale, case.rig);
    case.open(STOCK).await;
    let buyers: Vec<UserId> = (0..300).map(|_| rig.buyer()).collect();
    let tasks: Vec<_> = (0..8)
        .map(|task: usize| {
            let (gate, buyers) = (Arc::clone(&rig.gate), buyers.clone());
            tokio::spawn(async move {
                let mut tickets = Vec::new();
                for group in buyers.chunks(10) {
                    let attempts = group.iter().map(|buyer| attempt(*buyer, &format!("key-{task}"), 1)).collect();
                    let decisions = gate.admit(sale, SaleVersion::of_epoch(1), attempts).await.unwrap();
                    for (decision, buyer) in decisions.into_iter().zip(group) {
                        match decision {
                            Decision::Admitted { ticket, .. } => tickets.push((ticket.seq, *buyer)),
                            Decision::AlreadyBought | Decision::SoldOut => {}
                            other => panic!("{other:?}"),
                        }
                    }
                    tokio::task::yield_now().await;
                }
                tickets
            })
        })
        .collect();
    let mut tickets = Vec::new();
    for task in tasks {
        tickets.extend(task.await.unwrap());
    }
    tickets.sort_unstable();
    assert!(tickets.iter().map(|(seq, _)| *seq).eq(1..=u64::from(STOCK)));
    let mut winners: Vec<UserId> = tickets.into_iter().map(|(_, buyer)| buyer).collect();
    winners.sort_unstable();
    winners.dedup();
    assert_eq!(winners.len(), STOCK as usize);
    case.assert_counts(0, STOCK, 0, STOCK, u64::from(STOCK)).await;
}
