//! The broker on Apache Pulsar: many nodes, messages on disks that survive any of them.
//!
//! | topics | on the brokers | subscription |
//! | --- | --- | --- |
//! | ordered | `TENANT/trade/order-requests-N`, N partitions | Failover per partition and group, cumulative acknowledgement |
//! | competing | `TENANT/trade/NAME`, `payment-timeouts` one per range of delays | Shared, one by one |
//! | broadcast | `TENANT/results/NAME`, which end after `broker.results_kept` | Exclusive and durable, one per node |
//!
//! What the contract asks for and Pulsar does not give by itself:
//! - positions are ledger and entry in one number ([`position`]);
//! - the order of publishing, and a barrier behind all that was published, come from one [`lane`] per topic;
//! - the partitions can be raised ([`setup`]);
//! - connections heal ([`clients`], [`feed`]); a redelivery of what is held here already is not seen.
//!
//! Failover spreads the partitions over the processes that are attached. When one joins, a partition may change hands while
//! its last messages are being worked on: the next one gets them again, about a second later.
//!
//! A runtime that ends while a consumer is attached may never end: should the connection's tasks go first, the consumer's asks
//! the closed connection for messages again and again without yielding (`ConsumerEngine::engine` of pulsar 6.9). So nobody waits
//! for the end of a runtime without a limit.

mod admin;
mod broadcast;
mod clients;
mod competing;
mod failures;
mod feed;
mod lane;
mod names;
mod ordered;
mod position;
mod setup;
mod shared;
mod token;

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use data_encoding::HEXLOWER;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::admin::Admin;
use self::broadcast::Listener;
use self::clients::Clients;
use self::competing::{Lent, Worker};
use self::lane::{Lane, Sealed};
use self::names::{COMPETING, Names, Place};
use self::ordered::Reader;
use self::shared::Shared;
use self::token::Token;
use super::{Broker, BrokerError, Consumer, Failure, Share, partition_for};
use crate::config;
use crate::kernel::{Breaker, Clock, Rng};
use crate::model::messages::{Delivery, Message, Topic};

/// Brokers take 5 MiB, the message's metadata included. Only a dead-letter message can come near.
const PAYLOAD_MAX: usize = (5 << 20) - (64 << 10);

/// A client of Pulsar brokers. Dropping it is a crash: what waits is not sent. Close it instead.
pub struct PulsarBroker {
    shared: Arc<Shared>,
    /// Each with the layout that it belongs to, if it does.
    lanes: Mutex<HashMap<Place, (Option<u32>, Arc<Lane>)>>,
    lent: HashMap<Topic, Arc<Lent>>,
    /// The group of each competing topic: it has one.
    groups: Mutex<HashMap<Topic, String>>,
    /// Dead-letter messages are taken one at a time.
    taking: tokio::sync::Mutex<()>,
}

impl PulsarBroker {
    /// Connects, and makes the topics that are not there yet; waits up to `broker.start_timeout` for the brokers to come up.
    /// `node`: a readable part of the names of producers and consumers. Must be called inside a tokio runtime.
    pub async fn open(config: &config::Broker, node: &str, clock: Clock, rng: Rng) -> Result<Self, BrokerError> {
        let broker = Self::unprepared(config, node, clock, rng)?;
        setup::prepare(&broker.shared).await?;
        Ok(broker)
    }

    /// Whether the settings can be read, and which one can't; no broker is asked.
    pub fn check(config: &config::Broker) -> Result<(), (&'static str, BrokerError)> {
        admin::check_service(config).map_err(|error| ("broker.url", error))?;
        clients::roots(config).map_err(|error| ("broker.tls_roots", error))?;
        Token::of(config).read().map_err(|error| ("broker.token_file", error))?;
        Admin::new(config).map(drop).map_err(|error| ("broker.admin_url", error))
    }

    /// To look at what others do: asks the admin API alone, and makes nothing.
    pub async fn look(config: &config::Broker, clock: Clock, rng: Rng) -> Result<Self, BrokerError> {
        let broker = Self::unprepared(config, "look", clock, rng)?;
        setup::look(&broker.shared).await?;
        Ok(broker)
    }

    fn unprepared(config: &config::Broker, node: &str, clock: Clock, rng: Rng) -> Result<Self, BrokerError> {
        // The library uses the default provider of the process.
        let _provider = crate::tls::provider();
        let shared = Arc::new(Shared {
            admin: Admin::new(config)?,
            clients: Clients::new(config.clone()),
            names: Names { tenant: config.tenant.as_str().into() },
            process: format!("{node}-{}", HEXLOWER.encode(&rng.bytes::<8>())),
            patience: Breaker::new(*config.refuse_after),
            config: config.clone(),
            clock,
            rng,
            layouts: watch::Sender::new(Vec::new()),
            groups: Mutex::default(),
            drained: Mutex::default(),
            tasks: TaskTracker::new(),
            closed: CancellationToken::new(),
            ended: CancellationToken::new(),
        });
        Ok(Self {
            shared,
            lanes: Mutex::default(),
            lent: names::topics(Delivery::Competing).map(|topic| (topic, Arc::default())).collect(),
            groups: Mutex::default(),
            taking: tokio::sync::Mutex::default(),
        })
    }

    fn lane(&self, place: Place, layout: Option<u32>) -> Result<Arc<Lane>, BrokerError> {
        let mut lanes = self.lanes.lock();
        if self.shared.closed.is_cancelled() {
            return Err(BrokerError::Closed);
        }
        let start = |place: &Place| (layout, Arc::new(Lane::start(&self.shared, place.clone(), layout)));
        // A lane that a panic has ended must not keep its topic closed.
        if lanes.get(&place).is_some_and(|(_, lane)| lane.has_ended()) {
            lanes.remove(&place);
        }
        Ok(lanes.entry(place).or_insert_with_key(start).1.clone())
    }

    /// Where a message goes now, and the layout if that may change.
    fn way(&self, topic: Topic, message: &Message) -> (Place, Option<u32>) {
        let names = &self.shared.names;
        match topic.delivery() {
            Delivery::Ordered => {
                let layout = self.shared.newest();
                (names.layout(topic, layout).partition(partition_for(&message.key, layout)), Some(layout))
            }
            Delivery::Broadcast => (names.broadcast(topic), None),
            Delivery::Competing => {
                let now = self.shared.clock.now();
                let wait = message.deliver_at.map(|due| due.since(now)).unwrap_or_default();
                (names.competing_for(topic, wait), None)
            }
        }
    }

    /// Stores the messages, in the layout that is open when it comes to that.
    async fn store(&self, topic: Topic, messages: Vec<Message>) -> Result<(), BrokerError> {
        loop {
            let mut ways: Vec<(Place, Option<u32>, Vec<Message>)> = Vec::new();
            for message in &messages {
                let (place, layout) = self.way(topic, message);
                match ways.iter_mut().find(|(known, ..)| *known == place) {
                    Some((.., batch)) => batch.push(message.clone()),
                    None => ways.push((place, layout, vec![message.clone()])),
                }
            }
            let lanes = ways.into_iter().map(|(place, layout, batch)| Ok((self.lane(place, layout)?, batch)));
            let lanes: Vec<_> = lanes.collect::<Result<_, BrokerError>>()?;
            // Before anything enters: no healthy lane stores its part of a call that another one refuses.
            lanes.iter().try_for_each(|(lane, _)| lane.check())?;
            let mut receipts = Vec::with_capacity(lanes.len());
            for (lane, batch) in lanes {
                receipts.push(lane.enter(batch).await?);
            }
            let mut sealed = false;
            for receipt in receipts {
                sealed |= receipt.await.map_err(|_| BrokerError::Closed)? == Err(Sealed);
            }
            if !sealed {
                return Ok(());
            }
            self.forget_sealed();
        }
    }

    /// Waits until everything that has entered the lane of this partition is stored.
    async fn flush(&self, place: Place, layout: u32) -> Result<Result<(), Sealed>, BrokerError> {
        #[cfg(feature = "sabotage")]
        if crate::kernel::sabotage::active("pulsar.forget_what_is_on_its_way") {
            return Ok(Ok(()));
        }
        let flushed = self.lane(place, Some(layout))?.enter(Vec::new()).await?;
        flushed.await.map_err(|_| BrokerError::Closed)
    }

    fn forget_sealed(&self) {
        let newest = self.shared.newest();
        self.lanes.lock().retain(|_, (layout, _)| layout.is_none_or(|layout| layout == newest));
    }

    fn check_ordered(&self, topic: Topic, partition: u32) -> Result<(), BrokerError> {
        if topic.delivery() == Delivery::Ordered && partition < self.shared.newest() {
            return Ok(());
        }
        Err(BrokerError::Refused(format!("{} has no ordered partition {partition}", topic.name())))
    }

    fn check_open(&self) -> Result<(), BrokerError> {
        if self.shared.closed.is_cancelled() { Err(BrokerError::Closed) } else { Ok(()) }
    }

    /// Those of former layouts first.
    fn partitions_of_all_layouts(&self, topic: Topic) -> Vec<Place> {
        let layouts = self.shared.layouts.borrow().clone();
        let names = &self.shared.names;
        let partitions = |layout: u32| (0..layout).map(move |number| names.layout(topic, layout).partition(number));
        layouts.into_iter().flat_map(partitions).collect()
    }

    /// The older layouts that the group has not read to their end.
    async fn undrained(&self, topic: Topic, group: &str) -> Result<bool, BrokerError> {
        let layouts = self.shared.layouts.borrow().clone();
        for layout in &layouts[..layouts.len().saturating_sub(1)] {
            if !setup::drained(&self.shared, topic, *layout, group).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

#[async_trait]
impl Broker for PulsarBroker {
    async fn publish(&self, topic: Topic, messages: Vec<Message>) -> Result<(), BrokerError> {
        self.check_open()?;
        let limit = if topic == Topic::Failures { PAYLOAD_MAX } else { *self.shared.config.message_max };
        if let Some(large) = messages.iter().map(|message| message.payload.len()).find(|size| *size > limit) {
            return Err(BrokerError::Refused(format!("a message of {large} bytes exceeds broker.message_max")));
        }
        let deadline = Instant::now() + *self.shared.config.publish_timeout;
        let late = |_| Err(BrokerError::Unavailable("the brokers did not confirm in time".into()));
        timeout_at(deadline, self.store(topic, messages)).await.unwrap_or_else(late)
    }

    fn partitions(&self, topic: Topic) -> u32 {
        if topic.delivery() == Delivery::Ordered { self.shared.newest() } else { 1 }
    }

    fn partition_of(&self, topic: Topic, key: &[u8]) -> u32 {
        partition_for(key, self.partitions(topic))
    }

    async fn subscribe(
        &self,
        topic: Topic,
        partition: u32,
        subscription: &str,
    ) -> Result<Box<dyn Consumer>, BrokerError> {
        self.check_open()?;
        let shared = self.shared.clone();
        match topic.delivery() {
            Delivery::Ordered => {
                self.check_ordered(topic, partition)?;
                Ok(Box::new(Reader::open(shared, topic, partition, subscription.to_owned()).await?))
            }
            Delivery::Broadcast => Ok(Box::new(Listener::open(shared, topic, subscription).await?)),
            Delivery::Competing => {
                let group = self.groups.lock().entry(topic).or_insert_with(|| subscription.to_owned()).clone();
                if group != subscription {
                    return Err(BrokerError::Refused(format!("{} is already consumed by {group:?}", topic.name())));
                }
                let lent = self.lent.get(&topic).cloned().unwrap_or_default();
                Ok(Box::new(Worker::open(shared, topic, lent).await?))
            }
        }
    }

    async fn end_position(&self, topic: Topic, partition: u32) -> Result<u64, BrokerError> {
        self.check_open()?;
        self.check_ordered(topic, partition)?;
        let deadline = Instant::now() + *self.shared.config.publish_timeout;
        let late = || BrokerError::Unavailable("messages are still in flight".into());
        loop {
            let layout = self.shared.newest();
            let place = self.shared.names.layout(topic, layout).partition(partition);
            // Nothing in this process is on its way any more, not even what was given up.
            let flushed = timeout_at(deadline, self.flush(place.clone(), layout)).await;
            if flushed.map_err(|_| late())?? == Err(Sealed) {
                self.forget_sealed();
                continue;
            }
            let storage = self.shared.admin.internal(&place).await?;
            let first = self.shared.layouts.borrow().len() == 1;
            return if storage.is_empty() && first { Ok(0) } else { storage.end() };
        }
    }

    async fn acked_through(&self, topic: Topic, partition: u32, subscription: &str) -> Result<u64, BrokerError> {
        self.check_open()?;
        self.check_ordered(topic, partition)?;
        let known = self.shared.groups.lock().get(&(partition, subscription.to_owned())).map_or(0, |group| group.acked);
        if self.undrained(topic, subscription).await? {
            return Ok(known);
        }
        let place = self.shared.names.layout(topic, self.shared.newest()).partition(partition);
        // What was acknowledged here may still be on its way.
        Ok(self.shared.admin.internal(&place).await?.acked_through(subscription)?.max(known))
    }

    fn set_patience(&self, patience: std::time::Duration) {
        let lanes = self.lanes.lock();
        self.shared.patience.set_patience(patience);
        lanes.values().for_each(|(_, lane)| lane.set_patience(patience));
    }

    fn refuses(&self) -> bool {
        self.lanes.lock().values().any(|(_, lane)| lane.refuses())
    }

    async fn backlog(&self, topic: Topic, subscription: &str) -> Result<u64, BrokerError> {
        self.check_open()?;
        let (places, group) = match topic.delivery() {
            Delivery::Broadcast => return Ok(0),
            Delivery::Competing => (self.shared.names.competing(topic), COMPETING),
            Delivery::Ordered => (self.partitions_of_all_layouts(topic), subscription),
        };
        let mut waiting = 0;
        for place in places {
            waiting += self.shared.admin.internal(&place).await?.backlog(group);
        }
        Ok(waiting)
    }

    async fn shares(&self, topic: Topic, subscription: &str) -> Result<Vec<Share>, BrokerError> {
        self.check_open()?;
        if topic.delivery() != Delivery::Ordered {
            return Ok(Vec::new());
        }
        let mut shares = Vec::new();
        for place in self.partitions_of_all_layouts(topic) {
            let waiting = self.shared.admin.internal(&place).await?.backlog(subscription);
            let dispatch = self.shared.admin.dispatch(&place, subscription).await?;
            let reader = dispatch.and_then(|dispatch| dispatch.active_consumer_name).filter(|name| !name.is_empty());
            shares.push(Share { partition: place.name().to_owned(), reader, waiting });
        }
        Ok(shares)
    }

    async fn failures(&self, after: u64, max: usize) -> Result<Vec<(u64, Failure)>, BrokerError> {
        self.check_open()?;
        failures::list(&self.shared, after, max).await
    }

    async fn failures_before(&self, before: u64, max: usize) -> Result<Vec<(u64, Failure)>, BrokerError> {
        self.check_open()?;
        failures::list_back(&self.shared, before, max).await
    }

    async fn replay(&self, position: u64) -> Result<bool, BrokerError> {
        self.check_open()?;
        let _taking = self.taking.lock().await;
        let Some(found) = failures::find(&self.shared, position).await? else { return Ok(false) };
        let refused = |reason: String| BrokerError::Refused(reason);
        let failure = Failure::decode(&found.payload).map_err(|error| refused(error.to_string()))?;
        let unknown = || refused(format!("unknown topic {:?}", failure.topic));
        let topic = Topic::parse(&failure.topic).ok_or_else(unknown)?;
        let message = Message { key: failure.key, payload: failure.payload, deliver_at: None };
        self.publish(topic, vec![message]).await?;
        failures::remove(&self.shared, position).await?;
        Ok(true)
    }

    async fn discard(&self, position: u64) -> Result<bool, BrokerError> {
        self.check_open()?;
        let _taking = self.taking.lock().await;
        if failures::find(&self.shared, position).await?.is_none() {
            return Ok(false);
        }
        failures::remove(&self.shared, position).await?;
        Ok(true)
    }

    async fn close(&self) {
        self.shared.closed.cancel();
        // Each lane ends when what is in it is stored.
        self.lanes.lock().clear();
        self.shared.tasks.close();
        let done = tokio::time::timeout(*self.shared.config.publish_timeout, self.shared.tasks.wait()).await;
        if done.is_err() {
            tracing::warn!(tasks = self.shared.tasks.len(), "messages or acknowledgements may not have been written");
        }
        self.shared.ended.cancel();
    }
}

impl Drop for PulsarBroker {
    fn drop(&mut self) {
        self.shared.closed.cancel();
        self.shared.ended.cancel();
    }
}
