//! Events written in the same transaction as the change that they announce, and the relay that publishes them
//! afterwards: exactly what was committed is announced, at least once.
//!
//! A slice appends with `sql::outbox::append` inside its transaction and calls [`Relay::wake`] after the commit.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt as _, join_all};
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::{Broker, BrokerError, Failure, backoff, dead_letter};
use crate::config;
use crate::kernel::tasks::sleep_until;
use crate::kernel::{Clock, Rng};
use crate::model::messages::{Message, Scope, StoredEvent, Topic};
use crate::store::{self, Database, StoreError};

/// Hears of events from the one relay that is about to publish them: once for each event, and again after a failure or a
/// crash.
#[async_trait]
pub trait Hears: Send + Sync + 'static {
    /// The publishing waits for this, so it must return soon whatever happens.
    async fn hear(&self, topic: Topic, events: &[StoredEvent]);
}

/// Publishes what stands in the outbox. Cheap to clone. Each node relays what it wrote itself; what a node left behind
/// that is no more is relayed by [`Relay::of_orphans`], of which one runs per database.
#[derive(Clone)]
pub struct Relay(Arc<Inner>);

struct Inner {
    db: Database,
    broker: Arc<dyn Broker>,
    clock: Clock,
    rng: Rng,
    batch: usize,
    sweep_every: Duration,
    flush_after: Duration,
    /// How old an event must be to be nobody's; `None`: this node's own events.
    orphaned_after: Option<Duration>,
    wake: Notify,
    /// Weak: a listener may itself hold what holds the relay.
    listener: OnceLock<Weak<dyn Hears>>,
}

/// How far the relay has come.
struct Progress {
    /// Events up to here were read.
    after: i64,
    /// Published, but still in the table.
    sent: BTreeSet<i64>,
    /// Since when `sent` is not empty.
    sent_since: Option<Instant>,
    /// The removal that is on its way.
    removal: Option<BoxFuture<'static, (Vec<i64>, Result<(), StoreError>)>>,
}

impl Relay {
    /// A relay that does nothing until it runs.
    pub fn new(db: Database, broker: Arc<dyn Broker>, clock: Clock, rng: Rng, config: &config::Broker) -> Self {
        Self::with(db, broker, clock, rng, config, None)
    }

    /// A relay of what was written [`config::Broker::orphaned_after`] ago and is still there, by whomever.
    pub fn of_orphans(db: Database, broker: Arc<dyn Broker>, clock: Clock, rng: Rng, config: &config::Broker) -> Self {
        Self::with(db, broker, clock, rng, config, Some(*config.orphaned_after))
    }

    fn with(
        db: Database,
        broker: Arc<dyn Broker>,
        clock: Clock,
        rng: Rng,
        config: &config::Broker,
        orphaned_after: Option<Duration>,
    ) -> Self {
        Self(Arc::new(Inner {
            db,
            broker,
            clock,
            rng,
            batch: config.relay_batch.max(1),
            sweep_every: (*config.relay_sweep).max(Duration::from_millis(1)),
            flush_after: *config.ack_flush,
            orphaned_after,
            wake: Notify::new(),
            listener: OnceLock::new(),
        }))
    }

    /// From now on `listener` hears of each event first. There can be one.
    pub fn tell_first(&self, listener: &Arc<impl Hears>) {
        let listener = Arc::downgrade(listener);
        let _ = self.0.listener.set(listener);
    }

    /// There may be something to publish. Call it after the commit.
    pub fn wake(&self) {
        self.0.wake.notify_one();
    }

    /// Publishes until `stop`, then removes what is published. Never fails: it waits and tries again.
    pub async fn run(&self, stop: CancellationToken) {
        let relay = &*self.0;
        let mut backoff = backoff(relay.rng.clone());
        let mut progress = Progress { after: 0, sent: BTreeSet::new(), sent_since: None, removal: None };
        let mut sweep = tokio::time::interval(relay.sweep_every);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut more = true;
        while !stop.is_cancelled() {
            if more {
                match relay.publish_next(&mut progress).await {
                    Ok(whole) => {
                        more = whole;
                        backoff.succeeded();
                    }
                    Err(error) => {
                        tracing::warn!(%error, "could not relay the outbox; will retry");
                        backoff.failed();
                    }
                }
            }
            progress.start_removal(relay, false);
            let delay = backoff.delay();
            let next_try = more.then(|| Instant::now() + delay);
            let removal_due = progress.removal_due(relay);
            tokio::select! {
                biased;
                done = progress.removed() => progress.settle(done),
                () = sleep_until(next_try) => {}
                () = sleep_until(removal_due) => {}
                () = stop.cancelled() => {}
                () = relay.wake.notified(), if delay.is_zero() => {
                    if !relay.db.commits_in_order() {
                        progress.after = 0;
                    }
                    more = true;
                }
                _ = sweep.tick(), if delay.is_zero() => {
                    // Events that were committed out of the order of their ids stand behind the mark.
                    progress.after = 0;
                    more = true;
                }
            }
        }
        progress.finish(relay).await;
    }
}

impl Inner {
    fn scope(&self) -> Scope {
        match self.orphaned_after {
            None => Scope::Own(self.db.origin().to_owned()),
            Some(age) => Scope::WrittenBefore(self.clock.now().minus(age)),
        }
    }

    /// Publishes the next batch. Returns whether there may be more.
    async fn publish_next(&self, progress: &mut Progress) -> Result<bool, BrokerError> {
        let (after, limit) = (progress.after, self.batch);
        let sent: Vec<i64> = progress.sent.range(after + 1..).copied().collect();
        let scope = self.scope();
        let read = store::read!(&self.db, |conn| sql::outbox::claim(conn, &scope, after, &sent, limit).await);
        let events = read.map_err(|error| BrokerError::Unavailable(error.to_string()))?;
        let whole = events.len() == limit;
        let last = events.last().map_or(after, |event| event.id);
        #[cfg(feature = "sabotage")]
        if crate::kernel::sabotage::active("outbox.delete_before_publish") {
            let ids: Vec<_> = events.iter().map(|event| event.id).collect();
            let _ = store::write!(&self.db, |conn| sql::outbox::delete(conn, &ids).await);
        }
        let mut groups: Vec<(String, Vec<StoredEvent>)> = Vec::new();
        for event in events {
            match groups.iter_mut().find(|(topic, _)| *topic == event.topic) {
                Some((_, group)) => group.push(event),
                None => groups.push((event.topic.clone(), vec![event])),
            }
        }
        #[cfg(feature = "sabotage")]
        if !groups.is_empty() {
            crate::kernel::sabotage::pause("relay.slow").await;
        }
        let published = join_all(groups.iter().map(|(topic, events)| self.publish(topic, events))).await;
        let mut failure = None;
        for ((_, events), result) in groups.iter().zip(published) {
            match result {
                Ok(()) => progress.sent(events),
                Err(error) => failure = Some(error),
            }
        }
        if let Some(error) = failure {
            return Err(error);
        }
        progress.after = last;
        Ok(whole)
    }

    /// Publishes events of one topic, in order. An event that the broker will never accept goes to the dead-letter queue.
    async fn publish(&self, topic: &str, events: &[StoredEvent]) -> Result<(), BrokerError> {
        let Some(known) = Topic::parse(topic) else {
            return self.dead_letter(events, "unknown topic").await;
        };
        if let Some(listener) = self.listener.get().and_then(Weak::upgrade) {
            listener.hear(known, events).await;
        }
        match self.broker.publish(known, events.iter().map(StoredEvent::message).collect()).await {
            Err(BrokerError::Refused(_)) => {
                for event in events {
                    match self.broker.publish(known, vec![event.message()]).await {
                        Err(BrokerError::Refused(reason)) => {
                            self.dead_letter(std::slice::from_ref(event), &reason).await?;
                        }
                        result => result?,
                    }
                }
                Ok(())
            }
            result => result,
        }
    }

    async fn dead_letter(&self, events: &[StoredEvent], reason: &str) -> Result<(), BrokerError> {
        for event in events {
            let failure = Failure {
                topic: event.topic.clone(),
                key: Bytes::from(event.key.clone()),
                reason: reason.to_owned(),
                at: self.clock.now(),
                payload: event.payload.clone(),
            };
            dead_letter(&*self.broker, &failure).await?;
        }
        Ok(())
    }
}

impl StoredEvent {
    fn message(&self) -> Message {
        Message { key: Bytes::from(self.key.clone()), payload: self.payload.clone(), deliver_at: self.deliver_at }
    }
}

impl Progress {
    fn sent(&mut self, events: &[StoredEvent]) {
        self.sent.extend(events.iter().map(|event| event.id));
        if !self.sent.is_empty() {
            self.sent_since.get_or_insert_with(Instant::now);
        }
    }

    /// Begins to remove what was published, if enough waits or it has waited for long enough.
    fn start_removal(&mut self, relay: &Inner, now: bool) {
        let due = self.sent_since.is_some_and(|since| since + relay.flush_after <= Instant::now());
        if self.sent.is_empty() || self.removal.is_some() || !(now || due || self.sent.len() >= relay.batch) {
            return;
        }
        self.sent_since = None;
        let ids: Vec<i64> = self.sent.iter().copied().collect();
        let db = relay.db.clone();
        let remove = async move {
            let job = ids.clone();
            let result = store::write!(&db, |conn| sql::outbox::delete(conn, &job).await);
            (ids, result)
        };
        self.removal = Some(remove.boxed());
    }

    fn removal_due(&self, relay: &Inner) -> Option<Instant> {
        let since = self.sent_since.filter(|_| self.removal.is_none());
        since.map(|since| since + relay.flush_after)
    }

    async fn removed(&mut self) -> (Vec<i64>, Result<(), StoreError>) {
        match self.removal.as_mut() {
            Some(removal) => removal.await,
            None => std::future::pending().await,
        }
    }

    fn settle(&mut self, (ids, result): (Vec<i64>, Result<(), StoreError>)) {
        self.removal = None;
        match result {
            Ok(()) => {
                for id in ids {
                    self.sent.remove(&id);
                }
            }
            Err(error) => tracing::warn!(%error, "could not remove published events from the outbox yet"),
        }
        if !self.sent.is_empty() {
            self.sent_since.get_or_insert_with(Instant::now);
        }
    }

    /// Removes the rest before the relay ends; what remains is published again by the next one.
    async fn finish(mut self, relay: &Inner) {
        for _ in 0..2 {
            self.start_removal(relay, true);
            if self.removal.is_some() {
                let done = self.removed().await;
                self.settle(done);
            }
        }
    }
}

#[cfg(test)]
mod tests;
