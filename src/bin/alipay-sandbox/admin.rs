//! The JSON API for tests and inspection.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use doorbuster::gateway::alipay::bill::{PAYMENT, REFUND, pack};
use doorbuster::gateway::alipay::wire::{amount_text, time_text};
use doorbuster::kernel::Timestamp;
use serde_json::{Value, json};

use crate::faults::{Fault, Faults};
use crate::keys::SELLER_ID;
use crate::notify::return_address;
use crate::{Sandbox, cashier};

type Shared = State<Arc<Sandbox>>;

/// All trades.
pub async fn trades(State(sandbox): Shared) -> Json<Value> {
    Json(json!(sandbox.trades.lock().all().collect::<Vec<_>>()))
}

/// One trade.
pub async fn trade(State(sandbox): Shared, Path(number): Path<String>) -> Response {
    match sandbox.trades.lock().find(Some(&number), None, sandbox.now()) {
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

/// Sets all switches: an array of `{kind, method?, number?, times?, percent?, millis?}`.
pub async fn set_faults(State(sandbox): Shared, Json(faults): Json<Vec<Fault>>) -> StatusCode {
    *sandbox.faults.lock() = Faults(faults);
    StatusCode::NO_CONTENT
}

/// Adds one switch to those that are on.
pub async fn add_fault(State(sandbox): Shared, Json(fault): Json<Fault>) -> StatusCode {
    sandbox.faults.lock().0.push(fault);
    StatusCode::NO_CONTENT
}

/// Which switches to take away.
#[derive(serde::Deserialize)]
pub struct Mended {
    /// Those of this trade; all if absent.
    number: Option<String>,
}

/// Switches off.
pub async fn clear_faults(State(sandbox): Shared, Query(mended): Query<Mended>) -> StatusCode {
    sandbox.faults.lock().0.retain(|fault| mended.number.is_some() && fault.number != mended.number);
    StatusCode::NO_CONTENT
}

/// The columns of the vendor's bill, as merchants have published them.
const COLUMNS: &str = "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,\
订单金额（元）,商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,\
商家红包消费金额（元）,卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注";

/// Whether the day has not begun in the gateway's zone. Its bill does not exist; the vendor's is made on the day after.
pub fn is_to_come(sandbox: &Sandbox, day: &str) -> bool {
    // Days are written alike (`2026-11-29`), so that their texts compare as they do.
    *day > time_text(sandbox.now())[..10]
}

/// The bill of a day (in the gateway's zone): zipped CSV in GBK, cells ended by tabs. Unlike the vendor's it is there at once.
pub async fn bill(State(sandbox): Shared, Path(day): Path<String>) -> Response {
    if is_to_come(&sandbox, &day) {
        return (StatusCode::NOT_FOUND, "BILL_NOT_EXIST").into_response();
    }
    let rows = bill_rows(&sandbox, &day);
    let count = |kind: &str| rows.iter().filter(|row| row.contains(kind)).count();
    let (paid, refunded) = (count(PAYMENT), count(REFUND));
    let head = format!("#支付宝业务明细查询\n#账号：[{SELLER_ID}0156]\n#起始日期：[{day} 00:00:00]\n");
    let detail = format!("{head}{COLUMNS}\n{}#交易合计：{paid}笔\n#退款合计：{refunded}笔\n", rows.concat());
    let sums = format!("{head}门店编号,门店名称,交易订单总笔数,退款订单总笔数\n合计\t,\t,{paid}\t,{refunded}\t\n");
    let stem = format!("{SELLER_ID}0156_{}_业务明细", day.replace('-', ""));
    match pack(&[(format!("{stem}.csv"), detail), (format!("{stem}(汇总).csv"), sums)]) {
        Ok(archive) => ([(header::CONTENT_TYPE, "application/zip")], archive).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

fn bill_rows(sandbox: &Sandbox, day: &str) -> Vec<String> {
    let within = |at: Timestamp| time_text(at).starts_with(day);
    let mut rows = Vec::new();
    for trade in sandbox.trades.lock().all() {
        let mut line = |kind: &str, at: Timestamp, amount: i64, refund: &str| {
            let (created, at, amount) = (time_text(trade.created_at), time_text(at), amount_text(amount));
            let subject = trade.subject.replace([',', '\t', '\n', '"'], " ");
            let cells = [
                &trade.trade_no,
                &trade.out_trade_no,
                kind,
                &subject,
                &created,
                &at,
                "",
                "",
                "",
                "",
                "*买家(buy***@example.com)",
                &amount,
                &amount,
                "0.00",
                "0.00",
                "0.00",
                "0.00",
                "0.00",
                "",
                "0.00",
                "0.00",
                refund,
                "0.00",
                "0.00",
                "",
            ];
            rows.push(format!("{}\t\n", cells.join("\t,")));
        };
        if let Some(at) = trade.paid_at.filter(|at| within(*at)) {
            line(PAYMENT, at, trade.total, "");
        }
        for refund in trade.refunds.iter().filter(|refund| within(refund.at)) {
            line(REFUND, refund.at, -refund.amount, &refund.out_request_no);
        }
    }
    rows
}
