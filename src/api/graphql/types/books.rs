//! What came of checking the books.

use async_graphql::{Object, SimpleObject};

use super::scalars::DateTime;
use crate::kernel::Timestamp;
use crate::orders::audit::{Checked, Report};

/// Rows at fault that are shown of each invariant at most.
const SHOWN_MAX: usize = 100;

/// What came of checking the books.
pub struct BooksAudit(pub Report, pub Timestamp);

/// What came of checking the books.
#[Object]
impl BooksAudit {
    /// Whether nothing is wrong.
    async fn ok(&self) -> bool {
        self.0.ok
    }

    /// Each invariant, by number.
    async fn invariants(&self) -> Vec<BooksInvariant> {
        self.0.invariants.iter().map(Into::into).collect()
    }

    /// When it was looked at.
    async fn at(&self) -> DateTime {
        DateTime(self.1)
    }
}

/// An invariant of the books.
#[derive(SimpleObject)]
pub struct BooksInvariant {
    /// Its number.
    number: i32,
    /// What must be.
    title: &'static str,
    /// Rows at fault, each with what is wrong with it; at most 100.
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
