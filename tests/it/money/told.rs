//! What buyers are told of their money: what they can do with an order, where to go on paying, and why money goes back.

use serde_json::{Value, json};

use super::till::{Attempt, Till, code, on_profiles};
use crate::support::until;

on_profiles!(
    available_actions_are_those_that_would_be_accepted,
    only_the_buyer_can_continue_a_started_payment,
    a_refund_has_a_cause_code,
);

/// The order as its buyer sees it.
async fn seen(till: &Till, attempt: &Attempt) -> Value {
    let query = "query($o: ID!) { order(id: $o) { status availableActions payments { id method status redirectUrl }
        refunds { status cause } } }";
    till.data(Some(&attempt.buyer), query, json!({ "o": attempt.order })).await["order"].clone()
}

async fn actions(till: &Till, attempt: &Attempt) -> Value {
    seen(till, attempt).await["availableActions"].clone()
}

async fn available_actions_are_those_that_would_be_accepted(till: &Till) {
    let attempt = till.unpaid().await;
    assert_eq!(actions(till, &attempt).await, json!(["CANCEL", "PAY_ALIPAY", "PAY_POINTS"]));
    for n in 0..10 {
        let begun = till.pay(&attempt.buyer, &attempt.order, "ALIPAY", &format!("many-{n:05}")).await;
        assert_eq!(begun["userErrors"], json!([]), "{begun}");
    }
    assert_eq!(actions(till, &attempt).await, json!(["CANCEL"]));
    assert_eq!(code(&till.pay(&attempt.buyer, &attempt.order, "ALIPAY", "many-99999").await), "TOO_MANY_ATTEMPTS");
    until("cancelled", async || till.cancel(&attempt).await["order"]["status"] == "CANCELLED").await;
    assert_eq!(actions(till, &attempt).await, json!([]));

    let paid = till.paid().await;
    assert_eq!(actions(till, &paid).await, json!(["REFUND"]));
    till.refund(&paid, "back-00001").await;
    assert_eq!(actions(till, &paid).await, json!([]));
    till.until(&paid, "REFUNDED").await;
    assert_eq!(actions(till, &paid).await, json!([]));

    let late = till.attempt_on(till.hasty()).await;
    till.until(&late, "EXPIRED").await;
    assert_eq!(actions(till, &late).await, json!([]));
}

async fn only_the_buyer_can_continue_a_started_payment(till: &Till) {
    let attempt = till.attempt().await;
    let order = seen(till, &attempt).await;
    assert_eq!(order["payments"][0]["redirectUrl"], json!(attempt.page), "{order}");
    let query = "query($p: ID!) { node(id: $p) { ... on Payment { redirectUrl } } }";
    let own = till.data(Some(&attempt.buyer), query, json!({ "p": attempt.payment.to_string() })).await;
    assert_eq!(own["node"]["redirectUrl"], json!(attempt.page));
    let lookup = "query($o: ID!) { paymentLookup(id: $o) { payments { payment { status redirectUrl } } } }";
    let operator = till.data(Some(&till.operator), lookup, json!({ "o": attempt.order })).await;
    let payment = &operator["paymentLookup"]["payments"][0]["payment"];
    assert_eq!(payment, &json!({ "status": "PENDING", "redirectUrl": null }), "it is not the operator's to pay");
    till.pay_at_cashier(&attempt).await;
    till.until(&attempt, "PAID").await;
    let order = seen(till, &attempt).await;
    assert_eq!(order["payments"][0]["redirectUrl"], Value::Null, "{order}");

    let points = till.unpaid().await;
    till.pay(&points.buyer, &points.order, "POINTS", "pts-00001").await;
    let order = seen(till, &points).await;
    assert_eq!(order["payments"][0]["method"], "POINTS", "{order}");
    assert_eq!(order["payments"][0]["redirectUrl"], Value::Null, "{order}");
}

async fn a_refund_has_a_cause_code(till: &Till) {
    let asked = till.paid().await;
    till.refund(&asked, "back-00001").await;
    assert_eq!(seen(till, &asked).await["refunds"][0]["cause"], "BUYER");
    let decided = till.paid().await;
    till.send_back(&decided, None, "back-00002").await;
    assert_eq!(seen(till, &decided).await["refunds"][0]["cause"], "OPERATOR");
    let late = till.attempt().await;
    assert_eq!(till.cancel(&late).await["order"]["status"], "CANCELLED");
    till.pay_at_cashier(&late).await;
    till.until_payment(&late, "SURPLUS").await;
    assert_eq!(seen(till, &late).await["refunds"][0]["cause"], "LATE_PAYMENT");
}
