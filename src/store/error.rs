//! Errors of the database, as far as callers need to distinguish them.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use diesel::result::{DatabaseErrorKind, Error as DieselError};

use super::codes;

/// What caused an error. Shared, because an error is reported to everyone who waited for the same statement.
pub type Cause = Arc<dyn Error + Send + Sync>;

/// A failed database operation. Nothing of it was written, with one exception: when the connection is lost while a commit is
/// under way, whether it happened is not known, and the error is `Unavailable` and says so.
#[derive(Debug, Clone)]
pub enum StoreError {
    /// A uniqueness, foreign key or check constraint refused the write. `constraint` names it (PostgreSQL) or the
    /// columns (SQLite: `users.username`).
    Conflict {
        /// The constraint's name, or the columns it covers.
        constraint: String,
    },
    /// The database cannot work now: locked, full, unreadable, not reachable, or too slow. Try again later.
    Unavailable {
        /// What does not work.
        reason: String,
        /// The error that says so, if there is one.
        cause: Option<Cause>,
    },
    /// The database refused a statement for a reason that trying again won't cure.
    Internal {
        /// The reason.
        reason: String,
        /// The error that says so, if there is one.
        cause: Option<Cause>,
    },
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict { constraint } => write!(f, "constraint violated: {constraint}"),
            Self::Unavailable { reason, .. } => write!(f, "database unavailable: {reason}"),
            Self::Internal { reason, .. } => write!(f, "database error: {reason}"),
        }
    }
}

// By hand: `thiserror` would give out the `Arc`, and nobody could tell the type of what is in it.
impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unavailable { cause, .. } | Self::Internal { cause, .. } => Some(&**cause.as_ref()?),
            Self::Conflict { .. } => None,
        }
    }
}

impl StoreError {
    /// The database cannot work now.
    pub fn unavailable(reason: impl Into<String>) -> Self {
        Self::Unavailable { reason: reason.into(), cause: None }
    }

    /// Trying again won't help.
    pub fn internal(reason: impl Into<String>) -> Self {
        Self::Internal { reason: reason.into(), cause: None }
    }

    /// The database cannot work now, because of this error.
    pub fn unavailable_by(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let error = error.into();
        Self::unavailable(error.to_string()).caused_by(error)
    }

    /// This error happened, and trying again won't help.
    pub fn internal_by(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let error = error.into();
        Self::internal(error.to_string()).caused_by(error)
    }

    /// The same with its cause. A conflict needs none: its constraint says it all.
    #[must_use]
    pub fn caused_by(mut self, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        if let Self::Unavailable { cause, .. } | Self::Internal { cause, .. } = &mut self {
            *cause = Some(Arc::from(error.into()));
        }
        self
    }

    /// Whether the same operation may succeed later.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}

impl From<DieselError> for StoreError {
    fn from(error: DieselError) -> Self {
        let DieselError::DatabaseError(kind, info) = &error else {
            let broken = matches!(error, DieselError::BrokenTransactionManager);
            return if broken { Self::unavailable_by(error) } else { Self::internal_by(error) };
        };
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
            | DatabaseErrorKind::ReadOnlyTransaction => Self::unavailable(message).caused_by(error),
            _ if codes::mean_not_now(&message) => Self::unavailable(message).caused_by(error),
            _ => Self::internal(message).caused_by(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn told(kind: DatabaseErrorKind, message: &str) -> StoreError {
        DieselError::DatabaseError(kind, Box::new(message.to_owned())).into()
    }

    #[test]
    fn transient_is_told_by_kind_and_code() {
        assert!(told(DatabaseErrorKind::UnableToSendCommand, "whatever").is_transient());
        assert!(told(DatabaseErrorKind::SerializationFailure, "whatever").is_transient());
        assert!(told(DatabaseErrorKind::Unknown, "database is locked").is_transient());
        assert!(told(DatabaseErrorKind::Unknown, "deadlock detected").is_transient());
        assert!(!told(DatabaseErrorKind::Unknown, "column \"busy\" does not exist").is_transient());
        let conflict = told(DatabaseErrorKind::UniqueViolation, "database is locked");
        assert!(matches!(conflict, StoreError::Conflict { constraint } if constraint == "database is locked"));
        assert!(StoreError::from(DieselError::BrokenTransactionManager).is_transient());
        assert!(!StoreError::from(DieselError::NotFound).is_transient());
    }

    #[test]
    fn the_cause_is_kept() {
        let error = told(DatabaseErrorKind::Unknown, "disk I/O error");
        let cause = error.source().and_then(|cause| cause.downcast_ref::<DieselError>());
        assert!(matches!(cause, Some(DieselError::DatabaseError(DatabaseErrorKind::Unknown, _))), "{error:?}");
        let error = StoreError::unavailable_by(io::Error::from(io::ErrorKind::StorageFull));
        let cause = error.clone().source().and_then(|cause| cause.downcast_ref::<io::Error>().map(io::Error::kind));
        assert_eq!(cause, Some(io::ErrorKind::StorageFull));
        assert_eq!(crate::kernel::errors::chain(&error), error.to_string(), "the cause is not said twice");
    }
}
