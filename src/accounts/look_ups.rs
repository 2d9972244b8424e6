//! Tokens that the node has not cached are looked up in batches: those that arrive while a call is in progress share
//! the next one, first to the shared cache, if there is one, then to the database (see [`gather`]). Requests with the
//! same token share its lookup. Tokens waiting for the database do not delay those that the shared cache has.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use super::shared::Life;
use crate::kernel::gather;
use crate::model::accounts::{TokenHash, Viewer};
use crate::store::StoreError;

/// Calls of the shared place under way at most. With a second between question and answer that is still 4,000 tokens a second.
const SHARED_CALLS: usize = 16;

/// Calls of the database under way at most: strangers leave connections to everybody else.
const DATABASE_CALLS: usize = 4;

/// The owner of a token.
pub(super) type Answer = Result<Option<Viewer>, StoreError>;

/// A token to look up. Its caller gets one answer, or learns that there is none if it is dropped before.
pub(super) struct Asked {
    /// Its hash.
    pub token: TokenHash,
    /// The life of the shared place before the database is asked.
    pub life: Life,
    desk: Arc<Desk>,
    is_answered: bool,
}

impl Asked {
    /// Answers all who wait.
    pub fn answer(mut self, answer: &Answer) {
        self.is_answered = true;
        for waiting in self.desk.take(&self.token) {
            // It may have gone.
            let _ = waiting.send(answer.clone());
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if !self.is_answered {
            self.desk.take(&self.token);
        }
    }
}

/// The callers that wait for each token.
struct Desk {
    waiting: Mutex<HashMap<TokenHash, Vec<oneshot::Sender<Answer>>>>,
    /// Different tokens at most.
    capacity: usize,
}

impl Desk {
    /// `Ok(true)` for the first who asks.
    fn enter(&self, token: TokenHash, answer: oneshot::Sender<Answer>) -> Result<bool, StoreError> {
        let mut waiting = self.waiting.lock();
        let many = waiting.len();
        match waiting.entry(token) {
            Entry::Occupied(mut others) => {
                others.get_mut().push(answer);
                Ok(false)
            }
            Entry::Vacant(_) if many >= self.capacity => {
                Err(StoreError::unavailable("too many access tokens are waiting to be looked up"))
            }
            Entry::Vacant(nobody) => {
                nobody.insert(vec![answer]);
                Ok(true)
            }
        }
    }

    fn take(&self, token: &TokenHash) -> Vec<oneshot::Sender<Answer>> {
        self.waiting.lock().remove(token).unwrap_or_default()
    }
}

/// The way to look up a token. The tasks behind it end when this is dropped.
pub(super) struct LookUps {
    desk: Arc<Desk>,
    queue: mpsc::Sender<Asked>,
}

impl LookUps {
    /// Starts the tasks on the current runtime. Up to `capacity` different tokens wait. `ask_shared` is handed what the place is
    /// asked for, and where to put what it does not know; without it, the database is asked at once.
    pub fn start<S, D>(
        capacity: usize,
        ask_shared: Option<impl Fn(Vec<Asked>, mpsc::Sender<Asked>) -> S + Send + 'static>,
        ask_database: impl Fn(Vec<Asked>) -> D + Send + 'static,
    ) -> Self
    where
        S: Future<Output = ()> + Send + 'static,
        D: Future<Output = ()> + Send + 'static,
    {
        // Neither queue is ever full: what is in them is on the desk.
        let (to_database, for_database) = mpsc::channel(capacity);
        tokio::spawn(gather::run("token-look-ups", DATABASE_CALLS, for_database, ask_database));
        let queue = match ask_shared {
            None => to_database,
            Some(ask_shared) => {
                let (to_shared, for_shared) = mpsc::channel(capacity);
                let ask = move |asked| ask_shared(asked, to_database.clone());
                tokio::spawn(gather::run("shared-token-look-ups", SHARED_CALLS, for_shared, ask));
                to_shared
            }
        };
        Self { desk: Arc::new(Desk { waiting: Mutex::default(), capacity }), queue }
    }

    /// The owner of the token.
    pub async fn find(&self, token: TokenHash) -> Answer {
        let (answer, answered) = oneshot::channel();
        if self.desk.enter(token, answer)? {
            let asked = Asked { token, life: Life::default(), desk: self.desk.clone(), is_answered: false };
            // Refused only when the tasks are gone; dropping it answers.
            let _ = self.queue.try_send(asked);
        }
        let unanswered = |_| StoreError::unavailable("the lookup of an access token ended without a result");
        answered.await.map_err(unanswered)?
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use futures_util::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;
    use crate::accounts::testing::eventually;
    use crate::kernel::UserId;
    use crate::model::accounts::Role;

    type Sizes = Arc<Mutex<Vec<usize>>>;

    fn viewer(token: TokenHash) -> Viewer {
        Viewer::new(UserId::from_bytes([token[0]; 16]), Role::Buyer)
    }

    /// Without a shared place; each call waits for a permit. Tokens that begin with 13 make the call panic.
    fn start(capacity: usize) -> (Arc<LookUps>, Arc<Semaphore>, Sizes) {
        let (open, sizes) = (Arc::new(Semaphore::new(0)), Sizes::default());
        let (gate, noted) = (open.clone(), sizes.clone());
        let ask = move |asked: Vec<Asked>| {
            noted.lock().push(asked.len());
            let gate = gate.clone();
            async move {
                gate.acquire().await.unwrap().forget();
                assert!(asked.iter().all(|asked| asked.token[0] != 13), "told to panic");
                for asked in asked {
                    let found = Ok(Some(viewer(asked.token)));
                    asked.answer(&found);
                }
            }
        };
        let nowhere = None::<fn(Vec<Asked>, mpsc::Sender<Asked>) -> std::future::Ready<()>>;
        (Arc::new(LookUps::start(capacity, nowhere, ask)), open, sizes)
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_ask_for_the_same_token_share_its_look_up_and_all_share_calls() {
        let (look_ups, open, sizes) = start(100);
        let first = tokio::spawn({
            let look_ups = look_ups.clone();
            async move { look_ups.find([1; 32]).await }
        });
        eventually(|| *sizes.lock() == [1]).await;
        let rest = join_all((0..40_u8).map(|n| look_ups.find([n / 4; 32])));
        open.add_permits(2);
        for (n, found) in rest.await.into_iter().enumerate() {
            assert_eq!(found.unwrap(), Some(viewer([n as u8 / 4; 32])));
        }
        assert_eq!(first.await.unwrap().unwrap(), Some(viewer([1; 32])));
        // One of the ten was under way already.
        assert_eq!(*sizes.lock(), [1, 9]);
        assert!(look_ups.desk.waiting.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn more_than_may_wait_are_refused_and_the_others_answered() {
        let (look_ups, open, _) = start(10);
        // All ask before anything is answered.
        let all = join_all((0..20_u8).map(|n| look_ups.find([n; 32])));
        open.add_permits(20);
        for (n, found) in all.await.into_iter().enumerate() {
            match found {
                Ok(found) => assert!(n < 10 && found == Some(viewer([n as u8; 32]))),
                Err(error) => assert!(n >= 10 && matches!(error, StoreError::Unavailable { .. }), "{n}: {error}"),
            }
        }
        assert!(look_ups.find([30; 32]).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_and_a_call_that_gives_up_are_no_answer() {
        let (look_ups, open, _) = start(10);
        open.add_permits(2);
        assert!(matches!(look_ups.find([13; 32]).await, Err(StoreError::Unavailable { .. })));
        assert!(look_ups.desk.waiting.lock().is_empty());
        assert_eq!(look_ups.find([1; 32]).await.unwrap(), Some(viewer([1; 32])));
    }

    /// The shared place knows the even ones.
    #[tokio::test]
    async fn what_the_database_holds_up_the_place_still_answers() {
        let database_calls = Arc::new(AtomicUsize::default());
        let calls = database_calls.clone();
        let ask_shared = |asked: Vec<Asked>, database: mpsc::Sender<Asked>| async move {
            for asked in asked {
                if asked.token[0].is_multiple_of(2) {
                    let found = Ok(Some(viewer(asked.token)));
                    asked.answer(&found);
                } else {
                    let _ = database.try_send(asked);
                }
            }
        };
        let ask_database = move |asked: Vec<Asked>| {
            calls.fetch_add(1, SeqCst);
            async move {
                let () = std::future::pending().await;
                drop(asked);
            }
        };
        let look_ups = Arc::new(LookUps::start(1_000, Some(ask_shared), ask_database));
        for n in (1..100).step_by(2) {
            let look_ups = look_ups.clone();
            tokio::spawn(async move { look_ups.find([n; 32]).await });
        }
        eventually(|| database_calls.load(SeqCst) > 0).await;
        for n in (0..100).step_by(2) {
            assert_eq!(look_ups.find([n; 32]).await.unwrap(), Some(viewer([n; 32])));
        }
        assert!(database_calls.load(SeqCst) <= DATABASE_CALLS);
    }
}
