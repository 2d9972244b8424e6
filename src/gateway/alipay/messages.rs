//! Messages that come to us: notifications, and the browser on its way back.
//!
//! The rule is the vendor's "V1": everything but `sign` and `sign_type`. Whether empty values are signed depends on the age of the
//! gateway's own library, so a signature counts with them or without; nothing reads them. What the sender says about the
//! algorithm is not believed: it is RSA2, or the message is refused. The charset is the message's own: UTF-8 or GBK. The bytes that were
//! verified are those that are read.

use super::answers::trade_status;
use super::merchant::Merchant;
use super::wire::{Parameters, RawParameters, masked, parse_money};
use crate::gateway::{BadMessage, Notification, RefundFacts, Returned, TradeSnapshot};
use crate::kernel::Money;

/// Bytes of a message at most.
pub const MESSAGE_MAX: usize = 64 * 1024;
/// Parameters that are not signed.
const UNSIGNED: [&str; 2] = ["sign", "sign_type"];
/// Parameters that name persons.
const PERSONAL: &[&str] = &["buyer_id", "buyer_open_id", "buyer_logon_id", "buyer_user_id", "seller_email"];
/// Parameters that say nothing without the signature, or too much of a person.
const LEFT_OUT: &[&str] = &["sign", "sign_type", "fund_bill_list", "voucher_detail_list"];

/// Reads a message and checks signature, application and seller.
fn verified(merchant: &Merchant, form: &[u8]) -> Result<Parameters, BadMessage> {
    if form.is_empty() || form.len() > MESSAGE_MAX {
        return Err(BadMessage::Malformed);
    }
    let raw = RawParameters::parse_all(&[form]).map_err(|_| BadMessage::Malformed)?;
    let mut signed = vec![raw.canonical(&UNSIGNED, false)];
    if raw.has_empty() {
        signed.push(raw.canonical(&UNSIGNED, true));
    }
    let parameters = raw.decode().map_err(|_| BadMessage::Malformed)?;
    if parameters.get("sign_type") != Some("RSA2") {
        return Err(BadMessage::Signature);
    }
    let sign = parameters.get("sign").ok_or(BadMessage::Signature)?;
    if !signed.iter().any(|text| merchant.alipay_keys.iter().any(|key| key.verifies(text, sign))) {
        return Err(BadMessage::Signature);
    }
    if parameters.get("app_id") != Some(&merchant.app_id) {
        return Err(BadMessage::App);
    }
    if parameters.get("seller_id") != Some(&merchant.seller_id) {
        return Err(BadMessage::Seller);
    }
    Ok(parameters)
}

fn money(parameters: &Parameters, name: &str) -> Result<Option<Money>, BadMessage> {
    parameters.get(name).map(|text| parse_money(text).ok_or(BadMessage::Malformed)).transpose()
}

/// Checks the body of a notification. Which payment it is about, and whether the amount is right, is for who keeps the payments.
pub fn notification(merchant: &Merchant, form: &[u8]) -> Result<Notification, BadMessage> {
    let parameters = verified(merchant, form)?;
    let field = |name| parameters.get(name).ok_or(BadMessage::Malformed);
    if field("notify_type")? != "trade_status_sync" {
        return Err(BadMessage::Malformed);
    }
    let refunded = ["refund_fee", "gmt_refund", "out_biz_no"].iter().any(|name| parameters.get(name).is_some());
    let facts = || {
        let number = parameters.get("out_biz_no").map(str::to_owned);
        Ok(RefundFacts { number, total: money(&parameters, "refund_fee")? })
    };
    let refund = refunded.then(facts).transpose()?;
    let snapshot = TradeSnapshot {
        number: field("out_trade_no")?.to_owned(),
        gateway_trade_no: Some(field("trade_no")?.to_owned()),
        status: trade_status(field("trade_status")?).ok_or(BadMessage::Malformed)?,
        amount: Some(money(&parameters, "total_amount")?.ok_or(BadMessage::Malformed)?),
        refund,
    };
    Ok(Notification {
        id: field("notify_id")?.to_owned(),
        status: field("trade_status")?.to_owned(),
        snapshot,
        masked: masked_text(&parameters),
    })
}

/// Checks the query string of a browser that comes back.
pub fn returned(merchant: &Merchant, query: &str) -> Result<Returned, BadMessage> {
    let parameters = verified(merchant, query.as_bytes())?;
    let number = parameters.get("out_trade_no").ok_or(BadMessage::Malformed)?.to_owned();
    Ok(Returned { number, amount: money(&parameters, "total_amount")? })
}

fn masked_text(parameters: &Parameters) -> String {
    let mut text = String::with_capacity(1_024);
    for (name, value) in parameters.iter().filter(|(name, _)| !LEFT_OUT.contains(name)) {
        if !text.is_empty() {
            text.push('&');
        }
        text.extend([name, "="]);
        if PERSONAL.contains(&name) {
            text.push_str(&masked(value));
        } else {
            text.push_str(value);
        }
    }
    text
}
