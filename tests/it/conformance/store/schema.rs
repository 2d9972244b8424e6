//! Migrations.

use super::{Place, on_both};
use doorbuster::store::{Database, StoreError};

on_both!(migrating_again_does_nothing, a_newer_schema_is_refused, two_migrate_at_the_same_moment, it_can_be_written_to);

async fn migrating_again_does_nothing(place: Place) {
    assert!(place.db().migrate().await.unwrap().is_empty());
}

async fn a_newer_schema_is_refused(place: Place) {
    place.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('29991231000001')").await;
    match place.db().migrate().await {
        Err(StoreError::Internal(why)) => assert!(why.contains("newer") && why.contains("29991231000001"), "{why}"),
        other => panic!("{other:?}"),
    }
}

async fn two_migrate_at_the_same_moment(place: Place) {
    // As it was before the last migration.
    place.execute(&last_migration_undone(place.db())).await;
    let version =
        "DELETE FROM __diesel_schema_migrations WHERE version = (SELECT MAX(version) FROM __diesel_schema_migrations)";
    place.execute(version).await;
    let one = Database::open(&place.config.store).await.unwrap();
    let other = Database::open(&place.config.store).await.unwrap();
    let (first, second) = tokio::join!(one.migrate(), other.migrate());
    let applied = [first.unwrap(), second.unwrap()];
    assert_eq!(applied.iter().map(Vec::len).sum::<usize>(), 1, "{applied:?}");
}

/// The statements that take the newest migration back.
fn last_migration_undone(db: &Database) -> String {
    let dialect = if matches!(db, Database::Sqlite(_)) { "sqlite" } else { "postgres" };
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(dialect);
    let last = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).max().unwrap();
    std::fs::read_to_string(last.join("down.sql")).unwrap()
}

async fn it_can_be_written_to(place: Place) {
    place.db().ping().await.unwrap();
}
