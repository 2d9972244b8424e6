//! The JSON face, for tests and for whoever wants to look behind the page.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use doorbuster::kernel::Timestamp;
use doorbuster::payments::alipay::bill::{HEADINGS, PAYMENT, REFUND};
use doorbuster::payments::alipay::wire::{amount_text, time_text};
use serde_json::{Value, json};

use crate::faults::{Fault, Faults};
use crate::notify::return_address;
use crate::{Sandbox, cashier};

type Shared = State<Arc<Sandbox>>;

/// All trades.
pub async fn trades(State(sandbox): Shared) -> Json<Value> {
    Json(json!(sandbox.trades.lock().all().collect::<Vec<_>>()))
}

/// One trade.
pub async fn trade(State(sandbox): Shared, Path(number): Path<String>) -> Response {
    match sandbox.trades.lock().find(Some(&number), None, sandbox.clock.now()) {
        Ok(trade) => Json(json!(trade)).into_response(),
        Err(no) => refused(no),
    }
}

/// `pay`, `decline`, `expire`, `finish` (no more refunds) or `notify` (once more): the trade, and where the browser would go.
pub async fn act(State(sandbox): Shared, Path((number, act)): Path<(String, String)>) -> Response {
    match cashier::perform(&sandbox, &number, &act) {
        Ok(trade) => Json(json!({ "returnUrl": return_address(&sandbox, &trade), "trade": trade })).into_response(),
        Err(no) => refused(no),
    }
}

fn refused(no: &str) -> Response {
    (StatusCode::CONFLICT, Json(json!({ "error": no }))).into_response()
}

/// All refunds, each with its trade's number.
pub async fn refunds(State(sandbox): Shared) -> Json<Value> {
    let trades = sandbox.trades.lock();
    let all = trades.all().flat_map(|trade| {
        trade.refunds.iter().map(|refund| json!({ "outTradeNo": trade.out_trade_no, "refund": refund }))
    });
    Json(all.collect())
}

/// All notifications, with what the shop answered.
pub async fn notifications(State(sandbox): Shared) -> Json<Value> {
    Json(json!(*sandbox.notifier.sent.lock()))
}

/// The switches that are on.
pub async fn faults(State(sandbox): Shared) -> Json<Value> {
    Json(json!(sandbox.faults.lock().0))
}

/// Sets all switches: an array of `{kind, method?, times?, percent?, millis?}`.
pub async fn set_faults(State(sandbox): Shared, Json(faults): Json<Vec<Fault>>) -> StatusCode {
    *sandbox.faults.lock() = Faults(faults);
    StatusCode::NO_CONTENT
}

/// All switches off.
pub async fn clear_faults(State(sandbox): Shared) -> StatusCode {
    *sandbox.faults.lock() = Faults::default();
    StatusCode::NO_CONTENT
}

/// The bill of a day (in the gateway's zone). Unlike the vendor's it is there at once, and in UTF-8.
pub async fn bill(State(sandbox): Shared, Path(day): Path<String>) -> Response {
    let mut text = format!("#bill of {day}\n{}\n", HEADINGS.join(","));
    let within = |at: Timestamp| time_text(at).starts_with(&day);
    for trade in sandbox.trades.lock().all() {
        let mut line = |kind: &str, at: Timestamp, amount: i64, refund: &str| {
            let (trade_no, number, at) = (&trade.trade_no, &trade.out_trade_no, time_text(at));
            // Writing to a string can't fail.
            let _ = writeln!(text, "{trade_no},{number},{kind},{at},{},{refund}", amount_text(amount));
        };
        if let Some(at) = trade.paid_at.filter(|at| within(*at)) {
            line(PAYMENT, at, trade.total, "");
        }
        for refund in trade.refunds.iter().filter(|refund| within(refund.at)) {
            line(REFUND, refund.at, -refund.amount, &refund.out_request_no);
        }
    }
    ([(header::CONTENT_TYPE, "text/csv;charset=utf-8")], text).into_response()
}
