//! Password hashing with argon2id, outside the async threads, with limits on concurrency and queueing.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use data_encoding::BASE64_NOPAD;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::rules::normalized;
use crate::config;
use crate::kernel::Rng;

/// Why a password was not hashed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum HashError {
    /// As many as may wait do wait.
    #[error("too many passwords are waiting to be hashed")]
    Busy,
    /// The hash function refused its parameters or ran out of memory.
    #[error("password hashing failed: {0}")]
    Failed(String),
}

/// The result of comparing a password with a stored hash.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is another password, or there is nobody to compare with.
    Wrong,
    /// It is the password. `rehash` is to replace the stored hash, made with weaker parameters than are in force now, or before
    /// passwords were normalised.
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
            // Held to the end of the work, even if the caller has gone away.
            let _held: (OwnedSemaphorePermit, OwnedSemaphorePermit) = (place, permit);
            work(&inner)
        });
        hashing.await.map_err(failed)?
    }
}

impl Inner {
    fn hash(&self, password: &str) -> Result<String, HashError> {
        let (salt, password) = (self.rng.bytes::<16>(), normalized(password));
        let hash: PasswordHash = self.argon2.hash_password_with_salt(password.as_bytes(), &salt).map_err(failed)?;
        Ok(hash.to_string())
    }

    fn verify(&self, password: &str, stored: Option<&str>) -> Result<Verdict, HashError> {
        let hash = PasswordHash::new(stored.unwrap_or(&self.nobody)).map_err(failed)?;
        let normalized = normalized(password);
        let mut right = self.matches(&normalized, &hash)?;
        // Hashes were made of what was typed once. That takes twice as long, for an account that does not exist as well.
        let as_typed = !right && *normalized != *password && self.matches(password, &hash)?;
        right |= as_typed;
        if stored.is_none() || !right {
            return Ok(Verdict::Wrong);
        }
        let rehash = if as_typed || self.is_weak(&hash)? { Some(self.hash(password)?) } else { None };
        Ok(Verdict::Right { rehash })
    }

    fn matches(&self, password: &str, hash: &PasswordHash) -> Result<bool, HashError> {
        match self.argon2.verify_password(password.as_bytes(), hash) {
            Ok(()) => Ok(true),
            Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }

    fn is_weak(&self, hash: &PasswordHash) -> Result<bool, HashError> {
        let (made_with, wanted) = (Params::try_from(hash).map_err(failed)?, self.argon2.params());
        Ok(made_with.m_cost() < wanted.m_cost() || made_with.t_cost() < wanted.t_cost())
    }
}

fn failed(error: impl std::fmt::Display) -> HashError {
    HashError::Failed(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::testing::eventually;
    use crate::config::{Config, Size};
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    fn hasher(concurrency: usize, queue: usize, memory: usize) -> Hasher {
        let mut config = Config::default_embedded().accounts;
        config.hash_concurrency = concurrency;
        config.hash_queue = queue;
        config.hash_memory = Size(memory);
        Hasher::new(&config, Rng::seeded(1)).unwrap()
    }

    #[tokio::test]
    async fn a_hash_is_salted_and_knows_its_password() {
        let hasher = hasher(1, 8, 8 * 1024);
        let (one, two) = (hasher.hash("密码 one").await.unwrap(), hasher.hash("密码 one").await.unwrap());
        assert_ne!(one, two);
        for hash in [&one, &two] {
            assert_eq!(hasher.verify("密码 one", Some(hash)).await.unwrap(), Verdict::Right { rehash: None });
            assert_eq!(hasher.verify("密码 two", Some(hash)).await.unwrap(), Verdict::Wrong);
            assert_eq!(hasher.verify("", Some(hash)).await.unwrap(), Verdict::Wrong);
        }
        assert_eq!(hasher.verify("密码 one", None).await.unwrap(), Verdict::Wrong);
        assert!(matches!(hasher.verify("x", Some("not a hash")).await, Err(HashError::Failed(_))));
    }

    #[tokio::test]
    async fn a_password_is_the_same_however_it_is_composed() {
        let hasher = hasher(1, 8, 8 * 1024);
        let hash = hasher.hash("Å-ﬁancée-１２").await.unwrap();
        for same in ["Å-ﬁancée-１２", "A\u{30A}-fiancée-12", "\u{212B}-fiance\u{301}e-12"] {
            assert_eq!(hasher.verify(same, Some(&hash)).await.unwrap(), Verdict::Right { rehash: None }, "{same}");
        }
        assert_eq!(hasher.verify("A-fiancee-12", Some(&hash)).await.unwrap(), Verdict::Wrong);
    }

    #[tokio::test]
    async fn a_hash_of_what_was_typed_stays_valid_and_is_replaced() {
        let hasher = hasher(1, 8, 8 * 1024);
        let (typed, normal) = ("１２３４５６７８é", "12345678é");
        let old: PasswordHash = hasher.0.argon2.hash_password_with_salt(typed.as_bytes(), &[7; 16]).unwrap();
        let old = old.to_string();
        assert_eq!(hasher.verify(normal, Some(&old)).await.unwrap(), Verdict::Wrong);
        let Verdict::Right { rehash: Some(new) } = hasher.verify(typed, Some(&old)).await.unwrap() else {
            panic!("the old hash is valid, and replaced");
        };
        for form in [typed, normal] {
            assert_eq!(hasher.verify(form, Some(&new)).await.unwrap(), Verdict::Right { rehash: None });
        }
    }

    #[tokio::test]
    async fn the_defaults_are_no_weaker_than_owasp_asks() {
        let hasher = Hasher::new(&Config::default_embedded().accounts, Rng::seeded(1)).unwrap();
        assert!(hasher.hash("12345678").await.unwrap().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    }

    #[tokio::test]
    async fn parameters_that_make_no_hash_are_refused() {
        let mut config = Config::default_embedded().accounts;
        config.hash_passes = 0;
        assert!(matches!(Hasher::new(&config, Rng::seeded(1)), Err(HashError::Failed(_))));
    }

    #[tokio::test]
    async fn nobody_takes_as_long_as_a_wrong_password() {
        let hasher = hasher(1, 8, 19 << 20);
        let hash = hasher.hash("12345678").await.unwrap();
        let quickest = async |stored: Option<&str>| {
            let mut quickest = Duration::MAX;
            for _ in 0..5 {
                let start = tokio::time::Instant::now();
                assert_eq!(hasher.verify("wrong one", stored).await.unwrap(), Verdict::Wrong);
                quickest = quickest.min(start.elapsed());
            }
            quickest
        };
        let (wrong, nobody) = (quickest(Some(&hash)).await, quickest(None).await);
        // The same parameters are the same work; the times only have to show that it is done at all.
        assert_eq!(hasher.0.nobody.split('$').nth(3), hash.split('$').nth(3));
        assert!(nobody * 10 > wrong, "wrong {wrong:?}, nobody {nobody:?}");
    }

    #[tokio::test]
    async fn so_many_run_and_so_many_wait() {
        let hasher = hasher(2, 4, 8 * 1024);
        let (running, most, pair) =
            (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)), Arc::new(Barrier::new(2)));
        let jobs = (0..6).map(|_| {
            let (running, most, pair) = (running.clone(), most.clone(), pair.clone());
            hasher.run(move |_| {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                pair.wait();
                running.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            })
        });
        for result in futures_util::future::join_all(jobs).await {
            result.unwrap();
        }
        assert_eq!(most.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn whoever_finds_no_place_to_wait_is_told_at_once() {
        let hasher = hasher(1, 2, 8 * 1024);
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let blocked = tokio::spawn({
            let hasher = hasher.clone();
            async move { hasher.run(move |_| wait.recv().map_err(failed)).await }
        });
        eventually(|| hasher.0.running.available_permits() == 0).await;
        let waiting = [0, 1].map(|_| {
            let hasher = hasher.clone();
            tokio::spawn(async move { hasher.hash("12345678").await })
        });
        eventually(|| hasher.0.places.available_permits() == 0).await;
        assert!(matches!(hasher.hash("12345678").await, Err(HashError::Busy)));
        // One who gives up leaves the queue; the work of one who gave up while it ran keeps its place.
        waiting[0].abort();
        eventually(|| hasher.0.places.available_permits() == 1).await;
        blocked.abort();
        eventually(|| blocked.is_finished()).await;
        assert_eq!(hasher.0.running.available_permits(), 0);
        go.send(()).unwrap();
        let [_, waited] = waiting;
        waited.await.unwrap().unwrap();
        eventually(|| hasher.0.places.available_permits() == 3).await;
    }
}
