//! Upgrading a single-node shop and rolling it back, as its operator does. `cluster_faults` runs both versions side by side.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use doorbuster::demo::server::{Launch, LaunchError};
use doorbuster::model::upgrade::DATA_VERSION;
use serde_json::{Value, json};

const READY_WITHIN: Duration = Duration::from_secs(60);

fn run(launch: &Launch, arguments: &[&str]) -> Output {
    launch.command().args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn status(launch: &Launch) -> Value {
    let told = run(launch, &["upgrade", "status", "--json"]);
    serde_json::from_slice(&told.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&told.stderr)))
}

async fn starts_and_stops(launch: &Launch) -> Result<(), LaunchError> {
    assert!(launch.start(READY_WITHIN).await?.stop(READY_WITHIN).await.unwrap());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_a_way_back_until_an_upgrade_is_finalised() {
    let folder = tempfile::tempdir().unwrap();
    let launch = Launch::new(Path::new(env!("CARGO_BIN_EXE_doorbuster")), folder.path()).unwrap();
    let next = Launch {
        log: Some(folder.path().join("log")),
        ..launch.set("server.linger", "0ms").set("node.heartbeat", "100ms")
    };
    let mut previous = next.clone();
    previous.environment.push(("DOORBUSTER_SABOTAGE".into(), "previous-data-version".into()));

    starts_and_stops(&previous).await.unwrap();
    assert_eq!(status(&next)["databaseVersion"], DATA_VERSION - 1);
    starts_and_stops(&next).await.unwrap();
    let told = status(&next);
    assert_eq!((&told["pending"], &told["databaseVersion"]), (&json!(true), &json!(DATA_VERSION - 1)), "{told}");
    assert!(told["waiting"].to_string().contains("OBSERVER"), "{told}");
    starts_and_stops(&previous).await.unwrap();

    let done = run(&next, &["upgrade", "finalise"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(status(&next)["pending"], false);
    let refused = starts_and_stops(&previous).await;
    assert!(matches!(&refused, Err(LaunchError::Ended(why)) if why.contains("was finalised")), "{refused:?}");
    starts_and_stops(&next).await.unwrap();
}

#[test]
fn a_command_does_not_upgrade_a_shop() {
    use diesel::connection::{Connection as _, SimpleConnection as _};
    let folder = tempfile::tempdir().unwrap();
    let launch = Launch::new(Path::new(env!("CARGO_BIN_EXE_doorbuster")), folder.path()).unwrap();
    assert!(run(&launch, &["migrate"]).status.success());
    let mut conn = diesel::SqliteConnection::establish(&launch.database().to_string_lossy()).unwrap();
    // As the release before it left the shop.
    let forget =
        "DELETE FROM __diesel_schema_migrations WHERE version = (SELECT max(version) FROM __diesel_schema_migrations)";
    conn.batch_execute(forget).unwrap();
    for arguments in [["failures", "list"].as_slice(), &["payments", "reconcile"]] {
        let refused = run(&launch, arguments);
        let why = String::from_utf8_lossy(&refused.stderr).into_owned();
        let looks = arguments[0] == "failures";
        assert!(looks || (!refused.status.success() && why.contains("older program")), "{arguments:?}: {why}");
    }
    let count = "SELECT count(*) AS n FROM __diesel_schema_migrations WHERE version LIKE '%000023'";
    #[derive(diesel::QueryableByName)]
    struct Count {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        n: i64,
    }
    use diesel::RunQueryDsl as _;
    let applied: Count = diesel::sql_query(count).get_result(&mut conn).unwrap();
    assert_eq!(applied.n, 0, "a command applied a migration");
}
