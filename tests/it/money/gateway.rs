//! The server's client and the sandbox: what each answer comes to when the network and the gateway misbehave.

use std::time::Duration;

use doorbuster::gateway::alipay::Alipay;
use doorbuster::gateway::{BadMessage, Closed, Outcome, PageRequest, PaymentGateway as _, RefundFound, TradeStatus};
use doorbuster::kernel::{Breaker, Clock, Currency, Money};
use serde_json::json;

use crate::support::alipay::{Sandbox, signed, soon};
use crate::support::until;

fn yuan(minor: i64) -> Money {
    Money { minor, currency: Currency::Cny }
}

fn page(number: &str, minor: i64) -> PageRequest {
    let subject = "灯 100% + \"quotes\" <b>&amp;</b>".to_owned();
    PageRequest { number: number.to_owned(), amount: yuan(minor), subject, at: soon(0), expires_at: soon(600) }
}

/// A trade that is paid.
async fn paid(sandbox: &Sandbox, client: &Alipay, number: &str, minor: i64) {
    sandbox.open_page(&client.page_url(&page(number, minor)).unwrap()).await;
    sandbox.act(number, "pay").await.unwrap();
}

async fn status(client: &Alipay, number: &str) -> TradeStatus {
    match client.query(number).await {
        Outcome::Succeeded(snapshot) => snapshot.status,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn case_29_a_trade_begins_to_exist_when_its_page_is_opened() {
    let (sandbox, number) = (Sandbox::start(), "p1");
    let client = sandbox.client();
    assert_eq!(status(&client, number).await, TradeStatus::Absent);
    assert_eq!(client.close(number).await, Outcome::Succeeded(Closed::Absent));
    let url = client.page_url(&page(number, 990)).unwrap();
    let html = sandbox.open_page(&url).await;
    assert!(html.contains("¥9.90") && html.contains("&lt;b&gt;") && !html.contains("<b>"), "{html}");
    assert_eq!(status(&client, number).await, TradeStatus::Waiting);
    let other = client.page_url(&page(number, 991)).unwrap();
    assert!(sandbox.open_page(&other).await.contains("ACQ.CONTEXT_INCONSISTENT"));
    let forged = url.replace("9.90", "0.01");
    assert!(sandbox.open_page(&forged).await.contains("isv.invalid-signature"), "{forged}");
    sandbox.act(number, "pay").await.unwrap();
    assert_eq!(status(&client, number).await, TradeStatus::Paid);
    assert_eq!(sandbox.act(number, "pay").await.unwrap_err(), "ACQ.TRADE_HAS_SUCCESS");
    assert_eq!(client.close(number).await, Outcome::Succeeded(Closed::NotWaiting), "case 30");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_trade_cannot_be_paid() {
    let sandbox = Sandbox::start();
    let client = sandbox.client();
    let url = client.page_url(&page("p1", 990)).unwrap();
    sandbox.open_page(&url).await;
    assert_eq!(client.close("p1").await, Outcome::Succeeded(Closed::Closed));
    assert_eq!(status(&client, "p1").await, TradeStatus::Closed);
    assert_eq!(sandbox.act("p1", "pay").await.unwrap_err(), "ACQ.TRADE_HAS_CLOSE");
    assert!(sandbox.open_page(&url).await.contains("ACQ.TRADE_HAS_CLOSE"));
    let late = PageRequest { expires_at: soon(0), ..page("p2", 990) };
    let html = sandbox.open_page(&client.page_url(&late).unwrap()).await;
    assert!(html.contains("ACQ.NOW_TIME_AFTER_EXPIRE_TIME_ERROR"), "case 32: Beijing time on any host: {html}");
}

#[tokio::test(flavor = "multi_thread")]
async fn refunds_keep_the_gateways_rules() {
    let sandbox = Sandbox::start();
    let client = sandbox.client();
    paid(&sandbox, &client, "p1", 990).await;
    let refund = async |number: &str, minor: i64| client.refund("p1", number, yuan(minor), "why").await;
    let rejected = |code: &str| Outcome::Rejected { code: code.to_owned() };
    assert_eq!(client.query_refund("p1", "r1").await, Outcome::Succeeded(RefundFound::NotFound));
    assert_eq!(refund("r1", 400).await, Outcome::Succeeded(()));
    assert!(matches!(refund("r1", 400).await, Outcome::Pending { .. }), "case 26: nothing moved now");
    assert_eq!(client.query_refund("p1", "r1").await, Outcome::Succeeded(RefundFound::Done(yuan(400))));
    assert_eq!(refund("r1", 401).await, rejected("ACQ.DISCORDANT_REPEAT_REQUEST"), "case 35");
    assert_eq!(refund("r2", 591).await, rejected("ACQ.REFUND_AMT_NOT_EQUAL_TOTAL"), "case 34");
    assert_eq!(status(&client, "p1").await, TradeStatus::Paid);
    assert_eq!(refund("r2", 590).await, Outcome::Succeeded(()));
    assert_eq!(status(&client, "p1").await, TradeStatus::Closed, "refunded whole");
    assert_eq!(refund("r3", 1).await, rejected("ACQ.TRADE_HAS_CLOSE"), "case 33");
    assert_eq!(client.refund("p2", "r1", yuan(1), "").await, rejected("ACQ.TRADE_NOT_EXIST"));
    sandbox.open_page(&client.page_url(&page("p3", 990)).unwrap()).await;
    assert_eq!(client.refund("p3", "r9", yuan(1), "").await, rejected("ACQ.TRADE_STATUS_ERROR"), "case 36: unpaid");
    paid(&sandbox, &client, "p4", 990).await;
    sandbox.fault("seller_balance_empty").await;
    assert!(matches!(client.refund("p4", "r4", yuan(990), "").await, Outcome::Pending { .. }), "case 19");
    assert_eq!(client.refund("p4", "r4", yuan(990), "").await, Outcome::Succeeded(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn cases_25_to_28_inconclusive_responses_leave_the_outcome_unknown() {
    let sandbox = Sandbox::start();
    let client = sandbox.client();
    let done = [
        "answer_lost",
        "unsigned",
        "wrong_key_answer",
        "unknown_after_work",
        "wrong_envelope",
        "fund_change_n",
        "fund_change_absent",
    ];
    let not_done = ["unknown_without_work", "html", "status500", "empty"];
    for (index, kind) in done.into_iter().chain(not_done).enumerate() {
        let (number, refund_number) = (format!("p{index}"), format!("r{index}"));
        paid(&sandbox, &client, &number, 990).await;
        sandbox.fault(kind).await;
        let outcome = client.refund(&number, &refund_number, yuan(990), "").await;
        assert!(matches!(outcome, Outcome::Unknown { .. } | Outcome::Pending { .. }), "{kind}: {outcome:?}");
        let found = client.query_refund(&number, &refund_number).await;
        let expected = if done.contains(&kind) { RefundFound::Done(yuan(990)) } else { RefundFound::NotFound };
        assert_eq!(found, Outcome::Succeeded(expected), "{kind}");
        let again = client.refund(&number, &refund_number, yuan(990), "").await;
        assert_eq!(matches!(again, Outcome::Succeeded(())), not_done.contains(&kind), "{kind}: once, {again:?}");
    }
    let refunds = sandbox.get("refunds").await;
    assert_eq!(refunds.as_array().unwrap().len(), done.len() + not_done.len(), "each went back exactly once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_or_unreachable_gateway_gives_an_unknown_result_within_the_deadline() {
    let sandbox = Sandbox::start();
    let merchant = sandbox.merchant();
    let breaker = Breaker::new(Duration::from_millis(300));
    let client = Alipay::new(merchant, Duration::from_millis(300), breaker, Clock::system()).unwrap();
    sandbox.faults(json!([{ "kind": "hang", "times": 1, "millis": 60_000 }])).await;
    assert!(
        matches!(client.query("p1").await, Outcome::Unknown { reason } if reason.contains("no response within 300 ms"))
    );
    let stranger =
        doorbuster::gateway::alipay::Merchant { app_id: "9021000000000009".to_owned(), ..sandbox.merchant() };
    let breaker = Breaker::new(Duration::from_secs(10));
    let stranger = Alipay::new(stranger, Duration::from_secs(3), breaker, Clock::system()).unwrap();
    assert!(matches!(stranger.query("p1").await, Outcome::Misconfigured { reason } if reason.contains("app-id")));
    drop(sandbox);
    assert!(matches!(client.query("p1").await, Outcome::Unknown { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_circuit_breaker_probes_a_silent_gateway_until_it_responds() {
    let sandbox = Sandbox::start();
    let breaker = Breaker::new(Duration::from_millis(100));
    let client = Alipay::new(sandbox.merchant(), Duration::from_millis(100), breaker, Clock::system()).unwrap();
    paid(&sandbox, &client, "p1", 990).await;
    assert!(!client.refuses());
    sandbox.faults(json!([{ "kind": "hang", "times": 3, "millis": 60_000 }])).await;
    let asked = async || match client.refund("p1", "r1", yuan(990), "").await {
        Outcome::Unknown { reason } => !reason.contains("the circuit breaker is open"),
        other => panic!("{other:?}"),
    };
    until("refused", async || !asked().await).await;
    assert!(client.refuses());
    // The money goes back once, whichever try it is that gets through: one that hung may have.
    until("answered", async || {
        let answer = client.refund("p1", "r1", yuan(990), "").await;
        matches!(answer, Outcome::Succeeded(()) | Outcome::Pending { .. })
    })
    .await;
    assert!(!client.refuses());
    assert_eq!(client.query_refund("p1", "r1").await, Outcome::Succeeded(RefundFound::Done(yuan(990))));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bill_has_a_row_for_each_payment_and_refund() {
    let sandbox = Sandbox::start();
    let client = sandbox.client();
    let day = doorbuster::gateway::alipay::wire::time_text(soon(0))[..10].parse().unwrap();
    assert_eq!(client.bill(day).await, Outcome::Succeeded(Vec::new()));
    paid(&sandbox, &client, "p1", 990).await;
    assert_eq!(client.refund("p1", "r1", yuan(400), "").await, Outcome::Succeeded(()));
    let Outcome::Succeeded(rows) = client.bill(day).await else { panic!("no bill") };
    let short: Vec<_> =
        rows.iter().map(|row| (row.number.as_str(), row.refund_number.as_deref(), row.amount.minor)).collect();
    assert_eq!(short, [("p1", None, 990), ("p1", Some("r1"), 400)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_return_url_is_signed_and_contains_no_status() {
    let sandbox = Sandbox::start();
    let client = sandbox.client();
    sandbox.open_page(&client.page_url(&page("p1", 990)).unwrap()).await;
    let paid = sandbox.act("p1", "pay").await.unwrap();
    let address = paid["returnUrl"].as_str().unwrap();
    let query = address.split_once('?').unwrap().1;
    let returned = client.verify_return(query).unwrap();
    assert_eq!((returned.number.as_str(), returned.amount), ("p1", Some(yuan(990))));
    assert_eq!(client.verify_return(&query.replace("9.90", "9.91")), Err(BadMessage::Signature), "case 14");
    let notice = signed(sandbox.notice("p1", "9.90"), &sandbox.gateway_key()).encode(|_| true);
    assert_eq!(client.verify_notification(notice.as_bytes()).unwrap().snapshot.status, TradeStatus::Paid);
    let forged = signed(sandbox.notice("p1", "9.90"), &sandbox.merchant_key()).encode(|_| true);
    assert_eq!(client.verify_notification(forged.as_bytes()), Err(BadMessage::Signature), "case 5");
    until("given up after eight deliveries", async || sandbox.get("notifications").await[0]["deliveries"] == 8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trades_survive_a_restart_in_their_file() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("trades.json");
    let keep = ["--state", state.to_str().unwrap()];
    let sandbox = Sandbox::start_with(&keep);
    paid(&sandbox, &sandbox.client(), "p1", 990).await;
    drop(sandbox);
    let sandbox = Sandbox::start_with(&keep);
    assert_eq!(status(&sandbox.client(), "p1").await, TradeStatus::Paid);
}
