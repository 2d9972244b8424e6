//! Messages between the parts: durable, partitioned, at least once.

pub mod envelope;
pub mod outbox;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::kernel::Timestamp;

/// What flows where. The name is stable: it is stored, and becomes the Pulsar topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topic {
    /// Admitted tickets on their way to the order writer. Partitioned by sale, read in order by one consumer per partition.
    OrderRequests,
    /// What was decided, for every node's hub. Broadcast.
    PurchaseResults,
    /// Orders whose time to pay will be over. Delayed, competing consumers.
    PaymentTimeouts,
    /// Sign-ins and sign-ups for the login log. Competing consumers.
    LoginEvents,
    /// Products, sessions and sales that changed, for every node's snapshot. Broadcast.
    CatalogChanges,
    /// Messages that could not be handled, with the reason; kept until an operator replays or drops them.
    Failures,
}

/// How a topic's messages reach consumers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Each partition's messages in order to one consumer, with cumulative acknowledgement.
    Ordered,
    /// Each message to one of the consumers once it is due, acknowledged one by one.
    Competing,
    /// Each message to every consumer that is attached, in order per key. What was published before it attached, or while its
    /// process was down, it does not see: it reads the state first.
    Broadcast,
}

/// A message to publish.
#[derive(Debug, Clone)]
pub struct Message {
    /// Messages with one key keep their order. Chooses the partition.
    pub key: Bytes,
    /// The envelope, JSON.
    pub payload: Bytes,
    /// Not before this moment (competing topics only).
    pub deliver_at: Option<Timestamp>,
}

/// A received message. `position` grows within a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Where it stands; what is acknowledged.
    pub position: u64,
    /// The envelope.
    pub payload: Bytes,
    /// How many times it was delivered before, as far as the broker knows.
    pub redeliveries: u32,
}

/// The broker could not be reached or did not answer in time.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BrokerError {
    /// Nothing was stored, or it is unknown whether it was: publishing again is safe, consumers are idempotent.
    #[error("broker unavailable: {0}")]
    Unavailable(String),
    /// A broadcast consumer was too slow and missed messages: it must read the state afresh.
    #[error("missed {0} messages")]
    Lagged(u64),
    /// The broker is shutting down.
    #[error("broker closed")]
    Closed,
}

/// The contract of every broker.
#[async_trait]
pub trait Broker: Send + Sync + 'static {
    /// Stores the messages, in order per key. `Ok` only when they will survive a crash of any process (broadcast topics: of any
    /// process but the consumer's).
    async fn publish(&self, topic: Topic, messages: Vec<Message>) -> Result<(), BrokerError>;

    /// How many partitions the topic has (1 unless it is ordered).
    fn partitions(&self, topic: Topic) -> u32;

    /// The partition that messages with this key go to.
    fn partition_of(&self, topic: Topic, key: &[u8]) -> u32;

    /// Attaches a consumer. `subscription` names the group (ordered, competing) or the node (broadcast). For ordered topics
    /// one consumer per partition is active at a time.
    async fn subscribe(
        &self,
        topic: Topic,
        partition: u32,
        subscription: &str,
    ) -> Result<Box<dyn Consumer>, BrokerError>;

    /// A position such that every message published to the partition before this call stands at or before it; 0 when there
    /// is none. With [`Broker::acked_through`] it makes a barrier: when the group has acknowledged it, nothing older is on its way.
    async fn end_position(&self, topic: Topic, partition: u32) -> Result<u64, BrokerError>;

    /// The last position that the group acknowledged, 0 when none. `u64::MAX` when the partition is empty.
    async fn acked_through(&self, topic: Topic, partition: u32, subscription: &str) -> Result<u64, BrokerError>;

    /// Messages that wait for the group, for metrics.
    async fn backlog(&self, topic: Topic, subscription: &str) -> Result<u64, BrokerError>;

    /// Parked messages, oldest first, after `after`.
    async fn failures(&self, after: u64, max: usize) -> Result<Vec<(u64, Failure)>, BrokerError>;

    /// Publishes a parked message to its topic again and removes it from the failures. Returns whether it was there.
    async fn replay(&self, position: u64) -> Result<bool, BrokerError>;
}

/// One end of a subscription.
#[async_trait]
pub trait Consumer: Send {
    /// Waits for messages and returns `max` at most: as soon as there is one, or up to `linger` later if that fills the
    /// batch. Dropping the future loses nothing. Messages that were received but not acknowledged come again after
    /// [`Consumer::rewind`], after a crash, and (competing) after the redelivery time.
    async fn receive(&mut self, max: usize, linger: Duration) -> Result<Vec<Received>, BrokerError>;

    /// Ordered and broadcast: acknowledges everything up to and including `position`. Competing: just that message. Call it
    /// after the work is committed. It need not be durable at once: a crash may bring the message again.
    async fn ack(&mut self, position: u64) -> Result<(), BrokerError>;

    /// Makes what is not acknowledged come again from the start (ordered), for a retry.
    async fn rewind(&mut self) -> Result<(), BrokerError>;
}

/// A message that could not be handled, as it stands in [`Topic::Failures`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Failure {
    /// Name of the topic it came from.
    pub topic: String,
    /// Its key, text form.
    pub key: String,
    /// Why it could not be handled.
    pub reason: String,
    /// When it was parked.
    pub at: Timestamp,
    /// The message: JSON when it is JSON, else a string.
    pub message: serde_json::Value,
}

impl Topic {
    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OrderRequests => "order-requests",
            Self::PurchaseResults => "purchase-results",
            Self::PaymentTimeouts => "payment-timeouts",
            Self::LoginEvents => "login-events",
            Self::CatalogChanges => "catalog-changes",
            Self::Failures => "failures",
        }
    }

    /// How its messages reach consumers.
    pub const fn delivery(self) -> Delivery {
        match self {
            Self::OrderRequests => Delivery::Ordered,
            Self::PaymentTimeouts | Self::LoginEvents | Self::Failures => Delivery::Competing,
            Self::PurchaseResults | Self::CatalogChanges => Delivery::Broadcast,
        }
    }
}
