//! What the sandbox refuses because the real gateway does, and what it keeps over a restart.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use doorbuster::gateway::alipay::Alipay;
use doorbuster::gateway::alipay::wire::{Parameters, time_text};
use doorbuster::gateway::{Outcome, PageRequest, PaymentGateway as _, TradeStatus};
use doorbuster::kernel::{Breaker, Clock, Currency, Money, Timestamp};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::alipay::{Sandbox, soon};
use crate::support::until;

/// A day in seconds.
const DAY: u64 = 24 * 3_600;

/// A signed call in UTF-8, as an SDK makes it: the URL.
fn call_url(sandbox: &Sandbox, method: &str, business: &Value) -> String {
    call_url_in(sandbox, "utf-8", method, business)
}

fn call_url_in(sandbox: &Sandbox, charset: &str, method: &str, business: &Value) -> String {
    call_url_to(sandbox, charset, "", method, business)
}

/// With an address for notifications, if it is one.
fn call_url_to(sandbox: &Sandbox, charset: &str, notify_url: &str, method: &str, business: &Value) -> String {
    let mut all = Parameters::default();
    all.set("notify_url", notify_url);
    let now = time_text(Clock::system().now());
    for (name, value) in [
        ("app_id", sandbox.info["alipay_app_id"].as_str().unwrap()),
        ("method", method),
        ("charset", charset),
        ("sign_type", "RSA2"),
        ("timestamp", &now),
        ("version", "1.0"),
        ("biz_content", &business.to_string()),
    ] {
        all.set(name, value);
    }
    let sign = sandbox.merchant_key().sign(&all.canonical_bytes(&["sign"])).unwrap();
    all.set("sign", sign);
    format!("{}/gateway.do?{}", sandbox.url(), all.encode(|_| true))
}

/// The response's object.
async fn call(sandbox: &Sandbox, method: &str, business: Value) -> Value {
    let text = sandbox.open_page(&call_url(sandbox, method, &business)).await;
    let mut all: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"));
    all[format!("{}_response", method.replace('.', "_"))].take()
}

async fn open(sandbox: &Sandbox, number: &str, amount: &str, subject: &str) -> String {
    let business = json!({
        "out_trade_no": number, "total_amount": amount, "subject": subject, "product_code": "FAST_INSTANT_TRADE_PAY",
    });
    sandbox.open_page(&call_url(sandbox, "alipay.trade.page.pay", &business)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_that_the_real_gateway_refuses_open_no_trade() {
    let sandbox = Sandbox::start();
    for (number, amount, subject) in [
        ("above", "100000000.01", "Lamp"),
        ("nothing", "0.00", "Lamp"),
        ("slash", "9.90", "Lamp 1/2"),
        ("equals", "9.90", "a=b"),
        ("and", "9.90", "Lamp & shade"),
    ] {
        assert!(open(&sandbox, number, amount, subject).await.contains("ACQ.INVALID_PARAMETER"), "{number}");
        let found = call(&sandbox, "alipay.trade.query", json!({ "out_trade_no": number })).await;
        assert_eq!(found["sub_code"], "ACQ.TRADE_NOT_EXIST", "{number}");
    }
    assert!(open(&sandbox, "most", "100000000.00", "Lamp").await.contains("¥100000000.00"));
}

/// Asks in this charset: the answer's content type and bytes.
async fn answer_in(sandbox: &Sandbox, charset: &str, method: &str, business: &Value) -> (String, Vec<u8>) {
    let answer = reqwest::get(call_url_in(sandbox, charset, method, business)).await.unwrap();
    let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
    (kind, answer.bytes().await.unwrap().to_vec())
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_in_gbk_get_responses_in_gbk() {
    let sandbox = Sandbox::start();
    let business = json!({
        "out_trade_no": "p1", "total_amount": "9.90", "subject": "台灯 + 100%", "product_code": "FAST_INSTANT_TRADE_PAY",
    });
    let url = call_url_in(&sandbox, "GBK", "alipay.trade.page.pay", &business);
    assert!(url.contains("%CC%A8%B5%C6"), "{url}");
    assert!(sandbox.open_page(&url).await.contains("<p>台灯 + 100%</p>"));
    let forged = url.replace("%CC%A8", "%CC%A9").replace("p1", "p2");
    assert!(sandbox.open_page(&forged).await.contains("isv.invalid-signature"), "the bytes are signed");

    let query = "alipay.trade.query";
    let (kind, body) = answer_in(&sandbox, "gbk", query, &json!({ "out_trade_no": "p2" })).await;
    assert_eq!(kind, "text/html;charset=GBK");
    let (text, _, broken) = encoding_rs::GBK.decode(&body);
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert!(!broken && std::str::from_utf8(&body).is_err(), "{text}");
    assert_eq!(answer["alipay_trade_query_response"]["sub_msg"], "交易不存在");
    let inner = text.split_once(":").unwrap().1.split_once(",\"sign\"").unwrap().0;
    let (signed, sign) = (encoding_rs::GBK.encode(inner).0, answer["sign"].as_str().unwrap());
    assert!(sandbox.gateway_key().public().unwrap().verifies(&signed, sign), "{text}");
    // In UTF-8 the same words are other bytes.
    let (kind, body) = answer_in(&sandbox, "UTF-8", query, &json!({ "out_trade_no": "p2" })).await;
    assert_eq!(kind, "text/html;charset=utf-8");
    assert!(String::from_utf8(body).unwrap().contains("交易不存在"));
    let (_, body) = answer_in(&sandbox, "shift_jis", query, &json!({ "out_trade_no": "p2" })).await;
    assert!(String::from_utf8(body).unwrap().contains("isv.invalid-charset"));
}

#[tokio::test(flavor = "multi_thread")]
async fn notifications_use_the_charset_of_the_page_request() {
    let sandbox = Sandbox::start();
    let got = Arc::new(Mutex::new(Vec::new()));
    let notify_url = shop("success", got.clone()).await;
    let business = json!({
        "out_trade_no": "p1", "total_amount": "9.90", "subject": "台灯", "product_code": "FAST_INSTANT_TRADE_PAY",
    });
    let url = call_url_to(&sandbox, "gbk", &notify_url, "alipay.trade.page.pay", &business);
    sandbox.open_page(&url).await;
    sandbox.act("p1", "pay").await.unwrap();
    until("delivered", async || !got.lock().unwrap().is_empty()).await;
    let body = got.lock().unwrap()[0].clone();
    assert!(body.contains("charset=gbk") && body.contains("subject=%CC%A8%B5%C6"), "{body}");
    let notice = sandbox.client().verify_notification(body.as_bytes()).unwrap();
    assert!(notice.masked.contains("subject=台灯"), "{notice:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_future_day_has_no_bill() {
    let sandbox = Sandbox::start();
    let day = |at: Timestamp| time_text(at)[..10].to_owned();
    let bill = async |day: String| {
        let business = json!({ "bill_type": "trade", "bill_date": day });
        call(&sandbox, "alipay.data.dataservice.bill.downloadurl.query", business).await
    };
    assert_eq!(bill(day(soon(DAY))).await["sub_code"], "BILL_NOT_EXIST");
    assert_eq!(bill(day(soon(0).minus(Duration::from_secs(DAY)))).await["code"], "10000");
    let fetched = reqwest::get(format!("{}/bill/{}", sandbox.url(), day(soon(DAY)))).await.unwrap();
    assert_eq!(fetched.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_refunds_of_a_trade_need_three_seconds_between_them() {
    let sandbox = Sandbox::start_with(&[]);
    open(&sandbox, "p1", "9.90", "Lamp").await;
    sandbox.act("p1", "pay").await.unwrap();
    let refund = async |number: &str| {
        let business = json!({ "out_trade_no": "p1", "out_request_no": number, "refund_amount": "1.00" });
        call(&sandbox, "alipay.trade.refund", business).await
    };
    assert_eq!(refund("r1").await["fund_change"], "Y");
    assert_eq!(refund("r2").await["sub_code"], "ACQ.SYSTEM_ERROR", "too early: to be asked again with the same number");
    assert_eq!(refund("r1").await["fund_change"], "N", "a repetition moves nothing and is no refund");
    assert_eq!(sandbox.get("refunds").await.as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trade_is_cancelled_in_whatever_state_it_is() {
    let sandbox = Sandbox::start();
    let cancel = async |number: &str| call(&sandbox, "alipay.trade.cancel", json!({ "out_trade_no": number })).await;
    let status = async |number: &str| {
        call(&sandbox, "alipay.trade.query", json!({ "out_trade_no": number })).await["trade_status"].clone()
    };
    assert_eq!(cancel("p0").await["sub_code"], "ACQ.TRADE_NOT_EXIST");
    open(&sandbox, "p1", "9.90", "Lamp").await;
    assert_eq!(cancel("p1").await["action"], "close");
    assert_eq!(status("p1").await, "TRADE_CLOSED");
    assert_eq!(sandbox.act("p1", "pay").await.unwrap_err(), "ACQ.TRADE_HAS_CLOSE");

    open(&sandbox, "p2", "9.90", "Lamp").await;
    sandbox.act("p2", "pay").await.unwrap();
    assert_eq!(cancel("p2").await["action"], "refund");
    let again = cancel("p2").await;
    assert_eq!((&again["code"], &again["action"]), (&json!("10000"), &Value::Null), "cancelling twice changes nothing");
    let refunds = sandbox.get("refunds").await;
    assert_eq!(refunds[0]["refund"]["amount"], 990);
    assert_eq!(refunds.as_array().unwrap().len(), 1);

    open(&sandbox, "p3", "9.90", "Lamp").await;
    sandbox.act("p3", "pay").await.unwrap();
    sandbox.act("p3", "finish").await.unwrap();
    assert_eq!(cancel("p3").await["sub_code"], "ACQ.TRADE_HAS_FINISHED");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cashier_of_a_paid_trade_leads_back_to_the_shop() {
    let sandbox = Sandbox::start();
    let page = PageRequest {
        number: "p1".to_owned(),
        amount: Money { minor: 990, currency: Currency::Cny },
        subject: "Lamp".to_owned(),
        at: soon(0),
        expires_at: soon(600),
    };
    sandbox.open_page(&sandbox.client().page_url(&page).unwrap()).await;
    sandbox.act("p1", "pay").await.unwrap();
    let html = sandbox.open_page(&format!("{}/cashier/p1", sandbox.url())).await;
    let back = "<a href=\"http://127.0.0.1:1/payments/alipay/return?";
    assert!(html.contains(back) && html.contains("out_trade_no=p1"), "{html}");
}

/// A shop that answers each notification with this body, and keeps what it got.
async fn shop(answer: &'static str, got: Arc<Mutex<Vec<String>>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/notify", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            let body = loop {
                stream.read_buf(&mut request).await.unwrap();
                let text = String::from_utf8_lossy(&request);
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
                if body.len() == length.parse::<usize>().unwrap() {
                    break body.to_owned();
                }
            };
            got.lock().unwrap().push(body);
            let length = answer.len();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{answer}");
            stream.write_all(head.as_bytes()).await.unwrap();
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn notifications_under_way_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.json");
    let arguments = ["--state", state.to_str().unwrap()];
    let sandbox = Sandbox::start_with(&arguments);
    let got = Arc::new(Mutex::new(Vec::new()));
    let mut merchant = sandbox.merchant();
    merchant.notify_url = shop("come again", got.clone()).await;
    let breaker = Breaker::new(Duration::from_secs(10));
    let client = Alipay::new(merchant.check().unwrap(), Duration::from_secs(3), breaker, Clock::system()).unwrap();
    let page = PageRequest {
        number: "p1".to_owned(),
        amount: Money { minor: 990, currency: Currency::Cny },
        subject: "Lamp".to_owned(),
        at: soon(0),
        expires_at: soon(600),
    };
    sandbox.open_page(&client.page_url(&page).unwrap()).await;
    sandbox.act("p1", "pay").await.unwrap();
    until("delivered", async || sandbox.get("notifications").await[0]["deliveries"] == 1).await;
    drop(sandbox);

    let sandbox = Sandbox::start_with(&arguments);
    until("delivered again", async || got.lock().unwrap().len() == 2).await;
    let got: Vec<_> = got.lock().unwrap().iter().map(|body| Parameters::parse(body.as_bytes()).unwrap()).collect();
    assert_eq!(got[0].get("notify_id"), got[1].get("notify_id"));
    assert_eq!(got[1].get("trade_status"), Some("TRADE_SUCCESS"));
    match sandbox.client().query("p1").await {
        Outcome::Succeeded(trade) => assert_eq!(trade.status, TradeStatus::Paid),
        other => panic!("{other:?}"),
    }
}
