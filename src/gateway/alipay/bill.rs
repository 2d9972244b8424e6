//! The bill of a day: a ZIP archive with CSV files in GBK, whose lines of comment begin with `#`. One file has a line for each payment and
//! refund, others sums.
//!
//! The vendor documents that the download is compressed CSV. Its headings, the comments, GBK, and cells that end with a tab are known from
//! merchants who published theirs; nothing of it was tried with a bill of the vendor's own. So much is left open on purpose: the file is
//! found by its headings and not by its name, columns may come in any order, UTF-8 is read too, and whatever makes no sense is an
//! error instead of a guess.

use std::borrow::Cow;
use std::io::{Cursor, Read as _, Write as _};

use zip::result::ZipError;

use super::wire::{parse_money, parse_time};
use crate::gateway::BillRow;

/// The headings of the columns that are read.
pub const HEADINGS: [&str; 6] =
    ["支付宝交易号", "商户订单号", "业务类型", "完成时间", "订单金额（元）", "退款批次号/请求号"];
/// The kind of a line about a payment.
pub const PAYMENT: &str = "交易";
/// The kind of a line about a refund. Its amount is below zero.
pub const REFUND: &str = "退款";
/// What an archive begins with.
const ARCHIVE: &[u8] = b"PK\x03\x04";
/// Bytes of a file in the archive at most.
const FILE_MAX: u64 = 256 * 1024 * 1024;
/// Files in the archive at most.
const FILES_MAX: usize = 16;

/// The bill can't be read.
#[derive(Debug, thiserror::Error)]
pub enum BillError {
    /// The archive is broken.
    #[error("the bill's archive can't be read")]
    Archive(#[from] ZipError),
    /// A file in the archive is larger than any bill.
    #[error("a file in the bill's archive has more than {FILE_MAX} bytes")]
    TooLarge,
    /// Neither UTF-8 nor GBK.
    #[error("the bill is not text in GBK")]
    Encoding,
    /// A heading that is read is not there.
    #[error("the bill has unexpected columns")]
    Columns,
    /// A line that makes no sense; counted from 1.
    #[error("line {0} of the bill is invalid")]
    Line(usize),
}

/// Reads a bill: an archive, or one of its files.
pub fn parse(bytes: &[u8]) -> Result<Vec<BillRow>, BillError> {
    if !bytes.starts_with(ARCHIVE) {
        return parse_text(&text(bytes)?);
    }
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes))?;
    for index in 0..archive.len().min(FILES_MAX) {
        let file = archive.by_index(index)?;
        let mut content = Vec::new();
        file.take(FILE_MAX + 1).read_to_end(&mut content).map_err(ZipError::from)?;
        if content.len() as u64 > FILE_MAX {
            return Err(BillError::TooLarge);
        }
        match parse_text(&text(&content)?) {
            Err(BillError::Columns) => {}
            found => return found,
        }
    }
    Err(BillError::Columns)
}

/// Makes the archive that a bill is downloaded as: each file with its name and text.
pub fn pack(files: &[(String, String)]) -> Result<Vec<u8>, BillError> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in files {
        let options = zip::write::SimpleFileOptions::default();
        archive.start_file(name.as_str(), options)?;
        archive.write_all(&encoding_rs::GBK.encode(text).0).map_err(ZipError::from)?;
    }
    Ok(archive.finish()?.into_inner())
}

fn text(bytes: &[u8]) -> Result<Cow<'_, str>, BillError> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Ok(Cow::Borrowed(text.trim_start_matches('\u{feff}')));
    }
    encoding_rs::GBK.decode_without_bom_handling_and_without_replacement(bytes).ok_or(BillError::Encoding)
}

fn parse_text(text: &str) -> Result<Vec<BillRow>, BillError> {
    let mut lines =
        text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
    let Some((_, headings)) = lines.next() else { return Ok(Vec::new()) };
    let headings: Vec<_> = headings.split(',').map(str::trim).collect();
    let mut columns = [0; HEADINGS.len()];
    for (column, heading) in columns.iter_mut().zip(HEADINGS) {
        *column = headings.iter().position(|found| *found == heading).ok_or(BillError::Columns)?;
    }
    lines.map(|(number, line)| row(line, headings.len(), &columns).ok_or(BillError::Line(number + 1))).collect()
}

/// A line with more or fewer cells than headings has a comma where none should be: nothing in it can be trusted.
fn row(line: &str, width: usize, columns: &[usize; HEADINGS.len()]) -> Option<BillRow> {
    let cells: Vec<_> = line.split(',').map(str::trim).collect();
    if cells.len() != width {
        return None;
    }
    let cell = |index: usize| cells.get(columns[index]).copied();
    let (kind, amount, refund_number) = (cell(2)?, cell(4)?, cell(5)?);
    let refund_number = match kind {
        PAYMENT => None,
        REFUND if !refund_number.is_empty() => Some(refund_number.to_owned()),
        _ => return None,
    };
    Some(BillRow {
        number: cell(1)?.to_owned(),
        refund_number,
        gateway_trade_no: cell(0)?.to_owned(),
        amount: parse_money(amount.strip_prefix('-').unwrap_or(amount))?,
        at: parse_time(cell(3)?)?,
    })
}
