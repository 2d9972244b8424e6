//! The bill of a day: CSV with the vendor's headings, comments after `#`.

use super::wire::{parse_amount, parse_time};
use crate::kernel::{Currency, Money};
use crate::payments::gateway::BillRow;

/// The headings of the columns that are read; the sandbox writes them in this order.
pub const HEADINGS: [&str; 6] =
    ["支付宝交易号", "商户订单号", "业务类型", "完成时间", "订单金额（元）", "退款批次号/请求号"];
/// The kind of a line about a payment.
pub const PAYMENT: &str = "交易";
/// The kind of a line about a refund. Its amount is below zero.
pub const REFUND: &str = "退款";

/// The bill can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BillError {
    /// Not UTF-8.
    #[error("the bill is not text in UTF-8")]
    Encoding,
    /// A heading that is read is not there.
    #[error("the bill has other columns")]
    Columns,
    /// A line that makes no sense; counted from 1.
    #[error("line {0} of the bill makes no sense")]
    Line(usize),
}

/// Reads a bill.
pub fn parse(bytes: &[u8]) -> Result<Vec<BillRow>, BillError> {
    let text = std::str::from_utf8(bytes).map_err(|_| BillError::Encoding)?.trim_start_matches('\u{feff}');
    let mut lines =
        text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
    let Some((_, headings)) = lines.next() else { return Ok(Vec::new()) };
    let headings: Vec<_> = headings.split(',').map(str::trim).collect();
    let mut columns = [0; HEADINGS.len()];
    for (column, heading) in columns.iter_mut().zip(HEADINGS) {
        *column = headings.iter().position(|found| *found == heading).ok_or(BillError::Columns)?;
    }
    lines.map(|(number, line)| row(line, &columns).ok_or(BillError::Line(number + 1))).collect()
}

fn row(line: &str, columns: &[usize; HEADINGS.len()]) -> Option<BillRow> {
    let cells: Vec<_> = line.split(',').map(str::trim).collect();
    let cell = |index: usize| cells.get(columns[index]).copied();
    let (kind, amount, refund_number) = (cell(2)?, cell(4)?, cell(5)?);
    let refund_number = match kind {
        PAYMENT => None,
        REFUND => Some(refund_number.to_owned()),
        _ => return None,
    };
    let minor = parse_amount(amount.strip_prefix('-').unwrap_or(amount))?;
    Some(BillRow {
        number: cell(1)?.to_owned(),
        refund_number,
        gateway_trade_no: cell(0)?.to_owned(),
        amount: Money { minor, currency: Currency::Cny },
        at: parse_time(cell(3)?)?,
    })
}
