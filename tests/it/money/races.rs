//! The narrowest races, many rounds of each, without a network between: what is decided about a payment and its order at the same
//! moment. And what the schema refuses, whoever writes.

use std::time::Duration;

use doorbuster::gateway::{TradeSnapshot, TradeStatus};
use doorbuster::kernel::{Currency, Money, OrderId, PaymentId, SaleId, UserId};
use doorbuster::model::orders::OrderState;
use doorbuster::model::payments::{Amount, Payment};
use doorbuster::payments::{Cancelled, OperatorRefund, audit};
use doorbuster::payments::{Method, PaymentState, Verdict};
use futures_util::future::join_all;

pub use crate::conformance::store::Place;
use crate::conformance::store::{NOW, on, on_both, request};

on_both!(
    the_deadline_against_the_payment,
    cancelling_against_the_payment,
    two_attempts_at_once,
    the_crowd_and_the_schema
);

const ROUNDS: u8 = 12;
/// The price of one unit.
const PRICE: Money = Money { minor: 990, currency: Currency::Cny };

/// An order that waits for its payment.
struct Bought {
    buyer: UserId,
    order: OrderId,
}

/// A sale with an order per round.
async fn bought(place: &Place) -> (SaleId, Vec<Bought>) {
    let sale = place.sale(i64::from(ROUNDS), 1).await;
    let buyers = place.buyers(0, u64::from(ROUNDS)).await;
    let tickets: Vec<_> =
        buyers.iter().zip(1..).map(|(buyer, number)| request(sale, number, *buyer, "key-00001", 1)).collect();
    let all = tickets.iter().map(|ticket| Bought { buyer: ticket.buyer, order: ticket.ticket.order() }).collect();
    place.app.orders().record(tickets).await.unwrap();
    (sale, all)
}

/// An attempt to pay, as `orderPay` writes it down, that the gateway has said is closed or, if `open`, nothing of.
async fn attempt(place: &Place, of: &Bought, number: u8, open: bool) -> PaymentId {
    let payment = Payment {
        id: PaymentId::from_bytes([number; 16]),
        order: of.order,
        buyer: of.buyer,
        key: format!("pay-{number:05}"),
        method: Method::Alipay,
        amount: Amount::Money(PRICE),
        state: PaymentState::Pending,
        gateway_trade_no: None,
        return_url: None,
        captured: 0,
        refund_pending: 0,
        refunded: 0,
        flag: None,
        created_at: NOW,
        expires_at: NOW.plus(Duration::from_secs(900)),
        settled_at: None,
        next_check_at: Some(NOW),
        checks: 0,
    };
    let id = payment.id;
    on!(place.db(), write, |conn| {
        sql::payments::insert(conn, &payment).await?;
        let begun = doorbuster::model::payments::LogEntry::new(NOW, "buyer", "begun", None, "PENDING");
        sql::payments::log(conn, payment.id, &begun).await
    })
    .unwrap();
    if !open {
        apply(place, said(id, TradeStatus::Closed)).await;
    }
    id
}

/// What the gateway says of a payment.
fn said(payment: PaymentId, status: TradeStatus) -> TradeSnapshot {
    let gateway_trade_no = Some(format!("T{}", payment.number()));
    TradeSnapshot { number: payment.number(), gateway_trade_no, status, amount: Some(PRICE), refund: None }
}

async fn apply(place: &Place, snapshot: TradeSnapshot) -> Verdict {
    place.app.payments().apply_trade(snapshot, "query", None).await.unwrap()
}

async fn state(place: &Place, of: &Bought) -> (OrderState, usize) {
    let order = place.find(of.order.ticket()).await.unwrap();
    (order.state, place.app.payments().refunds_of(of.order).await.unwrap().len())
}

async fn books_are_right(place: &Place) {
    let report = audit::check(place.db(), place.db(), false).await.unwrap();
    assert!(report.ok, "{:#?}", report.breaches().collect::<Vec<_>>());
}

async fn the_deadline_against_the_payment(place: Place) {
    let (_, all) = bought(&place).await;
    for (round, one) in (1..).zip(&all) {
        attempt(&place, one, round, false).await;
    }
    place.clock.set(NOW.plus(Duration::from_secs(901)));
    let payments = place.app.payments();
    for (round, one) in (1..).zip(&all) {
        let paid = said(PaymentId::from_bytes([round; 16]), TradeStatus::Paid);
        let (expired, verdict) = tokio::join!(payments.expire(vec![one.order.ticket()]), apply(&place, paid));
        assert_eq!(verdict, Verdict::Accepted);
        let expected = if expired.unwrap() == 0 { (OrderState::Paid, 0) } else { (OrderState::Expired, 1) };
        assert_eq!(state(&place, one).await, expected);
    }
    books_are_right(&place).await;
}

async fn cancelling_against_the_payment(place: Place) {
    let (_, all) = bought(&place).await;
    let payments = place.app.payments();
    for (round, one) in (1..).zip(&all) {
        let payment = attempt(&place, one, round, false).await;
        let paid = apply(&place, said(payment, TradeStatus::Paid));
        let (cancelled, verdict) = tokio::join!(payments.cancel(one.buyer, one.order), paid);
        assert_eq!(verdict, Verdict::Accepted);
        let expected = match cancelled.unwrap() {
            Cancelled::Done(_) => (OrderState::Cancelled, 1),
            Cancelled::Refused(_) => (OrderState::Paid, 0),
            other => panic!("{other:?}"),
        };
        assert_eq!(state(&place, one).await, expected);
    }
    books_are_right(&place).await;
}

async fn two_attempts_at_once(place: Place) {
    let (_, all) = bought(&place).await;
    for (round, one) in (1..).zip(&all) {
        let (first, second) = (attempt(&place, one, round, true).await, attempt(&place, one, 100 + round, true).await);
        let paid = |payment| apply(&place, said(payment, TradeStatus::Paid));
        assert_eq!(tokio::join!(paid(first), paid(second)), (Verdict::Accepted, Verdict::Accepted));
        assert_eq!(state(&place, one).await, (OrderState::Paid, 1), "one is kept, the other goes back");
    }
    books_are_right(&place).await;
}

async fn the_crowd_and_the_schema(place: Place) {
    let (_, all) = bought(&place).await;
    let payment = attempt(&place, &all[0], 1, true).await;
    apply(&place, said(payment, TradeStatus::Paid)).await;
    let payments = place.app.payments();
    let part = |number: u8| OperatorRefund {
        payment: Some(payment),
        amount: Some(Amount::Money(Money { minor: 600, ..PRICE })),
        reason: "broken".into(),
        key: format!("part-{number:05}"),
        limit: None,
    };
    let answers = join_all((0..16).map(|number| payments.refund_payment(place.operator, part(number)))).await;
    assert_eq!(answers.iter().filter(|answer| answer.as_ref().unwrap().is_ok()).count(), 1, "{answers:?}");
    let backwards = on!(place.db(), write, |conn| {
        sql::payments::advance(conn, payment, PaymentState::Succeeded, PaymentState::Pending, 0, None, NOW).await
    });
    assert!(backwards.is_err());
    let ticket = all[0].order.ticket();
    let backwards = on!(place.db(), write, |conn| {
        sql::orders::advance(conn, ticket, OrderState::Paid, OrderState::Cancelled, NOW).await
    });
    assert!(backwards.is_err());
    books_are_right(&place).await;
}
