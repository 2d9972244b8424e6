//! Money going back: who may ask, how much, how often, and that no crowd gets more than came in.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use doorbuster::gateway::{Outcome, PaymentGateway as _};
use doorbuster::kernel::{Currency, Money, Timestamp};

use super::till::{Attempt, Till, code, on_profiles, refund_number};
use crate::support::until;

/// As the servers of these tests are set: between two refunds of a payment.
const REFUND_SPACING: Duration = Duration::from_millis(200);

on_profiles!(
    case_33_the_same_refund_twice_and_another_one_after_it,
    case_34_parts_up_to_the_whole_and_not_a_cent_more,
    case_35_the_gateway_has_our_number_with_another_amount,
    case_36_what_may_not_go_back,
    case_37_a_refund_against_its_payment,
    sixteen_refunds_at_once_never_send_back_more_than_came_in,
);

fn yuan(minor: i64) -> Money {
    Money { minor, currency: Currency::Cny }
}

async fn case_33_the_same_refund_twice_and_another_one_after_it(till: &Till) {
    let attempt = till.paid().await;
    let answers = join_all((0..6).map(|_| till.refund(&attempt, "back-00001"))).await;
    let first = answers[0]["refund"]["id"].clone();
    assert!(first.is_string() && answers.iter().all(|answer| answer["refund"]["id"] == first), "{answers:?}");
    let stock = till.stock(till.sale()).await;
    till.until(&attempt, "REFUNDED").await;
    let again = till.refund(&attempt, "back-00001").await;
    assert_eq!((&again["refund"]["id"], &again["refund"]["status"]), (&first, &json!("SUCCEEDED")), "{again}");
    assert_eq!(code(&till.refund(&attempt, "back-00002").await), "ORDER_NOT_REFUNDABLE");
    assert_eq!(code(&till.send_back(&attempt, Some("0.01"), "back-00003").await), "PAYMENT_NOT_REFUNDABLE");
    assert_eq!(till.gateway_refunds(&attempt).await, [(refund_number(&answers[0]), 990)]);
    let agrees = till.sandbox.client().refund(&attempt.number, "another", yuan(1), "").await;
    assert_eq!(agrees, Outcome::Rejected { code: "ACQ.TRADE_HAS_CLOSE".into() });
    let _others_sell_too = stock;
    let file = till.file(&attempt).await;
    assert_eq!(
        (&file["payments"][0]["flag"], &file["payments"][0]["refunded"]["amount"]),
        (&Value::Null, &json!("9.90"))
    );
}

async fn case_34_parts_up_to_the_whole_and_not_a_cent_more(till: &Till) {
    let attempt = till.paid().await;
    let part = async |amount: &str, key: &str| till.send_back(&attempt, Some(amount), key).await;
    // At the same moment: the sum is what counts.
    let crowd = join_all((0..5).map(async |number| part("3.00", &format!("part-{number:05}")).await)).await;
    let taken: Vec<_> = crowd.iter().filter(|answer| answer["refund"].is_object()).collect();
    assert_eq!(taken.len(), 3, "{crowd:?}");
    for wrong in ["0.91", "0.00", "-0.10", "0.001", "1e0"] {
        let refused = till.ask_back(&attempt, wrong, "part-00009").await;
        assert_ne!(refused, "", "{wrong}");
    }
    let last = part("0.90", "part-00010").await;
    assert_eq!(last["order"]["status"], "REFUNDING", "{last}");
    assert_eq!(code(&part("0.01", "part-00011").await), "PAYMENT_NOT_REFUNDABLE");
    till.until(&attempt, "REFUNDED").await;
    let refunds = till.sandbox.get(&format!("trades/{}", attempt.number)).await["refunds"].clone();
    let sum: i64 = refunds.as_array().unwrap().iter().map(|refund| refund["amount"].as_i64().unwrap()).sum();
    assert_eq!(sum, 990, "{refunds}");
    let file = till.file(&attempt).await;
    let log = file["refunds"].as_array().unwrap().iter().flat_map(|refund| refund["log"].as_array().unwrap());
    let asked = log.filter(|entry| entry["event"] == "asked").map(|entry| entry["at"].as_str().unwrap());
    let mut asked: Vec<_> = asked.map(|at| Timestamp::parse_rfc3339(at).unwrap()).collect();
    asked.sort_unstable();
    assert!(asked.len() >= 4, "{file}");
    let distances: Vec<_> = asked.windows(2).map(|pair| pair[1].since(pair[0])).collect();
    let least = *distances.iter().min().unwrap();
    assert!(least >= REFUND_SPACING, "two refunds of a payment keep their distance: {distances:?}");
    let default = doorbuster::config::Config::default_embedded().payments.refund_spacing;
    assert_eq!(*default, std::time::Duration::from_secs(3));
}

async fn case_35_the_gateway_has_our_number_with_another_amount(till: &Till) {
    let attempt = till.attempt().await;
    let cancelled = till.cancel(&attempt).await;
    assert_eq!(cancelled["order"]["status"], "CANCELLED", "{cancelled}");
    till.sandbox.fault_of(&attempt.number, "drop_notification", None, None).await;
    till.pay_at_cashier(&attempt).await;
    // Under the number that the shop will use.
    let elsewhere = till.sandbox.client().refund(&attempt.number, &attempt.surplus_refund(), yuan(100), "").await;
    assert_eq!(elsewhere, Outcome::Succeeded(()));
    till.sandbox.mend(&attempt.number).await;
    till.sandbox.act(&attempt.number, "notify").await.unwrap();
    until("flagged", async || till.record(&attempt).await["flag"] == "REFUND_MISMATCH").await;
    let file = till.file(&attempt).await;
    let refund = &file["refunds"][0];
    assert_eq!((&refund["refund"]["status"], &refund["lastCode"]), (&json!("PENDING"), &json!("MISMATCH")), "{file}");
    assert_eq!(file["payments"][0]["refunded"]["amount"], "0.00", "{file}");
    assert_eq!(till.gateway_refunds(&attempt).await, [(attempt.surplus_refund(), 100)], "and no second one");
}

async fn case_36_what_may_not_go_back(till: &Till) {
    let refused = async |attempt: &Attempt, key: &str| code(&till.refund(attempt, key).await).to_owned();
    let unpaid = till.attempt().await;
    assert_eq!(refused(&unpaid, "back-00001").await, "ORDER_NOT_REFUNDABLE");
    assert_eq!(code(&till.send_back(&unpaid, None, "op-back-001").await), "PAYMENT_NOT_REFUNDABLE");
    till.cancel(&unpaid).await;
    assert_eq!(refused(&unpaid, "back-00001").await, "ORDER_NOT_REFUNDABLE", "cancelled");
    let overdue = till.attempt_on(till.hasty()).await;
    till.until(&overdue, "EXPIRED").await;
    assert_eq!(refused(&overdue, "back-00001").await, "ORDER_NOT_REFUNDABLE", "expired");
    let paid = till.paid().await;
    let stranger = till.someone().await;
    assert_eq!(code(&till.refund_as(&stranger, &paid.order, "back-00001").await), "ORDER_NOT_FOUND");
    let query = "mutation($p: ID!) { paymentRefund(input: { paymentId: $p, reason: \"mine\", idempotencyKey: \"back-00001\" }) \
                 { userErrors { code } } }";
    let payment = json!({ "p": paid.payment.to_string() });
    assert_eq!(till.fault(Some(&paid.buyer), query, payment.clone()).await, "FORBIDDEN", "owners neither");
    assert_eq!(till.fault(None, query, payment).await, "UNAUTHENTICATED");
    assert_eq!(refused(&paid, "short").await, "IDEMPOTENCY_KEY_INVALID");
    assert_eq!(till.file(&paid).await["refunds"], json!([]));
    till.refund(&paid, "back-00001").await;
    till.until(&paid, "REFUNDED").await;
    assert_eq!(refused(&paid, "back-00002").await, "ORDER_NOT_REFUNDABLE", "refunded");
}

async fn case_37_a_refund_against_its_payment(till: &Till) {
    let rounds = (0..6).map(async |round: u64| {
        let attempt = till.attempt().await;
        till.sandbox.open_page(&attempt.page).await;
        let ask = async {
            tokio::time::sleep(std::time::Duration::from_millis(4 * round)).await;
            till.refund(&attempt, "back-00001").await
        };
        let (paid, refund) = tokio::join!(till.sandbox.act(&attempt.number, "pay"), ask);
        paid.unwrap();
        if refund["refund"].is_object() {
            till.until(&attempt, "REFUNDED").await;
            assert_eq!(till.gateway_refunds(&attempt).await.len(), 1);
        } else {
            assert_eq!(code(&refund), "ORDER_NOT_REFUNDABLE");
            till.until(&attempt, "PAID").await;
            assert_eq!(till.gateway_refunds(&attempt).await, []);
        }
    });
    join_all(rounds).await;
}

async fn sixteen_refunds_at_once_never_send_back_more_than_came_in(till: &Till) {
    let attempt = till.paid().await;
    let all = join_all(
        (0..16).map(async |number| till.send_back(&attempt, Some("6.00"), &format!("part-{number:05}")).await),
    )
    .await;
    let taken: Vec<_> = all.iter().filter(|answer| answer["refund"].is_object()).collect();
    assert_eq!(taken.len(), 1, "{all:?}");
    until("back", async || till.record(&attempt).await["refunded"]["amount"] == "6.00").await;
    assert_eq!(till.gateway_refunds(&attempt).await, [(refund_number(taken[0]), 600)]);
    assert_eq!(till.record(&attempt).await["refundPending"]["amount"], "0.00");
}

impl Till {
    /// The code with which so much is refused, be it a user error or a fault of the input.
    async fn ask_back(&self, attempt: &Attempt, amount: &str, key: &str) -> String {
        let query = "mutation($p: ID!, $a: MoneyInput, $k: String!) { paymentRefund(input: { paymentId: $p, amount: $a, \
                     reason: \"broken\", idempotencyKey: $k }) { refund { id } userErrors { code } } }";
        let input = json!({ "p": attempt.payment.to_string(), "a": { "amount": amount }, "k": key });
        let answer = self.ask(Some(&self.operator), query, input).await;
        assert!(!answer["data"]["paymentRefund"]["refund"].is_object(), "{amount}: {answer}");
        let user = answer["data"]["paymentRefund"]["userErrors"][0]["code"].as_str();
        user.or(answer["errors"][0]["extensions"]["code"].as_str()).unwrap_or_default().to_owned()
    }
}
