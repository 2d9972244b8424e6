//! The books of a test's shop, audited.

use std::time::Duration;

use doorbuster::payments::audit;
use tokio::time::{Instant, sleep};

use super::till::Till;
use crate::support::PATIENCE;

impl Till {
    /// The invariants of money, points and units. Others are at work, so something may be under way; nothing may be wrong.
    pub async fn audit(&self) {
        let db = self.database().await;
        let report = audit::check(&db, &db, false).await.unwrap();
        let breaches: Vec<_> = report.breaches().collect();
        assert!(report.ok && breaches.is_empty(), "{breaches:#?}");
    }

    /// The same when everything has come to its end, as far as these orders go; nobody else may use the servers.
    ///
    /// All is looked at again until it is right: the server's own jobs may begin something between two looks.
    pub async fn audit_settled(&self) {
        let db = self.database().await;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let report = audit::check(&db, &db, true).await.unwrap();
            if report.ok {
                return;
            }
            let (waiting, breaches) = (report.waiting, report.breaches().collect::<Vec<_>>());
            assert!(Instant::now() < deadline, "{waiting:?} {breaches:#?}");
            sleep(Duration::from_millis(100)).await;
        }
    }
}
