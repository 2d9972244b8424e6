//! The gateway's bill of a day against the books, over real HTTP with a real archive.

use std::time::Duration;

use diesel_async::RunQueryDsl as _;
use doorbuster::gateway::{PageRequest, PaymentGateway as _};
use doorbuster::gateway::{TradeSnapshot, TradeStatus};
use doorbuster::kernel::{Clock, Currency, Money, PaymentId};
use doorbuster::model::bills::BillReport;
use doorbuster::model::bills::Kind;
use doorbuster::payments::audit;
use doorbuster::payments::reconciliation::day_of;
use serde_json::json;

use super::till::{Profile, Setup, Till};
use crate::conformance::store::on;
use crate::support::alipay::{Sandbox, soon};
use crate::support::{Shop, Terms, until};

const PRICE: Money = Money { minor: 990, currency: Currency::Cny };

/// A shop that hears of nothing by itself.
async fn deaf_shop(sandbox: &Sandbox) -> Shop {
    let settings = sandbox.settings("http://127.0.0.1:1");
    Shop::open_with(&format!(
        "{settings}check_after = \"1h\"\nrefund_check_after = \"100ms\"\nbill_every = \"1h\"\nbill_days = 1\n"
    ))
    .await
}

/// A buyer with an order, its id, and the number of an attempt whose page was opened if `open`.
async fn attempt(shop: &Shop, sandbox: &Sandbox, sale: &str, name: &str, open: bool) -> (String, String, PaymentId) {
    let buyer = shop.buyer(name).await;
    let ticket = shop.buy(&buyer, sale, "key-00001", 1).await.unwrap();
    let order = shop.decided(&buyer, &ticket).await["order"]["id"].as_str().unwrap().to_owned();
    let query = "mutation($o: ID!) { orderPay(input: { orderId: $o, method: ALIPAY, idempotencyKey: \"pay-00001\" }) \
                 { payment { id } redirectUrl userErrors { code } } }";
    let begun = shop.data(Some(&buyer), query, json!({ "o": order })).await["orderPay"].clone();
    if open {
        sandbox.open_page(begun["redirectUrl"].as_str().unwrap_or_else(|| panic!("{begun}"))).await;
    }
    (buyer, order, begun["payment"]["id"].as_str().unwrap().parse().unwrap())
}

fn open(report: &BillReport) -> Vec<(String, Kind)> {
    report.open().map(|item| (item.number.clone(), item.kind)).collect()
}

async fn status(shop: &Shop, buyer: &str, order: &str) -> String {
    let data = shop.data(Some(buyer), "query($o: ID!) { order(id: $o) { status } }", json!({ "o": order })).await;
    data["order"]["status"].as_str().unwrap().to_owned()
}

/// Dates all payments back by an hour. Those of a day's last hour belong to the next day's bill, which does not exist yet.
async fn paid_an_hour_ago(shop: &Shop) {
    on!(shop.app.db(), write, |conn| {
        diesel::sql_query("UPDATE payments SET settled_at = settled_at - 3600000").execute(conn).await?;
        Ok::<_, doorbuster::store::StoreError>(())
    })
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bill_is_compared_with_the_records() {
    let sandbox = Sandbox::start();
    let shop = deaf_shop(&sandbox).await;
    let (sale, payments) = (shop.sale(&Terms::default()).await, shop.app.payments().clone());
    let (alice, first, paid) = attempt(&shop, &sandbox, &sale, "alice", true).await;
    let (bob, second, returned) = attempt(&shop, &sandbox, &sale, "bob", true).await;
    for number in [paid.number(), returned.number()] {
        sandbox.act(&number, "pay").await.unwrap();
    }
    let today = day_of(Clock::system().now());
    // Both were paid, and nobody said so: the bill does.
    assert_eq!(status(&shop, &alice, &first).await, "AWAITING_PAYMENT");
    let report = payments.reconcile_bill(today).await.unwrap();
    assert_eq!((report.rows, report.matched, report.paid, open(&report)), (2, 2, 1_980, vec![]));
    assert_eq!(status(&shop, &alice, &first).await, "PAID");

    let refund = "mutation($o: ID!) { orderRefund(input: { orderId: $o, idempotencyKey: \"back-0001\" }) { userErrors { code } } }";
    shop.data(Some(&bob), refund, json!({ "o": second })).await;
    until("refunded", async || status(&shop, &bob, &second).await == "REFUNDED").await;
    let report = payments.reconcile_bill(today).await.unwrap();
    assert_eq!((report.rows, report.matched, report.refunded, open(&report)), (3, 3, 990, vec![]));

    // A stranger's trade, and a payment that only we believe in.
    let client = sandbox.client();
    let stranger = PaymentId::from_bytes([9; 16]).number();
    let page = PageRequest {
        number: stranger.clone(),
        amount: PRICE,
        subject: "?".into(),
        at: soon(0),
        expires_at: soon(600),
    };
    sandbox.open_page(&client.page_url(&page).unwrap()).await;
    sandbox.act(&stranger, "pay").await.unwrap();
    let (_, _, believed) = attempt(&shop, &sandbox, &sale, "carol", true).await;
    let snapshot = TradeSnapshot {
        number: believed.number(),
        gateway_trade_no: None,
        status: TradeStatus::Paid,
        amount: Some(PRICE),
        refund: None,
    };
    payments.apply_trade(snapshot, "query", None).await.unwrap();
    let report = payments.reconcile_bill(today).await.unwrap();
    assert!(open(&report).contains(&(stranger.clone(), Kind::MissingHere)), "{report:?}");
    paid_an_hour_ago(&shop).await;
    let due = today;
    for _ in 0..2 {
        let report = payments.reconcile_bill(due).await.unwrap();
        let missing: Vec<_> = report.open().filter(|item| item.kind == Kind::MissingThere).collect();
        assert_eq!(missing.len(), 1, "{report:?}");
        assert_eq!((missing[0].number.as_str(), missing[0].ours.as_str()), (&*believed.number(), "SUCCEEDED 9.90 CNY"));
    }
    let audited = audit::check(shop.app.db(), shop.app.db(), false).await.unwrap();
    let wrong: Vec<_> = audited.breaches().map(|finding| finding.invariant).collect();
    assert_eq!(wrong, [12, 12], "{audited:?}");

    sandbox.act(&believed.number(), "pay").await.unwrap();
    let report = payments.reconcile_bill(due).await.unwrap();
    assert!(report.open().all(|item| item.kind != Kind::MissingThere), "{report:?}");
    assert!(report.items.iter().any(|item| item.number == believed.number() && item.resolved_at.is_some()));

    let compared = payments.reconcile_due(Duration::ZERO, 5).await.unwrap();
    assert!(compared >= 4, "the days before were never compared: {compared}");
    assert_eq!(payments.reconcile_due(Duration::ZERO, 5).await.unwrap(), 0, "they are done");
}

mod embedded {
    #[tokio::test(flavor = "multi_thread")]
    async fn case_41_a_command_compares_the_bill_of_a_day() {
        super::case_41_a_command_compares_the_bill_of_a_day(super::Profile::Embedded).await;
    }
}

mod distributed {
    #[tokio::test(flavor = "multi_thread")]
    async fn case_41_a_command_compares_the_bill_of_a_day() {
        super::case_41_a_command_compares_the_bill_of_a_day(super::Profile::Distributed).await;
    }
}

/// The command, beside the running server: whether all agrees, and the report.
pub fn reconcile(till: &Till, day: jiff::civil::Date) -> (bool, BillReport) {
    let day = day.to_string();
    let done = till.launch().command().args(["payments", "reconcile", "--json", "--day", &day]).output().unwrap();
    let report = serde_json::from_slice(&done.stdout);
    (done.status.success(), report.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&done.stderr))))
}

/// The command, beside the running server.
async fn case_41_a_command_compares_the_bill_of_a_day(profile: Profile) {
    let till = Till::own(profile, Setup::default()).await;
    let today = day_of(Clock::system().now());
    let paid = till.paid().await;
    let (agrees, report) = reconcile(&till, today);
    assert!(agrees, "{report:?}");
    assert_eq!((report.rows, report.matched, report.paid, open(&report)), (1, 1, 990, vec![]));
    let stranger = paid.number.replace('p', "x");
    let (at, expires_at) = (soon(0), soon(600));
    let page = PageRequest { number: stranger.clone(), amount: PRICE, subject: "?".into(), at, expires_at };
    till.sandbox.open_page(&till.sandbox.client().page_url(&page).unwrap()).await;
    till.sandbox.act(&stranger, "pay").await.unwrap();
    let (agrees, report) = reconcile(&till, today);
    assert_eq!((agrees, report.runs, open(&report)), (false, 2, vec![(stranger, Kind::MissingHere)]));
    let audited = till.launch().command().args(["payments", "audit"]).output().unwrap();
    let text = String::from_utf8(audited.stdout).unwrap();
    assert!(
        !audited.status.success() && text.contains("12  FAILED") && text.contains("the records are NOT consistent"),
        "{text}"
    );
    assert_eq!(text.matches("FAILED").count(), 1, "{text}");
}
