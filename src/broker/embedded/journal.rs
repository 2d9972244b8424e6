//! The way into the table. Publishes and acknowledgements that wait at the same moment become one job of the database's
//! writer, which takes in everything that came while it stood in line, and shares its commit with whatever else waits there.

pub(super) mod writing;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::Instant;

use crate::broker::BrokerError;
use crate::model::messages::{Cursor, NewMessage, Topic};
use crate::store::StoreError;

/// The queue of writes.
pub(super) struct Journal {
    pending: Mutex<Pending>,
    wake: Notify,
    /// Bytes that may still join.
    room: Arc<Semaphore>,
    room_max: usize,
    ack_flush: Duration,
}

#[derive(Default)]
struct Pending {
    messages: Vec<NewMessage>,
    waiters: Vec<Waiter>,
    /// A job stands in line and will take what is here.
    scheduled: bool,
    /// Since when acknowledgements wait.
    acked_since: Option<Instant>,
    closed: bool,
}

struct Waiter {
    answer: oneshot::Sender<Result<(), BrokerError>>,
    _room: OwnedSemaphorePermit,
}

impl Waiter {
    /// The caller may have given up waiting; that is its affair.
    fn tell(self, result: Result<(), BrokerError>) {
        let _ = self.answer.send(result);
    }
}

/// The contents of one job.
struct Batch {
    messages: Arc<[NewMessage]>,
    waiters: Vec<Waiter>,
    cursors: Arc<[Cursor]>,
    done: Vec<(Topic, Vec<u64>)>,
}

/// A job that ended: what it took in (nothing if it never began), and the position of its last message.
struct Ended {
    batch: Option<Batch>,
    result: Result<u64, StoreError>,
}

impl Journal {
    pub(super) fn new(room_max: usize, ack_flush: Duration) -> Self {
        let room_max = room_max.clamp(1, u32::MAX as usize);
        Self {
            pending: Mutex::default(),
            wake: Notify::new(),
            room: Arc::new(Semaphore::new(room_max)),
            room_max,
            ack_flush,
        }
    }

    /// Stores the messages in one piece; returns after the commit of everything that came before, and of them.
    pub(super) async fn append(&self, messages: Vec<NewMessage>) -> Result<(), BrokerError> {
        let bytes: usize = messages.iter().map(|message| message.payload.len() + size_of::<NewMessage>()).sum();
        let room = self.room.clone().acquire_many_owned(bytes.min(self.room_max) as u32).await;
        let room = room.map_err(|_| BrokerError::Closed)?;
        let (answer, answered) = oneshot::channel();
        {
            let mut pending = self.pending.lock();
            if pending.closed {
                return Err(BrokerError::Closed);
            }
            pending.messages.extend(messages);
            pending.waiters.push(Waiter { answer, _room: room });
        }
        self.wake.notify_one();
        // No answer: the task that owed it panicked, or is gone.
        answered.await.unwrap_or_else(|_| {
            let lost = || BrokerError::Unavailable("whether the messages were stored is unknown".into());
            Err(if self.pending.lock().closed { BrokerError::Closed } else { lost() })
        })
    }

    /// Something was acknowledged: it goes with the next publish, or alone after a while.
    pub(super) fn acknowledged(&self) {
        let first = {
            let mut pending = self.pending.lock();
            let first = pending.acked_since.is_none();
            pending.acked_since.get_or_insert_with(Instant::now);
            first
        };
        if first {
            self.wake.notify_one();
        }
    }

    /// Refuses what comes from now on.
    pub(super) fn close(&self) {
        self.pending.lock().closed = true;
        self.wake.notify_one();
    }

    /// When waiting acknowledgements are written even if nothing is published.
    fn flush_at(&self) -> Option<Instant> {
        self.pending.lock().acked_since.map(|since| since + self.ack_flush)
    }

    /// Whether a job is to be put in line now; if so, it counts as being there.
    fn schedule(&self) -> bool {
        let mut pending = self.pending.lock();
        let flush = pending.acked_since.is_some_and(|since| pending.closed || since + self.ack_flush <= Instant::now());
        let wanted = !pending.scheduled && (flush || !pending.waiters.is_empty());
        pending.scheduled |= wanted;
        wanted
    }

    /// A job failed before it began. Its publishers get the error now instead of waiting for a retry.
    fn refused(&self, error: &BrokerError) {
        let waiters = {
            let mut pending = self.pending.lock();
            pending.scheduled = false;
            pending.messages.clear();
            pending.acked_since = pending.acked_since.filter(|_| !pending.closed).map(|_| Instant::now());
            std::mem::take(&mut pending.waiters)
        };
        for waiter in waiters {
            waiter.tell(Err(error.clone()));
        }
    }
}
