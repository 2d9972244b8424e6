//! Migrations of either dialect.

use std::error::Error;

use diesel::connection::{Connection, SimpleConnection};
use diesel::query_builder::SqlQuery;
use diesel::query_dsl::methods::LoadQuery;
use diesel::result::Error as DieselError;
use diesel::sql_types::BigInt;
use diesel::{QueryableByName, RunQueryDsl as _, sql_query};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness};

use super::{StoreError, codes};
use crate::model::upgrade::{SchemaState, data_version, suits};

/// The migration that made `schema_state`, as diesel names it. A database without it is older than this program.
const STATE_MADE_BY: &str = "20261130000023";

/// A row of `schema_state`.
#[derive(QueryableByName)]
pub struct StateRow {
    #[diesel(sql_type = BigInt)]
    min_program: i64,
    #[diesel(sql_type = BigInt)]
    version: i64,
}

/// Applies the migrations that are missing; returns their names. Refuses a database that programs of this data version can't work with.
/// Migrations that this program does not know are fine otherwise: a newer program applied them, and its predecessor may run beside it.
/// Each is a transaction; `again` says whether one that failed for now is tried once more. Call it under a lock.
pub fn migrate<C>(
    conn: &mut C,
    known: fn() -> EmbeddedMigrations,
    mut again: impl FnMut(&StoreError) -> bool,
) -> Result<Vec<String>, StoreError>
where
    C: Connection + SimpleConnection + MigrationHarness<C::Backend>,
    SqlQuery: for<'q> LoadQuery<'q, C, StateRow>,
{
    let before = applied(conn)?;
    refuse_unsuitable(conn, known, &before)?;
    while let Err(error) = conn.run_pending_migrations(known()).map(drop).map_err(failed) {
        if !again(&error) {
            return Err(error);
        }
    }
    let mut made = applied(conn)?;
    made.retain(|version| !before.contains(version));
    made.sort_unstable();
    if before.is_empty() && !made.is_empty() {
        // Nobody else ever wrote here.
        conn.batch_execute(&format!("UPDATE schema_state SET version = {}", data_version())).map_err(failed)?;
    }
    Ok(made)
}

/// Whether [`migrate`] would change nothing, or would make the tables of an empty database. Refuses what it refuses.
pub fn is_current<C>(conn: &mut C, known: fn() -> EmbeddedMigrations) -> Result<bool, StoreError>
where
    C: Connection + MigrationHarness<C::Backend>,
    SqlQuery: for<'q> LoadQuery<'q, C, StateRow>,
{
    let before = applied(conn)?;
    refuse_unsuitable(conn, known, &before)?;
    Ok(before.is_empty() || !conn.has_pending_migration(known()).map_err(failed)?)
}

fn applied<C: Connection + MigrationHarness<C::Backend>>(conn: &mut C) -> Result<Vec<String>, StoreError> {
    Ok(conn.applied_migrations().map_err(failed)?.iter().map(ToString::to_string).collect())
}

fn refuse_unsuitable<C>(conn: &mut C, known: fn() -> EmbeddedMigrations, applied: &[String]) -> Result<(), StoreError>
where
    C: Connection + MigrationHarness<C::Backend>,
    SqlQuery: for<'q> LoadQuery<'q, C, StateRow>,
{
    if applied.iter().any(|version| version == STATE_MADE_BY) {
        let row: StateRow = sql_query("SELECT min_program, version FROM schema_state").get_result(conn)?;
        let (min_program, version) = (row.min_program as u32, row.version as u32);
        let state = SchemaState { min_program, version, older_seen_at: None };
        return suits(data_version(), &state).map_err(failed);
    }
    let known = diesel::migration::MigrationSource::<C::Backend>::migrations(&known()).map_err(failed)?;
    let known: Vec<_> = known.iter().map(|migration| migration.name().version().to_string()).collect();
    match applied.iter().find(|version| !known.contains(version)) {
        Some(version) => Err(StoreError::internal(format!(
            "the database was not made by this program's predecessors (it has migration {version}, which they do not)"
        ))),
        None => Ok(()),
    }
}

/// What the migrations report: an error of the database as such, anything else as one that trying again won't help.
pub fn failed(error: impl Into<Box<dyn Error + Send + Sync>>) -> StoreError {
    match error.into().downcast::<DieselError>() {
        Ok(error) => StoreError::from(*error),
        Err(error) if is_for_now(&error.to_string()) => StoreError::unavailable_by(error),
        Err(error) => StoreError::internal_by(error),
    }
}

/// Whether the text of diesel's error for a failed migration ends with one of the database that means "not now": the error itself can't be
/// had.
fn is_for_now(text: &str) -> bool {
    let reason = text.strip_prefix("Failed to run ").and_then(|text| text.split_once(" with: "));
    reason.is_some_and(|(_, reason)| codes::mean_not_now(reason))
}

#[cfg(test)]
mod tests {
    use super::is_for_now;

    #[test]
    fn a_migration_that_met_a_lock_can_be_tried_again() {
        assert!(is_for_now("Failed to run 2026-11-30-000024_token_revocations with: deadlock detected"));
        assert!(is_for_now("Failed to run 2026-11-30-000024_x with: canceling statement due to lock timeout"));
        assert!(!is_for_now("Failed to run 2026-11-30-000024_x with: relation \"deadlock detected\" does not exist"));
        assert!(!is_for_now("deadlock detected"));
    }
}
