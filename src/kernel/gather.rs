//! Small questions for a server: those that arrive while a call is under way share the next one. Where the server is slow, several
//! calls are on their way at the same time, so that no question waits for more than its own answer.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::tasks::guarded;

/// Items in one call at most: about a millisecond of the server's time.
pub const BATCH: usize = 256;

/// How long items gather while another call is under way. Longer than a call usually takes, so that a quick server is asked
/// one call at a time, with as many items as possible in each.
const GATHER: Duration = Duration::from_millis(5);

/// Takes items until the queue is closed, and hands them to `call` in batches; at most `calls_max` are under way at the same time.
/// Should one panic, that is counted under the name of the task.
pub async fn run<T, F>(
    task: &'static str,
    calls_max: usize,
    mut items: mpsc::Receiver<T>,
    mut call: impl FnMut(Vec<T>) -> F,
) where
    F: Future<Output = ()>,
{
    let mut calls = FuturesUnordered::new();
    let mut begun = Instant::now();
    let mut batch = Vec::new();
    loop {
        let waits = !calls.is_empty() && items.len() < BATCH;
        let take = async {
            if waits {
                sleep_until(begun + GATHER).await;
            }
            items.recv_many(&mut batch, BATCH).await
        };
        tokio::select! {
            Some(_) = calls.next(), if !calls.is_empty() => {}
            taken = take, if calls.len() < calls_max => {
                if taken == 0 {
                    break;
                }
                begun = Instant::now();
                // Callers waiting for an item of a call that panics learn it by their closed channel.
                calls.push(guarded(task, call(std::mem::take(&mut batch))));
            }
        }
    }
    while calls.next().await.is_some() {}
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;
    use tokio::sync::{Semaphore, oneshot};

    use super::*;

    const CALLS: usize = 16;

    type Item = (u32, oneshot::Sender<u32>);

    /// Answers each item with itself once a permit is there; notes the sizes of the calls.
    fn start(permits: usize) -> (mpsc::Sender<Item>, Arc<Semaphore>, Arc<Mutex<Vec<usize>>>) {
        let (queue, items) = mpsc::channel::<Item>(10_000);
        let (open, sizes) = (Arc::new(Semaphore::new(permits)), Arc::<Mutex<Vec<usize>>>::default());
        let (gate, noted) = (open.clone(), sizes.clone());
        tokio::spawn(run("gather test", CALLS, items, move |batch| {
            noted.lock().push(batch.len());
            let gate = gate.clone();
            async move {
                gate.acquire().await.unwrap().forget();
                for (number, answer) in batch {
                    assert!(number < 1_000_000, "told to panic");
                    let _ = answer.send(number);
                }
            }
        }));
        (queue, open, sizes)
    }

    fn ask(queue: &mpsc::Sender<Item>, number: u32) -> oneshot::Receiver<u32> {
        let (answer, receiver) = oneshot::channel();
        queue.try_send((number, answer)).unwrap();
        receiver
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_during_a_quick_call_shares_the_next_one() {
        let (queue, open, sizes) = start(0);
        let first = ask(&queue, 0);
        tokio::time::sleep(GATHER / 5).await;
        let rest: Vec<_> = (1..100).map(|number| ask(&queue, number)).collect();
        open.add_permits(2);
        assert_eq!(first.await, Ok(0));
        for (number, answer) in (1..100).zip(rest) {
            assert_eq!(answer.await, Ok(number));
        }
        assert_eq!(*sizes.lock(), [1, 99]);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_calls_do_not_wait_for_each_other_and_are_bounded() {
        let (queue, open, sizes) = start(0);
        let mut answers = Vec::new();
        for number in 0..100 {
            answers.push(ask(&queue, number));
            tokio::time::sleep(2 * GATHER).await;
        }
        assert_eq!(*sizes.lock(), [1; CALLS], "calls on their way");
        open.add_permits(CALLS + 1);
        for (number, answer) in (0..).zip(answers) {
            assert_eq!(answer.await, Ok(number));
        }
        assert_eq!(sizes.lock().len(), CALLS + 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_costs_one_call() {
        let (queue, _open, _) = start(9);
        assert!(ask(&queue, 1_000_000).await.is_err());
        assert_eq!(ask(&queue, 1).await, Ok(1));
    }
}
