//! The database goes away in the middle of a wish that has a key, at each of its calls, before the call takes effect and after. The client
//! is told that it did not work, asks again with the same key, and the wish is carried out once, or the answer says that it takes another
//! key and nothing was carried out.

use std::sync::Arc;
use std::time::Duration;

use doorbuster::kernel::{OrderId, PaymentId, UserId, next_epoch};
use doorbuster::model::orders::OrderState;
use doorbuster::model::points::Grant;
use doorbuster::payments::audit::{self, Report};
use doorbuster::payments::{Begun, Cancelled, OperatorRefund, PayRefusal, PayRequest, Payments, RefundRequest};
use doorbuster::payments::{Method, PaymentState, RefundState};
use doorbuster::sales::StockAdd;
use doorbuster::store::trouble::Loss;
use futures_util::future::join_all;

use super::gateway::Cashier;
use super::{Place, on_both, request};
use crate::support::until;

on_both!(
    paying_with_points,
    paying_at_the_gateway,
    cancelling,
    asking_for_points_back,
    sending_points_back,
    granting_points,
    adding_stock,
    the_same_wish_several_times_at_the_same_moment,
    an_order_does_not_expire_while_points_are_undecided,
    an_undecided_payment_does_not_hold_an_order_for_ever,
    an_order_is_cancelled_whatever_its_points_do,
    a_key_whose_attempt_has_ended_takes_another_one,
);

/// What one unit costs, and what each buyer has.
const PRICE: i64 = 30;
const POINTS: i64 = 100;

/// An order of a new buyer with points.
struct Bought {
    buyer: UserId,
    order: OrderId,
}

async fn bought(place: &Place, number: u64) -> Bought {
    let buyer = place.buyers(number, 1).await[0];
    let sale = place.sale(10, 1).await;
    place.execute(&format!("UPDATE sales SET points_price = {PRICE}, version = version + 1")).await;
    let mut ticket = request(sale, 1, buyer, &format!("key-{number:05}"), 1);
    // Time passes between these sales.
    ticket.ticket.epoch = next_epoch(0, place.clock.clock().now());
    place.app.orders().record(vec![ticket.clone()]).await.unwrap();
    grant(place, buyer, POINTS, &format!("gift-{number:05}")).await.unwrap();
    Bought { buyer, order: ticket.ticket.order() }
}

async fn grant(place: &Place, buyer: UserId, points: i64, key: &str) -> Result<i64, String> {
    let grant = Grant { user: Some(buyer), points, reason: "a gift".into(), key: key.into() };
    let granted = place.app.points().grant(place.operator, grant).await.map_err(|error| error.to_string())?;
    Ok(granted.map_err(|refusals| format!("{refusals:?}"))?.account.posted)
}

fn wish(order: OrderId, method: Method, key: &str) -> PayRequest {
    PayRequest { order: Some(order), method, key: key.to_owned(), return_url: None }
}

impl Bought {
    async fn pay(&self, place: &Place, key: &str) -> Result<Result<Begun, PayRefusal>, String> {
        let paid = place.app.payments().pay(self.buyer, wish(self.order, Method::Points, key)).await;
        paid.map_err(|error| error.to_string())
    }

    async fn state(&self, place: &Place) -> OrderState {
        place.find(self.order.ticket()).await.unwrap().state
    }

    /// Points that are there, and that are set aside of them.
    async fn points(&self, place: &Place) -> (i64, i64) {
        let account = place.app.points().account(self.buyer).await.unwrap();
        (account.posted, account.reserved)
    }

    async fn assert_paid_once(&self, place: &Place, key: &str, when: &str) {
        let begun = self.pay(place, key).await.unwrap().unwrap_or_else(|refusal| panic!("{when}: {refusal:?}"));
        assert_eq!((begun.order.state, begun.payment.state), (OrderState::Paid, PaymentState::Succeeded), "{when}");
        recover(place).await;
        assert_eq!(self.points(place).await, (POINTS - PRICE, 0), "{when}");
    }
}

/// What a crash left undecided is decided, and what is decided has its end.
async fn recover(place: &Place) {
    place.clock.advance(Duration::from_secs(31));
    place.app.tcc().recover_once(place.app.payments()).await.unwrap();
    place.clock.advance(Duration::from_secs(31));
    place.app.tcc().recover_once(place.app.payments()).await.unwrap();
}

async fn books(place: &Place) -> Report {
    audit::check(place.db(), place.db(), false).await.unwrap()
}

/// A wish with a key, and what must be in the end.
trait Wish: Sized {
    /// Whether losses of a single call are tried too.
    const SINGLE: bool = true;
    type Told;
    async fn prepare(place: &Place, number: u64) -> Self;
    async fn ask(&self, place: &Place) -> Result<Self::Told, String>;
    /// `told`: the answer to the same key when the database was there again.
    async fn end(&self, place: &Place, told: Self::Told, loss: &str);
}

/// Loses the database at each call of the wish.
async fn lose_at_each_call<W: Wish>(place: &Place) {
    let mut number = 0;
    let losses = [(false, false), (true, false), (false, true), (true, true)];
    for (deaf, once) in losses.into_iter().filter(|(_, once)| W::SINGLE || !once) {
        for after in 0.. {
            number += 1;
            let loss = Loss { after, deaf, once };
            let subject = W::prepare(place, number).await;
            let trouble = place.db().trouble();
            trouble.lose(loss);
            let first = subject.ask(place).await;
            if !trouble.heal() {
                first.unwrap_or_else(|error| panic!("{error}"));
                assert!(after > 0, "it made no call");
                break;
            }
            let again = subject.ask(place).await;
            let told = again.unwrap_or_else(|error| panic!("{loss:?}: {error}"));
            subject.end(place, told, &format!("{loss:?}")).await;
        }
    }
    recover(place).await;
    let report = books(place).await;
    assert!(report.ok, "{report:?}");
}

impl Wish for Bought {
    type Told = Result<Begun, PayRefusal>;

    async fn prepare(place: &Place, number: u64) -> Self {
        bought(place, number).await
    }

    async fn ask(&self, place: &Place) -> Result<Self::Told, String> {
        self.pay(place, "pay-00001").await
    }

    async fn end(&self, place: &Place, told: Self::Told, loss: &str) {
        match told {
            Ok(_) => self.assert_paid_once(place, "pay-00001", loss).await,
            Err(refusal) => {
                // Only where the database was back in time to cancel it.
                assert!(loss.contains("once: true"), "{loss}: {refusal:?}");
                assert_eq!(refusal, PayRefusal::AttemptEnded, "{loss}");
                recover(place).await;
                assert_eq!(self.points(place).await, (POINTS, 0), "{loss}");
                self.assert_paid_once(place, "pay-00002", loss).await;
            }
        }
    }
}

async fn paying_with_points(place: Place) {
    lose_at_each_call::<Bought>(&place).await;
}

struct AtGateway(Bought);

impl AtGateway {
    fn payments(place: &Place) -> Payments {
        place.app.payments().with_gateway(Arc::new(Cashier::default()))
    }
}

impl Wish for AtGateway {
    type Told = Result<Begun, PayRefusal>;

    async fn prepare(place: &Place, number: u64) -> Self {
        Self(bought(place, number).await)
    }

    async fn ask(&self, place: &Place) -> Result<Self::Told, String> {
        let paid = Self::payments(place).pay(self.0.buyer, wish(self.0.order, Method::Alipay, "pay-00001")).await;
        paid.map_err(|error| error.to_string())
    }

    async fn end(&self, place: &Place, told: Self::Told, loss: &str) {
        let begun = told.unwrap_or_else(|refusal| panic!("{loss}: {refusal:?}"));
        assert_eq!(begun.redirect_url, Some(format!("https://cashier/{}", begun.payment.number())), "{loss}");
        assert_eq!(place.app.payments().payments_of(self.0.order).await.unwrap(), [begun.payment], "{loss}");
    }
}

async fn paying_at_the_gateway(place: Place) {
    lose_at_each_call::<AtGateway>(&place).await;
}

struct Cancel(Bought);

impl Wish for Cancel {
    type Told = Cancelled;

    async fn prepare(place: &Place, number: u64) -> Self {
        Self(bought(place, number).await)
    }

    async fn ask(&self, place: &Place) -> Result<Cancelled, String> {
        place.app.payments().cancel(self.0.buyer, self.0.order).await.map_err(|error| error.to_string())
    }

    async fn end(&self, place: &Place, told: Cancelled, loss: &str) {
        assert!(matches!(told, Cancelled::Done(_)), "{loss}: {told:?}");
        assert_eq!(place.units(self.0.order.ticket().sale).await, (10, 0), "{loss}");
    }
}

async fn cancelling(place: Place) {
    lose_at_each_call::<Cancel>(&place).await;
}

/// A paid order, by the buyer or by an operator to be paid back.
struct Back<const OPERATOR: bool> {
    bought: Bought,
    payment: PaymentId,
    key: String,
}

impl<const OPERATOR: bool> Wish for Back<OPERATOR> {
    // Each takes long: the worker's tries have waits between them.
    const SINGLE: bool = false;
    type Told = RefundState;

    async fn prepare(place: &Place, number: u64) -> Self {
        let bought = bought(place, number).await;
        let payment = bought.pay(place, "pay-00001").await.unwrap().unwrap().payment.id;
        Self { bought, payment, key: format!("back-{number:05}") }
    }

    async fn ask(&self, place: &Place) -> Result<RefundState, String> {
        let (payments, key) = (place.app.payments(), self.key.clone());
        let answer = if OPERATOR {
            let reason = "broken".into();
            let request = OperatorRefund { payment: Some(self.payment), amount: None, reason, key, limit: None };
            payments.refund_payment(place.operator, request).await
        } else {
            payments
                .refund(self.bought.buyer, RefundRequest { order: Some(self.bought.order), reason: None, key })
                .await
        };
        let answer = answer.map_err(|error| error.to_string())?;
        Ok(answer.map_err(|refusal| format!("{refusal:?}"))?.1.state)
    }

    async fn end(&self, place: &Place, told: RefundState, loss: &str) {
        assert_ne!(told, RefundState::Failed, "{loss}");
        // What was not done at once, the worker does.
        recover(place).await;
        tokio::select! {
            ended = place.app.payments().drive_refunds() => panic!("{ended:?}"),
            () = until(loss, async || {
                place.clock.advance(Duration::from_secs(5));
                self.bought.state(place).await == OrderState::Refunded
            }) => {}
        }
        recover(place).await;
        assert_eq!(self.bought.points(place).await, (POINTS, 0), "{loss}");
        assert_eq!(place.app.payments().refunds_of(self.bought.order).await.unwrap().len(), 1, "{loss}");
    }
}

async fn asking_for_points_back(place: Place) {
    lose_at_each_call::<Back<false>>(&place).await;
}

async fn sending_points_back(place: Place) {
    lose_at_each_call::<Back<true>>(&place).await;
}

struct Gift(UserId, u64);

impl Wish for Gift {
    type Told = i64;

    async fn prepare(place: &Place, number: u64) -> Self {
        Self(place.buyers(number, 1).await[0], number)
    }

    async fn ask(&self, place: &Place) -> Result<i64, String> {
        grant(place, self.0, 50, &format!("gift-{:05}", self.1)).await
    }

    async fn end(&self, place: &Place, told: i64, loss: &str) {
        let account = place.app.points().account(self.0).await.unwrap();
        assert_eq!((told, account.posted), (50, 50), "{loss}");
    }
}

async fn granting_points(place: Place) {
    lose_at_each_call::<Gift>(&place).await;
}

struct More(doorbuster::kernel::SaleId);

impl Wish for More {
    type Told = u32;

    async fn prepare(place: &Place, _: u64) -> Self {
        Self(place.sale(10, 1).await)
    }

    async fn ask(&self, place: &Place) -> Result<u32, String> {
        let add = StockAdd { sale: self.0, units: 5, idempotency_key: "more-00001".into() };
        let added = place.app.sales().sale_stock_add(place.operator, add).await;
        added.map(|offer| offer.stock.total).map_err(|error| format!("{error:?}"))
    }

    async fn end(&self, place: &Place, told: u32, loss: &str) {
        assert_eq!((told, place.units(self.0).await), (15, (15, 0)), "{loss}");
    }
}

async fn adding_stock(place: Place) {
    lose_at_each_call::<More>(&place).await;
}

async fn the_same_wish_several_times_at_the_same_moment(place: Place) {
    for number in 1..=8 {
        let bought = bought(&place, number).await;
        for answer in join_all((0..4).map(|_| bought.pay(&place, "pay-00001"))).await {
            let begun = answer.unwrap().unwrap();
            assert_eq!((begun.order.state, begun.payment.state), (OrderState::Paid, PaymentState::Succeeded));
        }
        bought.assert_paid_once(&place, "pay-00001", "several times").await;
    }
    assert!(books(&place).await.ok);
}

/// The call dies here, with its node.
async fn pay_and_die(place: &Place, bought: &Bought, point: &'static str) {
    place.app.tcc().fail_points().arm(point);
    tokio::select! {
        answer = bought.pay(place, "pay-00001") => panic!("{point} was not reached: {answer:?}"),
        () = place.app.tcc().fail_points().reached() => {}
    }
}

const UNDECIDED: [&str; 4] = ["after_begin", "before_try", "after_try", "before_decide"];

async fn an_order_does_not_expire_while_points_are_undecided(place: Place) {
    for (number, point) in (1..).zip(UNDECIDED) {
        let bought = bought(&place, number).await;
        // Twenty seconds before its time is over.
        place.clock.advance(Duration::from_secs(880));
        pay_and_die(&place, &bought, point).await;
        place.clock.advance(Duration::from_secs(25));
        assert_eq!(place.app.payments().expire(vec![bought.order.ticket()]).await.unwrap(), 0, "{point}");
        assert_eq!(place.app.payments().sweep(100).await.unwrap(), 0, "{point}");
        let other = bought.pay(&place, "pay-00002").await.unwrap();
        assert_eq!(other.err(), Some(PayRefusal::TooLate), "{point}: nothing new begins");
        bought.assert_paid_once(&place, "pay-00001", point).await;
        assert_eq!(place.app.payments().sweep(100).await.unwrap(), 0, "{point}");
    }
    assert!(books(&place).await.ok);
}

async fn an_undecided_payment_does_not_hold_an_order_for_ever(place: Place) {
    for (number, point) in (1..).zip(UNDECIDED) {
        let bought = bought(&place, number).await;
        place.clock.advance(Duration::from_secs(880));
        pay_and_die(&place, &bought, point).await;
        // The transaction's deadline is over, and nobody has come to cancel it.
        place.clock.advance(Duration::from_secs(31));
        assert_eq!(place.app.payments().sweep(100).await.unwrap(), 1, "{point}");
        let again = bought.pay(&place, "pay-00001").await.unwrap();
        assert_eq!(again.err(), Some(PayRefusal::TooLate), "{point}");
        recover(&place).await;
        assert_eq!((bought.state(&place).await, bought.points(&place).await), (OrderState::Expired, (POINTS, 0)));
        assert_eq!(place.units(bought.order.ticket().sale).await, (10, 0), "{point}");
    }
    assert!(books(&place).await.ok);
}

async fn an_order_is_cancelled_whatever_its_points_do(place: Place) {
    for (number, point) in (1..).zip(UNDECIDED) {
        let bought = bought(&place, number).await;
        pay_and_die(&place, &bought, point).await;
        let cancelled = place.app.payments().cancel(bought.buyer, bought.order).await.unwrap();
        assert!(matches!(cancelled, Cancelled::Done(_)), "{point}: {cancelled:?}");
        assert_eq!(bought.points(&place).await, (POINTS, 0), "{point}: free at once");
        let again = bought.pay(&place, "pay-00001").await.unwrap();
        assert_eq!(again.err(), Some(PayRefusal::NotPayable), "{point}");
        recover(&place).await;
        assert_eq!((bought.state(&place).await, bought.points(&place).await), (OrderState::Cancelled, (POINTS, 0)));
    }
    assert!(books(&place).await.ok);
}

async fn a_key_whose_attempt_has_ended_takes_another_one(place: Place) {
    let bought = bought(&place, 1).await;
    pay_and_die(&place, &bought, "after_try").await;
    recover(&place).await;
    for _ in 0..2 {
        assert_eq!(bought.pay(&place, "pay-00001").await.unwrap().err(), Some(PayRefusal::AttemptEnded));
    }
    assert_eq!(bought.points(&place).await, (POINTS, 0));
    bought.assert_paid_once(&place, "pay-00002", "a new key").await;
    assert_eq!(bought.pay(&place, "pay-00001").await.unwrap().err(), Some(PayRefusal::NotPayable));
}

/// In PostgreSQL's protocol, `Execute` for all rows of the unnamed portal, and `Query` with `BEGIN`.
const EXECUTE: &[u8] = b"E\0\0\0\x09\0\0\0\0\0";
const BEGIN: &[u8] = b"Q\0\0\0\x0aBEGIN\0";

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_with_points_takes_few_statements() {
    let (place, proxy) = Place::postgres_behind_proxy().await;
    let bought = bought(&place, 1).await;
    proxy.listen();
    bought.pay(&place, "payment-0001").await.unwrap().unwrap();
    let (statements, transactions) = (proxy.heard(EXECUTE), proxy.heard(BEGIN));
    assert_eq!(bought.state(&place).await, OrderState::Paid);
    assert!((20..=25).contains(&statements), "{statements} statements");
    assert_eq!(transactions, 5);
}
