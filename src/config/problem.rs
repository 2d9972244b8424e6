//! What is wrong with a configuration.

use std::fmt;

/// A problem that a user of the configuration reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Objection {
    /// The keys that it is about, `section.key`.
    pub keys: Vec<&'static str>,
    /// The problem. It contains no secret.
    pub message: String,
}

/// One thing that is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it stands: `shop.toml:3:1`, the name of an environment variable, a flag.
    pub at: String,
    /// The keys that it is about, `section.key`; none if the text could not be read so far.
    pub keys: Vec<String>,
    /// The problem and how to fix it.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.keys.as_slice() {
            [] => write!(f, "{}: {}", self.at, self.message),
            keys => write!(f, "{}: {}: {}", self.at, keys.join(", "), self.message),
        }
    }
}

/// Everything that is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors(pub Vec<Problem>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        write!(f, "{count} {} in the configuration:", if count == 1 { "problem" } else { "problems" })?;
        self.0.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}
