//! The history checker: joins what the shoppers did and saw with the rows of the database, and says where a promise was
//! broken. It shares no code with what it checks but the names of states.

mod answers;
mod findings;
mod held;
mod index;
mod rows;
#[cfg(test)]
mod tests;
mod views;

use std::time::Duration;

pub use index::Call;

use crate::model::facts::Facts;
pub use findings::{Counts, Evidence, Invariant, Violation};

use findings::Findings;
use index::Index;

/// How long a returned unit may take from the database back to the gate.
pub const RETURN_GRACE: Duration = Duration::from_secs(2);

/// The result of a check.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// What was broken.
    pub violations: Vec<Violation>,
    /// What happened.
    pub counts: Counts,
}

impl Report {
    /// Whether nothing was broken.
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }

    /// How many violations of an invariant there are.
    pub fn count(&self, invariant: Invariant) -> usize {
        self.violations.iter().filter(|violation| violation.invariant == invariant).count()
    }

    /// The first few violations, a line each, and how many there are.
    pub fn summary(&self) -> String {
        let mut lines: Vec<String> = self.violations.iter().take(20).map(ToString::to_string).collect();
        if self.violations.len() > lines.len() {
            lines.push(format!("... {} in all", self.violations.len()));
        }
        lines.join("\n")
    }
}

/// Checks what must hold at every committed instant, whatever is on its way: the rows alone.
pub fn check_rows(facts: &Facts) -> Vec<Violation> {
    let mut findings = Findings::default();
    rows::check(facts, &mut findings);
    findings.0
}

/// Checks everything.
pub fn check(evidence: Evidence<'_>) -> Report {
    let index = Index::new(evidence);
    let mut findings = Findings::default();
    rows::check(evidence.facts, &mut findings);
    if evidence.calm {
        rows::check_exact_gate(evidence.facts, &mut findings);
    }
    answers::check(&index, &mut findings);
    views::check(&index, &mut findings);
    let counts = index.counts();
    Report { violations: findings.0, counts }
}
