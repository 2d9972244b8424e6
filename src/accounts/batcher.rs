//! Background work: a bounded queue in memory, processed in batches by a task.

use tokio::sync::{mpsc, oneshot};

use crate::kernel::tasks::guarded;

/// Items handled together at most.
const BATCH_MAX: usize = 200;

enum Entry<T> {
    Item(T),
    Flush(oneshot::Sender<()>),
}

/// The way into the queue. The task ends when this is dropped and the queue is empty.
pub struct Batcher<T>(mpsc::Sender<Entry<T>>);

impl<T: Send + 'static> Batcher<T> {
    /// Starts the task on the current runtime. Items that arrive while `handle` works make up the next batch. Should `handle`
    /// panic, its batch is lost, which is counted under the name of the task, and the next batch is handled.
    pub fn start<F, Fut>(task: &'static str, capacity: usize, mut handle: F) -> Self
    where
        F: FnMut(Vec<T>) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send,
    {
        let (sender, mut waiting) = mpsc::channel(capacity.max(1));
        tokio::spawn(async move {
            let mut entries = Vec::new();
            while waiting.recv_many(&mut entries, BATCH_MAX).await > 0 {
                let (mut items, mut flushes) = (Vec::new(), Vec::new());
                for entry in entries.drain(..) {
                    match entry {
                        Entry::Item(item) => items.push(item),
                        Entry::Flush(done) => flushes.push(done),
                    }
                }
                if !items.is_empty() {
                    guarded(task, async { handle(items).await }).await;
                }
                for done in flushes {
                    // The caller may have given up.
                    let _ = done.send(());
                }
            }
        });
        Self(sender)
    }

    /// Queues an item; `false` when the queue is full.
    pub fn offer(&self, item: T) -> bool {
        self.0.try_send(Entry::Item(item)).is_ok()
    }

    /// Waits until everything that was queued before is handled.
    pub async fn flush(&self) {
        let (done, handled) = oneshot::channel();
        if self.0.send(Entry::Flush(done)).await.is_ok() {
            // An error means that the task is gone, and with it the queue.
            let _ = handled.await;
        }
    }
}
