//! The table.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use doorbuster::kernel::Clock;
use doorbuster::telemetry::{print, say};

/// How a row is to be read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// The value should be at least this.
    AtLeast(f64),
    /// The value should be at most this.
    AtMost(f64),
    /// For comparison only.
    None,
}

/// One line: a value per round of each side. Without a second side the first is the value itself.
#[derive(Debug, Clone)]
pub struct Row {
    /// What was measured.
    pub name: &'static str,
    /// Of what.
    pub unit: &'static str,
    /// The product, a value per round.
    pub product: Vec<f64>,
    /// What it is compared with.
    pub baseline: Option<Vec<f64>>,
    /// What it should be.
    pub target: Target,
}

impl Row {
    /// The ratio, or the value itself.
    pub fn value(&self) -> f64 {
        match &self.baseline {
            Some(baseline) => median(&self.product) / median(baseline),
            None => median(&self.product),
        }
    }

    /// Whether the target is met.
    pub fn is_met(&self) -> bool {
        match self.target {
            Target::AtLeast(least) => self.value() >= least,
            Target::AtMost(most) => self.value() <= most,
            Target::None => true,
        }
    }
}

/// The middle value; 0 of nothing.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

/// `median (least..most)`.
fn spread(values: &[f64]) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(0.0, f64::max);
    format!("{} ({}..{})", number(median(values)), number(least), number(most))
}

fn number(value: f64) -> String {
    if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

/// What was measured so far. A row is shown at once, and again in the table: what a long run has found out is not lost with what
/// fails after it.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Row>,
}

impl Table {
    /// Adds what was measured.
    pub fn add(&mut self, rows: impl IntoIterator<Item = Row>) {
        for row in rows {
            say(&line(&row));
            self.rows.push(row);
        }
    }

    /// Whether every target was met.
    pub fn is_met(&self) -> bool {
        self.rows.iter().all(Row::is_met)
    }

    /// Writes the rows, if there are any, into a Markdown file, before its first section: with the date, the commit and the machine.
    pub fn record(&self, file: &Path) -> anyhow::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let section = self.section(&Clock::system().now().to_rfc3339()[..10], &commit()?, &machine());
        let at = text.find("\n## ").map_or(text.len(), |before| before + 1);
        let (head, rest) = text.split_at(at);
        std::fs::write(file, format!("{head}{section}{rest}")).with_context(|| file.display().to_string())
    }

    fn section(&self, date: &str, commit: &str, machine: &str) -> String {
        let rows: String = self.rows.iter().map(markdown).collect();
        format!(
            "## {date}, commit {commit}\n\n{machine}. Medians (least to most).\n\n| row | product | baseline | value | target |\n\
             | --- | --- | --- | --- | --- |\n{rows}\n"
        )
    }

    /// Prints the rows, if there are any, and what the machine was doing meanwhile.
    pub fn print(&self) -> std::io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let heading =
            format!("{:<40}{:>26}{:>26}{:>9}  target", "median (least..most)", "doorbuster", "baseline", "value");
        let rows: String = self.rows.iter().map(|row| line(row) + "\n").collect();
        print(&format!("\n{}\n{heading}\n{rows}", machine()))
    }
}

/// The commit that the working tree stands at; `-dirty` if it differs.
fn commit() -> anyhow::Result<String> {
    let git = Command::new("git").args(["describe", "--always", "--dirty", "--exclude=*"]).output().context("git")?;
    anyhow::ensure!(git.status.success(), "git: {}", String::from_utf8_lossy(&git.stderr));
    Ok(String::from_utf8_lossy(&git.stdout).trim().to_owned())
}

/// The processor, and what else it had to do.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let processors = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown processor", |(_, model)| model.trim());
    format!("{cores} cores ({model}), load average {}", load.trim())
}

fn markdown(row: &Row) -> String {
    let baseline = row.baseline.as_deref().map_or_else(String::new, spread);
    let (value, target) = (number(row.value()), target(row));
    format!("| {}, {} | {} | {baseline} | {value} | {target} |\n", row.name, row.unit, spread(&row.product))
}

fn target(row: &Row) -> String {
    let met = if row.is_met() { "met" } else { "MISSED" };
    match row.target {
        Target::AtLeast(least) => format!(">= {} {met}", number(least)),
        Target::AtMost(most) => format!("<= {} {met}", number(most)),
        Target::None => String::new(),
    }
}

fn line(row: &Row) -> String {
    let baseline = row.baseline.as_deref().map_or_else(|| "-".to_owned(), spread);
    let target = target(row);
    let name = format!("{}, {}", row.name, row.unit);
    format!("{name:<40}{:>26}{baseline:>26}{:>9}  {target}", spread(&row.product), number(row.value()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        Row {
            name: "x",
            unit: "y",
            product: vec![1.0, 100.0, 3.0],
            baseline: Some(vec![6.0, 5.0, 7.0]),
            target: Target::AtLeast(0.5),
        }
    }

    #[test]
    fn rows_are_recorded_before_the_first_section() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("benchmarks.md");
        std::fs::write(&file, "# Benchmarks\n\nWhat this is.\n\n## Before\n\nIt was slower.\n").unwrap();
        let mut table = Table::default();
        table.add([row(), Row { baseline: None, target: Target::None, ..row() }]);
        table.record(&file).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        let (head, rest) = text.split_once("## ").unwrap();
        assert_eq!(head, "# Benchmarks\n\nWhat this is.\n\n");
        assert!(rest.contains("| x, y | 3.00 (1.00..100) | 6.00 (5.00..7.00) | 0.50 | >= 0.50 met |\n"), "{rest}");
        assert!(rest.contains("| x, y | 3.00 (1.00..100) |  | 3.00 |  |\n\n## Before\n\nIt was slower.\n"), "{rest}");
        assert!(rest.starts_with("20") && rest.contains(", commit "), "{rest}");
        assert!(Table::default().record(&folder.path().join("missing")).is_ok(), "nothing to write");
        assert!(table.record(&folder.path().join("missing")).is_err());
    }

    #[test]
    fn ratios_are_of_medians() {
        let row = row();
        assert!((row.value() - 0.5).abs() < 1e-9);
        assert!(row.is_met());
        assert!(!Row { target: Target::AtMost(0.4), ..row }.is_met());
    }
}
