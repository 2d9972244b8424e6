//! Passwords: argon2id, off the async threads, so many at a time and so many waiting.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use data_encoding::BASE64_NOPAD;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config;
use crate::kernel::Rng;

/// Why a password was not hashed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum HashError {
    /// As many as may wait do wait.
    #[error("too many passwords wait to be hashed")]
    Busy,
    /// The hash function refused its parameters or ran out of memory.
    #[error("password hashing failed: {0}")]
    Failed(String),
}

/// What comparing a password with a stored hash found.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is another password, or there is nobody to compare with.
    Wrong,
    /// It is the password. `rehash` is to replace the stored hash, made with weaker parameters than are in force now.
    Right {
        /// The new hash.
        rehash: Option<String>,
    },
}

/// Hashes and compares passwords. Cheap to clone.
#[derive(Clone)]
pub struct Hasher(Arc<Inner>);

struct Inner {
    argon2: Argon2<'static>,
    rng: Rng,
    /// Compared with when there is no such user, so that this takes as long as a wrong password.
    nobody: String,
    places: Arc<Semaphore>,
    running: Arc<Semaphore>,
}

impl Hasher {
    /// With the configured parameters.
    pub fn new(config: &config::Accounts, rng: Rng) -> Result<Self, HashError> {
        let memory_kib = u32::try_from(config.hash_memory.div_ceil(1024)).map_err(failed)?;
        let params = Params::new(memory_kib, config.hash_passes, 1, None).map_err(failed)?;
        let concurrency = config.hash_concurrency.max(1);
        let nobody = format!(
            "$argon2id$v=19$m={memory_kib},t={},p=1${}${}",
            config.hash_passes,
            BASE64_NOPAD.encode(&rng.bytes::<16>()),
            BASE64_NOPAD.encode(&rng.bytes::<32>()),
        );
        Ok(Self(Arc::new(Inner {
            argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            rng,
            nobody,
            places: Arc::new(Semaphore::new(concurrency.saturating_add(config.hash_queue))),
            running: Arc::new(Semaphore::new(concurrency)),
        })))
    }

    /// The PHC string to store for a password.
    pub async fn hash(&self, password: &str) -> Result<String, HashError> {
        let password = password.to_owned();
        self.run(move |inner| inner.hash(&password)).await
    }

    /// Compares a password with a stored hash. With `None` it takes the same time and answers [`Verdict::Wrong`].
    pub async fn verify(&self, password: &str, stored: Option<&str>) -> Result<Verdict, HashError> {
        let (password, stored) = (password.to_owned(), stored.map(str::to_owned));
        self.run(move |inner| inner.verify(&password, stored.as_deref())).await
    }

    async fn run<R: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<R, HashError> + Send + 'static,
    ) -> Result<R, HashError> {
        let place = self.0.places.clone().try_acquire_owned().map_err(|_| HashError::Busy)?;
        let permit = self.0.running.clone().acquire_owned().await.map_err(failed)?;
        let inner = self.0.clone();
        let hashing = tokio::task::spawn_blocking(move || {
            // Held to the end of the work, even if whoever asked has gone away.
            let _held: (OwnedSemaphorePermit, OwnedSemaphorePermit) = (place, permit);
            work(&inner)
        });
        hashing.await.map_err(failed)?
    }
}

impl Inner {
    fn hash(&self, password: &str) -> Result<String, HashError> {
        let salt = self.rng.bytes::<16>();
        let hash: PasswordHash = self.argon2.hash_password_with_salt(password.as_bytes(), &salt).map_err(failed)?;
        Ok(hash.to_string())
    }

    fn verify(&self, password: &str, stored: Option<&str>) -> Result<Verdict, HashError> {
        let hash = PasswordHash::new(stored.unwrap_or(&self.nobody)).map_err(failed)?;
        let matches = self.argon2.verify_password(password.as_bytes(), &hash);
        if stored.is_none() || matches == Err(argon2::password_hash::Error::PasswordInvalid) {
            return Ok(Verdict::Wrong);
        }
        matches.map_err(failed)?;
        let rehash = if self.is_weak(&hash)? { Some(self.hash(password)?) } else { None };
        Ok(Verdict::Right { rehash })
    }

    fn is_weak(&self, hash: &PasswordHash) -> Result<bool, HashError> {
        let (made_with, wanted) = (Params::try_from(hash).map_err(failed)?, self.argon2.params());
        Ok(made_with.m_cost() < wanted.m_cost() || made_with.t_cost() < wanted.t_cost())
    }
}

fn failed(error: impl std::fmt::Display) -> HashError {
    HashError::Failed(error.to_string())
}
