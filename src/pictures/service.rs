//! Storing and reading pictures.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use serde_json::json;
use tokio::sync::Semaphore;

use super::check::{Kind, Refusal, make};
use super::name::{File, Name};
use crate::kernel::{AuditId, Clock, Rng, Timestamp, UserId};
use crate::model::audit::Audit;
use crate::store::{self, Database, StoreError};

/// Bytes of files in memory at most: those that pages show now.
const CACHED_MAX: u64 = 32 * 1024 * 1024;

/// Bytes of such a file, about: how many places the cache makes.
const FILE_BYTES: u64 = 32 * 1024;

/// Pictures that are looked at in one transaction when unused ones are removed.
const REMOVED_AT_ONCE: usize = 100;

/// Uploads that are decoded at the same time: each may need 128 MiB.
const AT_ONCE: usize = 1;

/// Pictures of products. Cheap to clone.
#[derive(Clone)]
pub struct Pictures(Arc<Inner>);

struct Inner {
    db: Database,
    clock: Clock,
    rng: Rng,
    turns: Arc<Semaphore>,
    files: Cache<File, Bytes, Weight>,
}

/// Why an upload did not become a picture. Nothing was stored.
#[derive(Debug, Clone, thiserror::Error)]
pub enum UploadError {
    /// It is none, or none that the shop takes.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Pictures {
    /// On this database.
    pub fn new(db: Database, clock: Clock, rng: Rng) -> Self {
        let files = Cache::with_weighter((CACHED_MAX / FILE_BYTES) as usize, CACHED_MAX, Weight);
        Self(Arc::new(Inner { db, clock, rng, turns: Arc::new(Semaphore::new(AT_ONCE)), files }))
    }

    /// Stores an upload that is said to be of this kind. The same bytes get the same name, however often they come.
    pub async fn upload(&self, operator: UserId, said: Kind, bytes: Bytes) -> Result<Name, UploadError> {
        let inner = &self.0;
        let turn = inner.turns.clone().acquire_owned().await;
        let size = bytes.len();
        // The turn ends with the work, even if nobody waits for it any more.
        let work = move || {
            let _turn = turn;
            make(said, &bytes)
        };
        let made = tokio::task::spawn_blocking(work).await.map_err(StoreError::internal_by)??;
        let name = made.name;
        let id = AuditId::generate(&inner.clock, &inner.rng);
        let (subject, detail) = (name.widest().to_string(), json!({ "bytes": size }));
        let audit = Audit { id, operator, act: "picture.upload", subject, detail, at: inner.clock.now() };
        store::write!(&inner.db, |conn| {
            // Or some of its files could be removed as unused meanwhile.
            sql::catalog::take_turn(conn).await?;
            sql::pictures::insert(conn, &name.stored(), &made.files, audit.at).await?;
            sql::catalog::write_down(conn, &audit).await
        })?;
        Ok(name)
    }

    /// Removes pictures that no product has used for so long; the number of them.
    pub async fn remove_unused(&self, kept: Duration) -> Result<usize, StoreError> {
        let before = self.0.clock.now().minus(kept);
        let mut removed = 0;
        let mut after = (Timestamp::from_millis(i64::MIN), String::new());
        loop {
            let from = after.clone();
            let most = REMOVED_AT_ONCE;
            let page = store::read!(&self.0.db, |conn| sql::pictures::older(conn, before, &from, most).await)?;
            let Some(last) = page.last().cloned() else { return Ok(removed) };
            let names: Vec<Name> = page.iter().filter_map(|(_, stored)| Name::of_stored(stored)).collect();
            removed += self.remove_unused_of(names, before).await?;
            after = last;
        }
    }

    /// Operators save no product meanwhile.
    async fn remove_unused_of(&self, names: Vec<Name>, before: Timestamp) -> Result<usize, StoreError> {
        store::write!(&self.0.db, |conn| {
            sql::catalog::take_turn(conn).await?;
            let addresses = names.iter().flat_map(|name| name.addresses()).collect();
            let used = sql::pictures::used(conn, addresses).await?;
            let is_used = |name: &Name| name.addresses().any(|address| used.contains(&address));
            let unused: Vec<String> = names.iter().filter(|name| !is_used(name)).map(|name| name.stored()).collect();
            let count = unused.len();
            if count > 0 {
                sql::pictures::remove(conn, unused, before).await?;
            }
            Ok(count)
        })
    }

    /// The bytes of a file; `None` if there is no such file.
    pub async fn read(&self, file: File) -> Result<Option<Bytes>, StoreError> {
        let inner = &self.0;
        if let Some(bytes) = inner.files.get(&file) {
            return Ok(Some(bytes));
        }
        let name = file.name.stored();
        let found = store::read!(&inner.db, |conn| sql::pictures::find(conn, &name, file.width).await)?;
        if let Some(bytes) = &found {
            inner.files.insert(file, bytes.clone());
        }
        Ok(found)
    }
}

#[derive(Clone)]
struct Weight;

impl Weighter<File, Bytes> for Weight {
    fn weight(&self, _: &File, bytes: &Bytes) -> u64 {
        bytes.len() as u64
    }
}
