//! The cache of access tokens that nodes share, if there is one: it is used after a node's own cache and before the
//! database. It saves lookups and is never required: without a response, the database is queried.
//!
//! A live token is kept for as long as a node would cache it, so the shared cache contains those in use. The tombstone
//! of a revoked token is kept for longer than any earlier read can be in progress.

mod redis_tokens;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub use redis_tokens::RedisTokens;

use async_trait::async_trait;
use tokio::time::{Instant, sleep, timeout};

use super::batcher::Batcher;
use super::metrics::Metrics;
use crate::config;
use crate::kernel::retry::Backoff;
use crate::kernel::{Clock, Rng, Timestamp};
use crate::model::accounts::{Session, TokenHash};

/// A look-up that has no answer after this long goes to the database: a request waits for it.
const PATIENCE: Duration = Duration::from_millis(100);
/// That a token ended is kept for so many times `accounts.token_cache_ttl`.
const ENDED_FOR: u32 = 2;
/// The first wait after a try to mark a token that failed; it doubles.
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Names a time during which the place lost nothing. The default one names none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Life(pub u64);

/// A token that the database called live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Live {
    /// Whose it is, and until when.
    pub session: Session,
    /// How long ago the database was asked. Not when: the clocks of nodes differ.
    pub age: Duration,
}

/// The known state of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// The database called it live.
    Live(Live),
    /// It was signed out, which is for ever.
    Ended,
    /// Nothing.
    Nothing,
}

/// A token to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Its hash.
    pub token: TokenHash,
    /// The result of the database.
    pub live: Live,
    /// The life of the place before the database was asked.
    pub life: Life,
    /// For how long.
    pub lasting: Duration,
}

/// There was no answer. Whether anything was written is unknown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SharedError(pub String);

/// The place that nodes share.
#[async_trait]
pub trait SharedTokens: Send + Sync + 'static {
    /// What is known of each of these tokens, and the present life.
    async fn find(&self, tokens: &[TokenHash]) -> Result<(Vec<Found>, Life), SharedError>;

    /// Keeps tokens, except for those that ended, and those whose life is over: that they ended since may have been lost with
    /// it. Answers with the present life, also if there are no tokens.
    async fn keep(&self, tokens: &[Kept]) -> Result<Life, SharedError>;

    /// Marks tokens as ended, whatever was known of them.
    async fn end(&self, tokens: &[TokenHash], lasting: Duration) -> Result<(), SharedError>;
}

/// A node's side of the place, if there is one.
pub(super) struct Shared(Option<Arc<Side>>);

struct Side {
    place: Arc<Place>,
    keeps: Batcher<Noted>,
    ends: Batcher<Ended>,
}

struct Place {
    port: Arc<dyn SharedTokens>,
    clock: Clock,
    rng: Rng,
    /// The latest incarnation of the server that this node knows.
    life: AtomicU64,
    trust: Duration,
    metrics: Metrics,
}

/// A live token on its way to the place.
struct Noted {
    token: TokenHash,
    session: Session,
    checked_at: Timestamp,
    life: Life,
}

/// A token that ended, on its way to the place.
struct Ended {
    token: TokenHash,
    /// From then on no message is needed.
    until: Instant,
}

impl Shared {
    /// Starts what writes in the background.
    pub(super) fn start(
        port: Option<Arc<dyn SharedTokens>>,
        clock: Clock,
        rng: Rng,
        config: &config::Accounts,
        metrics: Metrics,
    ) -> Self {
        let Some(port) = port else { return Self(None) };
        let (life, trust) = (AtomicU64::default(), *config.token_cache_ttl);
        let place = Arc::new(Place { port, clock, rng, life, trust, metrics });
        let keeps = Batcher::start("shared-tokens", config.background_queue, {
            let place = place.clone();
            move |noted| keep(place.clone(), noted)
        });
        let ends = Batcher::start("sign-out-marks", config.background_queue, {
            let place = place.clone();
            move |ended| mark(place.clone(), ended)
        });
        // Without a life, nothing could be kept before the first look-up.
        tokio::spawn(keep(place.clone(), Vec::new()));
        Self(Some(Arc::new(Side { place, keeps, ends })))
    }

    /// Whether there is a place.
    pub(super) fn is_there(&self) -> bool {
        self.0.is_some()
    }

    /// What is known of each of these tokens, and the life to keep them in afterwards.
    pub(super) async fn find(&self, tokens: &[TokenHash]) -> (Vec<Found>, Life) {
        let nothing = || (vec![Found::Nothing; tokens.len()], Life::default());
        let Some(side) = &self.0 else { return nothing() };
        let place = &side.place;
        let answer = timeout(PATIENCE, place.port.find(tokens)).await;
        match answer.unwrap_or_else(|_| Err(SharedError(format!("not within {PATIENCE:?}")))) {
            Ok((found, life)) => {
                place.life.store(life.0, Ordering::Release);
                (found, life)
            }
            Err(error) => {
                place.failed(&error);
                nothing()
            }
        }
    }

    /// The latest incarnation of the server that this node knows.
    pub(super) fn life(&self) -> Life {
        Life(self.0.as_ref().map_or(0, |side| side.place.life.load(Ordering::Acquire)))
    }

    /// Keeps what the database said, in the background; `life` is one from before it was asked. With too much under way it is
    /// left out.
    pub(super) fn keep(&self, token: TokenHash, session: Session, checked_at: Timestamp, life: Life) {
        if let Some(side) = &self.0
            && life != Life::default()
        {
            side.keeps.offer(Noted { token, session, checked_at, life });
        }
    }

    /// Marks a token as ended. Returns after one try; should that fail, it is tried again in the background. It happens even
    /// if the caller goes away.
    pub(super) async fn end(&self, token: TokenHash) {
        let Some(side) = self.0.clone() else { return };
        let trying = tokio::spawn(async move {
            if side.place.end(&[token]).await.is_err() {
                side.end_soon(token);
            }
        });
        // It fails when the runtime shuts down.
        let _ = trying.await;
    }

    /// Marks a token as ended, in the background.
    pub(super) fn end_soon(&self, token: TokenHash) {
        if let Some(side) = &self.0 {
            side.end_soon(token);
        }
    }

    /// Waits until what was to be kept so far is there, or given up.
    #[cfg(test)]
    pub(super) async fn flush(&self) {
        if let Some(side) = &self.0 {
            side.keeps.flush().await;
        }
    }
}

impl Side {
    fn end_soon(&self, token: TokenHash) {
        let until = Instant::now() + self.place.ended_for();
        if !self.ends.offer(Ended { token, until }) {
            self.place.gave_up(1, "the queue is full");
        }
    }
}

impl Place {
    fn ended_for(&self) -> Duration {
        self.trust * ENDED_FOR
    }

    async fn end(&self, tokens: &[TokenHash]) -> Result<(), SharedError> {
        self.port.end(tokens, self.ended_for()).await.inspect_err(|error| self.failed(error))
    }

    /// Not a warning: the failure is logged once, not for each call.
    fn failed(&self, error: &SharedError) {
        self.metrics.tokens_unshared.inc();
        tracing::debug!(%error, "could not share access tokens with other nodes");
    }

    fn gave_up(&self, tokens: usize, reason: &str) {
        self.metrics.sign_outs_not_recorded.inc_by(tokens as u64);
        tracing::warn!(
            reason,
            tokens,
            "could not record sign-outs in Redis; nodes that miss the broadcast learn of them later"
        );
    }
}

async fn keep(place: Arc<Place>, noted: Vec<Noted>) {
    let now = place.clock.now();
    let kept: Vec<Kept> = noted.iter().filter_map(|noted| noted.kept(place.trust, now)).collect();
    if kept.is_empty() && !noted.is_empty() {
        return;
    }
    match place.port.keep(&kept).await {
        Ok(life) => place.life.store(life.0, Ordering::Release),
        Err(error) => place.failed(&error),
    }
}

impl Noted {
    /// `None` when it is too old.
    fn kept(&self, trust: Duration, now: Timestamp) -> Option<Kept> {
        let &Self { token, session, checked_at, life } = self;
        let age = now.since(checked_at);
        let lasting = trust.checked_sub(age).filter(|lasting| checked_at <= now && lasting.as_millis() > 0)?;
        Some(Kept { token, live: Live { session, age }, life, lasting })
    }
}

/// Again and again, until they are marked or nobody needs it any more.
async fn mark(place: Arc<Place>, mut ended: Vec<Ended>) {
    let mut backoff = Backoff::new(place.rng.clone(), FIRST_WAIT, LONGEST_WAIT);
    loop {
        let tokens: Vec<TokenHash> = ended.iter().map(|ended| ended.token).collect();
        let Err(error) = place.end(&tokens).await else { return };
        sleep(backoff.next_wait()).await;
        let now = Instant::now();
        ended.retain(|ended| ended.until > now);
        if ended.len() < tokens.len() {
            place.gave_up(tokens.len() - ended.len(), &error.0);
        }
        if ended.is_empty() {
            return;
        }
    }
}

#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;
