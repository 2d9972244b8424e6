//! The table.

use crate::telemetry::{print, say};

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

    /// Prints the rows, if there are any, and what the machine was doing meanwhile.
    pub fn print(&self) -> std::io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let heading =
            format!("{:<40}{:>26}{:>26}{:>9}  target", "median (least..most)", "doorbuster", "baseline", "value");
        let rows: String = self.rows.iter().map(|row| line(row) + "\n").collect();
        print(&format!("\n{cores} cores, load average {}\n{heading}\n{rows}", load.trim()))
    }
}

fn line(row: &Row) -> String {
    let baseline = row.baseline.as_deref().map_or_else(|| "-".to_owned(), spread);
    let met = if row.is_met() { "met" } else { "MISSED" };
    let target = match row.target {
        Target::AtLeast(least) => format!(">= {} {met}", number(least)),
        Target::AtMost(most) => format!("<= {} {met}", number(most)),
        Target::None => String::new(),
    };
    let name = format!("{}, {}", row.name, row.unit);
    format!("{name:<40}{:>26}{baseline:>26}{:>9}  {target}", spread(&row.product), number(row.value()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_of_medians() {
        let row = Row {
            name: "x",
            unit: "y",
            product: vec![1.0, 100.0, 3.0],
            baseline: Some(vec![6.0, 5.0, 7.0]),
            target: Target::AtLeast(0.5),
        };
        assert!((row.value() - 0.5).abs() < 1e-9);
        assert!(row.is_met());
        assert!(!Row { target: Target::AtMost(0.4), ..row }.is_met());
    }
}
