//! Checks that involve more than the type of a single value.

use super::Problem;

/// Collects what is wrong; each problem is placed where its values came from.
pub(super) struct Check<'a> {
    /// Where the values of some keys come from.
    origins: &'a dyn Fn(&[&str]) -> String,
    problems: Vec<Problem>,
}

impl<'a> Check<'a> {
    /// Begins with what was already found while reading.
    pub(super) fn new(origins: &'a dyn Fn(&[&str]) -> String, problems: Vec<Problem>) -> Self {
        Self { origins, problems }
    }

    /// Notes a problem unless `holds`. A key that already has a problem is not blamed again: its value is not in force.
    pub(super) fn require(&mut self, holds: bool, keys: &[&str], message: &str) {
        let blamed = |key: &&str| self.problems.iter().any(|problem| problem.keys.iter().any(|known| known == key));
        if holds || keys.iter().any(blamed) {
            return;
        }
        self.problems.push(Problem {
            at: (self.origins)(keys),
            keys: keys.iter().map(ToString::to_string).collect(),
            message: message.to_owned(),
        });
    }

    pub(super) fn finish(self) -> Vec<Problem> {
        self.problems
    }
}
