use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::FutureExt;

use super::*;
use crate::kernel::{Epoch, ManualClock};

const START: Timestamp = Timestamp::from_millis(1_000);
const END: Timestamp = Timestamp::from_millis(2_000);

/// The gate never waits: its calls are plain functions.
fn now<T>(call: impl Future<Output = Result<T, GateError>>) -> T {
    call.now_or_never().unwrap().unwrap()
}

fn sale(n: u8) -> SaleId {
    SaleId::from_bytes([n; 16])
}

fn buyer(n: u32) -> UserId {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&n.to_be_bytes());
    UserId::from_bytes(bytes)
}

fn terms(stock_total: u32) -> SaleTerms {
    SaleTerms {
        sale: sale(1),
        epoch: 1,
        version: 1,
        starts_at: START,
        ends_at: END,
        limit_per_buyer: 2,
        stock_total,
        paused: false,
        ended: false,
    }
}

fn ticket(epoch: Epoch, seq: Seq) -> TicketId {
    TicketId { sale: sale(1), epoch, seq }
}

fn known(ticket: TicketId, holder: u32, units: Units) -> KnownTicket {
    KnownTicket { ticket, buyer: buyer(holder), key: Some(format!("key-{}", ticket.seq)), quantity: 1, units }
}

fn open_gate(stock: u32) -> (MemoryGate, ManualClock) {
    let clock = ManualClock::at(START);
    let gate = MemoryGate::new(clock.clock());
    now(gate.rebuild(terms(stock), Vec::new()));
    (gate, clock)
}

fn buy(gate: &MemoryGate, epoch: Epoch, holder: u32, key: &str, quantity: u32) -> Decision {
    let attempt = Attempt { buyer: buyer(holder), key: key.to_owned(), quantity };
    now(gate.admit(sale(1), SaleVersion::of_epoch(epoch), vec![attempt])).remove(0)
}

fn counts(gate: &MemoryGate) -> Counts {
    now(gate.counts(sale(1))).unwrap()
}

#[test]
fn a_released_ticket_of_an_older_epoch_gives_its_units_back_once() {
    let (gate, _) = open_gate(2);
    let tickets = vec![known(ticket(1, 1), 1, Units::Held), known(ticket(1, 2), 2, Units::Held)];
    now(gate.rebuild(SaleTerms { epoch: 2, ..terms(2) }, tickets));
    assert_eq!(buy(&gate, 2, 3, "late", 1), Decision::SoldOut);
    assert!(now(gate.release(ticket(1, 1), buyer(1), true)));
    assert!(!now(gate.release(ticket(1, 1), buyer(1), true)));
    assert_eq!(counts(&gate), Counts { left: 1, held: 1, gone: 0, pending: 0, seq: 0 });
    assert!(matches!(buy(&gate, 2, 3, "late", 1), Decision::Admitted { .. }));
}

#[test]
fn a_late_release_does_not_touch_the_next_ticket_of_the_buyer() {
    let (gate, _) = open_gate(1);
    buy(&gate, 1, 1, "first", 1);
    assert!(now(gate.release(ticket(1, 1), buyer(1), true)));
    buy(&gate, 1, 1, "second", 1);
    assert!(!now(gate.release(ticket(1, 1), buyer(1), true)));
    assert!(!now(gate.release(ticket(1, 2), buyer(2), true)), "someone else's ticket");
    assert_eq!(counts(&gate), Counts { left: 0, held: 1, gone: 0, pending: 1, seq: 2 });
}

#[test]
fn a_void_takes_the_ticket_off_the_pending_list_but_its_key_stays() {
    let (gate, clock) = open_gate(1);
    buy(&gate, 1, 1, "key", 1);
    clock.advance(Duration::from_millis(1));
    assert_eq!(now(gate.pending(sale(1), clock.clock().now(), 0, 9)).len(), 1);
    assert!(now(gate.release(ticket(1, 1), buyer(1), true)));
    assert_eq!(now(gate.pending(sale(1), clock.clock().now(), 0, 9)), []);
    let again = Decision::Replayed { ticket: ticket(1, 1), at: Some(START), pending: false };
    assert_eq!(buy(&gate, 1, 1, "key", 1), again);
}

#[test]
fn a_known_key_is_answered_whatever_the_epoch_and_the_window() {
    let (gate, clock) = open_gate(1);
    buy(&gate, 1, 1, "key", 1);
    now(gate.rebuild(
        SaleTerms { epoch: 7, ended: true, ..terms(1) },
        vec![KnownTicket { key: Some("key".to_owned()), ..known(ticket(1, 1), 1, Units::Held) }],
    ));
    clock.set(END);
    let again = Decision::Replayed { ticket: ticket(1, 1), at: None, pending: false };
    for epoch in [1, 7, 8] {
        assert_eq!(buy(&gate, epoch, 1, "key", 1), again);
        assert_eq!(buy(&gate, epoch, 1, "key", 2), Decision::KeyReused);
    }
    assert_eq!(buy(&gate, 1, 1, "other", 1), Decision::WrongEpoch);
    assert_eq!(buy(&gate, 7, 1, "other", 1), Decision::Ended);
    now(gate.forget(sale(1)));
    assert_eq!(buy(&gate, 7, 1, "key", 1), Decision::WrongEpoch);
}

#[test]
fn a_total_below_what_is_held_is_made_up_for_by_releases() {
    let (gate, _) = open_gate(4);
    buy(&gate, 1, 1, "a", 2);
    buy(&gate, 1, 2, "b", 2);
    now(gate.update(SaleTerms { version: 2, stock_total: 3, ..terms(0) }));
    assert_eq!(counts(&gate), Counts { left: 0, held: 4, gone: 0, pending: 2, seq: 2 });
    now(gate.release(ticket(1, 1), buyer(1), true));
    assert_eq!(counts(&gate).left, 1);
    now(gate.release(ticket(1, 2), buyer(2), false));
    assert_eq!(counts(&gate), Counts { left: 1, held: 0, gone: 2, pending: 0, seq: 2 });
    now(gate.update(SaleTerms { version: 1, stock_total: 9, ..terms(0) }));
    assert_eq!(counts(&gate).left, 1, "older terms");
    now(gate.update(SaleTerms { version: 3, stock_total: 9, ..terms(0) }));
    assert_eq!(counts(&gate).left, 7);
}

#[test]
fn the_largest_numbers_do_not_overflow() {
    let (gate, _) = open_gate(u32::MAX);
    now(gate.update(SaleTerms { limit_per_buyer: u32::MAX, ..terms(u32::MAX) }));
    assert!(matches!(buy(&gate, 1, 1, "a", u32::MAX), Decision::Admitted { .. }));
    assert_eq!(buy(&gate, 1, 2, "b", u32::MAX), Decision::SoldOut);
    assert_eq!(buy(&gate, 1, 2, "b", 0), Decision::OverLimit);
    let huge = |n| KnownTicket { quantity: u32::MAX, ..known(ticket(1, n), n as u32, Units::Held) };
    let gone = KnownTicket { units: Units::Gone, ..huge(3) };
    now(gate.rebuild(SaleTerms { epoch: 2, ..terms(5) }, vec![huge(1), huge(2), gone]));
    assert_eq!(counts(&gate), Counts { left: 0, held: u32::MAX, gone: u32::MAX, pending: 0, seq: 0 });
    now(gate.release(ticket(1, 1), buyer(1), true));
    assert_eq!(counts(&gate).left, 0);
}

#[test]
fn forgetting_a_sale_leaves_nothing_of_it_behind() {
    let (gate, _) = open_gate(3);
    buy(&gate, 1, 1, "a", 1);
    now(gate.release(ticket(1, 1), buyer(1), true));
    buy(&gate, 1, 1, "b", 1);
    now(gate.rebuild(SaleTerms { sale: sale(2), ..terms(1) }, Vec::new()));
    let attempt = Attempt { buyer: buyer(1), key: "c".to_owned(), quantity: 1 };
    now(gate.admit(sale(2), SaleVersion::of_epoch(1), vec![attempt]));
    now(gate.forget(sale(1)));
    let keys: Vec<String> = gate.state.lock().keys.0[&buyer(1)].iter().map(|known| known.key.clone()).collect();
    assert_eq!(keys, ["c"]);
    now(gate.forget(sale(2)));
    let state = gate.state.lock();
    assert!(state.sales.is_empty() && state.keys.0.is_empty());
}

/// Real threads: whoever is first, the records are exact.
#[test]
fn threads_cannot_sell_a_unit_twice() {
    const ATTEMPTS: u32 = 4_000;
    const STOCK: u32 = 50;
    let gate = open_gate(STOCK).0;
    let (sold, next) = (AtomicU32::new(0), AtomicU32::new(0));
    // Two attempts per buyer, next to each other: they often meet.
    let attempt = |n: u32| match buy(&gate, 1, n / 2, &format!("key-{}", n % 2), 1) {
        // Every third unit comes back and is sold again.
        Decision::Admitted { ticket, .. } if ticket.seq % 3 == 0 => {
            assert!(now(gate.release(ticket, buyer(n / 2), true)));
        }
        Decision::Admitted { .. } => {
            sold.fetch_add(1, Ordering::Relaxed);
        }
        Decision::AlreadyBought | Decision::SoldOut => {}
        other => panic!("{other:?}"),
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= ATTEMPTS {
                        break;
                    }
                    attempt(n);
                    let Counts { left, held, .. } = counts(&gate);
                    assert_eq!(left + held, STOCK);
                }
            });
        }
    });
    assert_eq!(counts(&gate).held, sold.load(Ordering::Relaxed));
    // The last release may have come after the last attempt.
    (ATTEMPTS..ATTEMPTS + 2 * STOCK).for_each(attempt);
    assert_eq!(sold.load(Ordering::Relaxed), STOCK);
    assert_eq!(counts(&gate).left, 0);
}
