//! `doorbuster payments`: verifies the records of payments.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::common::{print, with_app};
use crate::app::App;
use crate::config::Config;
use crate::kernel::Clock;
use crate::kernel::money::decimal;
use crate::model::bills::{BillReport, Item};
use crate::payments::audit::{self, Report};
use crate::payments::reconciliation;
use crate::store::Database;

/// Commands about payments.
#[derive(Debug, Subcommand)]
pub enum PaymentsCommand {
    /// Check the invariants of payments, refunds, points and units, and list the rows that violate them. The shop can keep running.
    Audit(AuditOptions),
    /// Compare the gateway's bill of a day with the records.
    Reconcile(ReconcileOptions),
}

/// Options of `payments reconcile`.
#[derive(Debug, Args)]
pub struct ReconcileOptions {
    /// The day in the gateway's time zone (UTC+8), such as 2026-11-23. Defaults to yesterday.
    #[arg(long, value_name = "DAY")]
    pub day: Option<jiff::civil::Date>,
    /// Print JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// Options of `payments audit`.
#[derive(Debug, Args)]
pub struct AuditOptions {
    /// Also fail if anything is still in progress or flagged for an operator.
    #[arg(long)]
    pub settled: bool,
    /// Print JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub async fn run(config: Config, command: PaymentsCommand) -> anyhow::Result<ExitCode> {
    match command {
        PaymentsCommand::Audit(options) => {
            let db = Database::look(&config.store).await?;
            let report = audit::check(&db, &db, options.settled).await;
            db.close().await;
            let report = report?;
            print(&if options.json {
                format!("{}\n", serde_json::to_string_pretty(&report)?)
            } else {
                text(&report)?
            })?;
            Ok(if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        PaymentsCommand::Reconcile(options) => {
            let today = reconciliation::day_of(Clock::system().now());
            let day = options.day.map_or_else(|| today.yesterday(), Ok)?;
            Database::must_exist(&config.store)?;
            let report = with_app(config, async |app: &App| Ok(app.payments().reconcile_bill(day).await?)).await?;
            print(&if options.json {
                format!("{}\n", serde_json::to_string_pretty(&report)?)
            } else {
                bill(&report)?
            })?;
            Ok(if report.open().next().is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
    }
}

/// A day's report for people.
fn bill(report: &BillReport) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    writeln!(text, "{}: {} lines, {} agree", report.day, report.rows, report.matched)?;
    writeln!(text, "paid {}, refunded {}", decimal(report.paid), decimal(report.refunded))?;
    for item in report.open() {
        writeln!(
            text,
            "{:<14} {}  recorded {}, in the bill {}",
            item.kind.as_str(),
            item.number,
            item.ours,
            item.theirs
        )?;
    }
    let count = |matches: fn(&Item) -> bool| report.items.iter().filter(|item| matches(item)).count();
    let (resolved, closed) =
        (count(|item| item.resolved_at.is_some()), count(|item| item.resolved_at.is_none() && item.closure.is_some()));
    writeln!(text, "{} discrepancies, {resolved} resolved, {closed} closed", report.open().count())?;
    Ok(text)
}

/// The report for people.
fn text(report: &Report) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    for checked in &report.invariants {
        let verdict = if checked.breaches.is_empty() { "ok    " } else { "FAILED" };
        writeln!(text, "{:>2}  {verdict}  {}", checked.invariant, checked.title)?;
        for breach in &checked.breaches {
            writeln!(text, "              {}  {}", breach.subject, breach.detail)?;
        }
    }
    let waiting = &report.waiting;
    writeln!(
        text,
        "\nin progress: {} payments, {} refunds, {} transactions, {} events; flagged: {} payments",
        waiting.payments, waiting.refunds, waiting.transactions, waiting.events, waiting.flagged
    )?;
    writeln!(text, "{}", if report.ok { "the records are consistent" } else { "the records are NOT consistent" })?;
    Ok(text)
}
