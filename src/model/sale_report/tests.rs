use std::sync::Arc;
use std::time::Duration;

use super::counts::Unit;
use super::*;
use crate::kernel::{Currency, Money, PaymentId, ProductId, SaleId, Seq, SessionId, TicketId, Timestamp, UserId};
use crate::model::orders::OrderState;
use crate::model::sales::{Sale, SaleState, Session, StockLevel};
use crate::model::snapshot::Offer;

const NOW: Timestamp = Timestamp::from_millis(1_795_428_000_000);
const SALE: SaleId = SaleId::from_bytes([1; 16]);
const HOUR: Duration = Duration::from_secs(3_600);

/// A sale of 10 units, of which `left` are free, whose session ended an hour ago.
fn offer(left: u32) -> Offer {
    let session_id = SessionId::from_bytes([2; 16]);
    let (starts_at, ends_at) = (NOW.minus(2 * HOUR), NOW.minus(HOUR));
    let session = Session { id: session_id, name: None, starts_at, ends_at, created_at: starts_at };
    let sale = Sale {
        id: SALE,
        number: 1_001,
        session_id,
        product_id: ProductId::from_bytes([3; 16]),
        price: Money { minor: 990, currency: Currency::Cny },
        points_price: Some(30),
        stock_total: 10,
        limit_per_buyer: 2,
        pay_within: HOUR,
        returns_on_refund: true,
        state: SaleState::Published,
        held: false,
        epoch: 7,
        version: 2,
        created_at: starts_at,
        updated_at: starts_at,
        ended_at: None,
    };
    let stock = StockLevel { sale: SALE, left, held: 0, total: 10, version: 9, at: NOW };
    Offer { sale: Arc::new(sale), session: Arc::new(session), stock }
}

fn row(seq: Seq, state: OrderState) -> Row {
    let at = NOW.minus(HOUR + HOUR / 2);
    let paid = matches!(state, OrderState::Paid | OrderState::Refunding | OrderState::Refunded);
    let closed = matches!(state, OrderState::Refunded | OrderState::Cancelled | OrderState::Expired);
    Row {
        ticket: TicketId { sale: SALE, epoch: 7, seq },
        sale: SALE,
        sale_number: 1_001,
        buyer: UserId::from_bytes([seq as u8; 16]),
        quantity: 1,
        status: state.as_str().to_owned(),
        price: 990,
        currency: "CNY".into(),
        points_price: Some(30),
        admitted_at: at,
        decided_at: at,
        paid_at: paid.then_some(at),
        closed_at: closed.then_some(at),
        payments: Vec::new(),
        refunds: Vec::new(),
    }
}

fn payment(id: u8, kept: bool, currency: Option<&str>, captured: i64) -> Received {
    let (id, currency) = (PaymentId::from_bytes([id; 16]), currency.map(str::to_owned));
    Received { id, kept, currency, captured, refunded: 0, returning: 0 }
}

fn refund(of: &mut Received, amount: i64) -> Returned {
    of.refunded += amount;
    Returned { payment: of.id, currency: of.currency.clone(), amount, done: true }
}

/// One order of each kind, with its money: 2 units are sold, 8 free.
fn rows() -> Vec<Row> {
    let mut rows = vec![
        row(1, OrderState::Paid),
        row(2, OrderState::Refunded),
        row(3, OrderState::Cancelled),
        row(4, OrderState::RefusedSoldOut),
        row(5, OrderState::Paid),
        row(6, OrderState::Voided),
    ];
    rows[0].payments = vec![payment(1, true, Some("CNY"), 990)];
    let mut back = payment(2, true, None, 30);
    rows[1].refunds = vec![refund(&mut back, 30)];
    rows[1].payments = vec![back];
    let mut late = payment(3, false, Some("CNY"), 990);
    rows[2].refunds = vec![refund(&mut late, 990)];
    rows[2].payments = vec![late];
    rows[4].payments = vec![payment(5, true, None, 30)];
    rows
}

fn facts(rows: &[Row]) -> Facts {
    let history = StockHistory { at_publication: Some(8), added: 2, edited: 0, limit_max: 2 };
    Facts {
        offer: offer(8),
        history,
        tickets: rows.len() as u64,
        live_buyers: 2,
        doubled: Vec::new(),
        gate: GateView::Holds { epoch: 7, left: 8, pending: 0, seq: 6 },
        drift: None,
        as_of: NOW,
    }
}

fn report(facts: &Facts, rows: &[Row]) -> Report {
    let (mut counts, mut digester) = (Counts::new(facts.history.limit_max, 1_001), Digester::default());
    for row in rows {
        counts.add(row);
        digester.add(row);
    }
    Report::new(facts, counts, digester.finish())
}

fn with_status(report: &Report, status: CheckStatus) -> Vec<CheckCode> {
    report.checks.iter().filter(|check| check.status == status).map(|check| check.code).collect()
}

#[test]
fn a_right_sale_holds_all_ten() {
    let rows = rows();
    let report = report(&facts(&rows), &rows);
    assert_eq!(with_status(&report, CheckStatus::Holds), CheckCode::ALL, "{:#?}", report.checks);
    assert_eq!((report.verdict(), report.settled, report.digest.is_some()), (Verdict::Holds, true, true));
    let sides: Vec<_> = report.checks.iter().map(|check| format!("{} | {}", check.left, check.right)).collect();
    let money = "19.80 CNY, 60 points | 19.80 CNY, 60 points";
    let back = "9.90 CNY, 30 points | 19.80 CNY, 60 points";
    assert_eq!(sides, ["10 | 10", "10 | 10", "6 | 6", "4 | 4", "2 | 2", "1 | 2", money, back, "8 | 8", "6 | 6"]);
    let line = |name: &str| report.lines.iter().find(|line| line.name == name).unwrap().clone();
    assert_eq!(line("money.surplus").amount.unwrap().minor, 990);
    assert_eq!((line("points.received").count, line("units.refundedReturned").count), (60, 1));
}

/// Each mistake, and the checks that it violates.
#[test]
fn each_mistake_violates_its_check() {
    use CheckCode::{
        GateAgrees, LimitPerBuyer, MoneyReceived, MoneyReturned, OneOrderPerBuyer, OrdersConsistent, SequenceComplete,
        StockTotal, TicketsDecided, UnitsAccounted,
    };
    type Mistake = fn(&mut Facts, &mut Vec<Row>);
    let mistakes: [(&[CheckCode], Mistake); 16] = [
        (&[StockTotal], |facts, _| facts.history.added -= 1),
        (&[UnitsAccounted, GateAgrees], |facts, _| facts.offer.stock.left -= 1),
        (&[TicketsDecided], |_, rows| rows[3].status = "LOST".into()),
        (&[TicketsDecided], |facts, _| facts.tickets += 1),
        (&[OrdersConsistent], |_, rows| rows[0].paid_at = None),
        (&[OrdersConsistent], |_, rows| rows[2].closed_at = None),
        (&[OrdersConsistent], |_, rows| rows[2].sale = SaleId::from_bytes([9; 16])),
        (&[OneOrderPerBuyer], |facts, _| facts.live_buyers = 1),
        (&[UnitsAccounted, LimitPerBuyer, MoneyReceived], |_, rows| rows[4].quantity = 3),
        (&[MoneyReceived], |_, rows| rows[0].payments[0].captured += 1),
        (&[MoneyReceived], |_, rows| rows[4].payments.clear()),
        (&[MoneyReturned], |_, rows| rows[2].refunds[0].amount += 1),
        (&[MoneyReturned], |_, rows| rows[1].refunds.clear()),
        (&[GateAgrees], |facts, _| facts.gate = GateView::Holds { epoch: 7, left: 9, pending: 0, seq: 6 }),
        (&[SequenceComplete], |facts, _| facts.gate = GateView::Holds { epoch: 7, left: 8, pending: 0, seq: 7 }),
        (&[SequenceComplete], |facts, rows| {
            rows.remove(3);
            facts.tickets -= 1;
        }),
    ];
    let mut found: Vec<CheckCode> = Vec::new();
    for (number, (expected, mistake)) in mistakes.into_iter().enumerate() {
        let mut rows = rows();
        let mut facts = facts(&rows);
        mistake(&mut facts, &mut rows);
        let report = report(&facts, &rows);
        assert_eq!(with_status(&report, CheckStatus::Violated), expected, "{number}: {:#?}", report.checks);
        assert_eq!(report.verdict(), Verdict::Violated);
        found.extend(expected.iter().copied());
    }
    assert!(CheckCode::ALL.iter().all(|code| found.contains(code)));
}

#[test]
fn a_mistake_names_some_rows() {
    let mut rows = rows();
    rows[0].paid_at = None;
    rows[4].quantity = 3;
    let report = report(&facts(&rows), &rows);
    let examples = |code| report.checks.iter().find(|check| check.code == code).unwrap().examples.join(" ");
    assert_eq!(examples(CheckCode::OrdersConsistent), "1001-7-000001: Paid");
    assert_eq!(examples(CheckCode::LimitPerBuyer), "1001-7-000005: 3");
}

#[test]
fn what_still_moves_is_not_called_a_mistake() {
    let rows = rows();
    let mut running = facts(&rows);
    running.offer.session = Arc::new(Session { ends_at: NOW.plus(HOUR), ..(*running.offer.session).clone() });
    // A purchase waits, another one was decided after the gate had been asked, and an expiry is on its way to the gate.
    running.gate = GateView::Holds { epoch: 7, left: 6, pending: 1, seq: 8 };
    let told = report(&running, &rows);
    let undecided = [CheckCode::TicketsDecided, CheckCode::GateAgrees, CheckCode::SequenceComplete];
    assert_eq!(with_status(&told, CheckStatus::Undecided), undecided);
    assert_eq!((told.verdict(), told.settled, told.digest), (Verdict::Provisional, false, None));
    running.gate = GateView::Holds { epoch: 7, left: 7, pending: 0, seq: 6 };
    assert_eq!(with_status(&report(&running, &rows), CheckStatus::Undecided), [CheckCode::GateAgrees]);
    // What can't be right at any time is one.
    running.history.added = 0;
    assert_eq!(with_status(&report(&running, &rows), CheckStatus::Violated), [CheckCode::StockTotal]);
}

#[test]
fn what_can_not_be_told_is_not_guessed() {
    let rows = rows();
    let known = facts(&rows);
    let told = |gate, change: fn(&mut Facts)| {
        let mut facts = Facts { gate, ..known.clone() };
        change(&mut facts);
        let report = report(&facts, &rows);
        let causes: Vec<_> = report.checks.iter().filter_map(|check| Some((check.code, check.cause?))).collect();
        (report.verdict(), report.settled, causes)
    };
    let same = |_: &mut Facts| ();
    let gate = |cause| vec![(CheckCode::GateAgrees, cause)];
    assert_eq!(told(GateView::Absent, same), (Verdict::Holds, true, gate(Cause::GateForgot)));
    assert_eq!(told(GateView::Unreachable, same), (Verdict::Provisional, false, gate(Cause::GateUnreachable)));
    let asked = GateView::NotAsked { waiting: 0 };
    assert_eq!(told(asked, same), (Verdict::Provisional, true, gate(Cause::GateNotAsked)));
    assert!(!told(GateView::NotAsked { waiting: 1 }, same).1);
    let causes = told(known.gate, |facts| facts.history.at_publication = None).2;
    assert_eq!(causes, [(CheckCode::StockTotal, Cause::NotRecorded)]);
}

/// A node that is killed gives out numbers that nobody hears of.
#[test]
fn a_gap_before_a_rebuild_is_undecided() {
    let mut rows = rows();
    rows.remove(3);
    let mut facts = facts(&rows);
    facts.offer.sale = Arc::new(Sale { epoch: 8, ..(*facts.offer.sale).clone() });
    facts.gate = GateView::Holds { epoch: 8, left: 8, pending: 0, seq: 0 };
    let report = report(&facts, &rows);
    let check = &report.checks[9];
    assert_eq!((check.status, check.cause), (CheckStatus::Undecided, Some(Cause::FormerEpoch)));
    assert_eq!(check.examples, ["epoch 7: 1 missing, the first is 4"]);
    assert_eq!(report.verdict(), Verdict::Provisional);
}

#[test]
fn it_is_settled_once_nothing_moves_by_itself() {
    for (index, state) in [(0, OrderState::AwaitingPayment), (0, OrderState::Refunding)] {
        let mut rows = rows();
        rows[index] = row(1, state);
        assert!(!report(&facts(&rows), &rows).settled, "{state:?}");
    }
    let mut rows = rows();
    rows[2].payments[0].returning = 1;
    assert!(!report(&facts(&rows), &rows).settled, "a surplus is on its way back");
}

#[test]
fn the_form_of_a_row_never_changes() {
    let mut text = csv_header();
    csv_line(&rows()[2], &mut text);
    let expected = "epoch,seq,number,buyer,quantity,status,price,currency,points_price,admitted_at,decided_at,paid_at,closed_at,\
                    money_received,money_returned,points_received,points_returned\n\
                    7,3,1001-7-000003,user_AwMDAwMDAwMDAwMDAwMDAw,1,CANCELLED,9.90,CNY,30,2026-11-23T08:30:00.000Z,\
                    2026-11-23T08:30:00.000Z,,2026-11-23T08:30:00.000Z,9.90,9.90,0,0\n";
    assert_eq!(text, expected);
    let mut digester = Digester::default();
    digester.add(&rows()[2]);
    use sha2::Digest as _;
    assert_eq!(digester.finish(), data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(&text)));
    assert_eq!(json_row(&rows()[2])["money_received"], "9.90");
}

#[test]
fn amounts_of_a_unit_that_is_no_currency_are_shown_too() {
    assert_eq!(Unit::Money("XYZ".into()).show(5), "5 minor units of XYZ");
    assert_eq!(Unit::Points.show(5), "5 points");
}
