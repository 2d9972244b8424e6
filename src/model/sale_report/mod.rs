//! The report of a sale: what became of each unit and each accepted purchase, and ten checks that must hold. Nothing here does I/O: the
//! store hands over the rows page by page ([`Counts::add`]) and what it counted otherwise
//! ([`Facts`]), and [`Report::new`] judges.

mod checks;
mod counts;
mod facts;
mod report;
mod rows;
#[cfg(test)]
mod tests;

pub use checks::{Cause, Check, CheckCode, CheckStatus};
pub use counts::Counts;
pub use facts::{EXAMPLES_MAX, Facts, GateView, StockHistory};
pub use report::{Line, Report, Verdict};
pub use rows::{Digester, Received, Returned, Row, csv_header, csv_line, json_row};
