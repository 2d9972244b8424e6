//! The same on SQLite as on PostgreSQL, but for the lock: several nodes write to one file here.

use std::sync::Arc;

use super::*;
use crate::config::{Config, Secret};
use crate::kernel::{ManualClock, Timestamp};
use crate::model::nodes::{NodeCheck, NodeSettings, NodeVitals};
use crate::model::upgrade::{DATA_VERSION, Feature, Unsuitable};

const BEAT: Duration = Duration::from_millis(20);
const DEADLINE: Duration = Duration::from_secs(20);

struct Shop {
    db: Database,
    clock: ManualClock,
    _folder: tempfile::TempDir,
}

impl Shop {
    /// A shop whose nodes were all of the previous version until now.
    async fn upgraded() -> Self {
        let shop = Self::fresh().await;
        store::write!(&shop.db, |conn| sql::upgrade::finalise(conn, DATA_VERSION - 1).await).unwrap();
        shop
    }

    async fn fresh() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default_embedded().store;
        config.url = Secret::new(format!("sqlite://{}/upgrades.db", folder.path().display()));
        let db = Database::open(&config).await.unwrap();
        db.migrate().await.unwrap();
        Self { db, clock: ManualClock::at(Timestamp::from_millis(1_000_000)), _folder: folder }
    }

    fn upgrades(&self) -> Upgrades {
        Upgrades::new(self.db.clone(), self.clock.clock(), BEAT)
    }

    async fn state(&self) -> SchemaState {
        Upgrades::state(&self.db).await.unwrap()
    }

    fn node(&self, name: &str, data_version: u32) -> Registry {
        let settings = Arc::new(NodeSettings::default);
        Registry::new(self.db.clone(), Clock::system(), name, "api".into(), String::new(), settings).of(data_version)
    }

    /// A node that says that it runs until it is aborted, and has said so once.
    async fn running(&self, name: &str, data_version: u32) -> tokio::task::JoinHandle<Result<Unsuitable, StoreError>> {
        let node = self.node(name, data_version);
        node.join().await.unwrap().unwrap();
        tokio::spawn(async move { node.run(BEAT, Duration::from_secs(3600)).await })
    }

    async fn allows(&self, feature: Feature) -> bool {
        store::read!(&self.db, |conn| sql::upgrade::allows(conn, feature).await).unwrap()
    }
}

#[tokio::test]
async fn a_heartbeat_says_how_its_node_is_until_an_older_program_takes_the_name() {
    let shop = Shop::fresh().await;
    let check = NodeCheck { name: "gates".into(), ready: false, reason: Some("still being recorded".into()) };
    let vitals = NodeVitals { every_ms: 20, checks: vec![check], ..NodeVitals::default() };
    let told = vitals.clone();
    shop.node("one", DATA_VERSION).saying(Arc::new(move || told.clone())).join().await.unwrap().unwrap();
    let listed = async || Registry::list(&shop.db).await.unwrap().remove(0);
    assert_eq!(listed().await.vitals, Some(vitals));

    // It knows no such column.
    store::write!(&shop.db, |conn| {
        let later = "UPDATE nodes SET seen_at = seen_at + 1, version = '0.0.1' WHERE name = 'one'";
        diesel_async::RunQueryDsl::execute(diesel::sql_query(later), conn).await.map_err(Into::into)
    })
    .unwrap();
    let older = listed().await;
    assert_eq!((older.version.as_str(), older.vitals), ("0.0.1", None));
}

#[tokio::test]
async fn a_new_shop_has_nothing_to_finalise() {
    let shop = Shop::fresh().await;
    assert_eq!(shop.state().await.version, DATA_VERSION);
    assert!(shop.allows(Feature::StaffRoles).await);
    assert_eq!(shop.upgrades().finalise().await.unwrap(), Finalised::Already(DATA_VERSION));
}

#[tokio::test]
async fn an_upgrade_is_not_finalised_while_a_node_of_the_previous_version_runs() {
    let shop = Shop::upgraded().await;
    let older = shop.running("older", DATA_VERSION - 1).await;
    let newer = shop.running("newer", DATA_VERSION).await;
    let refused = shop.upgrades().finalise().await.unwrap();
    assert!(
        matches!(&refused, Finalised::OlderNodes(nodes) if nodes.len() == 1 && nodes[0].name == "older"),
        "{refused:?}"
    );
    assert_eq!(shop.state().await.version, DATA_VERSION - 1);
    assert!(!shop.allows(Feature::StaffRoles).await);

    // Killed: its row stays for a while.
    older.abort();
    assert_eq!(shop.upgrades().finalise().await.unwrap(), Finalised::Now(DATA_VERSION));
    assert!(shop.allows(Feature::StaffRoles).await);
    assert!(!newer.is_finished());
    newer.abort();
}

#[tokio::test]
async fn a_node_of_the_previous_version_does_not_join_after_that_and_one_that_runs_stops() {
    let shop = Shop::upgraded().await;
    let node = shop.node("frozen", DATA_VERSION - 1);
    assert_eq!(shop.upgrades().finalise().await.unwrap(), Finalised::Now(DATA_VERSION));
    let expected = Unsuitable::Finalised { version: DATA_VERSION, program: DATA_VERSION - 1 };
    assert_eq!(node.join().await.unwrap(), Err(expected.clone()));
    assert_eq!(Registry::list(&shop.db).await.unwrap(), []);
    let stopped = tokio::time::timeout(DEADLINE, node.run(BEAT, Duration::from_secs(3600))).await;
    assert_eq!(stopped.unwrap().unwrap(), expected);
}

#[tokio::test]
async fn an_upgrade_is_finalised_some_time_after_the_last_node_of_the_previous_version() {
    const DAY: Duration = Duration::from_secs(86_400);
    let shop = Shop::upgraded().await;
    let upgrades = shop.upgrades();
    let before = Registry::list(&shop.db).await.unwrap();
    let look = async |nodes: &[NodeRow], before: &[NodeRow]| {
        upgrades.look(shop.state().await, nodes, before, DAY).await.unwrap();
        shop.state().await
    };
    let began = shop.clock.clock().now();
    assert_eq!(
        look(&before, &before).await.older_seen_at,
        Some(began),
        "the upgrade begins when it is first looked at"
    );

    // A node of the previous version says that it runs, half a day later.
    shop.clock.advance(DAY / 2);
    shop.node("older", DATA_VERSION - 1).join().await.unwrap().unwrap();
    let nodes = Registry::list(&shop.db).await.unwrap();
    assert_eq!(look(&nodes, &before).await.older_seen_at, Some(began.plus(DAY / 2)));

    // It has said nothing since.
    shop.clock.advance(DAY - Duration::from_millis(1));
    assert_eq!(look(&nodes, &nodes).await.version, DATA_VERSION - 1);
    shop.clock.advance(Duration::from_millis(1));
    assert_eq!(look(&nodes, &nodes).await.version, DATA_VERSION);
}

#[tokio::test]
async fn an_upgrade_is_never_finalised_by_itself_if_that_is_switched_off() {
    let shop = Shop::upgraded().await;
    let upgrades = shop.upgrades();
    for _ in 0..3 {
        upgrades.look(shop.state().await, &[], &[], Duration::ZERO).await.unwrap();
        shop.clock.advance(Duration::from_secs(365 * 86_400));
    }
    assert_eq!(shop.state().await.version, DATA_VERSION - 1);
}

#[test]
fn an_upgrade_that_never_finalises_itself_is_not_looked_at_more_often() {
    let beat = Duration::from_secs(2);
    for (finalise_after, expected) in [(0, 60), (1, 2), (60, 15), (86_400, 60)] {
        assert_eq!(pause(Duration::from_secs(finalise_after), beat), Duration::from_secs(expected), "{finalise_after}");
    }
    assert_eq!(
        pause(Duration::ZERO, Duration::from_secs(90)),
        Duration::from_secs(90),
        "a node has nothing to say before"
    );
}

#[tokio::test]
async fn a_node_hears_which_data_version_is_in_force() {
    let shop = Shop::upgraded().await;
    let heard = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let hear = heard.clone();
    let hearing = Arc::new(move |version| hear.store(version, std::sync::atomic::Ordering::SeqCst));
    let node = shop.node("newer", DATA_VERSION).telling(hearing);
    node.join().await.unwrap().unwrap();
    assert_eq!(heard.load(std::sync::atomic::Ordering::SeqCst), DATA_VERSION - 1);
    store::write!(&shop.db, |conn| sql::upgrade::finalise(conn, DATA_VERSION).await).unwrap();
    node.join().await.unwrap().unwrap();
    assert_eq!(heard.load(std::sync::atomic::Ordering::SeqCst), DATA_VERSION);
}
