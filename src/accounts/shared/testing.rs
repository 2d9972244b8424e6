//! A place that nodes share, in memory, by a clock that stands still.

use std::collections::HashMap;
use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::{Found, Kept, Life, Live, SharedError, SharedTokens};
use crate::kernel::{ManualClock, Timestamp};
use crate::model::accounts::TokenHash;

/// What is held of a token; `None` when it has ended.
type Held = Option<(Live, Timestamp)>;

/// Works unless made to fail.
pub struct FakeShared {
    clock: ManualClock,
    /// And until when.
    pub tokens: Mutex<HashMap<TokenHash, (Held, Timestamp)>>,
    /// The present life.
    pub life: AtomicU64,
    /// Whether calls fail.
    pub away: AtomicBool,
    /// Whether calls have no answer.
    pub hangs: AtomicBool,
    /// Calls of `keep` that bring tokens wait for one of these each.
    pub keeps: Semaphore,
    /// Calls of `end` that failed.
    pub refused_ends: AtomicU64,
}

impl FakeShared {
    pub fn new(clock: &ManualClock) -> Self {
        Self {
            clock: clock.clone(),
            tokens: Mutex::default(),
            life: AtomicU64::new(1),
            away: AtomicBool::default(),
            hangs: AtomicBool::default(),
            keeps: Semaphore::new(Semaphore::MAX_PERMITS),
            refused_ends: AtomicU64::default(),
        }
    }

    /// What is held of a token that has not gone by itself.
    pub fn held(&self, token: &TokenHash) -> Option<Held> {
        let tokens = self.tokens.lock();
        tokens.get(token).filter(|(_, until)| self.clock.clock().now() < *until).map(|(held, _)| *held)
    }

    /// Everything is lost.
    pub fn restart(&self) {
        self.tokens.lock().clear();
        self.life.fetch_add(1, SeqCst);
    }

    async fn answer(&self) -> Result<Life, SharedError> {
        if self.hangs.load(SeqCst) {
            let () = pending().await;
        }
        if self.away.load(SeqCst) {
            return Err(SharedError("told to be away".into()));
        }
        Ok(Life(self.life.load(SeqCst)))
    }
}

#[async_trait]
impl SharedTokens for FakeShared {
    async fn find(&self, tokens: &[TokenHash]) -> Result<(Vec<Found>, Life), SharedError> {
        let life = self.answer().await?;
        let found = |token| match self.held(token) {
            Some(Some((live, at))) => Found::Live(Live { age: self.clock.clock().now().since(at), ..live }),
            Some(None) => Found::Ended,
            None => Found::Nothing,
        };
        Ok((tokens.iter().map(found).collect(), life))
    }

    async fn keep(&self, tokens: &[Kept]) -> Result<Life, SharedError> {
        if !tokens.is_empty() {
            self.keeps.acquire().await.expect("never closed").forget();
        }
        let (life, now) = (self.answer().await?, self.clock.clock().now());
        for kept in tokens.iter().filter(|kept| kept.life == life) {
            if self.held(&kept.token) != Some(None) {
                let live = Some((kept.live, now.minus(kept.live.age)));
                self.tokens.lock().insert(kept.token, (live, now.plus(kept.lasting)));
            }
        }
        Ok(life)
    }

    async fn end(&self, tokens: &[TokenHash], lasting: Duration) -> Result<(), SharedError> {
        let answer = self.answer().await;
        self.refused_ends.fetch_add(u64::from(answer.is_err()), SeqCst);
        answer?;
        let until = self.clock.clock().now().plus(lasting);
        self.tokens.lock().extend(tokens.iter().map(|token| (*token, (None, until))));
        Ok(())
    }
}
