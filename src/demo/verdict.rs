//! The result of a demo: the shoppers' histories joined with the database.

use std::fmt;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::checker::{self, Evidence, Invariant, Report};
use super::history::{Entry, Reply, Step};
use super::payers::Money;
use super::tally::{Percentiles, Tally};
use crate::kernel::SaleId;
use crate::model::facts::Facts;
use crate::store::{Database, StoreError};

/// What became of a sale.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// Units sold to the crowd. What somebody gives back when it has gone home is on sale again.
    pub sold: i64,
    /// Units there were.
    pub stock: i64,
    /// From the planned press to the first true answer.
    pub answers: Percentiles,
    /// From the acceptance to the pushed outcome.
    pub pushes: Percentiles,
    /// What the checker found.
    pub report: Report,
    /// Peak memory of the server in bytes, if known.
    pub server_memory: Option<u64>,
    /// What became of the money, if anybody paid.
    pub money: Option<Money>,
}

impl Verdict {
    /// Judges a finished run of a sale. `evidence` is all there is of it.
    pub fn of(evidence: Evidence<'_>, sale: SaleId, tally: &Tally) -> Self {
        let facts = evidence.facts;
        let report = checker::check(evidence);
        let (sold, stock) = units(facts, sale);
        Self { sold, stock, answers: tally.answers(), pushes: tally.pushes(), report, server_memory: None, money: None }
    }

    /// Whether every promise was kept and every shopper answered.
    pub fn holds(&self) -> bool {
        let money = self.money.as_ref().is_none_or(Money::is_right);
        self.report.is_clean() && self.report.counts.accepted > 0 && money
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |invariants: &[Invariant]| -> usize {
            invariants.iter().map(|invariant| self.report.count(*invariant)).sum()
        };
        let counts = &self.report.counts;
        let mut lines = vec![
            format!("sold         {} of {}", self.sold, self.stock),
            format!("oversold     {}", count(&[Invariant::NoOversell, Invariant::Conservation])),
            format!("lost         {}", count(&[Invariant::AcceptedIsRecorded, Invariant::Delivery])),
            format!("duplicates   {}", count(&[Invariant::BuyerLimit, Invariant::Idempotency])),
            format!("no response  {}", counts.unanswered),
            format!("other faults {}", self.other_faults()),
            format!(
                "shoppers     {} ({} purchase requests, {} repeated)",
                counts.shoppers, counts.purchases, counts.repeated
            ),
            format!("responses    p50 {:?}, p99 {:?}", self.answers.p50, self.answers.p99),
            format!("outcomes     p50 {:?}, p99 {:?} after the ticket", self.pushes.p50, self.pushes.p99),
        ];
        if let Some(money) = &self.money {
            lines.push(format!("paid         {money}"));
            let wrong = money.books.breaches().count() + usize::from(money.bill_agrees == Some(false)) + money.failed;
            let checked =
                if money.bill_agrees.is_some() { "the records and the gateway's bill" } else { "the records" };
            lines.push(format!("money        {wrong} faults ({checked})"));
        }
        if let Some(bytes) = self.server_memory {
            lines.push(format!("memory       {} MB peak (server)", bytes / 1_000_000));
        }
        lines.push(if self.holds() { "all guarantees held".into() } else { "GUARANTEES WERE VIOLATED".to_owned() });
        let width = lines.iter().map(String::len).max().unwrap_or(0);
        writeln!(f, "+{}+", "-".repeat(width + 2))?;
        for line in lines {
            writeln!(f, "| {line:width$} |")?;
        }
        writeln!(f, "+{}+", "-".repeat(width + 2))?;
        for breach in self.money.iter().flat_map(|money| money.books.breaches()) {
            writeln!(f, "invariant {}: {} {}", breach.invariant, breach.subject, breach.detail)?;
        }
        if self.report.is_clean() { Ok(()) } else { writeln!(f, "{}", self.report.summary()) }
    }
}

impl Verdict {
    fn other_faults(&self) -> usize {
        let shown = [
            Invariant::NoOversell,
            Invariant::Conservation,
            Invariant::AcceptedIsRecorded,
            Invariant::Delivery,
            Invariant::BuyerLimit,
            Invariant::Idempotency,
            Invariant::Answered,
        ];
        self.report.violations.iter().filter(|violation| !shown.contains(&violation.invariant)).count()
    }
}

/// Units sold, and units there were.
pub fn units(facts: &Facts, sale: SaleId) -> (i64, i64) {
    facts.sale(sale).map_or((0, 0), |sale| (sale.stock_total - sale.stock_left, sale.stock_total))
}

/// Waits until every ticket in the history is recorded and every event published, or `within` has passed; returns the
/// database's facts as they then are.
pub async fn settle(db: &Database, history: &[Entry], within: Duration) -> Result<Facts, StoreError> {
    let accepted: Vec<_> = history
        .iter()
        .filter_map(|entry| match &entry.step {
            Step::Ok { reply: Reply::Ticket(seen) } => Some(seen.id),
            _ => None,
        })
        .collect();
    let deadline = Instant::now() + within;
    loop {
        let facts = Facts::read(db).await?;
        let rows: std::collections::HashSet<_> = facts.orders.iter().map(|order| order.id).collect();
        if facts.outbox == 0 && accepted.iter().all(|id| rows.contains(id)) || Instant::now() >= deadline {
            return Ok(facts);
        }
        sleep(Duration::from_millis(50)).await;
    }
}
