//! Errors of the database, as far as callers need to distinguish them.

use diesel::result::{DatabaseErrorKind, Error as DieselError};

/// A failed database operation. Nothing of it was written, with one exception: when the connection is lost while a commit is
/// under way, whether it happened is not known, and the error is `Unavailable` and says so.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// A uniqueness, foreign key or check constraint refused the write. `constraint` names it (PostgreSQL) or the
    /// columns (SQLite: `users.username`).
    #[error("constraint violated: {constraint}")]
    Conflict {
        /// The constraint's name, or the columns it covers.
        constraint: String,
    },
    /// The database cannot work now: locked, full, unreadable, not reachable, or too slow. Try again later.
    #[error("database unavailable: {0}")]
    Unavailable(String),
    /// The database refused a statement for a reason that trying again won't cure.
    #[error("database error: {0}")]
    Internal(String),
}

impl StoreError {
    /// Whether the same operation may succeed later.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}

/// Words in the messages of both dialects that mean "not now", as opposed to "never", where diesel has no kind for it.
const TRANSIENT: [&str; 21] = [
    // SQLite
    "is locked",
    "busy",
    "disk is full",
    "disk I/O",
    "image is malformed",
    "not a database",
    "unable to open",
    "readonly",
    "out of memory",
    // PostgreSQL: classes 40, 53, 55, 57 and 58. A new connection sets the language to English.
    "deadlock detected",
    "could not serialize",
    "could not obtain lock",
    "canceling statement",
    "terminating connection",
    "the database system is",
    "sorry, too many clients",
    "remaining connection slots",
    "too many connections",
    "No space left on device",
    "out of shared memory",
    "Input/output error",
];

impl From<DieselError> for StoreError {
    fn from(error: DieselError) -> Self {
        match error {
            DieselError::DatabaseError(kind, info) => {
                let message = info.message().to_owned();
                match kind {
                    DatabaseErrorKind::UniqueViolation
                    | DatabaseErrorKind::ForeignKeyViolation
                    | DatabaseErrorKind::NotNullViolation
                    | DatabaseErrorKind::CheckViolation => {
                        Self::Conflict { constraint: info.constraint_name().map_or(message, str::to_owned) }
                    }
                    DatabaseErrorKind::ClosedConnection
                    | DatabaseErrorKind::UnableToSendCommand
                    | DatabaseErrorKind::SerializationFailure
                    | DatabaseErrorKind::ReadOnlyTransaction => Self::Unavailable(message),
                    _ if TRANSIENT.iter().any(|word| message.contains(word)) => Self::Unavailable(message),
                    _ => Self::Internal(message),
                }
            }
            DieselError::BrokenTransactionManager => Self::Unavailable(error.to_string()),
            other => Self::Internal(other.to_string()),
        }
    }
}
