//! What operators do with stored settings. Each is one transaction, in turn, and is audited.

use std::time::Duration;

use serde_json::json;

use super::decide::{BACK_MAX, Facts, Plan, Refusal, Shadow, decide, expired};
use super::wish::{By, Wish};
use super::{HotSettings, POLL_EVERY};
use crate::config::{SettingChange, StoredValue};
use crate::kernel::{AuditId, Listed, Wanted};
use crate::model::audit::Audit;
use crate::store::{self, StoreError};

/// The time in which changes of an operator are counted.
const MINUTE: Duration = Duration::from_secs(60);

/// What a change came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// The changes; none if everything was so already.
    pub changes: Vec<SettingChange>,
    /// Flags that stand over what was stored.
    pub shadows: Vec<Shadow>,
    /// Whether it was stored: not when it was only checked, or changed nothing.
    pub stored: bool,
}

impl HotSettings {
    /// Does what an operator wishes, or says why not. When it returns, this node follows it.
    pub async fn act(&self, wish: Wish, by: By) -> Result<Result<Changed, Refusal>, StoreError> {
        let settings = self.clone();
        // A stored change is broadcast even if the caller has gone away.
        let done = tokio::spawn(async move { settings.change(wish, by).await });
        done.await.map_err(StoreError::internal_by)?
    }

    async fn change(&self, wish: Wish, by: By) -> Result<Result<Changed, Refusal>, StoreError> {
        let now = self.0.clock.now();
        let (settings, dry_run) = (self.clone(), by.dry_run);
        let audit_id = AuditId::generate(&self.0.clock, &self.0.rng);
        let decided: Result<Plan, Refusal> = store::write!(&self.0.db, |conn| {
            let revision = sql::settings::take_turn(conn).await?;
            let meant = match wish.about() {
                Some(revision) => sql::settings::find(conn, revision).await?,
                None => None,
            };
            let meant = match meant {
                Some(change) => {
                    let newest = sql::settings::newest_of(conn, &change.key, &change.scope).await?;
                    Some((change, newest))
                }
                None => None,
            };
            let later = match wish.since() {
                Some(revision) => sql::settings::after(conn, revision, BACK_MAX + 1).await?,
                None => Vec::new(),
            };
            let facts = Facts {
                revision,
                stored: sql::settings::all(conn).await?,
                nodes: settings.checked_nodes(&sql::nodes::list(conn).await?),
                made: sql::settings::made_since(conn, by.operator, now.minus(MINUTE)).await?,
                meant,
                later,
                unconfirmed: sql::settings::unconfirmed(conn).await?,
            };
            let plan = match decide(&settings.0.own, &facts, &wish, &by, now) {
                Ok(plan) => plan,
                Err(refusal) => return Ok(Err(refusal)),
            };
            if !by.dry_run && !plan.changes.is_empty() {
                sql::settings::record(conn, &plan.changes).await?;
                let audit = audit(audit_id, &wish, &by, &plan.changes);
                sql::catalog::write_down(conn, &Audit { at: now, ..audit }).await?;
            }
            Ok(Ok(plan))
        })?;
        let plan = match decided {
            Ok(plan) => plan,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let stored = !dry_run && !plan.changes.is_empty();
        if let Some(last) = plan.changes.last().filter(|_| stored) {
            self.spread(last.revision).await;
        }
        Ok(Ok(Changed { changes: plan.changes, shadows: plan.shadows, stored }))
    }

    async fn spread(&self, revision: u64) {
        if self.0.node.is_some()
            && let Err(error) = self.refresh().await
        {
            tracing::warn!(%error, "could not read the stored settings; will look again");
        }
        self.announce(revision).await;
    }

    /// Takes back what nobody confirmed in time. Conditional, so that twice does no harm.
    pub(super) async fn expire_once(&self) -> Result<(), StoreError> {
        let waiting = store::read!(&self.0.db, |conn| sql::settings::unconfirmed(conn).await)?;
        let now = self.0.clock.now();
        let is_over = move |change: &SettingChange| change.confirm_before.is_some_and(|before| before <= now);
        if !waiting.iter().any(is_over) {
            return Ok(());
        }
        let ended = store::write!(&self.0.db, |conn| {
            let revision = sql::settings::take_turn(conn).await?;
            let over = sql::settings::unconfirmed(conn).await?.into_iter().filter(is_over);
            let ended: Vec<_> = over.zip(revision + 1..).map(|(change, at)| expired(change, at, now)).collect();
            sql::settings::record(conn, &ended).await?;
            Ok(ended)
        })?;
        for change in &ended {
            tracing::warn!(
                key = change.key,
                scope = change.scope,
                undoes = change.undoes,
                "a change was not confirmed"
            );
        }
        if let Some(last) = ended.last() {
            self.spread(last.revision).await;
        }
        Ok(())
    }

    /// The changes, newest first: all, or those of a key.
    pub async fn history(&self, key: Option<String>, wanted: Wanted<u64>) -> Result<Listed<SettingChange>, StoreError> {
        store::read!(&self.0.db, |conn| sql::settings::list(conn, key.as_deref(), &wanted).await)
    }

    /// The changes after that one, oldest first.
    pub async fn since(&self, revision: u64, most: usize) -> Result<Vec<SettingChange>, StoreError> {
        store::read!(&self.0.db, |conn| sql::settings::after(conn, revision, most).await)
    }

    /// One change.
    pub async fn find(&self, revision: u64) -> Result<Option<SettingChange>, StoreError> {
        store::read!(&self.0.db, |conn| sql::settings::find(conn, revision).await)
    }

    /// All that is stored.
    pub async fn stored(&self) -> Result<Vec<StoredValue>, StoreError> {
        store::read!(&self.0.db, |conn| sql::settings::all(conn).await)
    }

    /// How long it takes at most until a node that runs has seen a change, if it does not hear of it.
    pub const fn seen_within() -> Duration {
        POLL_EVERY
    }
}

fn audit(id: AuditId, wish: &Wish, by: &By, changes: &[SettingChange]) -> Audit {
    let subject = match changes {
        [one] => one.key.clone(),
        _ => "settings".to_owned(),
    };
    let change = |change: &SettingChange| {
        json!({
            "revision": change.revision, "key": change.key, "scope": change.scope, "old": change.old, "new": change.new,
        })
    };
    let detail = json!({
        "reason": by.reason.trim(), "via": by.via, "force": by.force,
        "changes": changes.iter().map(change).collect::<Vec<_>>(),
    });
    let at = changes.first().map_or(crate::kernel::Timestamp::MAX, |change| change.at);
    Audit { id, operator: by.operator, act: wish.act(), subject, detail, at }
}
