//! Messages that come in another order than things happened, or not at all, and races between them and the order's end.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::till::{Attempt, Till, on_profiles};
use crate::support::alipay::{Sandbox, signed};
use crate::support::{Terms, until};

on_profiles!(
    case_15_the_notification_before_the_browser_after_it_and_never,
    case_16_the_deadline_against_the_payment,
    case_17_the_buyer_cancels_while_the_payment_arrives,
    case_22_a_trade_that_was_closed_or_refunded_elsewhere,
    case_23_finished_trades_and_notices_of_refunds,
    case_24_a_stale_notification_changes_nothing,
);

async fn come_back(acted: &Value) -> u16 {
    let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    browser.get(acted["returnUrl"].as_str().unwrap()).send().await.unwrap().status().as_u16()
}

async fn settled_by(till: &Till, attempt: &Attempt) -> String {
    let record = till.record(attempt).await;
    let lines = record["log"].as_array().unwrap();
    let ends: Vec<_> = lines.iter().filter(|line| line["event"] == "settled").collect();
    assert_eq!(ends.len(), 1, "{record}");
    ends[0]["actor"].as_str().unwrap().to_owned()
}

async fn case_15_the_notification_before_the_browser_after_it_and_never(till: &Till) {
    let before = async {
        let attempt = till.attempt().await;
        let paid = till.pay_at_cashier(&attempt).await;
        till.until(&attempt, "PAID").await;
        assert_eq!(come_back(&paid).await, 200);
        assert_eq!(settled_by(till, &attempt).await, "notification");
    };
    let after = async {
        let attempt = till.attempt().await;
        till.sandbox.add_fault(json!({ "number": attempt.number, "kind": "delay_notification", "millis": 1500 })).await;
        let paid = till.pay_at_cashier(&attempt).await;
        assert_eq!(come_back(&paid).await, 200);
        till.until(&attempt, "PAID").await;
        until("heard all the same", async || till.record(&attempt).await["notifications"][0]["verdict"] == "DUPLICATE")
            .await;
        assert_eq!(settled_by(till, &attempt).await, "query");
    };
    let never = async {
        let attempt = till.attempt_on(till.hasty()).await;
        till.sandbox.fault_of(&attempt.number, "drop_notification", None, None).await;
        till.pay_at_cashier(&attempt).await;
        till.until(&attempt, "PAID").await;
        assert_eq!(settled_by(till, &attempt).await, "query");
        assert_eq!(till.record(&attempt).await["notifications"], json!([]));
    };
    tokio::join!(before, after, never);
}

/// What became of an order and its only attempt: it is paid and kept, or closed and nothing is kept. Never both, never neither.
async fn one_end(till: &Till, attempt: &Attempt, closed: &str) -> bool {
    let mut file = Value::Null;
    until("ended", async || {
        file = till.file(attempt).await;
        let status = file["payments"][0]["payment"]["status"].as_str().unwrap_or_default().to_owned();
        let open = file["refunds"].as_array().unwrap().iter().any(|refund| refund["refund"]["status"] == "PENDING");
        file["order"]["status"] != "AWAITING_PAYMENT" && status != "PENDING" && !open
    })
    .await;
    let (order, payment) = (&file["order"]["status"], &file["payments"][0]["payment"]["status"]);
    let refunds = file["refunds"].as_array().unwrap().len();
    if order == "PAID" {
        assert_eq!((payment, refunds), (&json!("SUCCEEDED"), 0), "{file}");
        return true;
    }
    assert_eq!(order, closed, "{file}");
    match payment.as_str().unwrap() {
        "CLOSED" => assert_eq!(refunds, 0, "{file}"),
        "SURPLUS" => assert_eq!((refunds, &file["refunds"][0]["refund"]["status"]), (1, &json!("SUCCEEDED")), "{file}"),
        other => panic!("{other}: {file}"),
    }
    let came = till.sandbox.get(&format!("trades/{}", attempt.number)).await["paidAt"].is_number();
    assert!(!came || till.gateway_refunds(attempt).await.len() == 1, "money stays: {file}");
    false
}

async fn case_16_the_deadline_against_the_payment(till: &Till) {
    let rounds = 10;
    let terms = Terms { stock: rounds, pay_within_seconds: 2, ..Terms::default() };
    let sale = till.front.sale(&terms).await;
    let attempts = join_all((0..rounds).map(|_| till.attempt_on(&sale))).await;
    let orders = attempts.iter().enumerate().map(async |(round, attempt)| {
        till.sandbox.open_page(&attempt.page).await;
        if round % 2 == 1 {
            // The gateway can't be asked: the order ends without it, and the money comes later.
            for method in ["alipay.trade.query", "alipay.trade.close"] {
                till.sandbox.fault_of(&attempt.number, "status500", Some(method), None).await;
            }
            till.sandbox.fault_of(&attempt.number, "drop_notification", None, None).await;
        }
        // Around the moment at which the time to pay is over.
        sleep(Duration::from_millis(900 + 100 * round as u64)).await;
        let paid = till.sandbox.act(&attempt.number, "pay").await;
        if round % 2 == 1 {
            till.until(attempt, "EXPIRED").await;
            till.sandbox.mend(&attempt.number).await;
            let _late = till.sandbox.act(&attempt.number, "notify").await;
            if paid.is_ok() {
                till.until_payment(attempt, "SURPLUS").await;
            }
        }
        one_end(till, attempt, "EXPIRED").await
    });
    let kept = join_all(orders).await.into_iter().filter(|kept| *kept).count() as i64;
    until("each unit that is not kept is free again, once", async || till.stock(&sale).await == rounds - kept).await;
}

async fn case_17_the_buyer_cancels_while_the_payment_arrives(till: &Till) {
    let rounds = 12;
    let sale = till.front.sale(&Terms { stock: rounds, ..Terms::default() }).await;
    let attempts = join_all((0..rounds).map(|_| till.attempt_on(&sale))).await;
    let orders = attempts.iter().enumerate().map(async |(round, attempt)| {
        till.sandbox.open_page(&attempt.page).await;
        let pay = async {
            sleep(Duration::from_millis(5 * round as u64)).await;
            till.sandbox.act(&attempt.number, "pay").await
        };
        let (cancelled, paid) = tokio::join!(till.cancel(attempt), pay);
        if paid.is_ok() {
            let heard = async || !till.record(attempt).await["notifications"].as_array().unwrap().is_empty();
            until("heard", heard).await;
        }
        if till.status(attempt).await == "AWAITING_PAYMENT" {
            assert_eq!(cancelled["userErrors"][0]["code"], "TRY_LATER", "{cancelled}");
            till.cancel(attempt).await;
        }
        let kept = one_end(till, attempt, "CANCELLED").await;
        assert!(!kept || paid.is_ok(), "nobody paid");
        kept
    });
    let kept = join_all(orders).await.into_iter().filter(|kept| *kept).count() as i64;
    until("each unit that is not kept is free again, once", async || till.stock(&sale).await == rounds - kept).await;
}

async fn case_22_a_trade_that_was_closed_or_refunded_elsewhere(till: &Till) {
    // Somebody pays all back at the gateway's own site.
    let attempt = till.paid().await;
    refund_elsewhere(&till.sandbox, &attempt.number, 990).await;
    until("flagged", async || till.record(&attempt).await["flag"] == "CHANGED_OUTSIDE").await;
    till.until(&attempt, "PAID").await;
    let query = "{ stuckPayments(first: 100) { payments { number } } }";
    let listed = till.data(Some(&till.operator), query, json!({})).await["stuckPayments"]["payments"].clone();
    assert!(listed.as_array().unwrap().contains(&json!({ "number": attempt.number })), "{listed}");
    // An unpaid trade ends.
    let unpaid = till.attempt().await;
    till.sandbox.open_page(&unpaid.page).await;
    till.sandbox.act(&unpaid.number, "expire").await.unwrap();
    till.sandbox.act(&unpaid.number, "notify").await.unwrap();
    till.until_payment(&unpaid, "CLOSED").await;
    assert_eq!(till.status(&unpaid).await, "AWAITING_PAYMENT", "another attempt may still pay it");
    let again = till.another(&unpaid).await;
    till.pay_at_cashier(&again).await;
    till.until(&again, "PAID").await;
}

/// A refund that the shop knows nothing of.
async fn refund_elsewhere(sandbox: &Sandbox, number: &str, minor: i64) {
    use doorbuster::gateway::{Outcome, PaymentGateway as _};
    use doorbuster::kernel::{Currency, Money};
    let amount = Money { minor, currency: Currency::Cny };
    assert_eq!(sandbox.client().refund(number, "elsewhere", amount, "").await, Outcome::Succeeded(()));
}

async fn case_23_finished_trades_and_notices_of_refunds(till: &Till) {
    let finished = till.attempt().await;
    till.sandbox.open_page(&finished.page).await;
    till.sandbox.fault_of(&finished.number, "drop_notification", None, Some(8)).await;
    till.sandbox.act(&finished.number, "pay").await.unwrap();
    until("given up", async || {
        let all = till.sandbox.get("faults").await;
        all.as_array().unwrap().iter().all(|fault| fault["number"] != finished.number || fault["times"] == 0)
    })
    .await;
    till.sandbox.act(&finished.number, "finish").await.unwrap();
    till.until(&finished, "PAID").await;
    assert_eq!(till.record(&finished).await["notifications"][0]["tradeStatus"], "TRADE_FINISHED");
    // A part goes back: TRADE_SUCCESS comes again, with what was refunded.
    let attempt = till.paid().await;
    let before = till.file(&attempt).await["order"]["version"].clone();
    let sent = till.send_back(&attempt, Some("4.00"), "part-00001").await;
    assert_eq!(sent["userErrors"], json!([]), "{sent}");
    until("the notice has come", async || till.record(&attempt).await["notifications"].as_array().unwrap().len() == 2)
        .await;
    until("a part is back", async || till.record(&attempt).await["refunded"]["amount"] == "4.00").await;
    let file = till.file(&attempt).await;
    assert_eq!((&file["order"]["status"], &file["order"]["version"]), (&json!("PAID"), &before), "{file}");
    let record = &file["payments"][0];
    assert_eq!(
        (&record["notifications"][1]["verdict"], &record["flag"]),
        (&json!("REFUND_NOTICE"), &Value::Null),
        "{file}"
    );
    assert_eq!(file["payments"].as_array().unwrap().len(), 1, "no second payment");
}

async fn case_24_a_stale_notification_changes_nothing(till: &Till) {
    let attempt = till.attempt().await;
    assert!(till.notify(&till.genuine(&attempt)).await);
    let before = till.file(&attempt).await;
    let mut stale = till.sandbox.notice(&attempt.number, "9.90");
    stale.set("trade_status", "WAIT_BUYER_PAY");
    stale.set("notify_id", format!("stale-{}", attempt.number));
    assert!(till.notify(&signed(stale, &till.key())).await, "acknowledged, or it would come again");
    let after = till.file(&attempt).await;
    assert_eq!((&after["order"], &after["payments"][0]["log"]), (&before["order"], &before["payments"][0]["log"]));
    assert_eq!(after["payments"][0]["notifications"][1]["verdict"], "STALE");
}
