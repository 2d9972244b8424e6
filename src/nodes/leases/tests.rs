//! On SQLite, as several nodes: the statements are the same on PostgreSQL, where the fault tests run them.

use tokio::sync::mpsc;

use super::*;
use crate::config::{Config, Secret};

const LIFETIME: Duration = Duration::from_millis(200);

async fn database(folder: &tempfile::TempDir) -> Database {
    let mut config = Config::default_embedded().store;
    config.url = Secret::new(format!("sqlite://{}/nodes.db", folder.path().display()));
    let db = Database::open(&config).await.unwrap();
    db.migrate().await.unwrap();
    db
}

fn node(db: &Database, name: &str) -> Leases {
    Leases(Arc::new(Inner { db: db.clone(), node: name.into(), lifetime: LIFETIME, alone: false }))
}

/// Leads in a task, tells when it does, and goes on until it loses the lease or is aborted.
fn lead(leases: Leases, tell: mpsc::UnboundedSender<&'static str>, name: &'static str) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let work = async || {
            let _ = tell.send(name);
            std::future::pending().await
        };
        leases.lead("sweep", work).await.unwrap();
    })
}

#[tokio::test]
async fn one_leads_and_another_takes_over_when_it_is_silent() {
    let folder = tempfile::tempdir().unwrap();
    let db = database(&folder).await;
    let (tell, mut told) = mpsc::unbounded_channel();
    let first = lead(node(&db, "a"), tell.clone(), "a");
    assert_eq!(told.recv().await, Some("a"));
    let second = lead(node(&db, "b"), tell, "b");
    // Many lifetimes of a holder that lives change nothing.
    assert!(tokio::time::timeout(LIFETIME * 6, told.recv()).await.is_err(), "two lead at a time");
    assert_eq!(Leases::list(&db).await.unwrap()[0].holder, "a");
    first.abort();
    let taken = tokio::time::timeout(Duration::from_secs(20), told.recv()).await;
    assert_eq!(taken, Ok(Some("b")));
    assert_eq!(Leases::list(&db).await.unwrap()[0].token, 2);
    second.abort();
}

#[tokio::test]
async fn a_released_lease_is_taken_without_waiting_and_its_token_grows() {
    let folder = tempfile::tempdir().unwrap();
    let db = database(&folder).await;
    let (a, b) = (node(&db, "a"), node(&db, "b"));
    assert_eq!(a.acquire("sweep").await.unwrap(), 1);
    a.release().await.unwrap();
    assert_eq!(b.acquire("sweep").await.unwrap(), 2);
    assert!(!a.renew("sweep", 1).await.unwrap(), "the old token is worth nothing");
    assert!(b.renew("sweep", 2).await.unwrap());
}

#[tokio::test]
async fn who_lost_the_lease_stops() {
    let folder = tempfile::tempdir().unwrap();
    let db = database(&folder).await;
    let (a, b) = (node(&db, "a"), node(&db, "b"));
    let (tell, mut told) = mpsc::unbounded_channel();
    let leading = lead(a.clone(), tell, "a");
    assert_eq!(told.recv().await, Some("a"));
    // As if the holder had been frozen for a while.
    let seen = b.find("sweep").await.unwrap();
    let mut seen = seen;
    while b.take("sweep", seen).await.unwrap().is_none() {
        seen = b.find("sweep").await.unwrap();
    }
    tokio::time::timeout(Duration::from_secs(20), leading).await.expect("it goes on without a lease").unwrap();
}

#[tokio::test]
async fn of_two_that_see_the_same_one_takes_it() {
    let folder = tempfile::tempdir().unwrap();
    let db = database(&folder).await;
    let (a, b) = (node(&db, "a"), node(&db, "b"));
    for expected in [1, 2] {
        let seen = a.find("sweep").await.unwrap();
        let (first, second) = tokio::join!(a.take("sweep", seen.clone()), b.take("sweep", seen));
        let mut taken = [first.unwrap(), second.unwrap()];
        taken.sort();
        assert_eq!(taken, [None, Some(expected)]);
    }
}
