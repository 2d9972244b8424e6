//! The rows of a report: one for each decided ticket, in the order of admission, with its money. Their form is part of the contract:
//! the digest is the SHA-256 of the CSV file, so `sha256sum` is all that it takes to check it.

use std::fmt::Write as _;

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use crate::kernel::money::decimal;
use crate::kernel::{PaymentId, SaleId, TicketId, Timestamp, UserId};
use crate::model::orders::OrderState;

/// The names of the columns. Neither they nor the form of a value ever change: digests were published.
pub const COLUMNS: [&str; 17] = [
    "epoch",
    "seq",
    "number",
    "buyer",
    "quantity",
    "status",
    "price",
    "currency",
    "points_price",
    "admitted_at",
    "decided_at",
    "paid_at",
    "closed_at",
    "money_received",
    "money_returned",
    "points_received",
    "points_returned",
];

/// A decided ticket. Numbers and texts are as stored, whatever they are: finding what can't be is what a report is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Identity.
    pub ticket: TicketId,
    /// Its own column, which must agree with the identity.
    pub sale: SaleId,
    /// Its own column, which must be that of the sale.
    pub sale_number: i64,
    /// The buyer.
    pub buyer: UserId,
    /// Units.
    pub quantity: i64,
    /// Where it stands.
    pub status: String,
    /// Price of one unit, in minor units.
    pub price: i64,
    /// The price's currency.
    pub currency: String,
    /// Price of one unit in points.
    pub points_price: Option<i64>,
    /// When the gate admitted it.
    pub admitted_at: Timestamp,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// When it was paid.
    pub paid_at: Option<Timestamp>,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// Its payments that brought something in.
    pub payments: Vec<Received>,
    /// Its refunds, without those that failed.
    pub refunds: Vec<Returned>,
}

/// A payment that brought something in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Identity.
    pub id: PaymentId,
    /// Whether it pays the order, and is no surplus.
    pub kept: bool,
    /// The currency; `None` for points.
    pub currency: Option<String>,
    /// What came in.
    pub captured: i64,
    /// What went back, as the payment's row says.
    pub refunded: i64,
    /// What is on its way back, as the payment's row says.
    pub returning: i64,
}

/// A refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Returned {
    /// The payment that it gives back.
    pub payment: PaymentId,
    /// The currency; `None` for points.
    pub currency: Option<String>,
    /// How much.
    pub amount: i64,
    /// Whether it arrived.
    pub done: bool,
}

impl Row {
    /// Its number, as [`crate::model::orders::Order::number`].
    pub fn number(&self) -> String {
        format!("{}-{}-{:06}", self.sale_number, self.ticket.epoch, self.ticket.seq)
    }

    /// Its state; `None` for one that there is not.
    pub fn state(&self) -> Option<OrderState> {
        OrderState::parse(&self.status)
    }

    fn sums(&self) -> Sums {
        let mut sums = Sums::default();
        for payment in &self.payments {
            *(if payment.currency.is_some() { &mut sums.money_in } else { &mut sums.points_in }) += payment.captured;
        }
        for refund in self.refunds.iter().filter(|refund| refund.done) {
            *(if refund.currency.is_some() { &mut sums.money_out } else { &mut sums.points_out }) += refund.amount;
        }
        sums
    }
}

#[derive(Default)]
struct Sums {
    money_in: i64,
    money_out: i64,
    points_in: i64,
    points_out: i64,
}

/// The first line of the CSV file, with its end.
pub fn csv_header() -> String {
    format!("{}\n", COLUMNS.join(","))
}

/// The values in the order of the columns. None of them has a comma, a quote or a line break.
fn values(row: &Row) -> [String; COLUMNS.len()] {
    let moment = |at: Option<Timestamp>| at.map_or_else(String::new, Timestamp::to_rfc3339);
    let Sums { money_in, money_out, points_in, points_out } = row.sums();
    [
        row.ticket.epoch.to_string(),
        row.ticket.seq.to_string(),
        row.number(),
        row.buyer.to_string(),
        row.quantity.to_string(),
        row.status.clone(),
        decimal(row.price),
        row.currency.clone(),
        row.points_price.map_or_else(String::new, |points| points.to_string()),
        row.admitted_at.to_rfc3339(),
        row.decided_at.to_rfc3339(),
        moment(row.paid_at),
        moment(row.closed_at),
        decimal(money_in),
        decimal(money_out),
        points_in.to_string(),
        points_out.to_string(),
    ]
}

/// Writes the row's line of the CSV file, with its end.
pub fn csv_line(row: &Row, text: &mut String) {
    let _ = writeln!(text, "{}", values(row).join(","));
}

/// The row as a JSON object: the columns' names, and the same texts as in the CSV file.
pub fn json_row(row: &Row) -> serde_json::Value {
    let fields = COLUMNS.iter().zip(values(row)).map(|(name, value)| ((*name).to_owned(), value.into()));
    serde_json::Value::Object(fields.collect())
}

/// Computes the digest of the CSV file.
#[derive(Debug, Clone)]
pub struct Digester {
    hash: Sha256,
    line: String,
}

impl Default for Digester {
    fn default() -> Self {
        let mut hash = Sha256::new();
        hash.update(csv_header());
        Self { hash, line: String::new() }
    }
}

impl Digester {
    /// Takes the next row.
    pub fn add(&mut self, row: &Row) {
        self.line.clear();
        csv_line(row, &mut self.line);
        self.hash.update(&self.line);
    }

    /// The digest in hexadecimal.
    pub fn finish(self) -> String {
        HEXLOWER.encode(&self.hash.finalize())
    }
}
