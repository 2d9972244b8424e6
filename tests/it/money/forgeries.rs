//! Messages that are not the gateway's, or not for this shop, this payment, this amount.

use std::io::Write as _;
use std::process::{Command, Stdio};

use data_encoding::BASE64;
use doorbuster::gateway::alipay::SigningKey;
use doorbuster::kernel::PaymentId;
use serde_json::{Value, json};

use super::till::{POINTS, Till, code, on_profiles, refund_number};
use crate::conformance::store::on;
use crate::support::alipay::signed;

on_profiles!(
    case_04_a_changed_byte_in_any_signed_field_is_rejected,
    case_05_missing_malformed_and_foreign_signatures_are_rejected,
    case_06_other_signature_types_are_rejected,
    case_07_unsigned_parameters_are_rejected,
    case_08_duplicate_parameters_are_rejected,
    case_11_notifications_for_other_shops_or_unknown_payments_are_rejected,
    case_12_another_amount_pays_nothing_and_goes_back_by_an_operator,
);

async fn case_04_a_changed_byte_in_any_signed_field_is_rejected(till: &Till) {
    let attempt = till.attempt().await;
    let genuine = till.genuine(&attempt);
    for (name, value) in genuine.iter().filter(|(name, _)| !["sign", "sign_type"].contains(name)) {
        let mut changed = genuine.clone();
        let last = if value.ends_with('1') { '2' } else { '1' };
        let kept: String = value.chars().take(value.chars().count() - 1).collect();
        changed.set(name, format!("{kept}{last}"));
        assert!(!till.notify(&changed).await, "{name}");
    }
    assert_eq!(till.status(&attempt).await, "AWAITING_PAYMENT");
    let record = till.record(&attempt).await;
    assert_eq!((&record["notifications"], &record["flag"]), (&json!([]), &Value::Null), "nothing forged is kept");
    assert!(till.notify(&genuine).await, "it was right before it was changed");
}

async fn case_05_missing_malformed_and_foreign_signatures_are_rejected(till: &Till) {
    let attempt = till.attempt().await;
    let (genuine, notice) = (till.genuine(&attempt), till.sandbox.notice(&attempt.number, "9.90"));
    let before = till.metric(&["notification", "bad_signature"]).await;
    assert!(!till.notify_text(&genuine.encode(|name| name != "sign")).await, "none");
    let sign = genuine.get("sign").unwrap().to_owned();
    for wrong in [" ", "not base64", &sign[..sign.len() - 4], &format!("{sign}AAAA"), "AAAA"] {
        let mut changed = genuine.clone();
        changed.set("sign", wrong);
        assert!(!till.notify(&changed).await, "{wrong}");
    }
    for key in [till.sandbox.merchant_key(), SigningKey::generate().unwrap()] {
        assert!(!till.notify(&signed(notice.clone(), &key)).await, "another key");
    }
    assert_eq!(till.status(&attempt).await, "AWAITING_PAYMENT");
    assert!(till.metric(&["notification", "bad_signature"]).await >= before + 8.0, "counted");
}

/// SHA-1 with RSA, by the gateway's own key: what the vendor's old kind of signature looks like.
fn sha1(till: &Till, text: &str) -> String {
    let mut openssl = Command::new("openssl")
        .args(["dgst", "-sha1", "-sign"])
        .arg(till.sandbox.key_file("alipay_private"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    openssl.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let done = openssl.wait_with_output().unwrap();
    assert!(done.status.success());
    BASE64.encode(&done.stdout)
}

async fn case_06_other_signature_types_are_rejected(till: &Till) {
    let attempt = till.attempt().await;
    let (genuine, notice) = (till.genuine(&attempt), till.sandbox.notice(&attempt.number, "9.90"));
    for kind in ["RSA", "rsa2", "MD5", ""] {
        let mut changed = genuine.clone();
        changed.set("sign_type", kind);
        assert!(!till.notify(&changed).await, "{kind}");
    }
    for kind in ["RSA", "RSA2"] {
        let mut old = notice.clone();
        old.set("sign", sha1(till, &notice.canonical(&["sign", "sign_type"])));
        old.set("sign_type", kind);
        assert!(!till.notify(&old).await, "SHA-1, called {kind}");
    }
    let mut second_rule = notice;
    second_rule.set("sign_type", "RSA2");
    let sign = till.key().sign(&second_rule.canonical(&["sign"])).unwrap();
    second_rule.set("sign", sign);
    assert!(!till.notify(&second_rule).await, "the rule that keeps sign_type is for other messages");
    assert_eq!(till.status(&attempt).await, "AWAITING_PAYMENT");
}

async fn case_07_unsigned_parameters_are_rejected(till: &Till) {
    let attempt = till.attempt().await;
    let text = till.genuine(&attempt).encode(|_| true);
    assert!(!till.notify_text(&format!("{text}&extra=1")).await);
    assert_eq!(till.status(&attempt).await, "AWAITING_PAYMENT");
    assert!(till.notify_text(&format!("{text}&extra=")).await, "nothing signs an empty value, and nothing reads it");
    till.until(&attempt, "PAID").await;
}

async fn case_08_duplicate_parameters_are_rejected(till: &Till) {
    let attempt = till.attempt().await;
    let text = till.genuine(&attempt).encode(|_| true);
    let twice =
        ["total_amount=9.90", "total_amount=0.01", "out_trade_no=p1", "extra=&extra=", "sign=x", "total_amount="];
    for double in twice {
        assert!(!till.notify_text(&format!("{text}&{double}")).await, "{double} after");
        assert!(!till.notify_text(&format!("{double}&{text}")).await, "{double} before");
    }
    assert_eq!(till.status(&attempt).await, "AWAITING_PAYMENT");
}

async fn case_11_notifications_for_other_shops_or_unknown_payments_are_rejected(till: &Till) {
    let attempt = till.attempt().await;
    let count = async |verdict| till.metric(&["notification", verdict]).await;
    for (name, value, verdict) in [
        ("app_id", "2021000000000009", "wrong_app"),
        ("seller_id", "2088000000000009", "wrong_seller"),
        ("seller_id", "", "wrong_seller"),
        ("out_trade_no", "nothing-of-ours", "unknown_payment"),
    ] {
        let before = count(verdict).await;
        assert!(!till.notify(&till.changed(&attempt, name, value)).await, "{name}={value}");
        assert!(count(verdict).await > before, "{verdict} is counted");
    }
    assert_eq!(till.status(&attempt).await, "AWAITING_PAYMENT");
    // Recorded under the number that nobody knows.
    let unknown = PaymentId::from_bytes(rand_bytes(&attempt.number)).number();
    let mut notice = till.sandbox.notice(&unknown, "9.90");
    notice.set("notify_id", format!("unknown-{}", attempt.number));
    assert!(!till.notify(&signed(notice, &till.key())).await);
    let db = till.database().await;
    let kept = on!(&db, read, |conn| sql::payments::notifications_of(conn, &unknown, 10).await).unwrap();
    assert_eq!(kept.iter().map(|heard| heard.verdict.as_str()).collect::<Vec<_>>(), ["UNKNOWN_PAYMENT"]);
    // The number of a payment in points, which no gateway has a part in.
    let buyer = till.someone().await;
    let order = till.ordered(&buyer, till.sale()).await;
    let paid = till.pay(&buyer, &order, "POINTS", "pay-00001").await;
    assert_eq!(paid["order"]["status"], "PAID", "{paid}");
    let id: PaymentId = paid["payment"]["id"].as_str().unwrap().parse().unwrap();
    assert!(!till.notify(&signed(till.sandbox.notice(&id.number(), "9.90"), &till.key())).await);
    let number = id.number();
    let kept = on!(&db, read, |conn| sql::payments::notifications_of(conn, &number, 10).await).unwrap();
    assert_eq!(kept.iter().map(|heard| heard.verdict.as_str()).collect::<Vec<_>>(), ["WRONG_METHOD"]);
    let balance = "{ viewer { points { balance } } }";
    let points = till.data(Some(&buyer), balance, json!({})).await["viewer"]["points"]["balance"].clone();
    assert_eq!(points, json!(1000 - POINTS));
}

/// Bytes that are nobody's id, and another test's neither.
fn rand_bytes(number: &str) -> [u8; 16] {
    let mut bytes = PaymentId::from_number(number).unwrap().to_bytes();
    bytes[15] ^= 1;
    bytes
}

async fn case_12_another_amount_pays_nothing_and_goes_back_by_an_operator(till: &Till) {
    let attempt = till.attempt().await;
    for malformed in ["1e1", "-0.10", "9.900", "9,90", "+9.90", "9.90 ", "NaN", ""] {
        assert!(!till.notify(&till.changed(&attempt, "total_amount", malformed)).await, "{malformed}");
    }
    assert_eq!(till.record(&attempt).await["payment"]["status"], "PENDING", "a malformed amount says nothing");
    let equal = till.attempt().await;
    assert!(till.notify(&till.changed(&equal, "total_amount", "9.9")).await, "9.9 is 9.90");
    till.until(&equal, "PAID").await;
    let more = till.attempt().await;
    assert!(!till.notify(&till.changed(&more, "total_amount", "9.91")).await);
    assert_eq!(
        (till.status(&more).await.as_str(), &till.record(&more).await["flag"]),
        ("AWAITING_PAYMENT", &json!("AMOUNT_MISMATCH"))
    );

    // Less, and it is really there: a page that the shop did not make, with the shop's number and key.
    let page = less(till, &attempt.number);
    till.sandbox.open_page(&page).await;
    till.sandbox.act(&attempt.number, "pay").await.unwrap();
    till.until_payment(&attempt, "SURPLUS").await;
    assert_eq!(till.status(&attempt).await, "AWAITING_PAYMENT");
    let record = till.record(&attempt).await;
    assert_eq!(
        (&record["flag"], &record["received"]["amount"]),
        (&json!("AMOUNT_MISMATCH"), &json!("9.89")),
        "{record}"
    );
    assert!(stuck(till).await.contains(&json!(attempt.number)), "operators find it");
    assert_eq!(till.gateway_refunds(&attempt).await, [], "nobody looked yet");
    assert_eq!(code(&till.refund(&attempt, "back-00001").await), "ORDER_NOT_REFUNDABLE");
    assert_eq!(
        code(&till.send_back(&attempt, Some("9.90"), "back-00002").await),
        "AMOUNT_INVALID",
        "more than came in"
    );
    let sent = till.send_back(&attempt, None, "back-00003").await;
    assert_eq!(sent["refund"]["amount"]["amount"], "9.89", "{sent}");
    let number = refund_number(&sent);
    crate::support::until("back", async || till.record(&attempt).await["refunded"]["amount"] == "9.89").await;
    assert_eq!(till.gateway_refunds(&attempt).await, [(number, 989)]);
    assert_eq!(till.record(&attempt).await["flag"], Value::Null, "nothing is left to be looked at");
    assert!(!stuck(till).await.contains(&json!(attempt.number)));
    // The order can still be paid.
    let again = till.another(&attempt).await;
    till.pay_at_cashier(&again).await;
    till.until(&again, "PAID").await;
}

/// A page with this number that asks for 9.89.
fn less(till: &Till, number: &str) -> String {
    use doorbuster::gateway::PageRequest;
    use doorbuster::kernel::{Currency, Money};
    let mut merchant = till.sandbox.merchant();
    merchant.notify_url = format!("http://{}/payments/alipay/notify", till.address());
    let amount = Money { minor: 989, currency: Currency::Cny };
    let (at, expires_at) = (crate::support::alipay::soon(0), crate::support::alipay::soon(600));
    let request = PageRequest { number: number.to_owned(), amount, subject: "less".to_owned(), at, expires_at };
    merchant.page_url(&request).unwrap()
}

/// Numbers of the payments that operators should look at.
async fn stuck(till: &Till) -> Vec<Value> {
    let query = "{ stuckPayments(first: 100) { payments { number } } }";
    let data = till.data(Some(&till.operator), query, json!({})).await;
    data["stuckPayments"]["payments"].as_array().unwrap().iter().map(|payment| payment["number"].clone()).collect()
}
