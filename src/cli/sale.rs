//! `doorbuster sale`: the report of a sale. It only reads, whether or not the shop runs.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use parking_lot::Mutex;

use super::common::print;
use crate::app::Observer;
use crate::config::Config;
use crate::kernel::{Clock, Rng, SaleId};
use crate::model::messages::Topic;
use crate::model::sale_report::{Check, CheckStatus, GateView, Report, Verdict, csv_header, csv_line};
use crate::orders::rebuild::WRITER;
use crate::sales::{Sink, read_report};

/// Commands about sales.
#[derive(Debug, Subcommand)]
pub enum SaleCommand {
    /// Report what became of every unit and every purchase of a sale, and check that it adds up. Fails if a check is violated.
    Report(ReportOptions),
}

/// Options of `sale report`.
#[derive(Debug, Args)]
pub struct ReportOptions {
    /// The ID of the sale.
    #[arg(value_name = "SALE")]
    pub sale: String,
    /// Print JSON instead of text.
    #[arg(long)]
    pub json: bool,
    /// Also write every purchase to this CSV file. Its SHA-256 is the digest. An existing file is not overwritten.
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
}

/// Runs the command.
pub async fn run(config: Config, command: SaleCommand) -> anyhow::Result<ExitCode> {
    let SaleCommand::Report(options) = command;
    let id: SaleId = options.sale.parse().map_err(|_| anyhow::anyhow!("{:?} is not the ID of a sale", options.sale))?;
    let clock = Clock::system();
    let seen = Observer::look(&config, &clock, &Rng::system()).await?;
    let made = report(&seen, &clock, id, options.csv.as_deref()).await;
    seen.close().await;
    let report = made?.with_context(|| format!("there is no sale {id}"))?;
    print(&if options.json { format!("{:#}\n", report.to_json()) } else { text(&report)? })?;
    Ok(if report.verdict() == Verdict::Violated { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn report(seen: &Observer, clock: &Clock, id: SaleId, csv: Option<&Path>) -> anyhow::Result<Option<Report>> {
    // What is decided by now is in the database afterwards.
    let waiting = seen.broker.backlog(Topic::OrderRequests, WRITER).await?;
    let gate = GateView::NotAsked { waiting };
    let Some(path) = csv else { return Ok(read_report(&seen.db, id, gate, clock.now(), None).await?) };
    let naming = || format!("writing {}", path.display());
    let file = Arc::new(Mutex::new(BufWriter::new(File::create_new(path).with_context(naming)?)));
    file.lock().write_all(csv_header().as_bytes()).with_context(naming)?;
    let (lines, mut text) = (file.clone(), String::new());
    let sink: Sink = Box::new(move |rows| {
        text.clear();
        for row in rows {
            csv_line(row, &mut text);
        }
        lines.lock().write_all(text.as_bytes())
    });
    let report = read_report(&seen.db, id, gate, clock.now(), Some(sink)).await;
    if !matches!(report, Ok(Some(_))) {
        // Half a file is none.
        let _ = std::fs::remove_file(path);
        return Ok(report?);
    }
    file.lock().flush().with_context(naming)?;
    Ok(report?)
}

/// The report for people.
fn text(report: &Report) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    writeln!(text, "sale {} ({}), as of {}\n", report.sale(), report.offer.sale.number, report.as_of.to_rfc3339())?;
    for line in &report.lines {
        let amount = line.amount.map_or_else(String::new, |money| format!("  {money}"));
        writeln!(text, "{:<30} {:>10}{amount}", line.name, line.count)?;
    }
    writeln!(text)?;
    for (index, check) in report.checks.iter().enumerate() {
        write_check(&mut text, index + 1, check)?;
    }
    let count = |status| report.checks.iter().filter(|check| check.status == status).count();
    let (violated, undecided) = (count(CheckStatus::Violated), count(CheckStatus::Undecided));
    let settled =
        if report.settled { "the sale is settled" } else { "the sale is NOT settled: the numbers still change" };
    writeln!(text, "\n{settled}")?;
    writeln!(text, "digest {}", report.digest.as_deref().unwrap_or("none until the sale is settled"))?;
    match report.verdict() {
        Verdict::Holds => writeln!(text, "all checks hold")?,
        Verdict::Provisional if undecided == 0 => writeln!(text, "provisional: no check is violated so far")?,
        Verdict::Provisional => writeln!(text, "no check is violated; {undecided} could not be decided")?,
        Verdict::Violated => writeln!(text, "{violated} of {} checks are VIOLATED", report.checks.len())?,
    }
    Ok(text)
}

fn write_check(text: &mut String, number: usize, check: &Check) -> std::fmt::Result {
    let status = match check.status {
        CheckStatus::Holds => "ok",
        CheckStatus::Violated => "VIOLATED",
        CheckStatus::Undecided => "undecided",
        CheckStatus::NotApplicable => "n/a",
    };
    writeln!(text, "{number:>2}  {status:<9}  {}: {}; {}", check.code.title(), check.left, check.right)?;
    if !check.detail.is_empty() {
        writeln!(text, "{:15}{}", "", check.detail)?;
    }
    if let Some(reason) = check.reason() {
        writeln!(text, "{:15}{reason}", "")?;
    }
    for example in &check.examples {
        writeln!(text, "{:15}{example}", "")?;
    }
    Ok(())
}
