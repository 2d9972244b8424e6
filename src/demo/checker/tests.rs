//! Hand-made histories: one that is right, and for each promise some that break it.

use std::time::Duration;

use super::*;
use crate::demo::history::Entry;
use crate::demo::history::{Ending, OrderSeen, OrderStatus, Reply, Request, Step, TicketSeen, TicketStatus};
use crate::kernel::{SaleId, TicketId, Timestamp, UserId};
use crate::model::facts::{OrderFact, SaleFact};
use crate::model::orders::OrderState;

const fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

const fn buyer(number: u8) -> UserId {
    UserId::from_bytes([number; 16])
}

const fn ticket(seq: u64) -> TicketId {
    TicketId { sale: SaleId::from_bytes([1; 16]), epoch: 1, seq }
}

fn sale() -> SaleFact {
    SaleFact {
        id: ticket(0).sale,
        stock_total: 2,
        stock_left: 1,
        limit_per_buyer: 1,
        pay_within: Duration::from_secs(10),
        returns_on_refund: true,
        epoch: 1,
        starts_at: at(1_000),
        ends_at: at(100_000),
    }
}

fn row(seq: u64, state: OrderState) -> OrderFact {
    let refused = matches!(state, OrderState::RefusedSoldOut | OrderState::Voided);
    OrderFact {
        id: ticket(seq),
        sale: ticket(seq).sale,
        buyer: buyer(seq as u8),
        quantity: 1,
        key: Some(format!("key-{seq}")),
        state,
        created_at: at(2_000),
        decided_at: at(2_010),
        pay_before: at(12_010),
        paid_at: None,
        closed_at: (!refused && !state.is_live()).then(|| at(13_000)),
        version: if state == OrderState::AwaitingPayment || refused { 2 } else { 3 },
    }
}

fn seen(seq: u64, status: TicketStatus, order: Option<(OrderStatus, u32)>) -> TicketSeen {
    TicketSeen {
        id: ticket(seq),
        sale: ticket(seq).sale,
        quantity: 1,
        status,
        version: if status == TicketStatus::Queued { 1 } else { 2 },
        refusal: (status == TicketStatus::Refused).then(|| "SOLD_OUT".to_owned()),
        order: order.map(|(status, version)| OrderSeen {
            id: ticket(seq).order(),
            status,
            version,
            quantity: 1,
            pay_before: at(12_010),
            closed_at: None,
        }),
    }
}

/// A history under construction: time goes on by 10 ms with each entry.
#[derive(Default)]
struct Story(Vec<Entry>);

impl Story {
    fn add(&mut self, shopper: u32, call: u32, step: Step) -> &mut Self {
        let ms = 2_000 + self.0.len() as i64 * 10;
        self.0.push(Entry { mono_us: ms as u64 * 1_000, wall: at(ms), shopper, call, step });
        self
    }

    fn begin(&mut self, shopper: u32) -> &mut Self {
        self.add(shopper, 0, Step::Begin { buyer: buyer(shopper as u8) })
    }

    fn ask(&mut self, shopper: u32, call: u32, request: Request) -> &mut Self {
        self.add(shopper, call, Step::Invoke { request })
    }

    fn buy(&mut self, shopper: u32, call: u32, quantity: i64) -> &mut Self {
        let key = format!("key-{shopper}");
        self.ask(shopper, call, Request::Purchase { sale: ticket(0).sale, key, quantity })
    }

    fn ok(&mut self, shopper: u32, call: u32, seen: TicketSeen) -> &mut Self {
        self.add(shopper, call, Step::Ok { reply: Reply::Ticket(seen) })
    }

    fn fail(&mut self, shopper: u32, call: u32, code: &str) -> &mut Self {
        self.add(shopper, call, Step::Fail { code: code.into() })
    }

    fn push(&mut self, shopper: u32, call: u32, seen: TicketSeen) -> &mut Self {
        self.add(shopper, call, Step::Push { seen: Reply::Ticket(seen) })
    }

    fn end(&mut self, shopper: u32, call: u32, how: Ending) -> &mut Self {
        self.add(shopper, call, Step::End { how })
    }
}

const QUEUED: TicketStatus = TicketStatus::Queued;
const CONFIRMED: TicketStatus = TicketStatus::Confirmed;
const WAITING: Option<(OrderStatus, u32)> = Some((OrderStatus::AwaitingPayment, 2));

/// Shopper 1 buys, is told, and asks again.
fn good_story() -> Story {
    let mut story = Story::default();
    story.begin(1).buy(1, 1, 1).ok(1, 1, seen(1, QUEUED, None));
    story.ask(1, 2, Request::Follow { id: ticket(1), after: None });
    story.push(1, 2, seen(1, QUEUED, None)).push(1, 2, seen(1, CONFIRMED, WAITING)).end(1, 2, Ending::Completed);
    story.ask(1, 3, Request::Ticket { id: ticket(1) }).ok(1, 3, seen(1, CONFIRMED, WAITING));
    story
}

fn good_facts() -> Facts {
    Facts { sales: vec![sale()], orders: vec![row(1, OrderState::AwaitingPayment)], outbox: 0 }
}

fn broken(story: &Story, facts: &Facts) -> Vec<Invariant> {
    let report = check(Evidence { history: &story.0, facts, settled: true, calm: true, return_grace: RETURN_GRACE });
    let mut found: Vec<Invariant> = report.violations.iter().map(|violation| violation.invariant).collect();
    found.dedup();
    found
}

/// Flags exactly the promise that a change of the rows breaks.
#[track_caller]
fn rows_break(invariant: Invariant, change: impl FnOnce(&mut Facts)) {
    let mut facts = good_facts();
    change(&mut facts);
    let found = broken(&good_story(), &facts);
    assert!(found.contains(&invariant), "{invariant:?} not among {found:?}");
}

#[track_caller]
fn story_breaks(invariant: Invariant, change: impl FnOnce(&mut Story)) {
    let mut story = good_story();
    change(&mut story);
    assert_eq!(broken(&story, &good_facts()), [invariant]);
}

#[test]
fn a_good_history_is_clean() {
    let (story, facts) = (good_story(), good_facts());
    let report =
        check(Evidence { history: &story.0, facts: &facts, settled: true, calm: true, return_grace: RETURN_GRACE });
    assert_eq!(report.summary(), "");
    let counts = report.counts;
    assert_eq!((counts.shoppers, counts.accepted, counts.orders, counts.pushes, counts.unanswered), (1, 1, 1, 2, 0));
}

#[test]
fn oversell_and_lost_units() {
    rows_break(Invariant::NoOversell, |facts| {
        facts.sales[0].stock_left = 0;
        facts.orders.extend([row(2, OrderState::Paid), row(3, OrderState::Paid)]);
    });
    rows_break(Invariant::NoOversell, |facts| facts.sales[0].stock_left = -1);
    rows_break(Invariant::Conservation, |facts| facts.sales[0].stock_left = 0);
    // A unit that came back twice.
    rows_break(Invariant::Conservation, |facts| {
        facts.sales[0].stock_left = 3;
        facts.orders = vec![row(1, OrderState::Cancelled)];
    });
}

#[test]
fn lost_and_invented_tickets() {
    rows_break(Invariant::AcceptedIsRecorded, |facts| {
        facts.orders.clear();
        facts.sales[0].stock_left = 2;
    });
    rows_break(Invariant::AcceptedIsRecorded, |facts| facts.orders[0].key = Some("key-other".into()));
    rows_break(Invariant::AcceptedIsRecorded, |facts| facts.orders[0].quantity = 2);
    // Told "sold out", and charged all the same.
    let mut story = good_story();
    story.begin(2).buy(2, 1, 1).fail(2, 1, "SOLD_OUT");
    let mut facts = good_facts();
    facts.sales[0].stock_left = 0;
    facts.orders.push(row(2, OrderState::AwaitingPayment));
    assert_eq!(broken(&story, &facts), [Invariant::AcceptedIsRecorded]);
    // The same, if a later try with the key stayed without an answer, is right.
    story.buy(2, 2, 1).add(2, 2, Step::Unknown { why: "no response in time".into() });
    assert_eq!(broken(&story, &facts), []);
}

#[test]
fn undersell() {
    let late_refusal = |story: &mut Story| {
        story.begin(2).buy(2, 1, 1).fail(2, 1, "SOLD_OUT");
    };
    story_breaks(Invariant::NoUndersell, late_refusal);
    // It was right when the free unit came back only afterwards.
    let (mut story, mut facts) = (good_story(), good_facts());
    late_refusal(&mut story);
    facts.orders.push(row(3, OrderState::Cancelled));
    assert_eq!(broken(&story, &facts), []);
    // It was wrong when the unit came back long before the question.
    facts.orders[1] = OrderFact { created_at: at(1_000), closed_at: Some(at(1_001)), ..row(3, OrderState::Cancelled) };
    for entry in &mut story.0 {
        entry.wall = entry.wall.plus(RETURN_GRACE);
    }
    assert_eq!(broken(&story, &facts), [Invariant::NoUndersell]);
}

#[test]
fn a_unit_that_vanished_with_its_promise_was_not_free() {
    let mut story = good_story();
    story.begin(2).begin(3).buy(3, 1, 1).buy(2, 1, 1).fail(2, 1, "SOLD_OUT");
    story.add(3, 1, Step::Unknown { why: "connection lost".into() }).buy(3, 2, 1).fail(3, 2, "SOLD_OUT");
    assert_eq!(broken(&story, &good_facts()), []);
    for entry in story.0.iter_mut().rev().take(2) {
        entry.wall = entry.wall.plus(RETURN_GRACE * 2);
    }
    assert_eq!(broken(&story, &good_facts()), [Invariant::NoUndersell]);
}

#[test]
fn idempotency() {
    story_breaks(Invariant::Idempotency, |story| {
        story.buy(1, 4, 1).fail(1, 4, "ALREADY_BOUGHT");
    });
    story_breaks(Invariant::Idempotency, |story| {
        story.buy(1, 4, 1).fail(1, 4, "SALE_ENDED");
    });
    let (mut story, mut facts) = (good_story(), good_facts());
    story.buy(1, 4, 1).ok(1, 4, seen(2, QUEUED, None));
    facts.sales[0].stock_left = 0;
    facts.sales[0].limit_per_buyer = 2;
    let second = OrderFact { buyer: buyer(1), key: None, ..row(2, OrderState::AwaitingPayment) };
    facts.orders.push(second);
    assert!(broken(&story, &facts).contains(&Invariant::Idempotency));
    rows_break(Invariant::Idempotency, |facts| {
        let twin = OrderFact { buyer: buyer(1), key: Some("key-1".into()), ..row(2, OrderState::Expired) };
        facts.orders.push(twin);
    });
}

#[test]
fn limits_windows_and_deadlines() {
    rows_break(Invariant::BuyerLimit, |facts| {
        facts.orders.push(OrderFact { buyer: buyer(1), ..row(2, OrderState::Paid) });
    });
    rows_break(Invariant::BuyerLimit, |facts| facts.orders[0].quantity = 2);
    rows_break(Invariant::Window, |facts| facts.orders[0].created_at = at(999));
    rows_break(Invariant::Window, |facts| facts.orders[0].created_at = at(100_000));
    rows_break(Invariant::NoEarlyExpiry, |facts| {
        facts.orders[0] = OrderFact { closed_at: Some(at(12_009)), ..row(1, OrderState::Expired) };
    });
    rows_break(Invariant::NoEarlyExpiry, |facts| {
        facts.orders[0] = OrderFact { paid_at: Some(at(5_000)), ..row(1, OrderState::Expired) };
    });
    rows_break(Invariant::NoEarlyExpiry, |facts| facts.orders[0].pay_before = at(11_999));
}

#[test]
fn seen_expired_too_early() {
    let mut story = good_story();
    let expired = Some((OrderStatus::Expired, 3));
    story.ask(1, 4, Request::Ticket { id: ticket(1) }).ok(1, 4, seen(1, CONFIRMED, expired));
    let mut facts = good_facts();
    facts.sales[0].stock_left = 2;
    facts.orders[0] = row(1, OrderState::Expired);
    assert_eq!(broken(&story, &facts), [Invariant::NoEarlyExpiry]);
    story.0.last_mut().unwrap().wall = at(12_010);
    assert_eq!(broken(&story, &facts), []);
}

#[test]
fn delivery() {
    let only = |how| {
        let mut story = Story::default();
        story.begin(1).buy(1, 1, 1).ok(1, 1, seen(1, QUEUED, None));
        story.ask(1, 2, Request::Follow { id: ticket(1), after: None }).push(1, 2, seen(1, QUEUED, None));
        story.end(1, 2, how);
        story
    };
    assert_eq!(broken(&only(Ending::Completed), &good_facts()), [Invariant::Delivery]);
    assert_eq!(broken(&only(Ending::Lost), &good_facts()), []);
    let mut waited = only(Ending::GaveUp);
    assert_eq!(broken(&waited, &good_facts()), []);
    let last = waited.0.last_mut().unwrap();
    last.wall = at(9_000);
    assert_eq!(broken(&waited, &good_facts()), [Invariant::Delivery]);
    // Shown as confirmed, recorded as sold out.
    rows_break(Invariant::Delivery, |facts| {
        facts.sales[0].stock_left = 2;
        facts.orders = vec![row(1, OrderState::RefusedSoldOut)];
    });
}

#[test]
fn transitions() {
    let expired = Some((OrderStatus::Expired, 3));
    story_breaks(Invariant::Transitions, |story| {
        story.ask(1, 4, Request::Ticket { id: ticket(1) }).ok(1, 4, seen(1, QUEUED, None));
    });
    story_breaks(Invariant::Transitions, |story| {
        story.ask(1, 4, Request::Ticket { id: ticket(1) }).ok(1, 4, seen(1, CONFIRMED, expired));
        story.0.last_mut().unwrap().wall = at(12_020);
    });
    story_breaks(Invariant::Transitions, |story| {
        let paid = Some((OrderStatus::Paid, 2));
        story.ask(1, 4, Request::Ticket { id: ticket(1) }).ok(1, 4, seen(1, CONFIRMED, paid));
    });
    story_breaks(Invariant::Transitions, |story| {
        story.ask(1, 4, Request::Follow { id: ticket(1), after: Some(2) }).push(1, 4, seen(1, CONFIRMED, WAITING));
    });
    // An end state that changed.
    let mut story = good_story();
    story.ask(1, 4, Request::Ticket { id: ticket(1) }).ok(1, 4, seen(1, CONFIRMED, expired));
    story.0.last_mut().unwrap().wall = at(12_020);
    let mut facts = good_facts();
    facts.orders[0] = OrderFact { version: 4, ..row(1, OrderState::Paid) };
    assert_eq!(broken(&story, &facts), [Invariant::Transitions]);
}

#[test]
fn isolation() {
    let (mut story, mut facts) = (good_story(), good_facts());
    facts.sales[0].stock_left = 0;
    facts.orders.push(row(2, OrderState::AwaitingPayment));
    story.begin(2).buy(2, 1, 1).ok(2, 1, seen(2, QUEUED, None));
    story.ask(1, 4, Request::Peek { id: ticket(2) }).add(1, 4, Step::Ok { reply: Reply::Nothing });
    assert_eq!(broken(&story, &facts), []);
    story.ask(1, 5, Request::Peek { id: ticket(2) }).push(1, 5, seen(2, CONFIRMED, WAITING));
    assert_eq!(broken(&story, &facts), [Invariant::Isolation]);
    // A push of another's ticket into one's own subscription.
    let mut crossed = good_story();
    crossed.begin(2).buy(2, 1, 1).ok(2, 1, seen(2, QUEUED, None));
    crossed.ask(2, 2, Request::Follow { id: ticket(2), after: None }).push(2, 2, seen(1, CONFIRMED, WAITING));
    assert_eq!(broken(&crossed, &facts), [Invariant::Isolation]);
}

#[test]
fn stock_epochs_and_input() {
    let stock = |left, version| Step::Push { seen: Reply::Stock { sale: ticket(0).sale, left, version } };
    story_breaks(Invariant::Freshness, |story| {
        story.ask(1, 4, Request::Stock { sale: ticket(0).sale }).add(1, 4, stock(1, 2)).add(1, 4, stock(2, 1));
    });
    story_breaks(Invariant::Freshness, |story| {
        story.ask(1, 4, Request::Stock { sale: ticket(0).sale }).add(1, 4, stock(3, 1));
    });
    rows_break(Invariant::Epochs, |facts| facts.sales[0].epoch = 0);
    rows_break(Invariant::Epochs, |facts| facts.orders[0].sale = SaleId::from_bytes([9; 16]));
    rows_break(Invariant::Epochs, |facts| {
        // An order of epoch 1 decided after one of epoch 2.
        facts.sales[0] = SaleFact { epoch: 2, stock_left: 0, ..sale() };
        let newer = TicketId { epoch: 2, ..ticket(2) };
        facts.orders.push(OrderFact { id: newer, decided_at: at(2_005), ..row(2, OrderState::Paid) });
    });
    let mut greedy = good_story();
    greedy.buy(1, 4, 0).ok(1, 4, seen(1, CONFIRMED, WAITING));
    assert!(broken(&greedy, &good_facts()).contains(&Invariant::BadInput));
}

#[test]
fn answers_and_the_gate() {
    let mut silent = good_story();
    silent.begin(2).buy(2, 1, 1).add(2, 1, Step::Unknown { why: "no response in time".into() });
    assert_eq!(broken(&silent, &good_facts()), [Invariant::Answered]);
    silent.buy(2, 2, 1).fail(2, 2, "TRY_LATER");
    assert_eq!(broken(&silent, &good_facts()), [Invariant::Answered]);

    let mut facts = good_facts();
    facts.orders.push(row(2, OrderState::RefusedSoldOut));
    let mut story = good_story();
    story.begin(2).buy(2, 1, 1).ok(2, 1, seen(2, QUEUED, None));
    assert_eq!(broken(&story, &facts), [Invariant::ExactGate]);
    let report =
        check(Evidence { history: &story.0, facts: &facts, settled: true, calm: false, return_grace: RETURN_GRACE });
    assert_eq!(report.summary(), "");
}
