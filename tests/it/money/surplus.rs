//! Money that pays nothing, because it came too late or twice, goes back by itself, once.

use serde_json::json;

use super::till::{Attempt, Till, on_profiles};
use crate::support::until;

on_profiles!(
    case_18_a_payment_after_the_deadline_goes_back_once,
    case_19_a_seller_without_money_pays_back_later,
    case_20_paid_with_points_while_the_cashier_is_open,
    case_21_of_two_paid_attempts_one_is_kept,
);

/// A cancelled order whose page is still open somewhere, and is paid there.
async fn late(till: &Till, attempt: &Attempt) {
    let cancelled = till.cancel(attempt).await;
    assert_eq!(cancelled["order"]["status"], "CANCELLED", "{cancelled}");
    till.pay_at_cashier(attempt).await;
    till.until_payment(attempt, "SURPLUS").await;
}

async fn back(till: &Till, attempt: &Attempt) {
    until("back", async || till.record(attempt).await["refunded"]["amount"] == "9.90").await;
}

async fn case_18_a_payment_after_the_deadline_goes_back_once(till: &Till) {
    let attempt = till.attempt_on(till.hasty()).await;
    for method in ["alipay.trade.query", "alipay.trade.close"] {
        till.sandbox.fault_of(&attempt.number, "status500", Some(method), None).await;
    }
    till.sandbox.fault_of(&attempt.number, "drop_notification", None, None).await;
    till.pay_at_cashier(&attempt).await;
    till.until(&attempt, "EXPIRED").await;
    assert_eq!(till.record(&attempt).await["payment"]["status"], "CLOSED");
    till.sandbox.mend(&attempt.number).await;
    till.sandbox.act(&attempt.number, "notify").await.unwrap();
    back(till, &attempt).await;
    for _ in 0..3 {
        // What was said before, and by a new message.
        till.sandbox.act(&attempt.number, "notify").await.unwrap();
    }
    until("all heard", async || till.record(&attempt).await["notifications"].as_array().unwrap().len() >= 4).await;
    let file = till.file(&attempt).await;
    assert_eq!(file["order"]["status"], "EXPIRED", "never opened again: the unit is gone");
    assert_eq!(file["refunds"].as_array().unwrap().len(), 1, "{file}");
    let refund = &file["refunds"][0];
    assert_eq!((&refund["cause"], &refund["number"]), (&json!("LATE_PAYMENT"), &json!(attempt.surplus_refund())));
    assert_eq!(till.gateway_refunds(&attempt).await, [(attempt.surplus_refund(), 990)]);
}

async fn case_19_a_seller_without_money_pays_back_later(till: &Till) {
    let attempt = till.attempt().await;
    till.sandbox.fault_of(&attempt.number, "seller_balance_empty", None, None).await;
    late(till, &attempt).await;
    let refund = async || till.file(&attempt).await["refunds"][0].clone();
    until("tried three times", async || refund().await["attempts"].as_i64().is_some_and(|attempts| attempts >= 3))
        .await;
    let waiting = refund().await;
    assert_eq!(waiting["refund"]["status"], "PENDING", "not now is not never: {waiting}");
    assert_eq!(waiting["lastCode"], "ACQ.SELLER_BALANCE_NOT_ENOUGH", "{waiting}");
    assert_eq!(till.gateway_refunds(&attempt).await, []);
    till.sandbox.mend(&attempt.number).await;
    back(till, &attempt).await;
    assert_eq!(till.gateway_refunds(&attempt).await, [(attempt.surplus_refund(), 990)]);
    assert_eq!(till.status(&attempt).await, "CANCELLED");
}

async fn case_20_paid_with_points_while_the_cashier_is_open(till: &Till) {
    let attempt = till.attempt().await;
    till.sandbox.fault_of(&attempt.number, "status500", Some("alipay.trade.close"), None).await;
    till.sandbox.open_page(&attempt.page).await;
    let paid = till.pay(&attempt.buyer, &attempt.order, "POINTS", "pay-points").await;
    assert_eq!(paid["order"]["status"], "PAID", "{paid}");
    till.sandbox.act(&attempt.number, "pay").await.unwrap();
    back(till, &attempt).await;
    let file = till.file(&attempt).await;
    assert_eq!((&file["order"]["status"], &file["refunds"][0]["cause"]), (&json!("PAID"), &json!("SURPLUS")), "{file}");
    let mut states: Vec<_> =
        file["payments"].as_array().unwrap().iter().map(|one| one["payment"]["status"].clone()).collect();
    states.sort_by_key(|state| state.to_string());
    assert_eq!(states, [json!("SUCCEEDED"), json!("SURPLUS")]);
    assert_eq!(till.gateway_refunds(&attempt).await, [(attempt.surplus_refund(), 990)]);
}

async fn case_21_of_two_paid_attempts_one_is_kept(till: &Till) {
    let one = till.attempt().await;
    let two = till.another(&one).await;
    for attempt in [&one, &two] {
        till.sandbox.fault_of(&attempt.number, "drop_notification", None, None).await;
        till.pay_at_cashier(attempt).await;
        till.sandbox.mend(&attempt.number).await;
    }
    let (first, second) =
        tokio::join!(till.sandbox.act(&one.number, "notify"), till.sandbox.act(&two.number, "notify"));
    assert!(first.is_ok() && second.is_ok());
    until("one is kept, the other back", async || {
        let file = till.file(&one).await;
        let payments = file["payments"].as_array().unwrap();
        let kept = payments.iter().filter(|record| record["payment"]["status"] == "SUCCEEDED").count();
        let returned = payments.iter().filter(|record| record["refunded"]["amount"] == "9.90").count();
        (kept, returned) == (1, 1)
    })
    .await;
    let file = till.file(&one).await;
    assert_eq!((&file["order"]["status"], &file["refunds"][0]["cause"]), (&json!("PAID"), &json!("SURPLUS")), "{file}");
    assert_eq!(till.gateway_refunds(&one).await.len() + till.gateway_refunds(&two).await.len(), 1);
}
