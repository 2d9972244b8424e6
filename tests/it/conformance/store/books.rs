//! The audit: a shop that did a bit of everything passes it; then each invariant is broken behind the program's back, is refused by the
//! schema where it says so, and is found once the schema's guards are gone.

use diesel_async::SimpleAsyncConnection as _;
use doorbuster::gateway::{TradeSnapshot, TradeStatus};
use doorbuster::kernel::{PaymentId, Rng};
use doorbuster::model::orders::{Closing, Order};
use doorbuster::model::payments::{Amount, LogEntry, Payment};
use doorbuster::model::points::Grant;
use doorbuster::payments::audit::{self, INVARIANTS};
use doorbuster::payments::{Method, PaymentState, RefundState};
use doorbuster::payments::{PayRequest, RefundRequest};
use doorbuster::store::Database;

use super::{NOW, Place, on, on_both, request};

on_both!(a_right_shop_passes_and_each_wrong_is_found);

/// One way to break the books, how to mend them, whether the schema would not have it, and which invariants must fail.
struct Break(&'static str, &'static str, bool, &'static [u8]);

const BREAKS: [Break; 20] = [
    Break(
        "UPDATE points_entries SET amount = amount + 1, opposite = opposite - 1
         WHERE amount > 0 AND transfer_id IN (SELECT id FROM points_transfers WHERE kind = 'GRANT')",
        "UPDATE points_entries SET amount = amount - 1, opposite = opposite + 1
         WHERE amount > 0 AND transfer_id IN (SELECT id FROM points_transfers WHERE kind = 'GRANT')",
        true,
        &[1, 2],
    ),
    Break(
        "UPDATE points_accounts SET posted = posted + 1",
        "UPDATE points_accounts SET posted = posted - 1",
        false,
        &[2],
    ),
    Break("UPDATE points_accounts SET reserved = 1", "UPDATE points_accounts SET reserved = 0", false, &[2]),
    Break("UPDATE points_accounts SET reserved = posted + 1", "UPDATE points_accounts SET reserved = 0", true, &[2, 3]),
    Break(
        "UPDATE payments SET status = 'SUCCEEDED', captured = amount WHERE status = 'CLOSED'",
        "UPDATE payments SET status = 'CLOSED', captured = 0 WHERE status = 'SUCCEEDED' AND idempotency_key = 'key-closed'",
        true,
        &[4, 7, 11],
    ),
    Break(
        "UPDATE payments SET refunded = 1 WHERE status = 'SUCCEEDED' AND method = 'ALIPAY'",
        "UPDATE payments SET refunded = 0 WHERE status = 'SUCCEEDED' AND method = 'ALIPAY'",
        false,
        &[5],
    ),
    Break(
        "UPDATE payments SET refunded = amount + 1 WHERE refunded = amount AND method = 'POINTS'",
        "UPDATE payments SET refunded = amount WHERE refunded > amount",
        true,
        &[5, 7],
    ),
    Break(
        "UPDATE refunds SET method = 'ALIPAY' WHERE method = 'POINTS'",
        "UPDATE refunds SET method = 'POINTS' WHERE currency IS NULL",
        false,
        &[5],
    ),
    Break(
        "UPDATE payments SET gateway_trade_no = 'trade' WHERE gateway_trade_no IS NOT NULL",
        "UPDATE payments SET gateway_trade_no = idempotency_key WHERE gateway_trade_no IS NOT NULL",
        true,
        &[6],
    ),
    Break(
        "UPDATE orders SET status = 'AWAITING_PAYMENT' WHERE status = 'PAID'",
        "UPDATE orders SET status = 'PAID' WHERE status = 'AWAITING_PAYMENT' AND paid_at IS NOT NULL",
        true,
        &[7, 10],
    ),
    Break(
        "UPDATE orders SET status = 'PAID' WHERE status = 'AWAITING_PAYMENT'",
        "UPDATE orders SET status = 'AWAITING_PAYMENT' WHERE status = 'PAID' AND paid_at IS NULL",
        false,
        &[7, 10],
    ),
    Break(
        "UPDATE payments SET amount = amount + 1, captured = captured + 1 WHERE status = 'SUCCEEDED' AND method = 'ALIPAY'",
        "UPDATE payments SET amount = amount - 1, captured = captured - 1 WHERE status = 'SUCCEEDED' AND method = 'ALIPAY'",
        false,
        &[7],
    ),
    Break(
        "UPDATE orders SET status = 'EXPIRED' WHERE status = 'PAID'",
        "UPDATE orders SET status = 'PAID' WHERE status = 'EXPIRED' AND paid_at IS NOT NULL",
        true,
        &[8, 10],
    ),
    Break(
        "UPDATE payments SET refunded = 0 WHERE status = 'SURPLUS'",
        "UPDATE payments SET refunded = amount WHERE status = 'SURPLUS'",
        false,
        &[5, 8],
    ),
    Break(
        "UPDATE points_reservations SET state = 'CANCELLED' WHERE state = 'CONFIRMED' AND kind = 'DEBIT'",
        "UPDATE points_reservations SET state = 'CONFIRMED' WHERE state = 'CANCELLED'",
        true,
        &[9],
    ),
    Break(
        "UPDATE global_transactions SET state = 'CANCELLED' WHERE kind = 'order.pay'",
        "UPDATE global_transactions SET state = 'CONFIRMED' WHERE kind = 'order.pay'",
        true,
        &[9],
    ),
    Break(
        "UPDATE sales SET stock_left = stock_left + 1, version = version + 1",
        "UPDATE sales SET stock_left = stock_left - 1, version = version + 1",
        false,
        &[10],
    ),
    Break(
        "UPDATE sales SET units_held = units_held + 1, version = version + 1",
        "UPDATE sales SET units_held = units_held - 1, version = version + 1",
        false,
        &[10],
    ),
    Break(
        "UPDATE payment_log SET to_state = 'PENDING' WHERE to_state = 'SUCCEEDED'",
        "UPDATE payment_log SET to_state = 'SUCCEEDED' WHERE event = 'settled' AND to_state = 'PENDING'",
        true,
        &[11],
    ),
    Break(
        // Any id will do: one of the right type is an operator's.
        "INSERT INTO reconciliation_items (day, number, kind, ours, theirs, found_at, id)
         SELECT '2026-11-22', 'p1', 'MISSING_HERE', 'nothing', '9.90 CNY', 1, id FROM users WHERE role = 'OPERATOR'",
        "UPDATE reconciliation_items SET resolved_at = 2",
        false,
        &[12],
    ),
];

async fn a_right_shop_passes_and_each_wrong_is_found(place: Place) {
    do_business(&place).await;
    let report = audit::check(place.db(), place.db(), true).await.unwrap();
    assert!(report.ok, "{report:#?}");
    assert_eq!(report.invariants.len(), INVARIANTS.len());
    for Break(wrong, _, refused, _) in &BREAKS {
        if *refused {
            let done = on!(place.db(), write, |conn| Ok(conn.batch_execute(wrong).await?));
            assert!(done.is_err(), "the schema takes {wrong}");
        }
    }
    let guards = remove_guards(&place).await;
    assert!(failing(&place, guards).await.is_empty(), "only the guards are missed");
    let mut broken: Vec<u8> = Vec::new();
    for Break(wrong, mend, _, expected) in &BREAKS {
        place.execute(&behind_the_back(place.db(), wrong)).await;
        assert_eq!(failing(&place, guards).await, *expected, "{wrong}");
        place.execute(&behind_the_back(place.db(), mend)).await;
        assert!(failing(&place, guards).await.is_empty(), "{mend}");
        broken.extend(*expected);
    }
    assert!(INVARIANTS.iter().all(|(number, _)| broken.contains(number)), "each was broken once");
    place.execute(&behind_the_back(place.db(), "DELETE FROM refund_log")).await;
    assert_eq!(failing(&place, guards).await, [11]);
}

/// The invariants with rows at fault; `guards` of the schema are known to be missing.
async fn failing(place: &Place, guards: usize) -> Vec<u8> {
    let report = audit::check(place.db(), place.db(), true).await.unwrap();
    assert!(!report.ok);
    let (missing, rows): (Vec<_>, Vec<_>) =
        report.breaches().partition(|finding| finding.detail.ends_with("is not active"));
    assert_eq!(missing.len(), guards, "{missing:?}");
    let mut numbers: Vec<u8> = rows.iter().map(|finding| finding.invariant).collect();
    numbers.dedup();
    numbers
}

fn behind_the_back(db: &Database, statement: &str) -> String {
    match db {
        Database::Sqlite(_) => format!("PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF; {statement}"),
        Database::Postgres(_) => format!("SET session_replication_role = replica; {statement}"),
    }
}

/// Takes the schema's guards away; how many the audit misses then.
async fn remove_guards(place: &Place) -> usize {
    let indexes = "DROP INDEX payments_kept; DROP INDEX payments_by_trade;";
    let (statements, guards) = match place.db() {
        Database::Sqlite(_) => {
            let triggers = [
                "orders_transition",
                "payments_transition",
                "payment_log_no_update",
                "refund_log_no_delete",
                "points_entries_are_kept",
                "points_reservations_resolve_once",
                "global_transactions_decide_once",
            ];
            let drops: String = triggers.iter().map(|name| format!("DROP TRIGGER {name};")).collect();
            (drops, triggers.len())
        }
        Database::Postgres(_) => {
            let checks = [("payments", "payments_not_over_refunded"), ("points_accounts", "points_accounts_check")];
            let drops = checks.map(|(table, name)| format!("ALTER TABLE {table} DROP CONSTRAINT {name};")).concat();
            (drops, 1)
        }
    };
    place.execute(&format!("{indexes} {statements}")).await;
    guards + 2
}

/// Orders that are paid, given back, cancelled, overdue, paid too late, and waiting.
async fn do_business(place: &Place) {
    let sale = place.sale(20, 2).await;
    place.execute("UPDATE sales SET points_price = 30, version = version + 1").await;
    let buyers = place.buyers(0, 6).await;
    let requests: Vec<_> = (1..).zip(&buyers).map(|(seq, buyer)| request(sale, seq, *buyer, "key-00001", 1)).collect();
    place.app.orders().record(requests.clone()).await.unwrap();
    for seq in [0, 1] {
        place.app.points().open(buyers[seq]).await.unwrap();
        let grant =
            Grant { user: Some(buyers[seq]), points: 100, reason: "a gift".into(), key: format!("grant-00{seq}") };
        place.app.points().grant(place.operator, grant).await.unwrap().unwrap();
        let order = Some(requests[seq].ticket.order());
        let pay = PayRequest { order, method: Method::Points, return_url: None, key: "pay-00001".into() };
        place.app.payments().pay(buyers[seq], pay).await.unwrap().unwrap();
    }
    let back = RefundRequest { order: Some(requests[1].ticket.order()), reason: None, key: "back-0001".into() };
    place.app.payments().refund(buyers[1], back).await.unwrap().unwrap();
    let order = async |number: usize| place.find(requests[number].ticket).await.unwrap();
    let closed = attempt(place, &order(2).await, "key-closed").await;
    hear(place, closed, TradeStatus::Closed, None).await;
    let kept = attempt(place, &order(2).await, "key-kept").await;
    hear(place, kept, TradeStatus::Paid, Some("trade-kept")).await;
    let late = attempt(place, &order(3).await, "key-late").await;
    hear(place, late, TradeStatus::Closed, None).await;
    place.app.payments().cancel(buyers[4], requests[4].ticket.order()).await.unwrap();
    let (overdue, buyer) = (requests[3].ticket, buyers[3]);
    let expired = on!(place.db(), write, |conn| {
        let closed = sql::orders::close(conn, &[overdue], Closing::Buyer(buyer), NOW).await?;
        for order in &closed {
            sql::orders::return_stock(conn, order.ticket.sale, order.quantity, NOW).await?;
        }
        Ok(closed)
    });
    assert_eq!(expired.unwrap().len(), 1);
    hear(place, late, TradeStatus::Paid, Some("trade-late")).await;
    let order = overdue.order();
    let refund = on!(place.db(), read, |conn| sql::refunds::of_order(conn, order).await).unwrap().remove(0);
    let ended = on!(place.db(), write, |conn| {
        sql::settle::end_refund(conn, &refund, RefundState::Succeeded, None, "worker", NOW).await
    });
    ended.unwrap();
    // Nobody announces here.
    place.execute("DELETE FROM outbox").await;
}

/// A pending attempt to pay with Alipay.
async fn attempt(place: &Place, order: &Order, key: &str) -> PaymentId {
    let id = PaymentId::generate(&place.clock.clock(), &Rng::system());
    let payment = Payment {
        id,
        order: order.ticket.order(),
        buyer: order.buyer,
        key: key.to_owned(),
        method: Method::Alipay,
        amount: Amount::Money(order.total()),
        state: PaymentState::Pending,
        gateway_trade_no: None,
        return_url: None,
        captured: 0,
        refund_pending: 0,
        refunded: 0,
        flag: None,
        created_at: NOW,
        expires_at: order.pay_before,
        settled_at: None,
        next_check_at: None,
        checks: 0,
    };
    let written = on!(place.db(), write, |conn| {
        sql::payments::insert(conn, &payment).await?;
        sql::payments::log(conn, id, &LogEntry::new(NOW, "buyer", "begun", None, "PENDING")).await
    });
    written.unwrap();
    id
}

/// What the gateway says of it.
async fn hear(place: &Place, payment: PaymentId, status: TradeStatus, trade: Option<&str>) {
    let found = on!(place.db(), read, |conn| sql::payments::find(conn, payment).await).unwrap().unwrap();
    let snapshot = TradeSnapshot {
        number: payment.number(),
        gateway_trade_no: trade.map(str::to_owned),
        status,
        amount: found.amount.money(),
        refund: None,
    };
    place.app.payments().apply_trade(snapshot, "query", None).await.unwrap();
}
