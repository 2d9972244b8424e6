//! Processes due payments and refunds continuously, with limited concurrency and independently of each other. One that
//! hangs does not delay the others, and one that fails is retried after its own backoff, behind those that are due.

use std::collections::{HashSet, VecDeque};
use std::hash::Hash;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Fuse, FusedFuture as _};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::Notify;

use crate::config;
use crate::orders::OrdersError;

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
    // Work goes on while the next page is read: an item that waits for a connection could otherwise be given the one that the page
    // needs, and never take it.
    let mut look = pin!(Fuse::terminated());
    let (mut more, mut done_meanwhile) = (true, Vec::new());
    loop {
        while running.len() < pace.at_once
            && let Some(item) = waiting.pop_front()
        {
            let (key, work) = (key(&item), work(item));
            running.push(async move { (key, work.await) });
        }
        let free = waiting.is_empty() && running.len() < pace.at_once;
        if free && more && look.is_terminated() {
            look.set(page().fuse());
        }
        let looking = !look.is_terminated();
        tokio::select! {
            Some((key, done)) = running.next() => {
                done?;
                // The page that is being read may still show it as due.
                if looking {
                    done_meanwhile.push(key);
                } else {
                    busy.remove(&key);
                }
            }
            found = &mut look, if looking => {
                let mut found = found?;
                let full = found.len() >= pace.page;
                found.retain(|item| busy.insert(key(item)));
                more = full && !found.is_empty();
                waiting.extend(found);
                for key in done_meanwhile.drain(..) {
                    busy.remove(&key);
                }
            }
            () = pace.wait(), if free && !looking => more = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use parking_lot::Mutex;
    use tokio::sync::Semaphore;

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

    /// As with the connections of a database: who waited first gets it first, whether or not it looks.
    #[tokio::test]
    async fn looking_waits_for_no_item_that_waits_for_the_same() {
        let (woken, enough, done) = (Notify::new(), Notify::new(), AtomicUsize::new(0));
        let connection = Semaphore::new(1);
        let page = || async {
            let _connection = connection.acquire().await.unwrap();
            tokio::task::yield_now().await;
            let next = done.load(Ordering::SeqCst);
            Ok((next..next + 4).collect())
        };
        let work = |_| async {
            for _ in 0..3 {
                let _connection = connection.acquire().await.unwrap();
                tokio::task::yield_now().await;
            }
            if done.fetch_add(1, Ordering::SeqCst) >= 100 {
                enough.notify_one();
            }
            Ok(())
        };
        let all = tokio::time::timeout(Duration::from_secs(60), async {
            tokio::select! {
                ended = work_off(pace(&woken), page, |item: &usize| *item, work) => panic!("{ended:?}"),
                () = enough.notified() => {}
            }
        });
        all.await.expect("they wait for each other");
    }

    /// A page shows what was due when it was read: what has been done since is not done again.
    #[tokio::test]
    async fn what_is_done_while_a_page_is_read_is_not_begun_again_from_it() {
        let (woken, enough) = (Notify::new(), Notify::new());
        let (begun, finish, looks) = (AtomicUsize::new(0), Notify::new(), AtomicUsize::new(0));
        let page = || async {
            match looks.fetch_add(1, Ordering::SeqCst) {
                0 => Ok(vec![1]),
                // The item ends while this page, on which it stands, is on its way.
                1 => {
                    finish.notify_one();
                    for _ in 0..10 {
                        tokio::task::yield_now().await;
                    }
                    Ok(vec![1])
                }
                _ => {
                    enough.notify_one();
                    Ok(Vec::new())
                }
            }
        };
        let work = |_| async {
            begun.fetch_add(1, Ordering::SeqCst);
            finish.notified().await;
            Ok(())
        };
        let all = tokio::time::timeout(Duration::from_secs(60), async {
            tokio::select! {
                ended = work_off(pace(&woken), page, |item: &usize| *item, work) => panic!("{ended:?}"),
                () = enough.notified() => {}
            }
        });
        all.await.expect("held up");
        assert_eq!(begun.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_look_that_fails_ends_it() {
        let woken = Notify::new();
        let page = || async { Err(StoreError::unavailable("away").into()) };
        let ended = work_off(pace(&woken), page, |item: &u8| *item, |_| async { Ok(()) }).await;
        assert!(matches!(ended, Err(OrdersError::Store(_))));
    }
}
