//! `/gateway.do`: checks a request in the vendor's order and answers in the vendor's form: always HTTP 200, always `text/html`.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use doorbuster::gateway::alipay::wire::{
    Parameters, ParametersError, RawParameters, amount_text, parse_amount, parse_time, time_text,
};
use encoding_rs::{Encoding, UTF_8};
use serde_json::{Map, Value, json};

use crate::faults::Kind;
use crate::keys::{APP_ID, BUYER_ID};
use crate::trades::{Cancelled, No, RefundRequest, Trade, Wanted};
use crate::{Sandbox, admin, cashier, notify};

/// The page method; the others are calls of a server.
const PAGE: &str = "alipay.trade.page.pay";
const METHODS: [&str; 6] = [
    "alipay.trade.query",
    "alipay.trade.close",
    "alipay.trade.cancel",
    "alipay.trade.refund",
    "alipay.trade.fastpay.refund.query",
    "alipay.data.dataservice.bill.downloadurl.query",
];

/// The largest amount of a trade, in fen: 100,000,000.00 yuan.
const TOTAL_MAX: i64 = 10_000_000_000;
/// Characters that the vendor refuses in a subject.
const NOT_IN_A_SUBJECT: [char; 3] = ['/', '=', '&'];

/// A refusal at the door: code, message and sub code. Never signed.
type Refusal = (&'static str, &'static str, &'static str);

/// Answers one request.
pub async fn serve(State(sandbox): State<Arc<Sandbox>>, RawQuery(query): RawQuery, body: Bytes) -> Response {
    let forms = [query.as_deref().unwrap_or_default().as_bytes(), &body];
    let (parameters, signed) = match understood(&forms) {
        Ok(both) => both,
        Err(sub_code) => return refuse(UTF_8, None, ("40002", "Invalid Arguments", sub_code)),
    };
    let charset = parameters.charset();
    let html = |body: String| html(charset, &body);
    let method = parameters.get("method");
    let business = match admit(&sandbox, &parameters, &signed) {
        Ok(business) => business,
        Err(refusal) if method == Some(PAGE) => return cashier::refused(refusal.2),
        Err(refusal) => return refuse(charset, method, refusal),
    };
    let method = method.unwrap_or_default().to_owned();
    if method == PAGE {
        return page(&sandbox, &parameters, &business);
    }
    let number = business.get("out_trade_no").and_then(Value::as_str).unwrap_or_default();
    let fault = |kind| sandbox.faults.lock().take(kind, &method, number, &sandbox.rng);
    if fault(Kind::ErrorResponse).is_some() {
        return refuse(charset, None, ("40002", "Invalid Arguments", "isv.invalid-app-id"));
    }
    if fault(Kind::Status500).is_some() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    if fault(Kind::Html).is_some() {
        return html("<html><body>system busy</body></html>".to_owned());
    }
    if fault(Kind::Empty).is_some() {
        return html(String::new());
    }
    let unknown = || json!({ "code": "20000", "msg": "Service Currently Unavailable", "sub_code": "isp.unknow-error" });
    if fault(Kind::UnknownWithoutWork).is_some() {
        return html(envelope(&sandbox, &method, charset, &unknown().to_string(), &fault));
    }
    let answer = match work(&sandbox, &method, &business) {
        Ok(mut answer) => {
            answer.insert("code".to_owned(), "10000".into());
            answer.insert("msg".to_owned(), "Success".into());
            Value::Object(answer)
        }
        Err(sub_code) => {
            json!({ "code": "40004", "msg": "Business Failed", "sub_code": sub_code, "sub_msg": words(sub_code) })
        }
    };
    sandbox.save();
    if fault(Kind::AnswerLost).is_some() {
        return broken();
    }
    if let Some(fault) = fault(Kind::Hang) {
        tokio::time::sleep(Duration::from_millis(fault.millis)).await;
    }
    let answer = if fault(Kind::UnknownAfterWork).is_some() { unknown() } else { answer };
    html(envelope(&sandbox, &method, charset, &answer.to_string(), &fault))
}

/// The parameters in the charset that they name, UTF-8 or GBK, and the bytes that may be signed: without empty values, and with them.
fn understood(forms: &[&[u8]]) -> Result<(Parameters, [Vec<u8>; 2]), &'static str> {
    let sub_code = |error| match error {
        ParametersError::Charset => "isv.invalid-charset",
        _ => "isv.invalid-parameter",
    };
    let raw = RawParameters::parse_all(forms).map_err(sub_code)?;
    let signed = [false, true].map(|with_empty| raw.canonical(&["sign"], with_empty));
    Ok((raw.decode().map_err(sub_code)?, signed))
}

/// The checks at the door, in the vendor's order; the business object. `signed`: what the signature may be of.
fn admit(sandbox: &Sandbox, parameters: &Parameters, signed: &[Vec<u8>]) -> Result<Map<String, Value>, Refusal> {
    const MISSING: &str = "Missing Required Arguments";
    const INVALID: &str = "Invalid Arguments";
    let require = |name, sub| parameters.get(name).ok_or(("40001", MISSING, sub));
    let check = |holds: bool, sub| if holds { Ok(()) } else { Err(("40002", INVALID, sub)) };
    check(require("app_id", "isv.missing-app-id")? == APP_ID, "isv.invalid-app-id")?;
    check(require("sign_type", "isv.missing-signature-type")? == "RSA2", "isv.invalid-signature-type")?;
    let sign = require("sign", "isv.missing-signature")?;
    check(signed.iter().any(|bytes| sandbox.keys.merchant.verifies(bytes, sign)), "isv.invalid-signature")?;
    check(parse_time(require("timestamp", "isv.missing-timestamp")?).is_some(), "isv.invalid-timestamp")?;
    require("version", "isv.missing-version")?;
    check(parameters.get("format").is_none_or(|format| format.eq_ignore_ascii_case("json")), "isv.invalid-format")?;
    let method = require("method", "isv.missing-method")?;
    check(method == PAGE || METHODS.contains(&method), "isv.invalid-method")?;
    let business = parameters.get("biz_content").unwrap_or("{}");
    serde_json::from_str(business).map_err(|_| ("40002", INVALID, "isv.illegal-json"))
}

fn page(sandbox: &Arc<Sandbox>, parameters: &Parameters, business: &Map<String, Value>) -> Response {
    let text = |name: &str| business.get(name).and_then(Value::as_str);
    let given = |name: &str| parameters.get(name).map(str::to_owned);
    let number = text("out_trade_no").filter(|number| {
        (1..=64).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    });
    let total = business.get("total_amount").and_then(amount);
    let product = text("product_code") == Some("FAST_INSTANT_TRADE_PAY");
    let subject = text("subject")
        .filter(|subject| (1..=256).contains(&subject.chars().count()) && !subject.contains(NOT_IN_A_SUBJECT));
    let (Some(number), Some(total @ 1..=TOTAL_MAX), Some(subject), true) = (number, total, subject, product) else {
        return cashier::refused("ACQ.INVALID_PARAMETER");
    };
    let wanted = Wanted {
        out_trade_no: number.to_owned(),
        total,
        subject: subject.to_owned(),
        expires_at: text("time_expire").and_then(parse_time),
        notify_url: given("notify_url"),
        return_url: given("return_url"),
        passback_params: text("passback_params").map(str::to_owned),
        charset: given("charset"),
    };
    let opened = sandbox.trades.lock().open(wanted, sandbox.now(), &sandbox.rng);
    sandbox.save();
    match opened {
        Ok(trade) => cashier::page(sandbox, &trade),
        Err(no) => cashier::refused(no),
    }
}

/// An amount as the SDKs write it: a text, or a number.
fn amount(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => parse_amount(text),
        Value::Number(number) => parse_amount(&number.to_string()),
        _ => None,
    }
}

/// Does what the method says.
fn work(sandbox: &Arc<Sandbox>, method: &str, business: &Map<String, Value>) -> Result<Map<String, Value>, No> {
    let text = |name: &str| business.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let (number, trade_no, now) = (text("out_trade_no"), text("trade_no"), sandbox.now());
    let fields = match method {
        "alipay.trade.query" => queried(sandbox.trades.lock().find(number, trade_no, now)?),
        "alipay.trade.close" => {
            let trade = sandbox.trades.lock().close(number, trade_no, now)?;
            json!({ "out_trade_no": trade.out_trade_no, "trade_no": trade.trade_no })
        }
        "alipay.trade.cancel" => cancelled(sandbox, number, trade_no)?,
        "alipay.trade.refund" => {
            let amount = business.get("refund_amount").and_then(amount).ok_or("ACQ.INVALID_PARAMETER")?;
            let about = number.unwrap_or_default();
            let fault = |kind| sandbox.faults.lock().take(kind, method, about, &sandbox.rng).is_some();
            let broke = fault(Kind::SellerBalanceEmpty);
            let asked = RefundRequest {
                out_trade_no: number,
                trade_no,
                out_request_no: text("out_request_no"),
                amount,
                balance_empty: broke,
                gap: sandbox.refund_gap,
            };
            let refunded = sandbox.trades.lock().refund(&asked, now)?;
            if refunded.moved {
                notify::announce(sandbox, &refunded.trade, Some(&refunded));
            }
            let mut fields = json!({
                "out_trade_no": refunded.trade.out_trade_no, "trade_no": refunded.trade.trade_no,
                "buyer_user_id": BUYER_ID, "buyer_logon_id": "buy***@example.com",
                "refund_fee": amount_text(refunded.trade.refunded()), "send_back_fee": amount_text(amount),
                "gmt_refund_pay": time_text(now),
            });
            if !fault(Kind::FundChangeAbsent) {
                let moved = refunded.moved && !fault(Kind::FundChangeN);
                fields["fund_change"] = if moved { "Y" } else { "N" }.into();
            }
            fields
        }
        "alipay.trade.fastpay.refund.query" => {
            let wanted = text("out_request_no").ok_or("ACQ.INVALID_PARAMETER")?;
            let mut trades = sandbox.trades.lock();
            let trade = trades.find(number, trade_no, now)?;
            match trade.refunds.iter().find(|refund| refund.out_request_no == wanted) {
                Some(refund) => json!({
                    "out_trade_no": trade.out_trade_no, "trade_no": trade.trade_no, "out_request_no": wanted,
                    "refund_amount": amount_text(refund.amount), "total_amount": amount_text(trade.total),
                    "refund_status": "REFUND_SUCCESS", "gmt_refund_pay": time_text(refund.at),
                }),
                None => json!({}),
            }
        }
        _ => {
            let day = text("bill_date").ok_or("INVAILID_ARGUMENTS")?;
            let known = matches!(text("bill_type"), Some("trade")) && day.parse::<jiff::civil::Date>().is_ok();
            if !known {
                return Err("INVAILID_ARGUMENTS");
            }
            if admin::is_to_come(sandbox, day) {
                return Err("BILL_NOT_EXIST");
            }
            json!({ "bill_download_url": format!("{}/bill/{day}", sandbox.base) })
        }
    };
    match fields {
        Value::Object(fields) => Ok(fields),
        _ => Ok(Map::new()),
    }
}

/// Ends the trade whatever its state: one that waits is closed, one that was paid is refunded.
fn cancelled(sandbox: &Arc<Sandbox>, out_trade_no: Option<&str>, trade_no: Option<&str>) -> Result<Value, No> {
    let (trade, cancelled) = sandbox.trades.lock().cancel(out_trade_no, trade_no, sandbox.now())?;
    let mut fields = json!({ "out_trade_no": trade.out_trade_no, "trade_no": trade.trade_no, "retry_flag": "N" });
    match cancelled {
        Cancelled::Closed => fields["action"] = "close".into(),
        Cancelled::Refunded(refunded) => {
            fields["action"] = "refund".into();
            notify::announce(sandbox, &trade, Some(&refunded));
        }
        Cancelled::Already => {}
    }
    Ok(fields)
}

fn queried(trade: &Trade) -> Value {
    let total = amount_text(trade.total);
    let mut fields = json!({
        "out_trade_no": trade.out_trade_no, "trade_no": trade.trade_no, "trade_status": trade.status.as_str(),
        "total_amount": total, "buyer_user_id": BUYER_ID, "buyer_logon_id": "buy***@example.com",
    });
    if let Some(at) = trade.paid_at {
        fields["send_pay_date"] = time_text(at).into();
        for name in ["receipt_amount", "buyer_pay_amount", "invoice_amount"] {
            fields[name] = total.as_str().into();
        }
        fields["point_amount"] = "0.00".into();
    }
    fields
}

/// The answer's text with its signature over the bytes in `charset`, or with what goes wrong with it.
fn envelope(
    sandbox: &Sandbox,
    method: &str,
    charset: &'static Encoding,
    inner: &str,
    fault: &impl Fn(Kind) -> Option<crate::faults::Fault>,
) -> String {
    let name = match fault(Kind::WrongEnvelope) {
        Some(_) => "alipay_something_else".to_owned(),
        None => method.replace('.', "_"),
    };
    if fault(Kind::Unsigned).is_some() {
        return format!("{{\"{name}_response\":{inner}}}");
    }
    let key = if fault(Kind::WrongKeyAnswer).is_some() { &sandbox.keys.stranger } else { &sandbox.keys.gateway };
    let sign = key.sign(&charset.encode(inner).0).unwrap_or_default();
    format!("{{\"{name}_response\":{inner},\"sign\":\"{sign}\"}}")
}

fn refuse(charset: &'static Encoding, method: Option<&str>, (code, message, sub_code): Refusal) -> Response {
    let known = method.filter(|method| METHODS.contains(method));
    let name = known.map_or_else(|| "error".to_owned(), |method| method.replace('.', "_"));
    let inner = json!({ "code": code, "msg": message, "sub_code": sub_code, "sub_msg": words(sub_code) });
    html(charset, &json!({ format!("{name}_response"): inner }).to_string())
}

/// What the vendor says to people with a code; for codes that it says nothing of, the code.
fn words(sub_code: &str) -> &str {
    match sub_code {
        "isv.invalid-app-id" => "无效的AppID参数",
        "isv.invalid-charset" => "无效的字符集参数",
        "isv.invalid-method" => "不存在的方法名",
        "isv.invalid-signature" => "无效签名",
        "isv.missing-signature" => "缺少签名参数",
        "ACQ.INVALID_PARAMETER" => "参数无效",
        "ACQ.SYSTEM_ERROR" => "系统错误",
        "ACQ.TRADE_HAS_CLOSE" => "交易已经关闭",
        "ACQ.TRADE_HAS_FINISHED" => "交易已完结",
        "ACQ.TRADE_HAS_SUCCESS" => "交易已被支付",
        "ACQ.TRADE_NOT_EXIST" => "交易不存在",
        "ACQ.TRADE_STATUS_ERROR" => "交易状态不合法",
        other => other,
    }
}

/// An answer in the charset of its request.
fn html(charset: &'static Encoding, body: &str) -> Response {
    let name = if charset == UTF_8 { "utf-8" } else { charset.name() };
    let kind = format!("text/html;charset={name}");
    ([(header::CONTENT_TYPE, kind)], charset.encode(body).0.into_owned()).into_response()
}

/// The connection ends in the middle of the answer.
fn broken() -> Response {
    let parts = futures_util::stream::iter([Err::<Bytes, _>(std::io::Error::other("lost on purpose"))]);
    axum::body::Body::from_stream(parts).into_response()
}
