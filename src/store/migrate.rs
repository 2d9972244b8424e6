//! Migrations of either dialect.

use diesel::migration::MigrationSource;
use diesel_migrations::MigrationHarness;

use super::StoreError;

/// Refuses a schema with migrations that this binary does not know: an older binary must not write to it.
pub fn refuse_newer_schema<DB: diesel::backend::Backend>(
    conn: &mut impl MigrationHarness<DB>,
    known: impl MigrationSource<DB>,
) -> Result<(), StoreError> {
    let known: Vec<_> = known.migrations().map_err(internal)?.iter().map(|m| m.name().version().as_owned()).collect();
    let applied = conn.applied_migrations().map_err(internal)?;
    match applied.iter().find(|version| !known.contains(version)) {
        Some(version) => Err(StoreError::Internal(format!(
            "the database schema is newer than this program (it has migration {version}); use a newer doorbuster"
        ))),
        None => Ok(()),
    }
}

/// Applies those that are missing; returns their names.
pub fn run_migrations<DB: diesel::backend::Backend>(
    conn: &mut impl MigrationHarness<DB>,
    known: impl MigrationSource<DB>,
) -> Result<Vec<String>, StoreError> {
    let applied = conn.run_pending_migrations(known).map_err(internal)?;
    Ok(applied.iter().map(ToString::to_string).collect())
}

/// A failure that no caller can do anything about.
pub fn internal(error: impl std::fmt::Display) -> StoreError {
    StoreError::Internal(error.to_string())
}
