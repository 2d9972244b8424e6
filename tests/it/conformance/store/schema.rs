//! Migrations.

use super::{Place, on_both};
use doorbuster::model::upgrade::DATA_VERSION;
use doorbuster::nodes::Upgrades;
use doorbuster::store::{Database, StoreError};

on_both!(
    migrating_again_does_nothing,
    only_an_unsuitable_schema_is_refused,
    a_new_one_is_of_this_version,
    two_migrate_at_the_same_moment,
    it_can_be_written_to
);

async fn migrating_again_does_nothing(place: Place) {
    assert!(place.db().migrate().await.unwrap().is_empty());
}

async fn only_an_unsuitable_schema_is_refused(place: Place) {
    // A newer program was here, and its migrations allow this one.
    place.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('29991231000001')").await;
    assert_eq!(place.db().migrate().await.unwrap(), Vec::<String>::new());
    assert!(place.db().is_current().await.unwrap());
    let next = DATA_VERSION + 1;
    for (min_program, version, expected) in [
        (1, DATA_VERSION - 1, None),
        (next, next, Some("was finalised")),
        (1, next, Some("was finalised")),
        (1, DATA_VERSION - 2, Some("the release in between")),
    ] {
        let state = format!("UPDATE schema_state SET min_program = {}, version = {version}", min_program.min(version));
        place.execute(&state).await;
        match (place.db().migrate().await, expected) {
            (Ok(_), None) => {}
            (Err(StoreError::Internal { reason: why, .. }), Some(words)) if why.contains(words) => {}
            (result, _) => panic!("{state}: {result:?}"),
        }
    }
}

async fn a_new_one_is_of_this_version(place: Place) {
    let state = Upgrades::state(place.db()).await.unwrap();
    assert_eq!((state.version, state.older_seen_at), (DATA_VERSION, None));
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
