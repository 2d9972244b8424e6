//! What the gateway's answers mean, as the closed outcomes of the contract.
//!
//! A code that is not listed here means "unknown", never "refused": only a definite no may end a payment or a refund.

use serde::Deserialize;

use super::envelope::{EnvelopeError, Opened, open};
use super::keys::VerifyingKey;
use super::wire::parse_money;
use crate::gateway::{Closed, Outcome, RefundFound, TradeSnapshot, TradeStatus};

/// Longest piece of the gateway's words that is passed on.
const WORD_MAX: usize = 64;

/// Sub codes that are a definite no.
const REJECTIONS: &[&str] = &[
    "ACQ.TRADE_NOT_EXIST",
    "ACQ.TRADE_STATUS_ERROR",
    "ACQ.REASON_TRADE_STATUS_INVALID",
    "ACQ.REASON_ILLEGAL_STATUS",
    "ACQ.TRADE_HAS_SUCCESS",
    "ACQ.TRADE_HAS_CLOSE",
    "ACQ.TRADE_HAS_FINISHED",
    "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL",
    "ACQ.REASON_TRADE_REFUND_FEE_ERR",
    "ACQ.REFUND_FEE_ERROR",
    "ACQ.TRADE_NOT_ALLOW_REFUND",
    "ACQ.NOT_ALLOW_PARTIAL_REFUND",
    "ACQ.REASON_TRADE_BEEN_FREEZEN",
    "ACQ.INVALID_PARAMETER",
    "ACQ.DISCORDANT_REPEAT_REQUEST",
    "ACQ.CONTEXT_INCONSISTENT",
    "BILL_NOT_EXIST",
    "NO_BILL_DATA",
    "INVAILID_ARGUMENTS",
];

/// The fields of all answers that we read. Absent ones are `None`; a field twice is refused.
#[derive(Debug, Default, Deserialize)]
struct Fields {
    code: String,
    sub_code: Option<String>,
    out_trade_no: Option<String>,
    trade_no: Option<String>,
    trade_status: Option<String>,
    total_amount: Option<String>,
    fund_change: Option<String>,
    refund_status: Option<String>,
    refund_amount: Option<String>,
    out_request_no: Option<String>,
    bill_download_url: Option<String>,
}

/// A word of the gateway as it may be logged and stored: short, of plain characters.
fn word(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || ".-_".contains(*c)).take(WORD_MAX).collect()
}

fn unknown<T>(reason: impl ToString) -> Outcome<T> {
    Outcome::Unknown { reason: reason.to_string() }
}

/// Opens, verifies and classifies the answer; the fields of a verified success go to `read`.
fn classify<T>(
    method: &str,
    body: &[u8],
    keys: &[VerifyingKey],
    read: impl FnOnce(&Fields) -> Outcome<T>,
) -> Outcome<T> {
    let fields = |opened: &Opened<'_>| opened.read::<Fields>();
    let (opened, fields) = match open(method, body, keys).and_then(|opened| fields(&opened).map(|f| (opened, f))) {
        Ok(both) => both,
        Err(error @ EnvelopeError::BadSignature) => {
            tracing::error!(method, "a response of the payment gateway has an invalid signature");
            return unknown(error);
        }
        Err(error) => return unknown(error),
    };
    let sub_code = word(fields.sub_code.as_deref().unwrap_or_default());
    let reason = format!("{} {sub_code}", word(&fields.code));
    match fields.code.as_str() {
        // The gateway does not sign errors about an unknown application; an unsigned error changes nothing here.
        "20001" | "40001" | "40002" | "40003" | "40006" => Outcome::Misconfigured { reason },
        _ if !opened.verified => unknown(format!("unsigned answer {reason}")),
        "10000" => read(&fields),
        "10003" | "40005" => Outcome::Pending { code: reason },
        "40004" if sub_code == "ACQ.SELLER_BALANCE_NOT_ENOUGH" => Outcome::Pending { code: sub_code },
        "40004" if REJECTIONS.contains(&sub_code.as_str()) => Outcome::Rejected { code: sub_code },
        _ => unknown(reason),
    }
}

/// The contract's word for a `trade_status`.
pub(super) fn trade_status(text: &str) -> Option<TradeStatus> {
    Some(match text {
        "WAIT_BUYER_PAY" => TradeStatus::Waiting,
        "TRADE_SUCCESS" | "TRADE_FINISHED" => TradeStatus::Paid,
        "TRADE_CLOSED" => TradeStatus::Closed,
        _ => return None,
    })
}

/// The answer to `alipay.trade.query`.
pub fn query(body: &[u8], keys: &[VerifyingKey], number: &str) -> Outcome<TradeSnapshot> {
    let outcome = classify("alipay.trade.query", body, keys, |fields| {
        let status = fields.trade_status.as_deref().and_then(trade_status);
        match (status, fields.total_amount.as_deref().and_then(parse_money)) {
            (Some(status), Some(amount)) if fields.out_trade_no.as_deref() == Some(number) => {
                Outcome::Succeeded(TradeSnapshot {
                    number: number.to_owned(),
                    gateway_trade_no: fields.trade_no.clone(),
                    status,
                    amount: Some(amount),
                    refund: None,
                })
            }
            _ => unknown("the response concerns something else or lacks a field"),
        }
    });
    match outcome {
        Outcome::Rejected { code } if code == "ACQ.TRADE_NOT_EXIST" => Outcome::Succeeded(TradeSnapshot {
            number: number.to_owned(),
            gateway_trade_no: None,
            status: TradeStatus::Absent,
            amount: None,
            refund: None,
        }),
        other => other,
    }
}

/// The answer to `alipay.trade.close`.
pub fn close(body: &[u8], keys: &[VerifyingKey], number: &str) -> Outcome<Closed> {
    let outcome = classify("alipay.trade.close", body, keys, |fields| match fields.out_trade_no.as_deref() {
        Some(answered) if answered != number => unknown("the response concerns another transaction"),
        _ => Outcome::Succeeded(Closed::Closed),
    });
    match outcome {
        Outcome::Rejected { code } => match code.as_str() {
            "ACQ.TRADE_NOT_EXIST" => Outcome::Succeeded(Closed::Absent),
            "ACQ.TRADE_STATUS_ERROR" | "ACQ.REASON_TRADE_STATUS_INVALID" | "ACQ.REASON_ILLEGAL_STATUS" => {
                Outcome::Succeeded(Closed::NotWaiting)
            }
            _ => Outcome::Rejected { code },
        },
        other => other,
    }
}

/// The answer to `alipay.trade.refund`. Its `refund_fee` is the sum over all refunds of the trade, so it says nothing here.
pub fn refund(body: &[u8], keys: &[VerifyingKey], number: &str) -> Outcome<()> {
    classify("alipay.trade.refund", body, keys, |fields| match fields.fund_change.as_deref() {
        _ if fields.out_trade_no.as_deref() != Some(number) => unknown("the response concerns another transaction"),
        Some("Y") => Outcome::Succeeded(()),
        other => Outcome::Pending { code: format!("fund_change={}", word(other.unwrap_or("absent"))) },
    })
}

/// The answer to `alipay.trade.fastpay.refund.query`.
pub fn query_refund(body: &[u8], keys: &[VerifyingKey], number: &str, refund_number: &str) -> Outcome<RefundFound> {
    classify("alipay.trade.fastpay.refund.query", body, keys, |fields| {
        if fields.refund_status.as_deref() != Some("REFUND_SUCCESS") {
            return Outcome::Succeeded(RefundFound::NotFound);
        }
        let about_it =
            fields.out_trade_no.as_deref() == Some(number) && fields.out_request_no.as_deref() == Some(refund_number);
        match fields.refund_amount.as_deref().and_then(parse_money) {
            Some(amount) if about_it => Outcome::Succeeded(RefundFound::Done(amount)),
            _ => unknown("the response concerns another refund or lacks its amount"),
        }
    })
}

/// The answer to `alipay.data.dataservice.bill.downloadurl.query`: where the bill is; `None` when that day has no rows.
pub fn bill_url(body: &[u8], keys: &[VerifyingKey]) -> Outcome<Option<String>> {
    let outcome = classify("alipay.data.dataservice.bill.downloadurl.query", body, keys, |fields| {
        match &fields.bill_download_url {
            Some(url) => Outcome::Succeeded(Some(url.clone())),
            None => unknown("the response has no URL"),
        }
    });
    match outcome {
        Outcome::Rejected { code } if code == "NO_BILL_DATA" => Outcome::Succeeded(None),
        Outcome::Rejected { code } if code == "BILL_NOT_EXIST" => Outcome::Pending { code },
        other => other,
    }
}
