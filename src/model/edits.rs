//! Edits of the catalog that somebody made in SQL, as the database's triggers write them down.

use crate::kernel::{ProductId, SaleId, SessionId, Timestamp};

/// Who made an edit that no trigger saw.
pub const UNKNOWN: &str = "unknown";

/// A row of the catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EditedRow {
    /// A row of `products`.
    Product(ProductId),
    /// A row of `sale_sessions`.
    Session(SessionId),
    /// A row of `sales`.
    Sale(SaleId),
}

impl EditedRow {
    /// The row with these bytes as its id; `None` for a table that is not the catalog's.
    pub fn parse(table: &str, id: [u8; 16]) -> Option<Self> {
        Some(match table {
            "products" => Self::Product(ProductId::from_bytes(id)),
            "sale_sessions" => Self::Session(SessionId::from_bytes(id)),
            "sales" => Self::Sale(SaleId::from_bytes(id)),
            _ => return None,
        })
    }

    /// The name of its table.
    pub const fn table(self) -> &'static str {
        match self {
            Self::Product(_) => "products",
            Self::Session(_) => "sale_sessions",
            Self::Sale(_) => "sales",
        }
    }

    /// Its id, as it is stored.
    pub fn bytes(self) -> [u8; 16] {
        match self {
            Self::Product(id) => id.to_bytes(),
            Self::Session(id) => id.to_bytes(),
            Self::Sale(id) => id.to_bytes(),
        }
    }

    /// Its public id.
    pub fn public_id(self) -> String {
        match self {
            Self::Product(id) => id.to_string(),
            Self::Session(id) => id.to_string(),
            Self::Sale(id) => id.to_string(),
        }
    }
}

/// What was done to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EditOp {
    /// It was added.
    Insert,
    /// It was changed.
    Update,
    /// It was removed.
    Delete,
}

impl EditOp {
    /// As stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Insert => "INSERT",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }

    /// From its stored form.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Insert, Self::Update, Self::Delete].into_iter().find(|op| op.as_str() == text)
    }
}

/// An edit of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Its number in the log.
    pub id: i64,
    /// The row.
    pub row: EditedRow,
    /// What was done to it.
    pub op: EditOp,
    /// The row before, as JSON.
    pub before: Option<String>,
    /// The row after, as JSON.
    pub after: Option<String>,
    /// The role that the editor had signed in with (PostgreSQL); [`UNKNOWN`] if no trigger saw the edit.
    pub by_role: Option<String>,
    /// The name that the editor's program gave itself (PostgreSQL).
    pub by_app: Option<String>,
    /// The editor's address; `None` also for a socket (PostgreSQL).
    pub by_addr: Option<String>,
    /// When, by the database's clock.
    pub at: Timestamp,
    /// When it was applied to the whole shop.
    pub handled_at: Option<Timestamp>,
}

/// A difference that no edit in the log explains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unexplained {
    /// The row.
    pub row: EditedRow,
    /// What must have been done to it.
    pub op: EditOp,
    /// The row as it was known, as JSON.
    pub before: Option<String>,
    /// The row as it is, as JSON.
    pub after: Option<String>,
}
