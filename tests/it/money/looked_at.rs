//! What operators close after they have looked at it: differences of bills, and marks of payments.

use doorbuster::gateway::{PageRequest, PaymentGateway as _};
use doorbuster::kernel::{Clock, Currency, Money};
use doorbuster::payments::reconciliation::day_of;
use serde_json::{Value, json};

use super::bills::reconcile;
use super::till::{Setup, Till, code, on_profiles};
use crate::support::alipay::{signed, soon};
use crate::support::until;

on_profiles!(
    an_operator_closes_a_difference_for_a_reason,
    an_operator_takes_a_mark_away_for_a_reason,
    money_of_another_amount_keeps_its_mark_until_it_is_back,
    a_payment_is_found_by_what_a_buyer_can_read_out,
);

const CLOSE: &str = "mutation($d: ID!, $r: String!) { billDifferenceClose(input: { differenceId: $d, reason: $r }) \
                     { difference { id closedAt closeReason closedBy { username } } userErrors { code field } } }";
const CLEAR: &str = "mutation($p: ID!, $f: PaymentFlag!, $r: String!) { paymentFlagClear(input: { paymentId: $p, flag: $f, \
                     reason: $r }) { payment { flag log { actor event code detail } } userErrors { code field } } }";
const REASON: &str = "paid by bank transfer";

async fn closed(till: &Till, difference: &Value, reason: &str) -> Value {
    let variables = json!({ "d": difference, "r": reason });
    till.data(Some(&till.operator), CLOSE, variables).await["billDifferenceClose"].clone()
}

async fn differences(till: &Till, open: bool) -> Value {
    let query = "query($o: Boolean!) { billDifferences(open: $o, first: 10) { totalCount pageInfo { hasNextPage } nodes { id day number \
                 kind ours theirs resolvedAt closedAt } } }";
    till.data(Some(&till.operator), query, json!({ "o": open })).await["billDifferences"].clone()
}

fn audit(till: &Till) -> bool {
    let done = till.launch().command().args(["payments", "audit"]).output().unwrap();
    done.status.success()
}

async fn an_operator_closes_a_difference_for_a_reason(till: &Till) {
    let till = Till::own(till.profile(), Setup::default()).await;
    let (today, buyer) = (day_of(Clock::system().now()), till.someone().await);
    // The gateway took money for a number that is not the shop's.
    let (at, expires_at) = (soon(0), soon(600));
    let amount = Money { minor: 990, currency: Currency::Cny };
    let page = PageRequest { number: "stranger1".into(), amount, subject: "?".into(), at, expires_at };
    till.sandbox.open_page(&till.sandbox.client().page_url(&page).unwrap()).await;
    till.sandbox.act("stranger1", "pay").await.unwrap();
    assert!(!reconcile(&till, today).0 && !audit(&till));
    let listed = differences(&till, true).await;
    let found = &listed["nodes"][0];
    assert_eq!((&listed["totalCount"], &listed["pageInfo"]["hasNextPage"]), (&json!(1), &json!(false)));
    assert_eq!(
        (&found["number"], &found["kind"], &found["ours"], &found["theirs"], &found["day"]),
        (&json!("stranger1"), &json!("MISSING_HERE"), &json!("nothing"), &json!("9.90 CNY"), &json!(today.to_string()))
    );
    for reason in ["", " \t ", "two\nlines", &"x".repeat(501)] {
        let payload = closed(&till, &found["id"], reason).await;
        assert_eq!((code(&payload), &payload["difference"]), ("REASON_INVALID", &Value::Null), "{reason:?}");
    }
    for other in [json!("difference_AAAAAAAAAAAAAAAAAAAAAA"), json!("sale_1"), json!("")] {
        assert_eq!(code(&closed(&till, &other, REASON).await), "DIFFERENCE_NOT_FOUND", "{other}");
    }
    let variables = json!({ "d": found["id"], "r": REASON });
    assert_eq!(till.fault(None, CLOSE, variables.clone()).await, "UNAUTHENTICATED");
    assert_eq!(till.fault(Some(&buyer), CLOSE, variables.clone()).await, "FORBIDDEN");
    let list = "{ billDifferences { totalCount } }";
    assert_eq!(till.fault(Some(&buyer), list, json!({})).await, "FORBIDDEN");
    assert_eq!(differences(&till, true).await, listed, "none of this has closed it");

    let payload = closed(&till, &found["id"], &format!("  {REASON} ")).await;
    let difference = &payload["difference"];
    assert_eq!(payload["userErrors"], json!([]), "{payload}");
    assert_eq!(
        (&difference["id"], &difference["closeReason"], &difference["closedBy"]["username"]),
        (&found["id"], &json!(REASON), &json!("operator-0"))
    );
    assert_eq!(closed(&till, &found["id"], REASON).await, payload, "saying it again is no other thing");
    assert_eq!(code(&closed(&till, &found["id"], "on second thoughts").await), "DIFFERENCE_NOT_OPEN");
    until("counted", async || till.metric(&["doorbuster_bill_differences", "MISSING_HERE"]).await == 0.0).await;
    // For the audit and for later comparisons it is closed, and it is not forgotten.
    assert!(audit(&till) && reconcile(&till, today).0 && audit(&till));
    assert_eq!(differences(&till, true).await["totalCount"], 0);
    let all = differences(&till, false).await;
    assert_eq!(
        (&all["nodes"][0]["id"], &all["nodes"][0]["closedAt"], &all["nodes"][0]["resolvedAt"]),
        (&found["id"], &difference["closedAt"], &Value::Null)
    );
    let node = "query($id: ID!) { node(id: $id) { ... on BillDifference { number } } }";
    let seen = async |who: &str| till.data(Some(who), node, json!({ "id": found["id"] })).await["node"].clone();
    assert_eq!((seen(&till.operator).await, seen(&buyer).await), (json!({ "number": "stranger1" }), Value::Null));
}

async fn cleared(till: &Till, payment: &str, flag: &str, reason: &str) -> Value {
    let variables = json!({ "p": payment, "f": flag, "r": reason });
    till.data(Some(&till.operator), CLEAR, variables).await["paymentFlagClear"].clone()
}

async fn is_listed(till: &Till, number: &str) -> bool {
    let query = "{ stuckPayments(first: 100) { payments { number } } }";
    let data = till.data(Some(&till.operator), query, json!({})).await;
    data["stuckPayments"]["payments"].as_array().unwrap().contains(&json!({ "number": number }))
}

async fn an_operator_takes_a_mark_away_for_a_reason(till: &Till) {
    let attempt = till.paid().await;
    let payment = attempt.payment.to_string();
    assert_eq!(code(&cleared(till, &payment, "CHANGED_OUTSIDE", REASON).await), "FLAG_NOT_SET");
    // Somebody pays all back at the gateway's own site.
    let mut notice = till.sandbox.notice(&attempt.number, "9.90");
    notice.set("trade_status", "TRADE_CLOSED");
    notice.set("notify_id", format!("closed-{}", attempt.number));
    notice.set("trade_no", till.record(&attempt).await["gatewayTradeNumber"].as_str().unwrap());
    assert!(till.notify(&signed(notice, &till.key())).await);
    let marked = till.record(&attempt).await;
    assert_eq!(
        (&marked["flag"], is_listed(till, &attempt.number).await),
        (&json!("CHANGED_OUTSIDE"), true),
        "{marked}"
    );
    assert_eq!(code(&cleared(till, &payment, "TRADE_MISMATCH", REASON).await), "FLAG_NOT_SET", "another one");
    assert_eq!(code(&cleared(till, &payment, "CHANGED_OUTSIDE", " ").await), "REASON_INVALID");
    assert_eq!(code(&cleared(till, "payment_1", "CHANGED_OUTSIDE", REASON).await), "PAYMENT_NOT_FOUND");
    let variables = json!({ "p": payment, "f": "CHANGED_OUTSIDE", "r": REASON });
    assert_eq!(till.fault(Some(&attempt.buyer), CLEAR, variables.clone()).await, "FORBIDDEN");
    assert_eq!(till.fault(None, CLEAR, variables.clone()).await, "UNAUTHENTICATED");
    assert_eq!(till.record(&attempt).await, marked, "none of this has changed anything");

    let payload = cleared(till, &payment, "CHANGED_OUTSIDE", REASON).await;
    assert_eq!((&payload["userErrors"], &payload["payment"]["flag"]), (&json!([]), &Value::Null), "{payload}");
    let told = json!({ "actor": "operator", "event": "resolved", "code": "CHANGED_OUTSIDE", "detail": REASON });
    assert_eq!(payload["payment"]["log"].as_array().unwrap().last(), Some(&told));
    assert!(!is_listed(till, &attempt.number).await);
    assert_eq!(code(&cleared(till, &payment, "CHANGED_OUTSIDE", REASON).await), "FLAG_NOT_SET");
    assert_eq!(till.status(&attempt).await, "PAID", "no money has moved");
}

async fn money_of_another_amount_keeps_its_mark_until_it_is_back(till: &Till) {
    let attempt = till.attempt().await;
    let payment = attempt.payment.to_string();
    // Their acknowledgement does not matter here: what is wrong comes again until it is sent back.
    let _acknowledged = till.notify(&signed(till.sandbox.notice(&attempt.number, "0.90"), &till.key())).await;
    until("set aside", async || till.record(&attempt).await["flag"] == "AMOUNT_MISMATCH").await;
    assert_eq!(code(&cleared(till, &payment, "AMOUNT_MISMATCH", REASON).await), "MONEY_WAITS");
    assert!(is_listed(till, &attempt.number).await, "nobody forgets it");
}

async fn a_payment_is_found_by_what_a_buyer_can_read_out(till: &Till) {
    let attempt = till.paid().await;
    let query = "query($id: ID!) { paymentLookup(id: $id) { order { id number } payments { payment { id } number gatewayTradeNumber } } }";
    let found = async |reference: &str| {
        till.data(Some(&till.operator), query, json!({ "id": reference })).await["paymentLookup"].clone()
    };
    let by_order = found(&attempt.order).await;
    let payment = &by_order["payments"][0];
    assert_eq!(by_order["order"]["id"], attempt.order);
    let references =
        [&by_order["order"]["number"], &payment["payment"]["id"], &payment["number"], &payment["gatewayTradeNumber"]];
    for reference in references {
        assert_eq!(found(reference.as_str().unwrap()).await, by_order, "{reference}");
        assert_eq!(found(&format!(" {} ", reference.as_str().unwrap())).await, by_order, "pasted with spaces");
    }
    for unknown in ["", "0", "999999999-1-000001", "2026112922000000000000000000", "p00", "order_", "a b", "1-2-3-4"] {
        assert_eq!(found(unknown).await, Value::Null, "{unknown:?}");
    }
}
