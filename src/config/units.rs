//! Values with their unit in them (`"30s"`, `"64KiB"`) and secrets that do not print.
use serde::{Deserialize, Serialize};
use std::ops::Deref;
use std::time::Duration;

/// A length of time, written `"250ms"`, `"30s"`, `"15m"`, `"2h"`, `"7d"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span(pub Duration);
impl Deref for Span {
    type Target = Duration;
    fn deref(&self) -> &Duration {
        &self.0
    }
}

/// A number of bytes, written `"64KiB"`, `"2MiB"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size(pub usize);
impl Deref for Size {
    type Target = usize;
    fn deref(&self) -> &usize {
        &self.0
    }
}

/// A text that never prints: a URL with a password, a key.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);
impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
    /// The text itself; must not reach a log or an answer.
    pub fn expose(&self) -> &str {
        &self.0
    }
}
impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}
