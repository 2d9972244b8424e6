//! The result of verifying the records.

use async_graphql::{Object, SimpleObject};

use super::scalars::DateTime;
use crate::kernel::Timestamp;
use crate::payments::audit::{Checked, Report};

/// Rows at fault that are shown of each invariant at most.
const SHOWN_MAX: usize = 100;

/// The result of verifying the records.
pub struct BooksAudit(pub Report, pub Timestamp);

/// The result of verifying the records.
#[Object]
impl BooksAudit {
    /// Whether all invariants hold.
    async fn ok(&self) -> bool {
        self.0.ok
    }

    /// The invariants, sorted by number.
    async fn invariants(&self) -> Vec<BooksInvariant> {
        self.0.invariants.iter().map(Into::into).collect()
    }

    /// When the records were verified.
    async fn at(&self) -> DateTime {
        DateTime(self.1)
    }
}

/// An invariant of the records.
#[derive(SimpleObject)]
pub struct BooksInvariant {
    /// Its number.
    number: i32,
    /// The condition that must hold.
    title: &'static str,
    /// The rows that violate it, with an explanation each. At most 100.
    breaches: Vec<String>,
}

impl From<&Checked> for BooksInvariant {
    fn from(checked: &Checked) -> Self {
        let breaches = checked.breaches.iter().take(SHOWN_MAX);
        Self {
            number: checked.invariant.into(),
            title: checked.title,
            breaches: breaches.map(|breach| format!("{}: {}", breach.subject, breach.detail)).collect(),
        }
    }
}
