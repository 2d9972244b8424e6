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

/// The data version in force and whether an upgrade is pending, as a running server's metrics say.
async fn gauges(launch: &Launch) -> [f64; 2] {
    let text = reqwest::get(format!("http://{}/metrics", launch.address)).await.unwrap().text().await.unwrap();
    ["doorbuster_data_version ", "doorbuster_upgrade_pending "].map(|name| {
        let value = text.lines().find_map(|line| line.strip_prefix(name));
        value.unwrap_or_else(|| panic!("no {name}")).parse().unwrap()
    })
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
    let server = next.start(READY_WITHIN).await.unwrap();
    let version = f64::from(DATA_VERSION);
    assert_eq!(gauges(&next).await, [version - 1.0, 1.0]);
    assert!(server.stop(READY_WITHIN).await.unwrap());
    let told = status(&next);
    assert_eq!((&told["pending"], &told["databaseVersion"]), (&json!(true), &json!(DATA_VERSION - 1)), "{told}");
    assert!(told["waiting"].to_string().contains("OBSERVER"), "{told}");
    starts_and_stops(&previous).await.unwrap();

    let done = run(&next, &["upgrade", "finalise"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(status(&next)["pending"], false);
    let refused = starts_and_stops(&previous).await;
    assert!(matches!(&refused, Err(LaunchError::Ended(why)) if why.contains("was finalised")), "{refused:?}");
    let server = next.start(READY_WITHIN).await.unwrap();
    assert_eq!(gauges(&next).await, [version, 0.0]);
    assert!(server.stop(READY_WITHIN).await.unwrap());
}

#[test]
fn a_command_does_not_upgrade_a_shop() {
    use diesel::connection::{Connection as _, SimpleConnection as _};
    let folder = tempfile::tempdir().unwrap();
    let launch = Launch::new(Path::new(env!("CARGO_BIN_EXE_doorbuster")), folder.path()).unwrap();
    assert!(run(&launch, &["migrate"]).status.success());
    let mut conn = diesel::SqliteConnection::establish(&launch.database().to_string_lossy()).unwrap();
    let applied = migrations_applied(&mut conn);
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
    assert_eq!(migrations_applied(&mut conn), applied - 1, "a command applied a migration");
}

fn migrations_applied(conn: &mut diesel::SqliteConnection) -> i64 {
    use diesel::RunQueryDsl as _;
    #[derive(diesel::QueryableByName)]
    struct Count {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        n: i64,
    }
    let count = diesel::sql_query("SELECT count(*) AS n FROM __diesel_schema_migrations");
    count.get_result::<Count>(conn).unwrap().n
}
