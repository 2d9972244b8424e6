//! Storing and reading pictures.

use std::sync::Arc;

use bytes::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use serde_json::json;
use tokio::sync::Semaphore;

use super::check::{Kind, Refusal, make};
use super::name::{File, Name};
use crate::kernel::{AuditId, Clock, Rng, UserId};
use crate::model::audit::Audit;
use crate::store::{self, Database, StoreError};

/// Bytes of files in memory at most: those that pages show now.
const CACHED_MAX: u64 = 32 * 1024 * 1024;

/// Bytes of such a file, about: how many places the cache makes.
const FILE_BYTES: u64 = 32 * 1024;

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
        let made =
            tokio::task::spawn_blocking(work).await.map_err(|error| StoreError::Internal(error.to_string()))??;
        let name = made.name;
        let id = AuditId::generate(&inner.clock, &inner.rng);
        let (subject, detail) = (name.widest().to_string(), json!({ "bytes": size }));
        let audit = Audit { id, operator, act: "picture.upload", subject, detail, at: inner.clock.now() };
        store::write!(&inner.db, |conn| {
            sql::pictures::insert(conn, &name.stored(), &made.files, audit.at).await?;
            sql::catalog::write_down(conn, &audit).await
        })?;
        Ok(name)
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
