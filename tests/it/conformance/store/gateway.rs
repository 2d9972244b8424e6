//! A gateway that contradicts itself, hangs, or says what can't be written down: the order ends all the same, and the others do not wait.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use doorbuster::gateway::{
    BadMessage, BillRow, Closed, Notification, Outcome, PageError, PageRequest, PaymentGateway, RefundFound, Returned,
    TradeSnapshot, TradeStatus,
};
use doorbuster::kernel::{Currency, Money, OrderId, UserId};
use doorbuster::model::orders::OrderState;
use doorbuster::model::payments::Payment;
use doorbuster::payments::{Cancelled, PayRequest, Payments, audit};
use doorbuster::payments::{Flag, Method, PaymentState, RefundState};
use parking_lot::Mutex;

use super::{Place, on_both, request};
use crate::support::until;

on_both!(
    a_flagged_payment_does_not_hold_its_order_for_ever,
    an_order_with_a_flagged_payment_can_be_cancelled_in_the_end,
    what_cannot_be_written_down_is_no_answer,
    one_that_hangs_keeps_nobody_waiting,
    one_that_fails_or_cannot_be_read_is_put_back,
);

/// What the gateway says of a trade.
#[derive(Debug, Clone)]
enum Says {
    /// It is paid, in the trade of this name.
    Paid(String),
    /// Nothing, ever.
    Nothing,
}

/// A gateway in the process.
#[derive(Default)]
pub struct Cashier {
    trades: Mutex<HashMap<String, Says>>,
    asked: AtomicUsize,
}

impl Cashier {
    fn say(&self, payment: &Payment, says: Says) {
        self.trades.lock().insert(payment.number(), says);
    }

    async fn answer(&self, number: &str) -> (TradeStatus, Option<String>) {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let says = self.trades.lock().get(number).cloned();
        match says {
            None => (TradeStatus::Absent, None),
            Some(Says::Paid(trade)) => (TradeStatus::Paid, Some(trade)),
            Some(Says::Nothing) => std::future::pending().await,
        }
    }
}

#[async_trait]
impl PaymentGateway for Cashier {
    fn refuses(&self) -> bool {
        false
    }

    fn takes(&self, _: Money) -> Result<(), PageError> {
        Ok(())
    }

    fn page_url(&self, request: &PageRequest) -> Result<String, PageError> {
        Ok(format!("https://cashier/{}", request.number))
    }

    async fn query(&self, number: &str) -> Outcome<TradeSnapshot> {
        let (status, gateway_trade_no) = self.answer(number).await;
        let amount = (status != TradeStatus::Absent).then_some(Money { minor: 990, currency: Currency::Cny });
        Outcome::Succeeded(TradeSnapshot { number: number.to_owned(), gateway_trade_no, status, amount, refund: None })
    }

    async fn close(&self, _: &str) -> Outcome<Closed> {
        Outcome::Succeeded(Closed::Absent)
    }

    async fn refund(&self, _: &str, _: &str, _: Money, _: &str) -> Outcome<()> {
        Outcome::Succeeded(())
    }

    async fn query_refund(&self, _: &str, _: &str) -> Outcome<RefundFound> {
        Outcome::Succeeded(RefundFound::NotFound)
    }

    async fn bill(&self, _: jiff::civil::Date) -> Outcome<Vec<BillRow>> {
        Outcome::Succeeded(Vec::new())
    }

    fn verify_notification(&self, _: &[u8]) -> Result<Notification, BadMessage> {
        Err(BadMessage::Malformed)
    }

    fn verify_return(&self, _: &str) -> Result<Returned, BadMessage> {
        Err(BadMessage::Malformed)
    }
}

/// A shop with this gateway.
struct Shop {
    place: Place,
    cashier: Arc<Cashier>,
    payments: Payments,
}

impl Shop {
    fn open(place: Place) -> Self {
        let cashier = Arc::new(Cashier::default());
        let payments = place.app.payments().with_gateway(cashier.clone());
        Self { place, cashier, payments }
    }

    /// Orders of new buyers in one sale, each with a payment that waits.
    async fn waiting(&self, count: u64) -> Vec<(UserId, OrderId, Payment)> {
        let sale = self.place.sale(100, 1).await;
        let buyers = self.place.buyers(0, count).await;
        let tickets: Vec<_> =
            (1..).zip(&buyers).map(|(seq, buyer)| request(sale, seq, *buyer, "key-00001", 1)).collect();
        self.place.app.orders().record(tickets.clone()).await.unwrap();
        let mut waiting = Vec::new();
        for (buyer, ticket) in buyers.into_iter().zip(tickets) {
            let order = ticket.ticket.order();
            let wish =
                PayRequest { order: Some(order), method: Method::Alipay, key: "pay-00001".into(), return_url: None };
            waiting.push((buyer, order, self.payments.pay(buyer, wish).await.unwrap().unwrap().payment));
        }
        waiting
    }

    async fn state(&self, order: OrderId) -> OrderState {
        self.place.find(order.ticket()).await.unwrap().state
    }

    async fn payment(&self, payment: &Payment) -> Payment {
        self.payments.payment(payment.id).await.unwrap().unwrap()
    }

    /// Asks the gateway, as the worker does, until this holds.
    async fn ask_until(&self, what: &str, condition: impl AsyncFnMut() -> bool) {
        tokio::select! {
            ended = self.payments.check_payments() => panic!("{ended:?}"),
            () = until(what, condition) => {}
        }
    }

    /// Two payments, of which the gateway says that they are one trade: the second is flagged.
    async fn flagged(&self) -> (UserId, OrderId, Payment) {
        let mut waiting = self.waiting(2).await;
        let ((_, first, one), (buyer, order, other)) = (waiting.remove(0), waiting.remove(0));
        self.cashier.say(&one, Says::Paid("one trade".into()));
        self.place.clock.advance(Duration::from_secs(61));
        self.ask_until("paid", async || self.state(first).await == OrderState::Paid).await;
        self.cashier.say(&other, Says::Paid("one trade".into()));
        self.place.clock.advance(Duration::from_secs(300));
        self.ask_until("flagged", async || self.payment(&other).await.flag == Some(Flag::TradeMismatch)).await;
        (buyer, order, other)
    }

    /// The money of a payment that was given up comes after all, in a trade of its own.
    async fn pays_late(&self, payment: &Payment) {
        let snapshot = TradeSnapshot {
            number: payment.number(),
            gateway_trade_no: Some("late trade".into()),
            status: TradeStatus::Paid,
            amount: payment.amount.money(),
            refund: None,
        };
        self.payments.apply_trade(snapshot, "notification", None).await.unwrap();
        let late = self.payment(payment).await;
        assert_eq!((late.state, late.flag), (PaymentState::Surplus, Some(Flag::TradeMismatch)));
        let order = payment.order;
        tokio::select! {
            ended = self.payments.drive_refunds() => panic!("{ended:?}"),
            () = until("back", async || {
                self.payments.refunds_of(order).await.unwrap()[0].state == RefundState::Succeeded
            }) => {}
        }
    }
}

async fn a_flagged_payment_does_not_hold_its_order_for_ever(place: Place) {
    let shop = Shop::open(place);
    let (buyer, order, payment) = shop.flagged().await;
    let cancelled = shop.payments.cancel(buyer, order).await.unwrap();
    assert!(matches!(cancelled, Cancelled::TryLater(_)), "{cancelled:?}");
    // Overdue, but the gateway may come to its senses.
    shop.place.clock.advance(Duration::from_secs(900));
    let asked = shop.cashier.asked.load(Ordering::SeqCst);
    shop.ask_until("asked again", async || shop.cashier.asked.load(Ordering::SeqCst) > asked).await;
    assert_eq!((shop.payments.sweep(10).await.unwrap(), shop.state(order).await), (0, OrderState::AwaitingPayment));
    // After `payments.close_within` it is over all the same.
    shop.place.clock.advance(Duration::from_secs(1_800));
    shop.ask_until("expired", async || shop.state(order).await == OrderState::Expired).await;
    let ended = shop.payment(&payment).await;
    assert_eq!((ended.state, ended.flag), (PaymentState::Closed, Some(Flag::TradeMismatch)), "people still see it");
    assert_eq!(shop.place.units(order.ticket().sale).await, (99, 1));
    shop.pays_late(&payment).await;
    let report = audit::check(shop.place.db(), shop.place.db(), false).await.unwrap();
    assert!(report.ok, "{report:?}");
}

async fn an_order_with_a_flagged_payment_can_be_cancelled_in_the_end(place: Place) {
    let shop = Shop::open(place);
    let (buyer, order, payment) = shop.flagged().await;
    shop.place.clock.advance(Duration::from_secs(900 + 1_800));
    let cancelled = shop.payments.cancel(buyer, order).await.unwrap();
    assert!(matches!(cancelled, Cancelled::Done(_)), "{cancelled:?}");
    let ended = shop.payment(&payment).await;
    assert_eq!((ended.state, ended.flag), (PaymentState::Closed, Some(Flag::TradeMismatch)));
    assert_eq!(shop.place.units(order.ticket().sale).await, (99, 1));
    shop.pays_late(&payment).await;
}

/// Makes every row of payments refuse a change of this.
async fn refuse(place: &Place, column: &str, payment: &Payment) {
    let id: String = payment.id.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let statements = match place.db() {
        doorbuster::store::Database::Sqlite(_) => format!(
            "CREATE TRIGGER stuck BEFORE UPDATE OF {column} ON payments WHEN OLD.id = x'{id}' AND NEW.{column} IS NOT OLD.{column}
             BEGIN SELECT RAISE(ABORT, 'stuck'); END"
        ),
        doorbuster::store::Database::Postgres(_) => format!(
            "CREATE FUNCTION stuck() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'stuck'; END $$;
             CREATE TRIGGER stuck BEFORE UPDATE OF {column} ON payments FOR EACH ROW
             WHEN (OLD.id = '{id}'::uuid AND NEW.{column} IS DISTINCT FROM OLD.{column}) EXECUTE FUNCTION stuck()"
        ),
    };
    place.execute(&statements).await;
}

async fn what_cannot_be_written_down_is_no_answer(place: Place) {
    let shop = Shop::open(place);
    let mut waiting = shop.waiting(2).await;
    let ((buyer, order, stuck), (_, other, good)) = (waiting.remove(0), waiting.remove(0));
    refuse(&shop.place, "captured", &stuck).await;
    shop.cashier.say(&stuck, Says::Paid("stuck trade".into()));
    shop.cashier.say(&good, Says::Paid("good trade".into()));
    shop.place.clock.advance(Duration::from_secs(61));
    shop.ask_until("paid", async || shop.state(other).await == OrderState::Paid).await;
    shop.ask_until("put off", async || shop.payment(&stuck).await.checks > 0).await;
    let cancelled = shop.payments.cancel(buyer, order).await.unwrap();
    assert!(matches!(cancelled, Cancelled::TryLater(_)), "{cancelled:?}");
    shop.place.clock.advance(Duration::from_secs(900 + 1_800));
    shop.ask_until("expired", async || shop.state(order).await == OrderState::Expired).await;
    // Once it can be written down, the money goes back.
    let drop = match shop.place.db() {
        doorbuster::store::Database::Sqlite(_) => "DROP TRIGGER stuck",
        doorbuster::store::Database::Postgres(_) => "DROP TRIGGER stuck ON payments",
    };
    shop.place.execute(drop).await;
    shop.place.clock.advance(Duration::from_secs(600));
    shop.ask_until("heard late", async || shop.payment(&stuck).await.state == PaymentState::Surplus).await;
}

async fn one_that_hangs_keeps_nobody_waiting(place: Place) {
    let shop = Shop::open(place);
    let waiting = shop.waiting(40).await;
    for (number, (.., payment)) in waiting.iter().enumerate() {
        let hangs = number % 10 == 0;
        shop.cashier.say(payment, if hangs { Says::Nothing } else { Says::Paid(format!("trade {number}")) });
    }
    shop.place.clock.advance(Duration::from_secs(61));
    shop.ask_until("all others are paid", async || {
        let mut paid = 0;
        for (_, order, _) in &waiting {
            paid += usize::from(shop.state(*order).await == OrderState::Paid);
        }
        paid == 36
    })
    .await;
    // Each payment was asked for once: also those that hang.
    assert_eq!(shop.cashier.asked.load(Ordering::SeqCst), 40);
}

async fn one_that_fails_or_cannot_be_read_is_put_back(place: Place) {
    let shop = Shop::open(place);
    let waiting = shop.waiting(12).await;
    // More than a page of them.
    let id = |payment: &Payment| payment.id.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    for (.., payment) in &waiting[..10] {
        let id = id(payment);
        let id = match shop.place.db() {
            doorbuster::store::Database::Sqlite(_) => format!("x'{id}'"),
            doorbuster::store::Database::Postgres(_) => format!("'{id}'::uuid"),
        };
        shop.place.execute(&format!("UPDATE payments SET currency = 'XXX' WHERE id = {id}")).await;
    }
    for (number, (.., payment)) in waiting[10..].iter().enumerate() {
        shop.cashier.say(payment, Says::Paid(format!("trade {number}")));
    }
    shop.place.clock.advance(Duration::from_secs(61));
    shop.ask_until("the readable ones are paid", async || {
        shop.state(waiting[10].1).await == OrderState::Paid && shop.state(waiting[11].1).await == OrderState::Paid
    })
    .await;
}
