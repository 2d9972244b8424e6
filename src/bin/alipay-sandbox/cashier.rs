//! The cashier's page: a plain form with three buttons.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use doorbuster::gateway::alipay::wire::{Parameters, amount_text, time_text};

use crate::trades::{Status, Trade};
use crate::{Sandbox, notify};

/// The card fits a phone of 320 px: its padding is part of its width.
const STYLE: &str = "*{box-sizing:border-box}body{font:16px/1.5 system-ui,sans-serif;background:#eef2f7;color:#1b2733;margin:0;\
display:grid;place-items:center;min-height:100vh}main{background:#fff;border-radius:12px;box-shadow:0 6px 30px #0b2a4a1f;padding:32px;\
width:min(484px,100vw - 24px);margin:12px}h1{font-size:15px;color:#1677ff;margin:0 0 20px;letter-spacing:.02em}p{margin:6px 0}\
.amount{font-size:40px;font-weight:650;margin:4px 0 12px}.dim{color:#66788a;font-size:14px;overflow-wrap:anywhere}\
button{font:inherit;width:100%;padding:12px;margin-top:10px;border-radius:8px;border:1px solid #c9d4e0;background:#fff;cursor:pointer}\
button.pay{background:#1677ff;border-color:#1677ff;color:#fff;font-weight:600}a{color:#1677ff}\
button:focus-visible,a:focus-visible{outline:3px solid #9cc5ff}";

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

fn frame(title: &str, body: &str) -> Response {
    Html(format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><style>{STYLE}</style><main><h1>Alipay sandbox: no money moves</h1>{body}</main></html>"
    ))
    .into_response()
}

/// The page of the service itself.
pub async fn front() -> Response {
    frame(
        "Alipay sandbox",
        "<p>Shops send their buyers to <code>/gateway.do</code>.</p><p class=\"dim\">JSON: /sandbox/trades, \
         /sandbox/refunds, /sandbox/notifications, /sandbox/faults</p>",
    )
}

/// Why there is nothing to pay.
pub fn refused(code: &str) -> Response {
    frame("Cannot pay", &format!("<p class=\"amount\">Cannot pay</p><p class=\"dim\">{}</p>", escape(code)))
}

/// The trade, and the buttons while it can be paid.
pub fn page(sandbox: &Sandbox, trade: &Trade) -> Response {
    let until = trade.expires_at.map(|at| format!("<p class=\"dim\">Pay before {} (UTC+8)</p>", time_text(at)));
    let foot = match trade.status {
        Status::WaitBuyerPay => format!(
            "<form method=\"post\" action=\"/cashier/{}\"><button class=\"pay\" name=\"act\" value=\"pay\">Pay</button>\
             <button name=\"act\" value=\"decline\">Do not pay</button><button name=\"act\" value=\"expire\">Let it expire\
             </button></form>",
            escape(&trade.out_trade_no)
        ),
        Status::TradeSuccess | Status::TradeFinished => match notify::return_address(sandbox, trade) {
            Some(address) => format!("<p>Paid. <a href=\"{}\">Back to the shop</a></p>", escape(&address)),
            None => "<p>Paid.</p>".to_owned(),
        },
        Status::TradeClosed => "<p>Closed.</p>".to_owned(),
    };
    let body = format!(
        "<p>{}</p><p class=\"amount\">¥{}</p><p class=\"dim\">{}</p>{}{foot}",
        escape(&trade.subject),
        amount_text(trade.total),
        escape(&trade.out_trade_no),
        until.unwrap_or_default(),
    );
    frame("Pay", &body)
}

/// Shows a trade that was opened before.
pub async fn show(State(sandbox): State<Arc<Sandbox>>, Path(number): Path<String>) -> Response {
    let found = sandbox.trades.lock().find(Some(&number), None, sandbox.now()).cloned();
    found.map_or_else(refused, |trade| page(&sandbox, &trade))
}

/// A button was pressed.
pub async fn act(State(sandbox): State<Arc<Sandbox>>, Path(number): Path<String>, form: Bytes) -> Response {
    let form = Parameters::parse(&form).unwrap_or_default();
    let act = form.get("act").unwrap_or_default();
    let trade = match perform(&sandbox, &number, act) {
        Ok(trade) => trade,
        Err(no) => return refused(no),
    };
    match notify::return_address(&sandbox, &trade) {
        Some(address) if act == "pay" => Redirect::to(&address).into_response(),
        _ => page(&sandbox, &trade),
    }
}

/// The action of the buyer, or of a test in the buyer's place, on a trade.
pub fn perform(sandbox: &Arc<Sandbox>, number: &str, act: &str) -> Result<Trade, &'static str> {
    let now = sandbox.now();
    let done = match act {
        "pay" => sandbox.trades.lock().pay(number, now),
        "expire" => sandbox.trades.lock().close(Some(number), None, now),
        "finish" => sandbox.trades.lock().finish(number, now),
        "decline" | "notify" => sandbox.trades.lock().find(Some(number), None, now).cloned(),
        _ => Err("ACQ.INVALID_PARAMETER"),
    };
    sandbox.save();
    let trade = done?;
    if matches!(act, "pay" | "finish" | "notify") {
        notify::announce(sandbox, &trade, None);
    }
    Ok(trade)
}
