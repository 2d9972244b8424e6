//! The books of a test's shop, audited.

use doorbuster::orders::audit;

use super::till::Till;
use crate::support::until;

impl Till {
    /// The invariants of money, points and units. Others are at work, so something may be under way; nothing may be wrong.
    pub async fn audit(&self) {
        let db = self.database().await;
        let report = audit::check(&db, &db, false).await.unwrap();
        let breaches: Vec<_> = report.breaches().collect();
        assert!(report.ok && breaches.is_empty(), "{breaches:#?}");
    }

    /// The same when everything has come to its end, as far as these orders go; nobody else may use the servers.
    pub async fn audit_settled(&self) {
        let db = self.database().await;
        let mut report = None;
        until("all has ended", async || {
            let found = audit::check(&db, &db, false).await.unwrap();
            let nothing = found.waiting.is_nothing();
            report = Some(found);
            nothing
        })
        .await;
        let breaches: Vec<_> = report.iter().flat_map(audit::Report::breaches).cloned().collect();
        assert!(breaches.is_empty(), "{breaches:#?}");
        assert!(audit::check(&db, &db, true).await.unwrap().ok);
    }
}
