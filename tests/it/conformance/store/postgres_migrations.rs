//! Migrations of a database that nodes are using.

use diesel_async::{AsyncConnection as _, AsyncPgConnection, SimpleAsyncConnection as _};
use doorbuster::store::Database;

use super::Place;
use super::postgres::{millis, number, unavailable};
use crate::support::until;

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_migration_gives_up() {
    let place = Place::postgres().await;
    let mut config = place.config.store.clone();
    config.migration_wait = millis(200);
    let lock = i64::from_be_bytes(*b"\0doorbus");
    let mut conn = AsyncPgConnection::establish(config.url.expose()).await.unwrap();
    conn.batch_execute(&format!("SELECT pg_advisory_lock({lock})")).await.unwrap();
    let db = Database::open(&config).await.unwrap();
    assert!(unavailable(db.migrate().await.map(drop)).contains("lock timeout"));
}

/// Two programs of an upgrade once met like this: a transaction of the old one had a table, and the migration of the new one, which waited
/// for it, held up all others, until PostgreSQL ended one of them.
#[tokio::test(flavor = "multi_thread")]
async fn a_migration_lets_others_pass_while_a_table_is_in_use() {
    let place = Place::postgres().await;
    let undo = include_str!("../../../../migrations/postgres/2026-11-30-000024_token_revocations/down.sql");
    let version = "20261130000024";
    place.execute(&format!("{undo}; DELETE FROM __diesel_schema_migrations WHERE version = '{version}'")).await;
    let url = place.config.store.url.expose();
    let mut user = AsyncPgConnection::establish(url).await.unwrap();
    user.batch_execute("BEGIN; LOCK TABLE access_tokens IN ROW EXCLUSIVE MODE").await.unwrap();
    let db = Database::open(&place.config.store).await.unwrap();
    let migrating = tokio::spawn(async move { db.migrate().await });
    let waiting = "SELECT COUNT(*) AS n FROM pg_locks WHERE relation = 'access_tokens'::REGCLASS AND NOT granted";
    until("waiting", async || number(url, waiting).await == 1).await;
    until("making way", async || number(url, waiting).await == 0).await;
    user.batch_execute("COMMIT").await.unwrap();
    assert_eq!(migrating.await.unwrap().unwrap(), [version]);
}
