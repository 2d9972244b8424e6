//! Topics, messages and events, as they are stored and delivered.

use bytes::Bytes;

use crate::kernel::Timestamp;

/// A topic. The name is stable: it is stored, and becomes the Pulsar topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topic {
    /// Admitted tickets on their way to the order writer. Partitioned by sale, read in order by one consumer per partition.
    OrderRequests,
    /// Decisions, for every node's hub. Broadcast.
    PurchaseResults,
    /// Orders whose time to pay will be over. Delayed, competing consumers.
    PaymentTimeouts,
    /// Sign-ins and sign-ups for the login log. Competing consumers.
    LoginEvents,
    /// Products, sessions and sales that changed, for every node's snapshot. Broadcast.
    CatalogChanges,
    /// Sales whose terms changed, for the gate. Competing consumers.
    GateChanges,
    /// Access tokens that ended, for every node's cache. Broadcast.
    SessionChanges,
    /// Settings that changed, for every node. Broadcast.
    SettingsChanges,
    /// What happened in a second on each node, for operators. Broadcast; a lost message is a gap that they see.
    Pulses,
    /// Messages that could not be handled, with the reason; kept until an operator replays or drops them.
    Failures,
}

impl Topic {
    /// Every topic.
    pub const ALL: [Self; 10] = [
        Self::OrderRequests,
        Self::PurchaseResults,
        Self::PaymentTimeouts,
        Self::LoginEvents,
        Self::CatalogChanges,
        Self::GateChanges,
        Self::SessionChanges,
        Self::SettingsChanges,
        Self::Pulses,
        Self::Failures,
    ];

    /// The topic with this stable name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.name() == name)
    }

    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OrderRequests => "order-requests",
            Self::PurchaseResults => "purchase-results",
            Self::PaymentTimeouts => "payment-timeouts",
            Self::LoginEvents => "login-events",
            Self::CatalogChanges => "catalog-changes",
            Self::GateChanges => "gate-changes",
            Self::SessionChanges => "session-changes",
            Self::SettingsChanges => "settings-changes",
            Self::Pulses => "pulses",
            Self::Failures => "failures",
        }
    }

    /// How its messages reach consumers.
    pub const fn delivery(self) -> Delivery {
        match self {
            Self::OrderRequests => Delivery::Ordered,
            Self::PaymentTimeouts | Self::LoginEvents | Self::GateChanges | Self::Failures => Delivery::Competing,
            Self::PurchaseResults
            | Self::CatalogChanges
            | Self::SessionChanges
            | Self::SettingsChanges
            | Self::Pulses => Delivery::Broadcast,
        }
    }
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
    /// The envelope, JSON; at most `broker.message_max` bytes.
    pub payload: Bytes,
    /// Not before this moment (competing topics only).
    pub deliver_at: Option<Timestamp>,
}

/// A received message. `position` grows within a partition, not without gaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Where it stands; what is acknowledged.
    pub position: u64,
    /// The key it was published with.
    pub key: Bytes,
    /// The envelope.
    pub payload: Bytes,
    /// How many times it was delivered before, as far as the broker knows.
    pub redeliveries: u32,
}

/// A message to append.
#[derive(Debug, Clone)]
pub struct NewMessage {
    /// Where it belongs.
    pub topic: Topic,
    /// Partition of the topic; 0 on competing topics.
    pub partition: u32,
    /// As published.
    pub key: Bytes,
    /// As published.
    pub payload: Bytes,
    /// When it is due; `None` on ordered topics and only there.
    pub deliver_at: Option<Timestamp>,
}

/// A message of an ordered topic.
#[derive(Debug, Clone)]
pub struct LogMessage {
    /// Its position.
    pub id: u64,
    /// Where it stands.
    pub partition: u32,
    /// As published.
    pub key: Bytes,
    /// As published.
    pub payload: Bytes,
}

/// How far a group has come in a partition.
#[derive(Debug, Clone)]
pub struct Cursor {
    /// Name of the topic.
    pub topic: String,
    /// Partition of the topic.
    pub partition: u32,
    /// Name of the group.
    pub subscription: String,
    /// Last position that is done.
    pub acked_through: u64,
}

/// An event to write.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Where it is to be published.
    pub topic: Topic,
    /// Events with one key keep their order.
    pub key: String,
    /// The envelope.
    pub payload: Bytes,
    /// Not before this moment (competing topics only).
    pub deliver_at: Option<Timestamp>,
}

/// An event that waits to be published.
#[derive(Debug, Clone)]
pub struct StoredEvent {
    /// Grows in the order of writing.
    pub id: i64,
    /// Name of the topic.
    pub topic: String,
    /// As written.
    pub key: String,
    /// As written.
    pub payload: Bytes,
    /// As written.
    pub deliver_at: Option<Timestamp>,
}

/// Which events to look at.
#[derive(Debug, Clone)]
pub enum Scope {
    /// Those that this node wrote.
    Own(String),
    /// Those that somebody wrote before this moment.
    WrittenBefore(Timestamp),
}
