//! Processes due payments and refunds continuously, with limited concurrency and independently of each other. One that
//! hangs does not delay the others, and one that fails is retried after its own backoff, behind those that are due.

use std::collections::{HashSet, VecDeque};
use std::hash::Hash;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::Notify;

use super::OrdersError;
use crate::config;

/// How fast.
pub(super) struct Pace<'a> {
    /// How many at once.
    at_once: usize,
    /// How many are looked up at once; if there are as many, there may be more.
    page: usize,
    /// How long to wait before the next look, at most.
    every: Duration,
    /// Tells that something may be due.
    woken: &'a Notify,
}

impl<'a> Pace<'a> {
    pub(super) fn new(config: &config::Payments, woken: &'a Notify) -> Self {
        Self { at_once: config.concurrency, page: config.batch, every: *config.poll_every, woken }
    }

    async fn wait(&self) {
        tokio::select! {
            () = self.woken.notified() => {}
            () = tokio::time::sleep(self.every) => {}
        }
    }
}

/// Works on everything that `page` finds, those that wait the longest first. Ends when looking fails, or when `work` does: it is to
/// fail only when it can't even put its item back.
pub(super) async fn work_off<T, K, P, W>(
    pace: Pace<'_>,
    page: impl Fn() -> P,
    key: impl Fn(&T) -> K,
    work: impl Fn(T) -> W,
) -> Result<(), OrdersError>
where
    K: Eq + Hash,
    P: Future<Output = Result<Vec<T>, OrdersError>>,
    W: Future<Output = Result<(), OrdersError>>,
{
    let (mut busy, mut waiting, mut running) = (HashSet::new(), VecDeque::new(), FuturesUnordered::new());
    let mut more = true;
    loop {
        while running.len() < pace.at_once
            && let Some(item) = waiting.pop_front()
        {
            let (key, work) = (key(&item), work(item));
            running.push(async move { (key, work.await) });
        }
        let free = waiting.is_empty() && running.len() < pace.at_once;
        if free && more {
            let mut found = page().await?;
            let full = found.len() >= pace.page;
            found.retain(|item| busy.insert(key(item)));
            more = full && !found.is_empty();
            waiting.extend(found);
            continue;
        }
        tokio::select! {
            Some((key, done)) = running.next() => {
                busy.remove(&key);
                done?;
            }
            () = pace.wait(), if free => more = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use parking_lot::Mutex;

    use super::*;
    use crate::store::StoreError;

    fn pace(woken: &Notify) -> Pace<'_> {
        Pace { at_once: 2, page: 4, every: Duration::from_millis(1), woken }
    }

    #[tokio::test]
    async fn one_that_hangs_holds_up_nobody_and_is_not_begun_twice() {
        let (woken, done, begun) = (Notify::new(), Mutex::new(Vec::new()), AtomicUsize::new(0));
        let enough = Notify::new();
        // The first stays due for ever; after it, others are due, each once.
        let page = || async {
            let next = done.lock().len();
            Ok(vec![0, 2 * next + 1, 2 * next + 2])
        };
        let work = |item| {
            let (done, begun, enough) = (&done, &begun, &enough);
            async move {
                if item == 0 {
                    begun.fetch_add(1, Ordering::SeqCst);
                    std::future::pending::<()>().await;
                }
                done.lock().push(item);
                if done.lock().len() >= 20 {
                    enough.notify_one();
                }
                Ok(())
            }
        };
        let all = tokio::time::timeout(Duration::from_secs(60), async {
            tokio::select! {
                ended = work_off(pace(&woken), page, |item| *item, work) => panic!("{ended:?}"),
                () = enough.notified() => {}
            }
        });
        all.await.expect("held up");
        assert_eq!(begun.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_look_that_fails_ends_it() {
        let woken = Notify::new();
        let page = || async { Err(StoreError::Unavailable("away".into()).into()) };
        let ended = work_off(pace(&woken), page, |item: &u8| *item, |_| async { Ok(()) }).await;
        assert!(matches!(ended, Err(OrdersError::Store(_))));
    }
}
