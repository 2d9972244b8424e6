//! What notifications do to orders: genuine, repeated, odd; and browsers that come back without one.

use futures_util::future::join_all;
use serde_json::{Value, json};

use doorbuster::gateway::alipay::wire::RawParameters;

use super::till::{Attempt, FORM, Till, on_profiles};
use crate::support::alipay::signed;
use crate::support::until;

on_profiles!(
    case_01_a_genuine_notification_pays,
    case_02_eight_deliveries_have_one_effect,
    case_03_twenty_copies_at_once_have_one_effect,
    case_09_odd_characters_and_foreign_charsets,
    case_10_bodies_that_are_not_notifications_are_rejected,
    case_13_a_notification_counts_for_its_own_payment,
    case_14_the_return_of_the_browser_does_not_pay_the_order,
);

/// Lines of the attempt's log about its end.
fn ends(record: &Value) -> Vec<&Value> {
    record["log"].as_array().unwrap().iter().filter(|line| line["event"] == "settled").collect()
}

async fn case_01_a_genuine_notification_pays(till: &Till) {
    let attempt = till.attempt().await;
    till.sandbox.open_page(&attempt.page).await;
    assert_eq!(till.status(&attempt).await, "AWAITING_PAYMENT");
    till.sandbox.act(&attempt.number, "pay").await.unwrap();
    till.until(&attempt, "PAID").await;
    let of_this = |all: Value| {
        let own = all.as_array().unwrap().iter().find(|sent| sent["outTradeNo"] == attempt.number).cloned();
        own.unwrap_or_default()
    };
    until("acknowledged", async || of_this(till.sandbox.get("notifications").await)["acknowledged"] == true).await;
    let sent = of_this(till.sandbox.get("notifications").await);
    assert_eq!((&sent["lastAnswer"], &sent["deliveries"]), (&json!("success"), &json!(1)), "{sent}");
    let record = till.record(&attempt).await;
    let settled = ends(&record);
    assert_eq!(settled.len(), 1, "{record}");
    assert_eq!((&settled[0]["actor"], &settled[0]["to"]), (&json!("notification"), &json!("SUCCEEDED")), "{record}");
    assert_eq!(record["received"], json!({ "amount": "9.90" }));
    assert_eq!(record["notifications"][0]["verdict"], "ACCEPTED");
    let other = till.attempt().await;
    let (status, text) = till.post(FORM, till.genuine(&other).encode(|_| true)).await;
    assert_eq!((status, text.as_bytes()), (200, b"success".as_slice()), "seven bytes, no more");
}

async fn case_02_eight_deliveries_have_one_effect(till: &Till) {
    let attempt = till.attempt().await;
    let notice = till.genuine(&attempt);
    assert!(till.notify(&notice).await);
    let paid = till.file(&attempt).await;
    assert_eq!(paid["order"]["status"], "PAID");
    for _ in 0..7 {
        assert!(till.notify(&notice).await);
    }
    assert_eq!(till.file(&attempt).await, paid, "status, versions, logs and notifications stay");
    assert_eq!(paid["payments"][0]["notifications"].as_array().unwrap().len(), 1, "{paid}");
}

async fn case_03_twenty_copies_at_once_have_one_effect(till: &Till) {
    let attempt = till.attempt().await;
    let before = till.file(&attempt).await["order"]["version"].as_i64().unwrap();
    let notice = till.genuine(&attempt);
    let answers = join_all((0..20).map(|_| till.notify(&notice))).await;
    assert!(answers.iter().all(|good| *good), "{answers:?}");
    let file = till.file(&attempt).await;
    assert_eq!((&file["order"]["status"], &file["order"]["version"]), (&json!("PAID"), &json!(before + 1)), "{file}");
    assert_eq!(ends(&file["payments"][0]).len(), 1, "{file}");
    assert_eq!(file["payments"][0]["notifications"].as_array().unwrap().len(), 1, "{file}");
}

async fn case_09_odd_characters_and_foreign_charsets(till: &Till) {
    let attempt = till.attempt().await;
    let genuine = till.genuine(&attempt);
    assert!(!till.notify(&till.changed(&attempt, "charset", "EUC-JP")).await, "no charset of this gateway");
    let text = genuine.encode(|_| true);
    assert!(!till.notify_text(&format!("{text}&note=%C4%E3%BA%C3")).await, "GBK bytes that call themselves UTF-8");
    assert_eq!(till.status(&attempt).await, "AWAITING_PAYMENT");
    assert!(genuine.get("subject").unwrap().contains("灯 100% + \"quotes\" = & 🎉"));
    assert!(till.notify(&till.changed(&attempt, "passback_params", "a=1&b=2%26\u{1f389}\u{fffd}+'<\"")).await);
    till.until(&attempt, "PAID").await;
    let other = till.attempt().await;
    assert!(till.notify_text(&in_gbk(till, &other)).await);
    till.until(&other, "PAID").await;
}

/// A genuine notification in GBK, whose signature takes an empty value along.
fn in_gbk(till: &Till, attempt: &Attempt) -> String {
    let mut notice = till.sandbox.notice(&attempt.number, "9.90");
    for (name, value) in [("charset", "GBK"), ("subject", "台灯"), ("sign_type", "RSA2")] {
        notice.set(name, value);
    }
    let form = form_urlencoded::Serializer::new(String::new())
        .encoding_override(Some(&|text| encoding_rs::GBK.encode(text).0))
        .extend_pairs(notice.iter().chain([("body", "")]))
        .finish();
    assert!(form.contains("%CC%A8%B5%C6"), "{form}");
    let content = RawParameters::parse_all(&[form.as_bytes()]).unwrap().canonical(&["sign", "sign_type"], true);
    let sign = till.key().sign(&content).unwrap();
    format!("{form}&sign={}", form_urlencoded::byte_serialize(sign.as_bytes()).collect::<String>())
}

async fn case_10_bodies_that_are_not_notifications_are_rejected(till: &Till) {
    let attempt = till.attempt().await;
    let text = till.genuine(&attempt).encode(|_| true);
    let multipart = "--x\r\ncontent-disposition: form-data; name=a\r\n\r\n1\r\n--x--";
    let bodies: [(&str, Vec<u8>, u16); 7] = [
        ("application/json", json!({ "out_trade_no": attempt.number }).to_string().into_bytes(), 415),
        ("application/json", text.clone().into_bytes(), 415),
        ("multipart/form-data; boundary=x", multipart.into(), 415),
        ("", text.clone().into_bytes(), 415),
        (FORM, Vec::new(), 200),
        (FORM, b"%%%&=&&==%00\xff\xfe".to_vec(), 200),
        (FORM, "a=1&".repeat(3_000).into_bytes(), 200),
    ];
    let lines = till.log().lines().count();
    // Too long: refused before it is read, so the connection may end while it is sent.
    let long = till.http.post(format!("http://{}/payments/alipay/notify", till.address()));
    let long = long.header("content-type", FORM).body(vec![b'a'; 1 << 20]).send().await;
    assert!(long.is_err() || long.is_ok_and(|answer| answer.status() == 413));
    for (kind, body, expected) in bodies {
        let (status, said) = till.post(kind, body).await;
        assert_eq!(status, expected, "{kind}: {said}");
        assert_ne!(said, "success", "{kind}");
    }
    let url = format!("http://{}/payments/alipay/notify?{text}", till.address());
    assert_eq!(till.http.get(url).send().await.unwrap().status(), 405);
    let log = till.log();
    let new: Vec<_> = log
        .lines()
        .skip(lines)
        .filter(|line| !line.contains("DEBUG") && line.contains("refused") || line.contains("panic"))
        .collect();
    assert!(new.is_empty(), "whoever sends these must not fill the log: {new:?}");
    assert_eq!(till.status(&attempt).await, "AWAITING_PAYMENT");
}

async fn case_13_a_notification_counts_for_its_own_payment(till: &Till) {
    let (one, other) = (till.attempt().await, till.attempt().await);
    let notice = till.genuine(&other).encode(|_| true);
    let url =
        format!("http://{}/payments/alipay/notify?out_trade_no={}&order={}", till.address(), one.number, one.order);
    let answer = till.http.post(url).header("content-type", FORM).body(notice).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "success");
    till.until(&other, "PAID").await;
    assert_eq!(till.status(&one).await, "AWAITING_PAYMENT");
    // Genuine for one payment, with the trade of another: neither changes.
    let trade = till.record(&other).await["gatewayTradeNumber"].as_str().unwrap().to_owned();
    till.notify(&till.changed(&one, "trade_no", &trade)).await;
    assert_eq!(till.status(&one).await, "AWAITING_PAYMENT");
    assert_eq!(till.record(&one).await["flag"], "TRADE_MISMATCH");
}

async fn case_14_the_return_of_the_browser_does_not_pay_the_order(till: &Till) {
    let attempt = till.attempt().await;
    let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let visit = async |url: &str| {
        let answer = browser.get(url).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    till.sandbox.fault_of(&attempt.number, "drop_notification", None, None).await;
    till.sandbox.open_page(&attempt.page).await;
    // Signed by the gateway, and not paid.
    let unpaid = till.sandbox.act(&attempt.number, "decline").await.unwrap();
    let url = unpaid["returnUrl"].as_str().unwrap();
    let (status, page) = visit(url).await;
    assert!(status == 200 && page.contains("being processed"), "{status} {page}");
    assert_eq!(till.status(&attempt).await, "AWAITING_PAYMENT");
    for tampered in [url.replace("9.90", "9.91"), url.replace(&attempt.number, "p1"), url.replace("sign=", "sign=A")] {
        let (status, page) = visit(&tampered).await;
        assert_eq!(status, 400, "{page}");
    }
    let mut stranger = till.sandbox.notice(&attempt.number, "9.90");
    stranger.set("method", "alipay.trade.page.pay.return");
    let forged = signed(stranger, &till.sandbox.merchant_key()).encode(|_| true);
    assert_eq!(visit(&format!("http://{}/payments/alipay/return?{forged}", till.address())).await.0, 400);
    // Paid, and the notification is lost: coming back makes the server ask.
    till.sandbox.act(&attempt.number, "pay").await.unwrap();
    let (status, page) = visit(url).await;
    assert!(status == 200 && page.contains("is paid"), "{status} {page}");
    till.until(&attempt, "PAID").await;
    assert_eq!(ends(&till.record(&attempt).await)[0]["actor"], "query");
}
