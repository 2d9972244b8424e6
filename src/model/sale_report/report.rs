//! The report itself.

use serde::Serialize;

use super::checks::{self, Check, CheckStatus};
use super::counts::{Counts, Unit};
use super::facts::Facts;
use crate::kernel::{Money, SaleId, Timestamp};
use crate::model::orders::OrderState;
use crate::model::sales::SaleStatus;
use crate::model::snapshot::Offer;

/// The verdict on a sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Verdict {
    /// All checks hold, and nothing can change by itself any more.
    Holds,
    /// No check is violated, but the sale is not settled or a check could not be decided.
    Provisional,
    /// A check is violated.
    Violated,
}

/// A number of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its name, such as `units.paid`.
    pub name: &'static str,
    /// How many.
    pub count: u64,
    /// How much money; `None` where it is about none.
    pub amount: Option<Money>,
}

/// A report.
#[derive(Debug, Clone)]
pub struct Report {
    /// The sale, as it was at that moment.
    pub offer: Offer,
    /// The moment.
    pub as_of: Timestamp,
    /// Whether nothing can change by itself any more.
    pub settled: bool,
    /// The numbers.
    pub lines: Vec<Line>,
    /// The ten checks, in their order.
    pub checks: Vec<Check>,
    /// SHA-256 of the rows as CSV; `None` until it is settled.
    pub digest: Option<String>,
}

impl Report {
    /// Judges.
    pub fn new(facts: &Facts, counts: Counts, digest: String) -> Self {
        let awaiting = counts.of(OrderState::AwaitingPayment).tickets + counts.of(OrderState::Refunding).tickets;
        let decided = facts.is_decided() && awaiting == 0 && counts.returning() == 0;
        let settled = facts.status() == SaleStatus::Ended && decided;
        let checks = checks::all(facts, &counts);
        let lines = lines(facts, &counts);
        let digest = settled.then_some(digest);
        Self { offer: facts.offer.clone(), as_of: facts.as_of, settled, lines, checks, digest }
    }

    /// The sale.
    pub fn sale(&self) -> SaleId {
        self.offer.sale.id
    }

    /// Where the server has its rows as a file.
    pub fn download_path(&self) -> String {
        format!("/sale-reports/{}", self.sale())
    }

    /// In one word.
    pub fn verdict(&self) -> Verdict {
        let any = |status: CheckStatus| self.checks.iter().any(|check| check.status == status);
        if any(CheckStatus::Violated) {
            Verdict::Violated
        } else if !self.settled || any(CheckStatus::Undecided) {
            Verdict::Provisional
        } else {
            Verdict::Holds
        }
    }

    /// The report without its rows, as JSON.
    pub fn to_json(&self) -> serde_json::Value {
        let line = |line: &Line| {
            let amount = line
                .amount
                .map(|money| serde_json::json!({ "amount": money.amount(), "currencyCode": money.currency.code() }));
            serde_json::json!({ "name": line.name, "count": line.count, "amount": amount })
        };
        serde_json::json!({
            "saleId": self.sale(), "saleNumber": self.offer.sale.number, "asOf": self.as_of.to_rfc3339(), "settled": self.settled,
            "verdict": self.verdict(), "lines": self.lines.iter().map(line).collect::<Vec<_>>(), "checks": self.checks,
            "digest": self.digest,
        })
    }
}

fn lines(facts: &Facts, counts: &Counts) -> Vec<Line> {
    let mut lines = Vec::with_capacity(32);
    let mut say = |name, count| lines.push(Line { name, count, amount: None });
    let stock = facts.offer.stock;
    say("units.total", u64::from(stock.total));
    if let Some(units) = facts.history.at_publication {
        say("units.atPublication", units);
    }
    say("units.added", facts.history.added);
    say("units.free", u64::from(stock.left));
    say("units.held", counts.of(OrderState::AwaitingPayment).units);
    say("units.paid", counts.of(OrderState::Paid).units);
    say("units.refunding", counts.of(OrderState::Refunding).units);
    let refunded = counts.of(OrderState::Refunded).units;
    let returns = facts.offer.sale.returns_on_refund;
    say("units.refundedKept", if returns { 0 } else { refunded });
    say("units.refundedReturned", if returns { refunded } else { 0 });
    say("tickets.accepted", facts.tickets);
    say("tickets.orders", counts.orders());
    say("tickets.refusedSoldOut", counts.of(OrderState::RefusedSoldOut).tickets);
    say("tickets.refusedAlreadyBought", counts.of(OrderState::RefusedAlreadyBought).tickets);
    say("tickets.refusedSaleEnded", counts.of(OrderState::RefusedSaleEnded).tickets);
    say("tickets.voided", counts.of(OrderState::Voided).tickets);
    say("orders.awaitingPayment", counts.of(OrderState::AwaitingPayment).tickets);
    say("orders.paid", counts.of(OrderState::Paid).tickets);
    say("orders.refunding", counts.of(OrderState::Refunding).tickets);
    say("orders.refunded", counts.of(OrderState::Refunded).tickets);
    say("orders.cancelled", counts.of(OrderState::Cancelled).tickets);
    say("orders.expired", counts.of(OrderState::Expired).tickets);
    for (unit, flow) in counts.flows() {
        if *unit == Unit::Points {
            let mut say = |name, count: i128| {
                lines.push(Line { name, count: u64::try_from(count).unwrap_or(0), amount: None });
            };
            say("points.received", flow.received);
            say("points.returned", flow.returned);
        } else {
            let mut say = |name, count, minor| lines.push(Line { name, count, amount: unit.money(minor) });
            say("money.received", flow.payments, flow.received);
            say("money.surplus", flow.surpluses, flow.surplus);
            say("money.returned", flow.refunds, flow.returned);
        }
    }
    lines
}
