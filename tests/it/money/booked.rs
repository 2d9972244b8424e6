//! Refunds that were made at the gateway's own site, and are booked from its bill.

use doorbuster::gateway::Outcome;
use doorbuster::gateway::{PageRequest, PaymentGateway as _};
use doorbuster::kernel::{Clock, Currency, Money};
use doorbuster::payments::reconciliation::day_of;
use serde_json::{Value, json};

use super::bills::reconcile;
use super::till::{Attempt, Setup, Till, code, on_profiles};
use crate::support::alipay::soon;
use crate::support::until;

on_profiles!(a_refund_at_the_gateways_site_is_booked, only_a_refund_that_the_books_have_room_for_is_booked,);

const BOOK: &str = "mutation($d: ID!, $r: String!) { billDifferenceBook(input: { differenceId: $d, reason: $r }) { difference { id \
    closedAt closeReason closedBy { username } } refund { number cause log { event to actor } refund { id status reason \
    amount { amount } payment { id } } } userErrors { code field } } }";
const REASON: &str = "sent back by hand at the till";

async fn book(till: &Till, difference: &Value, reason: &str) -> Value {
    let variables = json!({ "d": difference, "r": reason });
    till.data(Some(&till.operator), BOOK, variables).await["billDifferenceBook"].clone()
}

async fn open_differences(till: &Till) -> Vec<Value> {
    let query = "{ billDifferences(first: 50) { nodes { id number kind theirs refundOfPayment } } }";
    let data = till.data(Some(&till.operator), query, json!({})).await;
    data["billDifferences"]["nodes"].as_array().unwrap().clone()
}

/// The open difference about this number.
async fn difference(till: &Till, number: &str) -> Value {
    let open = open_differences(till).await;
    open.iter().find(|item| item["number"] == number).unwrap_or_else(|| panic!("{number}: {open:?}")).clone()
}

fn audit(till: &Till) -> bool {
    till.launch().command().args(["payments", "audit"]).output().unwrap().status.success()
}

/// Somebody sends money back at the gateway's site, under a number of the gateway's.
async fn send_back_there(till: &Till, attempt: &Attempt, number: &str, fen: i64) {
    let money = Money { minor: fen, currency: Currency::Cny };
    let mut done = Outcome::Pending { code: String::new() };
    until("sent back there", async || {
        done = till.sandbox.client().refund(&attempt.number, number, money, "").await;
        done == Outcome::Succeeded(())
    })
    .await;
}

async fn a_refund_at_the_gateways_site_is_booked(till: &Till) {
    let till = &Till::own(till.profile(), Setup::default()).await;
    let today = day_of(Clock::system().now());
    let attempt = till.paid().await;
    send_back_there(till, &attempt, "20261130220001", 400).await;
    assert!(!reconcile(till, today).0 && !audit(till));
    let found = difference(till, "20261130220001").await;
    assert_eq!(
        (&found["kind"], &found["theirs"], &found["refundOfPayment"]),
        (&json!("MISSING_HERE"), &json!("4.00 CNY"), &json!(attempt.number))
    );
    let variables = json!({ "d": found["id"], "r": REASON });
    assert_eq!(till.fault(None, BOOK, variables.clone()).await, "UNAUTHENTICATED");
    assert_eq!(till.fault(Some(&attempt.buyer), BOOK, variables).await, "FORBIDDEN");
    for reason in ["", " \t ", "two\nlines", &"x".repeat(501)] {
        assert_eq!(code(&book(till, &found["id"], reason).await), "REASON_INVALID", "{reason:?}");
    }
    for other in [json!("difference_AAAAAAAAAAAAAAAAAAAAAA"), json!("sale_1"), json!("")] {
        assert_eq!(code(&book(till, &other, REASON).await), "DIFFERENCE_NOT_FOUND", "{other}");
    }
    assert_eq!(till.record(&attempt).await["refunded"]["amount"], "0.00", "none of this has booked it");

    let payload = book(till, &found["id"], REASON).await;
    assert_eq!(payload["userErrors"], json!([]), "{payload}");
    let (item, record) = (&payload["difference"], &payload["refund"]);
    assert_eq!((&item["closeReason"], &item["closedBy"]["username"]), (&json!(REASON), &json!("operator-0")));
    assert_eq!((&record["number"], &record["cause"]), (&json!("20261130220001"), &json!("EXTERNAL")));
    let refund = &record["refund"];
    assert_eq!(
        (&refund["status"], &refund["amount"]["amount"], &refund["reason"], &refund["payment"]["id"]),
        (&json!("SUCCEEDED"), &json!("4.00"), &json!(REASON), &json!(attempt.payment.to_string()))
    );
    assert_eq!(book(till, &found["id"], REASON).await, payload, "saying it again is no other thing");
    assert_eq!(code(&book(till, &found["id"], "on second thoughts").await), "ALREADY_BOOKED");
    assert_eq!(till.record(&attempt).await["refunded"]["amount"], "4.00", "once");
    assert_eq!(till.status(&attempt).await, "PAID", "some of it is kept");
    assert!(audit(till) && reconcile(till, today).0 && audit(till), "books and bill agree");
    assert_eq!(till.gateway_refunds(&attempt).await.len(), 1, "no money has moved");

    // The rest goes back there, too: the order ends, and what it was marked for is explained.
    send_back_there(till, &attempt, "20261130220002", 590).await;
    until("marked", async || till.record(&attempt).await["flag"] == "CHANGED_OUTSIDE").await;
    assert!(!reconcile(till, today).0);
    let rest = difference(till, "20261130220002").await;
    // Whoever has dismissed it can still book it.
    let close = "mutation($d: ID!) { billDifferenceClose(input: { differenceId: $d, reason: \"later\" }) { userErrors { code } } }";
    till.data(Some(&till.operator), close, json!({ "d": rest["id"] })).await;
    assert_eq!(book(till, &rest["id"], REASON).await["userErrors"], json!([]));
    assert_eq!(till.status(&attempt).await, "REFUNDED");
    assert_eq!(till.record(&attempt).await["flag"], Value::Null);
    assert!(audit(till) && reconcile(till, today).0 && audit(till));
}

async fn only_a_refund_that_the_books_have_room_for_is_booked(till: &Till) {
    let till = &Till::own(till.profile(), Setup::default()).await;
    let today = day_of(Clock::system().now());
    // A payment that is not the shop's, and a refund of it.
    let amount = Money { minor: 990, currency: Currency::Cny };
    let page =
        PageRequest { number: "stranger1".into(), amount, subject: "?".into(), at: soon(0), expires_at: soon(600) };
    till.sandbox.open_page(&till.sandbox.client().page_url(&page).unwrap()).await;
    till.sandbox.act("stranger1", "pay").await.unwrap();
    assert_eq!(till.sandbox.client().refund("stranger1", "away1", amount, "").await, Outcome::Succeeded(()));
    // The shop's own refund, and another one there of which the shop has no room.
    let attempt = till.paid().await;
    till.send_back(&attempt, Some("9.00"), "op-back-001").await;
    until("sent back", async || till.record(&attempt).await["refunded"]["amount"] == "9.00").await;
    send_back_there(till, &attempt, "away2", 90).await;
    // It asks for more, and the gateway does not say what comes of it.
    till.sandbox.fault_of(&attempt.number, "unknown_without_work", Some("alipay.trade.refund"), None).await;
    till.send_back(&attempt, Some("0.50"), "op-back-002").await;
    assert!(!reconcile(till, today).0);
    let of = async |number: &str| difference(till, number).await["id"].clone();
    assert_eq!(code(&book(till, &of("stranger1").await, REASON).await), "NOT_A_REFUND", "a payment");
    assert_eq!(code(&book(till, &of("away1").await, REASON).await), "PAYMENT_NOT_FOUND");
    assert_eq!(code(&book(till, &of("away2").await, REASON).await), "AMOUNT_EXCEEDS_PAID");
    let record = till.record(&attempt).await;
    assert_eq!((&record["refunded"]["amount"], till.status(&attempt).await), (&json!("9.00"), "PAID".to_owned()));
    // Once the gateway has refused it there is room.
    till.sandbox.mend(&attempt.number).await;
    until("refused", async || till.record(&attempt).await["refundPending"]["amount"] == "0.00").await;
    assert_eq!(book(till, &of("away2").await, REASON).await["userErrors"], json!([]));
    let record = till.record(&attempt).await;
    assert_eq!((&record["flag"], till.status(&attempt).await), (&Value::Null, "REFUNDED".to_owned()), "{record}");
}
