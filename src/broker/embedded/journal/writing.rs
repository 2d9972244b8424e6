//! Writes what waits in the journal.

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesOrdered;
use parking_lot::Mutex;
use tokio::time::MissedTickBehavior;

use super::{Batch, Ended, Journal};
use crate::broker::BrokerError;
use crate::broker::embedded::shared::{Shared, unavailable};
use crate::kernel::tasks::{guarded, sleep_until};
use crate::model::messages::{Delivery, NewMessage, Received};
use crate::store::{self, Database, StoreError};

impl Journal {
    /// The job's turn has come: everything that waits goes with it.
    fn begin(&self, shared: &Shared) -> Batch {
        let (messages, waiters) = {
            let mut pending = self.pending.lock();
            pending.scheduled = false;
            pending.acked_since = None;
            (std::mem::take(&mut pending.messages), std::mem::take(&mut pending.waiters))
        };
        let cursors = shared.logs.iter().flat_map(|log| log.take_moved()).collect();
        let done = shared.queues.iter().map(|queue| (queue.topic, queue.take_done()));
        let done = done.filter(|(_, ids)| !ids.is_empty()).collect();
        Batch { messages: messages.into(), waiters, cursors, done }
    }
}

/// Puts jobs in line and tells everyone what became of them, until the journal is closed and empty. `last` is the position of
/// the newest message there is.
pub(in crate::broker::embedded) async fn run(shared: Arc<Shared>, mut last: u64) {
    // Should the runtime drop this task, nobody waits for it in vain.
    let _closes = shared.closed.clone().drop_guard();
    // A second job may wait while the first one commits. On PostgreSQL it would not wait but run beside the first, and
    // its messages could become visible before those with lower ids.
    let jobs_max = if matches!(shared.db, Database::Sqlite(_)) { 2 } else { 1 };
    let mut jobs = FuturesOrdered::new();
    let mut poll = tokio::time::interval(shared.poll_every);
    poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        while jobs.len() < jobs_max && shared.journal.schedule() {
            jobs.push_back(write(shared.clone()));
        }
        if jobs.is_empty() && shared.closed.is_cancelled() {
            shared.journal.close();
            return shared.journal.refused(&BrokerError::Closed);
        }
        let flush_at = shared.journal.flush_at().filter(|_| jobs.len() < jobs_max);
        // Callers waiting for what a panic drops learn that the outcome is unknown; messages that were stored all the same are found
        // by the next look into the table.
        guarded("broker-journal", async {
            tokio::select! {
                biased;
                Some(ended) = jobs.next() => settle(&shared, &mut last, ended),
                () = shared.journal.wake.notified() => {}
                () = sleep_until(flush_at) => {}
                _ = poll.tick(), if jobs.is_empty() => look_around(&shared, &mut last).await,
            }
        })
        .await;
    }
}

/// One job.
async fn write(shared: Arc<Shared>) -> Ended {
    let taken = Arc::new(Mutex::new(None));
    let (db, slot) = (shared.db.clone(), taken.clone());
    let job = guarded("broker-journal-job", async {
        store::write!(&db, |conn| {
            let batch = shared.journal.begin(&shared);
            let (messages, cursors, done) = (batch.messages.clone(), batch.cursors.clone(), batch.done.clone());
            *slot.lock() = Some(batch);
            for cursor in cursors.iter() {
                sql::broker::move_cursor(conn, cursor).await?;
                sql::broker::trim(conn, &cursor.topic, cursor.partition).await?;
            }
            for (_, ids) in &done {
                sql::broker::delete(conn, ids).await?;
            }
            if messages.is_empty() {
                return Ok(0);
            }
            sql::broker::append(conn, messages, shared.clock.now()).await
        })
    });
    let result = job.await.unwrap_or_else(|| Err(StoreError::unavailable("the job panicked")));
    let batch = taken.lock().take();
    Ended { batch, result }
}

/// Tells publishers and consumers what a job did.
fn settle(shared: &Shared, last: &mut u64, ended: Ended) {
    let Ended { batch, result } = ended;
    match (batch, result) {
        (Some(batch), Ok(end)) => {
            for (topic, ids) in &batch.done {
                if let Some(queue) = shared.queue(*topic) {
                    queue.removed(ids);
                }
            }
            if !batch.messages.is_empty() {
                hand_over(shared, last, end, &batch.messages);
            }
            batch.waiters.into_iter().for_each(|waiter| waiter.tell(Ok(())));
        }
        (Some(batch), Err(error)) => {
            tracing::warn!(%error, messages = batch.messages.len(), "the broker could not store messages");
            put_back(shared, &batch);
            let error = unavailable(error);
            batch.waiters.into_iter().for_each(|waiter| waiter.tell(Err(error.clone())));
        }
        (None, Err(error)) => shared.journal.refused(&unavailable(error)),
        // A job that never began can't have succeeded.
        (None, Ok(_)) => {}
    }
}

/// Acknowledgements that could not be written wait for the next job; the last one before the end is tried once.
fn put_back(shared: &Shared, batch: &Batch) {
    if shared.closed.is_cancelled() {
        return;
    }
    for cursor in batch.cursors.iter() {
        let log = shared.logs.iter().find(|log| log.topic.name() == cursor.topic && log.partition == cursor.partition);
        if let Some(log) = log {
            log.put_back(&cursor.subscription);
        }
    }
    for (topic, ids) in &batch.done {
        if let Some(queue) = shared.queue(*topic) {
            queue.put_back(ids.clone());
        }
    }
    if !batch.cursors.is_empty() || !batch.done.is_empty() {
        shared.journal.acknowledged();
    }
}

/// Gives committed messages to the consumers; `end` is the position of the last of them.
fn hand_over(shared: &Shared, last: &mut u64, end: u64, messages: &[NewMessage]) {
    let before = end - messages.len() as u64;
    if before != *last {
        // Somebody else appended in between.
        look_through(shared, before);
    }
    *last = end;
    for (position, message) in (before + 1..).zip(messages) {
        match message.topic.delivery() {
            Delivery::Ordered => {
                if let Some(log) = shared.log(message.topic, message.partition) {
                    let (key, payload) = (message.key.clone(), message.payload.clone());
                    log.push(Received { position, key, payload, redeliveries: 0 });
                }
            }
            Delivery::Competing | Delivery::Broadcast => {
                if let (Some(queue), Some(at)) = (shared.queue(message.topic), message.deliver_at) {
                    queue.added(at);
                }
            }
        }
    }
}

fn look_through(shared: &Shared, position: u64) {
    shared.logs.iter().for_each(|log| log.look_through(position));
    shared.queues.iter().for_each(|queue| queue.look());
}

/// Looks for messages of another process on the same database, such as a command that replays failures.
async fn look_around(shared: &Shared, last: &mut u64) {
    match store::read!(&shared.db, |conn| sql::broker::last_id(conn).await) {
        Ok(found) if found > *last => {
            *last = found;
            look_through(shared, found);
        }
        Ok(_) => {}
        Err(error) => tracing::debug!(%error, "the broker could not look for messages of other processes"),
    }
}
