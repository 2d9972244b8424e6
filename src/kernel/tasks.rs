//! Long-lived tasks that survive a panic. The panic itself is logged by the process's hook; here it is counted under the
//! name of the task, and the task goes on.

use std::collections::BTreeMap;
#[cfg(feature = "sabotage")]
use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use parking_lot::Mutex;
use tokio::time::Instant;

/// The pause before a task begins again, so that a panic that comes back at once does not fill the log.
const PAUSE: Duration = Duration::from_millis(100);

/// Panics by the name of the task. Of the whole process, as a panic hook is.
static PANICS: Mutex<BTreeMap<&'static str, u64>> = Mutex::new(BTreeMap::new());

/// The outcome of `work`, or `None` if it panicked. What it owned is dropped, so anyone who waits for it on a oneshot channel
/// learns that there will be no answer. `work` must leave what it borrows in a usable state at each await and call.
pub async fn guarded<T>(task: &'static str, work: impl Future<Output = T>) -> Option<T> {
    #[cfg(feature = "sabotage")]
    let work = sabotaged(task, work);
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(done) => Some(done),
        Err(_) => {
            count(task);
            None
        }
    }
}

/// Runs what `begin` makes until it ends by itself; after a panic it is begun again.
pub async fn restarted<W: Future<Output = ()>>(task: &'static str, mut begin: impl FnMut() -> W) {
    while guarded(task, async { begin().await }).await.is_none() {
        tokio::time::sleep(PAUSE).await;
    }
}

/// Sleeps until `deadline`; for ever without one. For a branch of `select!`.
pub async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// How often each task panicked so far, for metrics. Tasks that never did are left out.
pub fn panics() -> BTreeMap<&'static str, u64> {
    PANICS.lock().clone()
}

/// With the mistake `tasks.panic_once`, the first turn of each task panics.
#[cfg(feature = "sabotage")]
async fn sabotaged<T>(task: &'static str, work: impl Future<Output = T>) -> T {
    // Noted before it panics: several of one name may begin at the same moment.
    static PANICKED: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());
    let panics = super::sabotage::active("tasks.panic_once") && PANICKED.lock().insert(task);
    assert!(!panics, "tasks.panic_once: {task}");
    work.await
}

fn count(task: &'static str) {
    *PANICS.lock().entry(task).or_default() += 1;
    tracing::error!(task, "a background task panicked and continues");
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_counted_and_whoever_waits_is_told() {
        let (answer, answered) = oneshot::channel::<()>();
        let work = async move {
            let _answer = answer;
            panic!("once");
        };
        assert_eq!(guarded::<()>("guarded test", work).await, None);
        assert!(answered.await.is_err());
        assert_eq!(guarded("guarded test", async { 7 }).await, Some(7));
        assert_eq!(panics()["guarded test"], 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_sleep_without_a_deadline_never_ends() {
        let start = Instant::now();
        let limit = Duration::from_secs(60);
        sleep_until(Some(start + limit)).await;
        assert!(start.elapsed() >= limit);
        assert!(tokio::time::timeout(limit, sleep_until(None)).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_begins_again_until_it_ends_by_itself() {
        let mut begun = 0;
        let begin = || {
            begun += 1;
            assert!(begun != 1, "before there is anything to wait for");
            let turn = begun;
            async move {
                tokio::task::yield_now().await;
                assert!(turn != 2, "in the middle");
            }
        };
        restarted("restarted test", begin).await;
        assert_eq!((begun, panics()["restarted test"]), (3, 2));
    }
}
