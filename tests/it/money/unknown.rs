//! Answers that get lost, lie, come late or say nothing: what is not known stays open, and is asked again under the same number.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::till::{Attempt, Profile, Setup, Till, on_profiles, refund_number};
use crate::support::until;

on_profiles!(
    case_25_the_connection_drops_after_the_money_went_back,
    case_26_an_answer_without_moved_money,
    case_27_unknown_results_are_asked_again_under_the_same_number,
    case_28_an_answer_that_is_not_the_gateways_is_no_answer,
    a_query_without_a_clear_answer_says_why,
    case_29_the_query_finds_what_the_notification_did_not_tell,
    case_30_closing_finds_that_it_was_just_paid,
    case_31_a_crash_between_intent_call_and_outcome,
    case_32_clocks_that_differ_by_minutes,
);

const REFUND: Option<&str> = Some("alipay.trade.refund");

/// Pays, asks for the money back while the gateway does this once, and waits until it is back: once, under the first number, whatever
/// was answered. The refund as operators see it.
async fn refunded_despite(till: &Till, kind: &str, millis: u64) -> Value {
    let attempt = till.paid().await;
    let fault = json!({ "number": attempt.number, "kind": kind, "method": REFUND, "times": 1, "millis": millis });
    till.sandbox.add_fault(fault).await;
    let asked = till.refund(&attempt, "back-00001").await;
    assert_eq!(asked["order"]["status"], "REFUNDING", "{kind}: {asked}");
    till.until(&attempt, "REFUNDED").await;
    assert_eq!(till.gateway_refunds(&attempt).await, [(refund_number(&asked), 990)], "{kind}");
    let file = till.file(&attempt).await;
    assert_eq!(file["refunds"].as_array().unwrap().len(), 1, "{kind}: {file}");
    assert_eq!(file["payments"][0]["flag"], Value::Null, "{kind}: {file}");
    let trade = till.sandbox.get(&format!("trades/{}", attempt.number)).await;
    assert!(trade["refunds"][0]["repeats"].as_i64().unwrap() <= 1, "{kind}: {trade}");
    file["refunds"][0].clone()
}

fn events(refund: &Value) -> Vec<&str> {
    refund["log"].as_array().unwrap().iter().filter_map(|line| line["event"].as_str()).collect()
}

async fn case_25_the_connection_drops_after_the_money_went_back(till: &Till) {
    let refund = refunded_despite(till, "answer_lost", 0).await;
    assert_eq!(events(&refund), ["requested", "asked", "postponed", "settled"], "the query found it: {refund}");
    assert_eq!(refund["log"][2]["code"], "UNKNOWN", "{refund}");
    assert_eq!(refund["log"][2]["detail"], "refund: the connection was lost", "{refund}");
}

async fn case_26_an_answer_without_moved_money(till: &Till) {
    for (kind, code) in [("fund_change_n", "fund_change=N"), ("fund_change_absent", "fund_change=absent")] {
        let refund = refunded_despite(till, kind, 0).await;
        assert_eq!(events(&refund), ["requested", "asked", "postponed", "settled"], "{refund}");
        assert_eq!(refund["log"][2]["code"], code, "{refund}");
    }
}

async fn case_27_unknown_results_are_asked_again_under_the_same_number(till: &Till) {
    let kinds = [("unknown_after_work", 0), ("unknown_without_work", 0), ("hang", 3_000)];
    let refunds = join_all(kinds.map(|(kind, millis)| refunded_despite(till, kind, millis))).await;
    for ((kind, _), refund) in kinds.iter().zip(&refunds) {
        let asked = events(refund).iter().filter(|event| **event == "asked").count();
        let expected = if *kind == "unknown_without_work" { 2 } else { 1 };
        assert_eq!(asked, expected, "{kind}: {refund}");
    }
    assert_eq!(refunds[2]["log"][2]["detail"], "refund: no response within 1000 ms", "{}", refunds[2]);
}

async fn case_28_an_answer_that_is_not_the_gateways_is_no_answer(till: &Till) {
    let kinds = ["wrong_key_answer", "unsigned", "wrong_envelope", "error_response", "html", "status500", "empty"];
    let refunds = join_all(kinds.map(|kind| refunded_despite(till, kind, 0))).await;
    for (kind, refund) in kinds.iter().zip(&refunds) {
        assert!(events(refund).contains(&"postponed"), "{kind} did not settle it: {refund}");
        let why = if *kind == "status500" { "refund: HTTP status 500" } else { "refund: " };
        assert!(refund["log"][2]["detail"].as_str().unwrap().starts_with(why), "{kind}: {refund}");
    }
}

async fn a_query_without_a_clear_answer_says_why(till: &Till) {
    let attempt = till.attempt().await;
    till.sandbox.fault_of(&attempt.number, "status500", Some("alipay.trade.query"), None).await;
    let lines = async || {
        let record = till.record(&attempt).await;
        let log = record["log"].as_array().unwrap().clone();
        log.into_iter().filter(|line| line["event"] == "unclear").collect::<Vec<_>>()
    };
    until("noted", async || !lines().await.is_empty()).await;
    let line = lines().await[0].clone();
    let (code, why) = (json!("UNKNOWN"), json!("query: HTTP status 500"));
    assert_eq!(
        (&line["code"], &line["detail"], &line["from"], &line["to"]),
        (&code, &why, &line["to"], &json!("PENDING"))
    );
    // The buyer asks again and again, the same happens, and one line is enough.
    for _ in 0..2 {
        assert_eq!(super::till::code(&till.cancel(&attempt).await), "TRY_LATER");
    }
    assert_eq!(lines().await.len(), 1);
    till.sandbox.mend(&attempt.number).await;
    until("cancelled", async || till.cancel(&attempt).await["order"]["status"] == "CANCELLED").await;
}

async fn case_29_the_query_finds_what_the_notification_did_not_tell(till: &Till) {
    let (paid, absent) = (till.attempt_on(till.hasty()).await, till.attempt_on(till.hasty()).await);
    till.sandbox.fault_of(&paid.number, "drop_notification", None, None).await;
    till.pay_at_cashier(&paid).await;
    tokio::join!(till.until(&paid, "PAID"), till.until(&absent, "EXPIRED"));
    let record = till.record(&absent).await;
    assert_eq!(
        (&record["payment"]["status"], &record["flag"]),
        (&json!("CLOSED"), &Value::Null),
        "no trade is no payment"
    );
    assert_eq!(till.record(&paid).await["log"][1]["actor"], "query");
}

/// Whether the switch of this trade has been used up.
async fn used(till: &Till, attempt: &Attempt, kind: &str) -> bool {
    let faults = till.sandbox.get("faults").await;
    let own = |fault: &&Value| fault["number"] == attempt.number && fault["kind"] == kind;
    faults.as_array().unwrap().iter().filter(own).all(|fault| fault["times"] == 0)
}

async fn case_30_closing_finds_that_it_was_just_paid(till: &Till) {
    let attempt = till.attempt().await;
    till.sandbox.open_page(&attempt.page).await;
    till.sandbox.fault_of(&attempt.number, "drop_notification", None, None).await;
    // The query says that the trade waits, and while its answer is under way the buyer pays.
    let slow =
        json!({ "number": attempt.number, "kind": "hang", "method": "alipay.trade.query", "times": 1, "millis": 700 });
    till.sandbox.add_fault(slow).await;
    let pay = async {
        until("the query is under way", async || used(till, &attempt, "hang").await).await;
        till.sandbox.act(&attempt.number, "pay").await.unwrap();
    };
    let (cancelled, ()) = tokio::join!(till.cancel(&attempt), pay);
    assert!(cancelled["userErrors"][0]["code"].is_string(), "{cancelled}");
    till.until(&attempt, "PAID").await;
    assert_eq!(till.file(&attempt).await["refunds"], json!([]), "kept");
}

async fn case_31_a_crash_between_intent_call_and_outcome(till: &Till) {
    // On one profile each, as the table of fail points has them all.
    let point = match till.profile() {
        Profile::Embedded => "refund.before_call",
        Profile::Distributed => "refund.after_call",
    };
    let own =
        Till::own(till.profile(), Setup { environment: &[("DOORBUSTER_SABOTAGE", point)], ..Setup::default() }).await;
    let attempt = own.paid().await;
    let asked = own.refund(&attempt, "back-00001").await;
    own.until_dead(point).await;
    let done = own.gateway_refunds(&attempt).await.len();
    assert_eq!(done, usize::from(point == "refund.after_call"), "{point}");
    own.restart(&[]).await;
    own.until(&attempt, "REFUNDED").await;
    assert_eq!(own.gateway_refunds(&attempt).await, [(refund_number(&asked), 990)], "{point}");
    own.audit().await;
}

async fn case_32_clocks_that_differ_by_minutes(till: &Till) {
    // The gateway's clock is behind: it takes money for an order that is over here.
    let setup = Setup {
        sandbox: &["--speed", "100000", "--clock-skew", "-300"],
        environment: &[("TZ", "America/New_York")],
        ..Setup::default()
    };
    let own = Till::own(till.profile(), setup).await;
    let on_time = own.attempt().await;
    assert!(on_time.page.contains("time_expire"));
    own.pay_at_cashier(&on_time).await;
    own.until(&on_time, "PAID").await;
    let late = own.attempt_on(own.hasty()).await;
    own.until(&late, "EXPIRED").await;
    own.pay_at_cashier(&late).await;
    until("back", async || own.record(&late).await["refunded"]["amount"] == "9.90").await;
    own.refund(&on_time, "back-00001").await;
    own.until(&on_time, "REFUNDED").await;
    own.audit().await;
    // Ahead: a page whose time is over there is not opened, and its order ends unpaid. Beijing time, whatever the host's zone is.
    let ahead = crate::support::alipay::Sandbox::start_with(&["--clock-skew", "300"]);
    let page = page_for(&ahead, 60);
    assert!(ahead.open_page(&page).await.contains("ACQ.NOW_TIME_AFTER_EXPIRE_TIME_ERROR"));
    let page = page_for(&ahead, 400);
    assert!(ahead.open_page(&page).await.contains("¥9.90"));
}

/// A page of this shop that ends in so many seconds.
fn page_for(sandbox: &crate::support::alipay::Sandbox, seconds: u64) -> String {
    use doorbuster::gateway::{PageRequest, PaymentGateway as _};
    use doorbuster::kernel::{Currency, Money};
    let request = PageRequest {
        number: format!("p{seconds}"),
        amount: Money { minor: 990, currency: Currency::Cny },
        subject: "Lamp".to_owned(),
        at: crate::support::alipay::soon(0),
        expires_at: crate::support::alipay::soon(seconds),
    };
    sandbox.client().page_url(&request).unwrap()
}
