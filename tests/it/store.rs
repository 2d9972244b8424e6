//! What both kinds of databases promise to whoever uses them.

use doorbuster::config::{Config, Secret, Store};
use doorbuster::nodes::Leases;
use doorbuster::store::Database;
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use tokio::time::timeout;

use crate::support::PATIENCE;
use crate::support::servers::FreshDatabase;

/// With one connection of each kind, and room for one job that waits.
fn narrow(url: String) -> Store {
    let config = Config::default_embedded().store;
    Store { url: Secret::new(url), readers: 1, connections: 1, writer_queue: 1, ..config }
}

/// A call that is not polled after its first wait, as those of a client that takes no data, keeps nobody else waiting.
async fn others_go_on(db: &Database) {
    db.migrate().await.unwrap();
    let calls = || (Box::pin(db.ping()), Box::pin(Leases::list(db)));
    let mut left = Vec::new();
    for _ in 0..20 {
        let (mut ping, mut list) = calls();
        let _may_be_done = ((&mut ping).now_or_never(), (&mut list).now_or_never());
        left.push((ping, list));
    }
    let others = join_all((0..20).map(|_| async {
        let (ping, list) = calls();
        tokio::join!(ping, list)
    }));
    for (pinged, listed) in timeout(PATIENCE, others).await.expect("all wait for those that are not polled") {
        pinged.unwrap();
        listed.unwrap();
    }
    drop(left);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_not_polled_delays_no_other_of_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("shop.db").display());
    others_go_on(&Database::open(&narrow(url)).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_is_not_polled_delays_no_other_of_postgresql() {
    let server = FreshDatabase::create().await;
    others_go_on(&Database::open(&narrow(server.url())).await.unwrap()).await;
}
