//! Messages to the shop: notifications on the vendor's schedule, and the return URL of the browser.

use std::sync::Arc;
use std::time::Duration;

use doorbuster::gateway::alipay::SigningKey;
use doorbuster::gateway::alipay::wire::{Parameters, amount_text, time_text};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::Sandbox;
use crate::faults::Kind;
use crate::keys::{APP_ID, BUYER_ID, SELLER_ID};
use crate::trades::{Refunded, Trade};

/// Waits between deliveries, in seconds of life: eight deliveries in about 25 hours.
const SCHEDULE: [u64; 7] = [240, 600, 600, 3_600, 7_200, 21_600, 54_000];
/// How long a shop may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Notifications that are remembered for the JSON face.
const REMEMBERED: usize = 100_000;

/// One status change on its way to the shop.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    pub notify_id: String,
    pub out_trade_no: String,
    pub trade_status: String,
    pub url: String,
    pub deliveries: u32,
    pub acknowledged: bool,
    /// The shop's last response.
    pub last_answer: Option<String>,
    /// The contents, except for the ID, time and signature.
    #[serde(with = "pairs")]
    parameters: Parameters,
}

/// Parameters as a map.
mod pairs {
    use std::collections::BTreeMap;

    use doorbuster::gateway::alipay::wire::Parameters;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(parameters: &Parameters, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(parameters.iter())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Parameters, D::Error> {
        let mut parameters = Parameters::default();
        for (name, value) in BTreeMap::<String, String>::deserialize(deserializer)? {
            parameters.set(&name, value);
        }
        Ok(parameters)
    }
}

/// Sends notifications and remembers what became of them.
pub struct Notifier {
    http: reqwest::Client,
    speed: f64,
    pub sent: Mutex<Vec<Notification>>,
    held: Mutex<Vec<Notification>>,
}

impl Notifier {
    /// With the notifications of an earlier run.
    pub fn new(speed: f64, sent: Vec<Notification>) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(TIMEOUT).build()?;
        Ok(Self { http, speed, sent: Mutex::new(sent), held: Mutex::default() })
    }
}

/// Tells the shop of the trade's present status, if it wants to know.
pub fn announce(sandbox: &Arc<Sandbox>, trade: &Trade, refunded: Option<&Refunded>) {
    let Some(url) = trade.notify_url.clone() else { return };
    let notification = Notification {
        notify_id: data_encoding::HEXLOWER.encode(&sandbox.rng.bytes::<17>()),
        out_trade_no: trade.out_trade_no.clone(),
        trade_status: trade.status.as_str().to_owned(),
        url,
        deliveries: 0,
        acknowledged: false,
        last_answer: None,
        parameters: parameters(trade, refunded),
    };
    {
        let mut sent = sandbox.notifier.sent.lock();
        if sent.len() < REMEMBERED {
            sent.push(notification.clone());
        }
    }
    sandbox.save();
    let held = {
        let mut faults = sandbox.faults.lock();
        faults.take(Kind::ReorderNotification, "", &trade.out_trade_no, &sandbox.rng).is_some()
    };
    if held {
        sandbox.notifier.held.lock().push(notification);
        return;
    }
    let sandbox = sandbox.clone();
    tokio::spawn(async move {
        deliver(&sandbox, notification).await;
    });
}

fn parameters(trade: &Trade, refunded: Option<&Refunded>) -> Parameters {
    let total = amount_text(trade.total);
    let mut all = Parameters::default();
    let status = trade.status.as_str();
    for (name, value) in [
        ("notify_type", "trade_status_sync"),
        ("charset", trade.charset.as_deref().unwrap_or("utf-8")),
        ("version", "1.0"),
        ("app_id", APP_ID),
        ("auth_app_id", APP_ID),
        ("seller_id", SELLER_ID),
        ("seller_email", "seller@example.com"),
        ("buyer_id", BUYER_ID),
        ("buyer_logon_id", "buy***@example.com"),
        ("trade_no", &trade.trade_no),
        ("out_trade_no", &trade.out_trade_no),
        ("trade_status", status),
        ("total_amount", &total),
        ("subject", &trade.subject),
        ("passback_params", trade.passback_params.as_deref().unwrap_or_default()),
    ] {
        all.set(name, value);
    }
    all.set("gmt_create", time_text(trade.created_at));
    if let Some(at) = trade.paid_at {
        all.set("gmt_payment", time_text(at));
        for name in ["receipt_amount", "invoice_amount", "buyer_pay_amount"] {
            all.set(name, total.as_str());
        }
        all.set("point_amount", "0.00");
        all.set("fund_bill_list", format!(r#"[{{"amount":"{total}","fundChannel":"ALIPAYACCOUNT"}}]"#));
    }
    if let Some(at) = trade.closed_at {
        all.set("gmt_close", time_text(at));
    }
    if let (Some(refunded), Some(last)) = (refunded, trade.refunds.last()) {
        all.set("refund_fee", amount_text(trade.refunded()));
        all.set("gmt_refund", format!("{}.000", time_text(last.at)));
        all.set("out_biz_no", refunded.out_request_no.as_str());
    }
    all
}

/// Goes on with what an earlier run had not delivered: the next delivery of each comes at once.
pub fn resume(sandbox: &Arc<Sandbox>) {
    let unfinished: Vec<_> = {
        let sent = sandbox.notifier.sent.lock();
        sent.iter().filter(|one| !one.acknowledged && one.deliveries as usize <= SCHEDULE.len()).cloned().collect()
    };
    redeliver(sandbox, unfinished);
}

/// Delivers until the shop says exactly `success`, as often as the schedule says.
async fn deliver(sandbox: &Arc<Sandbox>, notification: Notification) {
    let left = SCHEDULE.iter().skip(notification.deliveries as usize);
    for wait in std::iter::once(&0).chain(left) {
        tokio::time::sleep(Duration::from_secs_f64(*wait as f64 / sandbox.notifier.speed)).await;
        if deliver_once(sandbox, &notification).await {
            return;
        }
    }
}

fn redeliver(sandbox: &Arc<Sandbox>, held: Vec<Notification>) {
    for notification in held {
        let sandbox = sandbox.clone();
        tokio::spawn(async move { deliver(&sandbox, notification).await });
    }
}

/// One delivery with what may go wrong; whether the shop has it.
async fn deliver_once(sandbox: &Arc<Sandbox>, notification: &Notification) -> bool {
    let number = &notification.out_trade_no;
    let fault = |kind| sandbox.faults.lock().take(kind, "", number, &sandbox.rng);
    if fault(Kind::DropNotification).is_some() {
        release_held(sandbox);
        return false;
    }
    if let Some(fault) = fault(Kind::DelayNotification) {
        tokio::time::sleep(Duration::from_millis(fault.millis)).await;
    }
    let key = match fault(Kind::WrongKeyNotification) {
        Some(_) => &sandbox.keys.stranger,
        None => &sandbox.keys.gateway,
    };
    let mut parameters = notification.parameters.clone();
    parameters.set("notify_id", notification.notify_id.as_str());
    parameters.set("notify_time", time_text(sandbox.now()));
    let mut parameters = sign(parameters, key);
    if fault(Kind::TamperNotification).is_some() {
        parameters.set("total_amount", "0.01");
    }
    let (body, charset) = (parameters.encode(|_| true), parameters.charset().name());
    let done = if fault(Kind::DuplicateNotification).is_some() {
        let (one, other) = tokio::join!(
            post(sandbox, notification, charset, body.clone()),
            post(sandbox, notification, charset, body)
        );
        one || other
    } else {
        post(sandbox, notification, charset, body).await
    };
    release_held(sandbox);
    done
}

/// Sends delayed messages now.
fn release_held(sandbox: &Arc<Sandbox>) {
    let held = std::mem::take(&mut *sandbox.notifier.held.lock());
    redeliver(sandbox, held);
}

async fn post(sandbox: &Arc<Sandbox>, notification: &Notification, charset: &str, body: String) -> bool {
    let sending = sandbox
        .notifier
        .http
        .post(&notification.url)
        .header("content-type", format!("application/x-www-form-urlencoded; charset={}", charset.to_ascii_lowercase()))
        .body(body)
        .send();
    let (good, said) = match sending.await {
        Ok(answer) => {
            let ok = answer.status() == 200;
            let text = answer.text().await.unwrap_or_default();
            (ok && text == "success", text.chars().take(100).collect())
        }
        Err(error) => (false, error.without_url().to_string()),
    };
    {
        let mut sent = sandbox.notifier.sent.lock();
        if let Some(known) = sent.iter_mut().rev().find(|known| known.notify_id == notification.notify_id) {
            known.deliveries += 1;
            known.acknowledged |= good;
            known.last_answer = Some(said);
        }
    }
    sandbox.save();
    good
}

/// Signs a message to the shop, in its charset: without `sign` and `sign_type`.
fn sign(mut parameters: Parameters, key: &SigningKey) -> Parameters {
    let sign = key.sign(&parameters.canonical_bytes(&["sign", "sign_type"])).unwrap_or_default();
    parameters.set("sign", sign);
    parameters.set("sign_type", "RSA2");
    parameters
}

/// Where the browser goes after paying, signed.
pub fn return_address(sandbox: &Sandbox, trade: &Trade) -> Option<String> {
    let url = trade.return_url.as_deref()?;
    let mut all = Parameters::default();
    for (name, value) in [
        ("charset", trade.charset.as_deref().unwrap_or("utf-8")),
        ("out_trade_no", &trade.out_trade_no),
        ("method", "alipay.trade.page.pay.return"),
        ("total_amount", &amount_text(trade.total)),
        ("trade_no", &trade.trade_no),
        ("auth_app_id", APP_ID),
        ("version", "1.0"),
        ("app_id", APP_ID),
        ("seller_id", SELLER_ID),
        ("timestamp", &time_text(sandbox.now())),
    ] {
        all.set(name, value);
    }
    let query = sign(all, &sandbox.keys.gateway).encode(|_| true);
    Some(format!("{url}{}{query}", if url.contains('?') { '&' } else { '?' }))
}
